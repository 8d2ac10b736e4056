//! The program in its several roles, started as processes.

use std::{
    fs,
    io::{self, Read as _},
    net::SocketAddr,
    path::Path,
    process::{Command, Stdio},
    time::Instant,
};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::Value;

use crate::process::Process;

pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_hostcast");
/// What the first argument is in a process of this program that serves a past.
pub(crate) const AS_DAEMON: &str = "daemon";

/// A recorder of so many hosts, which go round the addresses.
pub(crate) fn recorder(addresses: &[SocketAddr], folder: &Path, hosts: usize, flags: &[&str]) -> io::Result<Process> {
    let mut command = Command::new(PROGRAM);
    command.args(["record", "--log-level", "error", "--output"]).arg(folder).args(flags);
    let addresses = addresses.iter().cycle();
    command.args(addresses.take(hosts).enumerate().map(|(host, address)| format!("{}=ws://{address}", name(host))));
    Process::start(command)
}

pub(crate) fn name(host: usize) -> String {
    format!("h{host:05}")
}

/// Where a daemon that was started says that it listens.
pub(crate) fn address(process: &mut Process) -> io::Result<SocketAddr> {
    let line = process.line()?;
    let address = line.trim_start_matches("dashboard at http://").trim_end_matches('/').parse();
    address.map_err(|_| io::Error::other(format!("no address: {line:?}")))
}

/// A folder alone is there before its host has been asked.
pub(crate) fn hosts_with_lines(folder: &Path) -> usize {
    let has_text = |file: fs::DirEntry| file.metadata().is_ok_and(|file| file.len() > 0);
    let has_lines = |host: &fs::DirEntry| fs::read_dir(host.path()).is_ok_and(|files| files.flatten().any(has_text));
    fs::read_dir(folder).map_or(0, |hosts| hosts.flatten().filter(has_lines).count())
}

pub(crate) fn verify(folder: &Path) -> io::Result<Value> {
    let output = Command::new(PROGRAM).arg("verify").arg(folder).arg("--json").output()?;
    serde_json::from_slice(&output.stdout).map_err(io::Error::other)
}

/// Of all hosts together.
pub(crate) fn sum(report: &Value, field: &str) -> f64 {
    report["hosts"].as_array().into_iter().flatten().filter_map(|host| host[field].as_f64()).sum()
}

/// What a command has cost, with all processes that it has started.
pub(crate) struct Cost {
    pub(crate) seconds: f64,
    pub(crate) cpu_seconds: f64,
    /// The most memory that the command itself ever had.
    pub(crate) peak_kib: f64,
}

/// Runs a command to its end. What it says goes nowhere.
pub(crate) fn cost(command: &mut Command) -> io::Result<Cost> {
    let (cpu, started) = (children_cpu_seconds()?, Instant::now());
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let status = format!("/proc/{}/status", child.id());
    let (mut buffer, mut peak_kib) = (vec![0; 64 << 10], 0.0);
    let mut out = child.stdout.take().ok_or_else(|| io::Error::other("a child has no pipe"))?;
    let mut pieces = 0_u64;
    while out.read(&mut buffer)? > 0 {
        pieces += 1;
        // It only grows, and looking costs more than reading. What it takes at its very end is not seen.
        if pieces < 256 || pieces.is_multiple_of(64) {
            let text = fs::read_to_string(&status).unwrap_or_default();
            let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let peak = peak.and_then(|peak| peak.trim().trim_end_matches(" kB").parse().ok());
            peak_kib = peak.unwrap_or(peak_kib);
        }
    }
    let status = child.wait()?;
    if !status.success() {
        return Err(io::Error::other(format!("{command:?}: {status}")));
    }
    Ok(Cost { seconds: started.elapsed().as_secs_f64(), cpu_seconds: children_cpu_seconds()? - cpu, peak_kib })
}

/// All that is started meanwhile has one and the same core.
pub(crate) fn on_one_core<T>(work: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let all = sched_getaffinity(None)?;
    let mut one = CpuSet::new();
    one.set((0..CpuSet::MAX_CPU).rev().find(|core| all.is_set(*core)).unwrap_or_default());
    sched_setaffinity(None, &one)?;
    let result = work();
    sched_setaffinity(None, &all)?;
    result
}

/// A line of shell in this folder.
pub(crate) fn script(script: &str, folder: &Path) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script]).current_dir(folder);
    command
}

pub(crate) fn said(text: &str, folder: &Path) -> io::Result<String> {
    let output = script(text, folder).output()?;
    if !output.status.success() {
        return Err(io::Error::other(format!("{text}: {}", String::from_utf8_lossy(&output.stderr))));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// CPU of all children that have ended, and of theirs: in ticks of 10 ms, as the kernel counts it.
fn children_cpu_seconds() -> io::Result<f64> {
    let text = fs::read_to_string("/proc/self/stat")?;
    // The name of the program may have spaces, and stands in parentheses.
    let fields = text.rsplit(") ").next().unwrap_or_default();
    let ticks = fields.split(' ').skip(13).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    Ok(ticks.sum::<f64>() / rustix::param::clock_ticks_per_second() as f64)
}
