//! Many hosts in one recorder, with a past as users have it: what it costs, and that nothing is lost.

use std::{
    fs, io, thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    measure::{Figures, Goal, Row, Table, thousands},
    process::Process,
    programs::{self, AS_DAEMON, hosts_with_lines, recorder, sum, verify},
};

/// CPU is counted over spans of this length, too.
const SPAN: Duration = Duration::from_secs(10);
const SETTLED: Duration = Duration::from_secs(5);

/// Prints the table, and yields the recording.
pub(crate) fn bench(hosts: usize, seconds: Duration, past: usize) -> io::Result<TempDir> {
    let mut daemon = Process::role(AS_DAEMON, [past])?;
    let addresses = [programs::address(&mut daemon)?];
    let folder = tempfile::tempdir()?;
    let alone = {
        let one = tempfile::tempdir()?;
        let recorder = recorder(&addresses, one.path(), 1, &[])?;
        thread::sleep(SETTLED);
        own_memory_kib(&recorder)?
    };
    let started = Instant::now();
    let recorder = recorder(&addresses, folder.path(), hosts, &[])?;
    while hosts_with_lines(folder.path()) < hosts {
        thread::sleep(Duration::from_millis(100));
    }
    // Every host has begun with its past. Until they have read it the recorder has no pause.
    while cpu_percent(&recorder, Duration::from_secs(1))? > 50.0 {}
    println!(
        "{} hosts at 1 Hz in one recorder: the past of all, {} samples each (the ring holds 15 minutes), was recorded after {:.1} s; then {} s live\n",
        thousands(hosts),
        thousands(past),
        started.elapsed().as_secs_f64(),
        seconds.as_secs(),
    );
    thread::sleep(SETTLED);
    let (mut spans, mut memory) = (Figures::default(), Figures::default());
    let (cpu, since) = (recorder.cpu_us()?, Instant::now());
    while since.elapsed() < seconds {
        spans.push(cpu_percent(&recorder, SPAN)?);
        memory.push((own_memory_kib(&recorder)? - alone) / (hosts.max(2) - 1) as f64);
    }
    let mean = (recorder.cpu_us()? - cpu) / since.elapsed().as_secs_f64() / 1e4;
    drop(recorder);

    let report = verify(folder.path())?;
    let mut table = Table::of_rounds(format!("a recorder of {} hosts", thousands(hosts)));
    table.add(Row::new("CPU, % of one core, on average", one(mean)));
    // Frames are made in all but an eighth of each cycle, see docs/performance.md.
    table.add(Row::new("in spans of 10 s", spans));
    table.add(Row::new("its own memory, KiB a host", memory).goal(Goal::AtMost(32.0)));
    table.add(Row::new("samples lost, doubled or damaged", one(lost(&report))).goal(Goal::AtMost(0.0)));
    println!("{table}");
    println!(
        "Memory is what the recorder has for itself, {alone:.0} KiB less, which one of a single host has. {} samples were recorded.\n",
        thousands(sum(&report, "samples") as usize)
    );
    Ok(folder)
}

pub(crate) fn one(figure: f64) -> Figures {
    [figure].into_iter().collect()
}

/// CPU of all its threads over this time.
pub(crate) fn cpu_percent(process: &Process, over: Duration) -> io::Result<f64> {
    let (before, started) = (process.cpu_us()?, Instant::now());
    thread::sleep(over);
    Ok((process.cpu_us()? - before) / started.elapsed().as_secs_f64() / 1e4)
}

/// What the process has for itself alone, files that are mapped left out.
fn own_memory_kib(process: &Process) -> io::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{}/status", process.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
    let memory = line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok());
    memory.ok_or_else(|| io::Error::other("the kernel does not say RssAnon"))
}

/// What is damaged, and hosts that have a gap, or ended before the others did.
fn lost(report: &Value) -> f64 {
    let last = |host: &Value| host["last_time"].as_u64().unwrap_or(0);
    let hosts = || report["hosts"].as_array().into_iter().flatten();
    let newest = hosts().map(last).max().unwrap_or(0);
    // One may have been written when the recorder was told to stop.
    damaged_or_with_gaps(report) + hosts().filter(|host| last(host) + 1_500 < newest).count() as f64
}

/// What is damaged, and hosts that have a gap.
pub(crate) fn damaged_or_with_gaps(report: &Value) -> f64 {
    let damages: f64 = ["duplicates", "holes", "damaged", "torn"].map(|field| sum(report, field)).iter().sum();
    let hosts = report["hosts"].as_array().into_iter().flatten();
    damages + hosts.filter(|host| host["gaps"] != json!({})).count() as f64
}
