//! The stream in other people's hands: WebSocket clients that are not ours, in other languages.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::support::{SUBPROTOCOLS, TestDaemon};

/// Has a script of `clients/` follow a daemon in both subprotocols.
fn follows(interpreter: &mut Command, script: &str) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration/clients").join(script);
    interpreter.arg(script);
    let daemon = TestDaemon::start();
    for subprotocol in SUBPROTOCOLS {
        let url = format!("ws://{}/api/v1/stream", daemon.address);
        let mut command = Command::new(interpreter.get_program());
        let output = command.args(interpreter.get_args()).args([&url, subprotocol]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let seqs = String::from_utf8(output.stdout).unwrap();
        let seqs: Vec<u64> = seqs.lines().map(|line| line.parse().unwrap()).collect();
        assert!(seqs.len() >= 20 && seqs.iter().copied().eq(1..=seqs.len() as u64), "{seqs:?}");
    }
}

/// A Python with the package `websockets`, made once and kept with what else is built.
pub(crate) fn python() -> Option<PathBuf> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let python = home.join("bin/python3");
    let has_package = |python: &Path| {
        let imported = Command::new(python).args(["-c", "import websockets"]).output();
        imported.is_ok_and(|output| output.status.success())
    };
    if has_package(&python) {
        return Some(python);
    }
    let run = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    let made = run(Command::new("python3").args(["-m", "venv"]).arg(&home))
        && run(Command::new(&python).args(["-m", "pip", "install", "--quiet", "websockets>=14,<17"]));
    (made && has_package(&python)).then_some(python)
}

#[test]
fn pythons_websockets_follows_and_resumes() {
    match python() {
        Some(python) => follows(&mut Command::new(python), "follow.py"),
        None => println!("skipped: no Python with a venv and the package websockets"),
    }
}

#[test]
fn node_follows_and_resumes() {
    let has_websocket = |flags: &[&str]| {
        let check = "process.exit(typeof WebSocket === 'function' ? 0 : 1)";
        Command::new("node").args(flags).args(["-e", check]).output().is_ok_and(|output| output.status.success())
    };
    // Built in since version 22, and behind a flag since 20.10.
    let flags: [&[&str]; 2] = [&[], &["--experimental-websocket", "--no-warnings"]];
    match flags.into_iter().find(|flags| has_websocket(flags)) {
        Some(flags) => follows(Command::new("node").args(flags), "follow.mjs"),
        None => println!("skipped: no Node.js with a WebSocket of its own"),
    }
}
