//! `hostcast record` as the process that users run: many hosts in one recorder.
//!
//! One real daemon stands for all hosts: the recorder follows it once for each, and cannot know. Their samples are real,
//! and so is what they take on disk.

mod measure;

use std::{
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
    let daemon = Daemon::start(hosts);
    println!("{hosts} hosts at 1 Hz, one recorder, {seconds} s\n");

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
    // Until all are connected, and what their history took is given back.
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

    let reading = Instant::now();
    let report = verify(&all);
    let took = reading.elapsed();
    let total = |field: &str| sum(&report, field);
    let damages = ["duplicates", "holes", "damaged", "torn"].map(total).iter().sum::<f64>();
    let gaps = report["hosts"].as_array().expect("hosts").iter().filter(|host| host["gaps"] != serde_json::json!({}));
    let lost = damages + gaps.count() as f64;
    table.add(Row::new("samples lost, doubled or damaged", [lost].into_iter().collect()).goal(Goal::AtMost(0.0)));
    let per_sample = total("values") / total("samples");
    if let Some(bytes) = bytes_of_archived_sample(&all) {
        let row = Row::new("bytes on disk a value, compressed", [bytes / per_sample].into_iter().collect());
        table.add(row.goal(Goal::AtMost(1.0)));
    }
    println!("{table}");

    let mut table = Table::new("reading a recording, thousand samples a second");
    let samples = total("samples");
    let thousand_a_second = |took: Duration| [samples / took.as_secs_f64() / 1e3].into_iter().collect();
    table.add(Row::new("hostcast verify", thousand_a_second(took)).floor(thousand_a_second(decompress(&all))));
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

fn decompress(folder: &Path) -> Duration {
    let started = Instant::now();
    let script = "{ find . -name '*.zst' -exec zstd -dcq {} + ; find . -name '*.ndjson' -exec cat {} + ; } | wc -l";
    shell(script, folder).expect("zstd is there");
    started.elapsed()
}
