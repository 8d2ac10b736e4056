//! `hostcast record` as the process that users run: many hosts in one recorder.
//!
//! One real daemon stands for all hosts: the recorder follows it once for each, and cannot know. Their samples are real,
//! and so is what they take on disk.

mod measure;

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use measure::{Figures, Goal, Row, Table, setting};
use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_hostcast");
/// CPU is counted over spans of this length.
const SPAN: Duration = Duration::from_secs(10);

fn main() {
    if !measure::is_wanted() {
        return;
    }
    let hosts = setting("HOSTCAST_BENCH_HOSTS", 1_000);
    let seconds = setting("HOSTCAST_BENCH_SECONDS", 120);
    let past = setting("HOSTCAST_BENCH_PAST", 60);
    let daemon = Daemon::start(hosts);
    println!("{hosts} hosts at 1 Hz with a past of {past} s, one recorder, {seconds} s\n");
    thread::sleep(Duration::from_secs(past));

    let folder = tempfile::tempdir().expect("a folder for recordings");
    let alone = {
        let mut recorder = Recorder::start(&daemon, &folder.path().join("one"), 1);
        thread::sleep(SPAN);
        let memory = own_memory_kib(&recorder.0);
        recorder.stop();
        memory
    };
    let all = folder.path().join("all");
    let mut recorder = Recorder::start(&daemon, &all, hosts);
    let started = Instant::now();
    while hosts_with_lines(&all) < hosts as usize {
        thread::sleep(Duration::from_millis(10));
    }
    println!(
        "all hosts are connected, and the past of most is recorded, after {:.1} s\n",
        started.elapsed().as_secs_f64()
    );
    thread::sleep(SPAN);
    let mut cpu = Figures::default();
    let mut memory = Figures::default();
    for _ in 0..(seconds / SPAN.as_secs()).max(1) {
        let (before, started) = (cpu_seconds(&recorder.0), Instant::now());
        thread::sleep(SPAN);
        cpu.push((cpu_seconds(&recorder.0) - before) / started.elapsed().as_secs_f64() * 100.0);
        memory.push((own_memory_kib(&recorder.0) - alone) / (hosts.max(2) - 1) as f64);
    }
    recorder.stop();

    let mut table = Table::new(format!("a recorder of {hosts} hosts"));
    let on_one_core: Figures = [hosts as f64 / cpu.median() * 100.0].into_iter().collect();
    table.add(Row::new("CPU, % of one core", cpu));
    table.add(Row::new("hosts that one core could follow", on_one_core));
    table.add(Row::new("its own memory, KiB a host", memory).goal(Goal::AtMost(32.0)));

    let report = verify(&all);
    table.add(
        Row::new("samples lost, doubled or damaged", [lost(&report)].into_iter().collect()).goal(Goal::AtMost(0.0)),
    );
    let per_sample = sum(&report, "values") / sum(&report, "samples");
    if let Some(bytes) = bytes_of_archived_sample(&all) {
        let by_columns = bytes_by_columns(&all.join("h00000")) / per_sample;
        let row = Row::new("bytes on disk a value, compressed", [bytes / per_sample].into_iter().collect());
        table.add(row.floor([by_columns].into_iter().collect()).goal(Goal::AtMost(1.0)));
    } else {
        println!("The run was too short for an archive: what a value takes on disk is not known.\n");
    }
    println!(
        "{table}\nThe floor of a value is what it takes where each series is compressed by itself, which is no format.\n"
    );

    let mut table = Table::new("reading a recording, thousand samples a second");
    let samples = sum(&report, "samples");
    let read = |script: &str| -> Figures {
        let script = format!("{{ {script} ; }} | wc -l");
        let once = || {
            let started = Instant::now();
            shell(&script, &all).expect("zstd is there");
            samples / started.elapsed().as_secs_f64() / 1e3
        };
        (0..5).map(|_| once()).collect()
    };
    let floor = read("find . -name '*.zst' -exec zstd -dcq {} + ; find . -name '*.ndjson' -exec cat {} +");
    table.add(Row::new("hostcast verify", read(&format!("{PROGRAM} verify ."))).floor(floor.clone()));
    table.add(Row::new("hostcast export", read(&format!("{PROGRAM} export ."))).floor(floor));
    println!("{table}\nThe floor of reading is `zstd -dc` and `cat` into `wc -l`.");
}

struct Daemon {
    child: Child,
    url: String,
}

