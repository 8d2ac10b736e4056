//! The units for systemd, as systemd's own tool reads them.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

/// The most that the unit may be exposed to, of 10.
const MOST_EXPOSURE: f64 = 1.5;

/// Runs the tool on copies of both units that start a program which exists; `None` where there is no such tool.
fn analyze(arguments: &[&str]) -> Option<Output> {
    let folder = tempfile::tempdir().unwrap();
    let units = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd");
    for name in ["hostcast.service", "hostcast.socket"] {
        let unit = fs::read_to_string(units.join(name)).unwrap();
        fs::write(folder.path().join(name), unit.replace("/usr/bin/hostcast", env!("CARGO_BIN_EXE_hostcast"))).unwrap();
    }
    let output = Command::new("systemd-analyze").args(arguments).current_dir(&folder).output();
    if output.is_err() {
        eprintln!("skipped: there is no systemd-analyze here");
    }
    output.ok()
}

#[test]
fn systemd_finds_nothing_wrong_with_the_units() {
    let Some(output) = analyze(&["verify", "--man=no", "./hostcast.service", "./hostcast.socket"]) else { return };
    let complaints = String::from_utf8(output.stderr).unwrap();
    let ours: Vec<_> = complaints.lines().filter(|line| line.contains("hostcast")).collect();
    assert!(output.status.success() && ours.is_empty(), "{complaints}");
}

#[test]
fn the_service_is_exposed_to_little() {
    let arguments = ["security", "--offline=true", "--no-pager", "./hostcast.service"];
    let Some(output) = analyze(&arguments) else { return };
    let table = String::from_utf8(output.stdout).unwrap();
    let score = table.lines().find_map(|line| line.split("exposure level for hostcast.service: ").nth(1));
    let score: f64 = score.and_then(|rest| rest.split(' ').next()?.parse().ok()).unwrap_or_else(|| panic!("{table}"));
    assert!(score <= MOST_EXPOSURE, "{table}");
}