impl Daemon {
    fn start(hosts: u64) -> Self {
        let mut child = Command::new(PROGRAM)
            .args(["serve", "--listen", "127.0.0.1:0", "--interval", "1s"])
            .env("HOSTCAST_SERVER_LIMITS_MAX_CONNECTIONS_PER_ADDRESS", (hosts + 10).to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program was built with this benchmark");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut line).expect("it says where it listens");
        let url = line.trim().trim_start_matches("dashboard at http://").trim_end_matches('/').to_owned();
        Self { child, url: format!("ws://{url}") }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Recorder(Child);

impl Recorder {
    fn start(daemon: &Daemon, folder: &Path, hosts: u64) -> Self {
        let mut command = Command::new(PROGRAM);
        command.args(["record", "--log-level", "error", "--output"]).arg(folder);
        command.args((0..hosts).map(|host| format!("h{host:05}={}", daemon.url)));
        Self(command.stdout(Stdio::null()).spawn().expect("the program was built with this benchmark"))
    }

    fn stop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).expect("it runs");
        assert!(self.0.wait().expect("it ends").success());
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A folder alone is there before its host has been asked.
fn hosts_with_lines(folder: &Path) -> usize {
    let has_text = |file: fs::DirEntry| file.metadata().is_ok_and(|file| file.len() > 0);
    let has_lines = |host: &fs::DirEntry| fs::read_dir(host.path()).is_ok_and(|files| files.flatten().any(has_text));
    fs::read_dir(folder).map_or(0, |hosts| hosts.flatten().filter(has_lines).count())
}

/// What the process has for itself alone, files that are mapped left out.
fn own_memory_kib(child: &Child) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("Linux has this line");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

fn cpu_seconds(child: &Child) -> f64 {
    let tasks = fs::read_dir(format!("/proc/{}/task", child.id())).expect("it runs");
    let nanos = tasks.flatten().filter_map(|task| {
        let schedstat = fs::read_to_string(task.path().join("schedstat")).ok()?;
        schedstat.split(' ').next()?.parse::<f64>().ok()
    });
    nanos.sum::<f64>() / 1e9
}

fn verify(folder: &Path) -> Value {
    let output = Command::new(PROGRAM).arg("verify").arg(folder).arg("--json").output().expect("it starts");
    serde_json::from_slice(&output.stdout).expect("it is one document")
}

/// What is damaged, and hosts that have a gap, or ended before the others did.
fn lost(report: &Value) -> f64 {
    let damages: f64 = ["duplicates", "holes", "damaged", "torn"].map(|field| sum(report, field)).iter().sum();
    let hosts = report["hosts"].as_array().expect("hosts");
    let samples = |host: &Value| host["samples"].as_u64().unwrap_or(0);
    let most = hosts.iter().map(samples).max().unwrap_or(0);
    // One may have been written when the recorder was told to stop.
    let lacks = |host: &&Value| host["gaps"] != serde_json::json!({}) || samples(host) + 1 < most;
    damages + hosts.iter().filter(lacks).count() as f64
}

fn sum(report: &Value, field: &str) -> f64 {
    report["hosts"].as_array().expect("hosts").iter().filter_map(|host| host[field].as_f64()).sum()
}

fn shell(script: &str, folder: &Path) -> Option<String> {
    let output = Command::new("sh").args(["-c", script]).current_dir(folder).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The bytes of all archives by the lines in them. `None` where there is none yet.
fn bytes_of_archived_sample(folder: &Path) -> Option<f64> {
    let lines: f64 = shell("find . -name '*.zst' -exec zstd -dcq {} + | wc -l", folder)?.parse().ok()?;
    let bytes: f64 = shell("find . -name '*.zst' -exec cat {} + | wc -c", folder)?.parse().ok()?;
    (lines > 0.0).then_some(bytes / lines)
}

/// What a sample of this host takes where the values of each series stand together, compressed as well as zstd can.
fn bytes_by_columns(host: &Path) -> f64 {
    let lines = shell("zstd -dcq *.zst; cat *.ndjson", host).expect("zstd is there");
    let (mut columns, mut samples) = (BTreeMap::<String, String>::new(), 0);
    for line in lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let Some(values) = line["values"].as_object() else { continue };
        samples += 1;
        let head = ["time", "elapsed_ms"].map(|field| (field.to_owned(), &line[field]));
        for (series, value) in head.into_iter().chain(values.iter().map(|(id, value)| (id.clone(), value))) {
            let _ = write!(columns.entry(series).or_default(), "{value},");
        }
    }
    fs::write(host.join("columns"), columns.into_values().collect::<String>()).expect("there is room");
    let bytes: f64 =
        shell("zstd -19 -qc columns | wc -c", host).and_then(|bytes| bytes.parse().ok()).expect("a number");
    bytes / f64::from(samples)
}
