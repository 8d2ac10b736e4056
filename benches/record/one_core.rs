//! How many hosts a recorder follows that has one core: tried, with more and more of them, until it falls behind.
//!
//! Daemons and measurement have the other cores. A host keeps up when its newest sample on disk is never older than
//! two intervals: one until the next sample is taken, and one that it may be late.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, Instant, SystemTime},
};

use hostcast::sample::unix_ms;
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde_json::Value;

use crate::{
    hosts::damaged_or_with_gaps,
    measure::{Figures, thousands},
    process::Process,
    programs::{self, PROGRAM, hosts_with_lines, name, recorder, verify},
};

/// So much of the past has the daemon. Behind it a recorder makes frames of the hosts, each of which begins with one of
/// another size: within the time that is measured a few more than on average.
const PAST: Duration = Duration::from_secs(40);
const MEASURED: Duration = Duration::from_secs(45);
/// Whoever has not brought all hosts so far does not follow them.
const PATIENCE: Duration = Duration::from_mins(2);
/// A socket, its newest lines and its lock.
const FILES_OF_A_HOST: usize = 3;
/// No daemon needs to have more open files than most machines allow.
const HOSTS_OF_A_DAEMON: usize = 16_000;
/// Of so many hosts the newest sample is looked at, so often.
const LOOKED_AT: usize = 64;
const LOOK_EVERY: Duration = Duration::from_millis(250);
const LATEST_MS: f64 = 2_000.0;
/// A sample of a host is shorter, so its last line is within that.
const TAIL: u64 = 16 << 10;

/// Daemons enough for all hosts, each with two addresses: to each of these there are ports for 28,000 connections only.
pub(crate) struct Daemons {
    processes: Vec<Process>,
    addresses: Vec<SocketAddr>,
    started: Instant,
}

impl Daemons {
    pub(crate) fn start(most: usize) -> io::Result<Self> {
        let (mut processes, mut addresses) = (Vec::new(), Vec::new());
        for _ in 0..most.div_ceil(HOSTS_OF_A_DAEMON) {
            let mut command = Command::new(PROGRAM);
            command.args(["serve", "--interval", "1s", "--log-level", "error"]);
            command.args(["--listen", "127.0.0.1:0", "--listen", "127.0.0.2:0"]);
            command.env("HOSTCAST_HISTORY_WINDOW", format!("{}s", PAST.as_secs()));
            for limit in ["MAX_CONNECTIONS", "MAX_CONNECTIONS_PER_ADDRESS"] {
                command.env(format!("HOSTCAST_SERVER_LIMITS_{limit}"), "60000");
            }
            let mut process = Process::start(command)?;
            for _ in 0..2 {
                addresses.push(programs::address(&mut process)?);
            }
            processes.push(process);
        }
        Ok(Self { processes, addresses, started: Instant::now() })
    }

    fn cpu_us(&self) -> io::Result<f64> {
        self.processes.iter().map(Process::cpu_us).sum()
    }
}

/// Twice as many each time, and once the number halfway to those that were too many.
pub(crate) fn bench(daemons: &Daemons, first: usize, most: usize) -> io::Result<()> {
    let all = sched_getaffinity(None)?;
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core)).collect();
    let [others @ .., core] = &cores[..] else { return Err(io::Error::other("no core may be used")) };
    if others.is_empty() {
        println!("How many hosts one core follows is not known: there is only one, and the daemon needs another.\n");
        return Ok(());
    }
    thread::sleep((PAST + Duration::from_secs(5)).saturating_sub(daemons.started.elapsed()));
    for daemon in &daemons.processes {
        pin(Some(daemon.pid()), others)?;
    }
    println!(
        "| hosts on one core | recorders | CPU, % of it | of that core idle, % | waits for the disk, % of the time | CPU of the daemons, % | newest sample on disk, ms old: half, 99 of 100, oldest | hosts with gaps | kept up |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | --- | ---: | --- |");
    let keeps_up = |hosts: usize| -> io::Result<bool> {
        let step = Step::run(daemons, hosts, others, *core)?;
        println!("{step}");
        Ok(step.limit().is_none())
    };
    let (mut kept, mut hosts) = (0, first.min(most));
    while keeps_up(hosts)? {
        kept = hosts;
        if hosts == most {
            break;
        }
        hosts = (hosts * 2).min(most);
    }
    if kept < hosts {
        keeps_up(kept.midpoint(hosts))?;
    }
    sched_setaffinity(None, &all)?;
    println!(
        "\nMeasured for {} s each, while frames are made of the lines of all hosts. No more than {} were to be tried. A recorder has no more than {} of them, because of the open files that are allowed.\n",
        MEASURED.as_secs(),
        thousands(most),
        thousands(hosts_of_a_recorder()),
    );
    Ok(())
}

fn hosts_of_a_recorder() -> usize {
    hostcast::descriptors::raise_limit() / FILES_OF_A_HOST
}

/// What becomes of so many hosts.
struct Step {
    hosts: usize,
    recorders: usize,
    came: usize,
    cpu: f64,
    idle: f64,
    waits: f64,
    daemons: f64,
    ages: Figures,
    lacking: f64,
}

impl Step {
    fn run(daemons: &Daemons, hosts: usize, others: &[usize], core: usize) -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let count = hosts.div_ceil(hosts_of_a_recorder());
        let folders: Vec<_> = (0..count).map(|number| folder.path().join(number.to_string())).collect();
        let hosts_of = |number: usize| hosts / count + usize::from(number < hosts % count);
        // A child has the cores of the thread that has started it.
        pin(None, &[core])?;
        let start = |(number, folder): (usize, &PathBuf)| recorder(&daemons.addresses, folder, hosts_of(number), &[]);
        let recorders: io::Result<Vec<_>> = folders.iter().enumerate().map(start).collect();
        pin(None, others)?;
        let recorders = recorders?;
        let started = Instant::now();
        let came = || folders.iter().map(|folder| hosts_with_lines(folder)).sum::<usize>();
        while came() < hosts && started.elapsed() < PATIENCE {
            thread::sleep(Duration::from_secs(1));
        }
        let came = came();
        let looked_at = (0..hosts).step_by((hosts / LOOKED_AT).max(1)).map(|host| {
            let folder = &folders[host % count];
            newest_lines(&folder.join(name(host / count)))
        });
        let newest: Vec<_> = looked_at.flatten().collect();
        let disks =
            recorders.iter().map(|recorder| thread_of(recorder.pid(), "disk")).collect::<io::Result<Vec<_>>>()?;
        let cpu_us = || recorders.iter().map(Process::cpu_us).sum::<io::Result<f64>>();
        let (mut ages, mut waits, mut looks) = (Figures::default(), 0.0, 0.0);
        let (begun, cpu, daemons_cpu, idle) = (Instant::now(), cpu_us()?, daemons.cpu_us()?, idle_seconds(core)?);
        let mut looked = begun;
        while begun.elapsed() < MEASURED {
            thread::sleep(Duration::from_millis(10));
            looks += disks.len() as f64;
            waits += disks.iter().filter(|disk| is_waiting_for_disk(disk)).count() as f64;
            if looked.elapsed() >= LOOK_EVERY {
                looked = Instant::now();
                newest.iter().filter_map(|newest| age_ms(newest)).for_each(|age| ages.push(age));
            }
        }
        let seconds = begun.elapsed().as_secs_f64();
        let percent = |before: f64, after: f64| (after - before) / seconds / 1e4;
        let (cpu, daemons) = (percent(cpu, cpu_us()?), percent(daemons_cpu, daemons.cpu_us()?));
        let idle = (idle_seconds(core)? - idle) / seconds * 100.0;
        drop(recorders);
        let reports = folders.iter().map(|folder| verify(folder).map(|report| damaged_or_with_gaps(&report)));
        let lacking = reports.sum::<io::Result<f64>>()?;
        let waits = waits / looks * 100.0;
        Ok(Self { hosts, recorders: count, came, cpu, idle, waits, daemons, ages, lacking })
    }

    /// What has kept it from keeping up, if it did not.
    fn limit(&self) -> Option<String> {
        if self.came == self.hosts && self.lacking == 0.0 && self.ages.quantile(0.99) <= LATEST_MS {
            return None;
        }
        let came = match self.came {
            came if came < self.hosts => format!("{} came within two minutes; ", thousands(came)),
            _ => String::new(),
        };
        let others = 100.0 - self.idle - self.cpu;
        let why = match () {
            () if self.cpu >= 80.0 => "its core has no more to give".into(),
            // On average. When there is something to do they may have more of it.
            () if others >= 20.0 => format!("others had {others:.0} % of its core: try on a machine that is idle"),
            () if self.daemons >= 90.0 => "the daemons have no more to give".into(),
            () if self.waits >= 50.0 => "it waits for the disk".into(),
            () => "what limits it was not seen".into(),
        };
        Some(came + &why)
    }
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [half, most, oldest] = [0.5, 0.99, 1.0].map(|share| self.ages.quantile(share));
        let verdict = self.limit().map_or("yes".to_owned(), |limit| format!("NO: {limit}"));
        let &Self { hosts, recorders, cpu, idle, waits, daemons, lacking, .. } = self;
        write!(f, "| {} | {recorders} | {cpu:.0} | {idle:.0} | {waits:.0} | {daemons:.0} ", thousands(hosts))?;
        write!(f, "| {half:.0}, {most:.0}, {oldest:.0} | {lacking} | {verdict} |")
    }
}

/// How long this core had nothing to do so far, or nothing but to wait for a disk.
fn idle_seconds(core: usize) -> io::Result<f64> {
    let text = fs::read_to_string("/proc/stat")?;
    let line = text.lines().find_map(|line| line.strip_prefix(&format!("cpu{core} ")));
    let ticks = line.into_iter().flat_map(|line| line.split(' ').skip(3).take(2));
    let ticks: f64 = ticks.filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    Ok(ticks / rustix::param::clock_ticks_per_second() as f64)
}

/// Has all threads that there are run on these cores only, or this one.
fn pin(process: Option<u32>, cores: &[usize]) -> io::Result<()> {
    let mut set = CpuSet::new();
    for core in cores {
        set.set(*core);
    }
    let Some(process) = process else { return Ok(sched_setaffinity(None, &set)?) };
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let task = task?.file_name().to_string_lossy().parse().ok().and_then(rustix::process::Pid::from_raw);
        sched_setaffinity(task, &set)?;
    }
    Ok(())
}

fn thread_of(process: u32, name: &str) -> io::Result<PathBuf> {
    let tasks = fs::read_dir(format!("/proc/{process}/task"))?.flatten().map(|task| task.path());
    let mut named = tasks.filter(|task| fs::read_to_string(task.join("comm")).is_ok_and(|comm| comm.trim() == name));
    named.next().ok_or_else(|| io::Error::other(format!("there is no thread {name}")))
}

fn is_waiting_for_disk(task: &Path) -> bool {
    let stat = fs::read_to_string(task.join("stat")).unwrap_or_default();
    stat.rsplit(") ").next().is_some_and(|fields| fields.starts_with('D'))
}

/// The file that the newest lines of this host are in.
fn newest_lines(host: &Path) -> Option<PathBuf> {
    let files = fs::read_dir(host).ok()?.flatten().map(|file| file.path());
    files.into_iter().find(|file| file.extension().is_some_and(|end| end == "ndjson"))
}

/// How old the last sample is; `None` where all were just made a frame.
fn age_ms(newest: &Path) -> Option<f64> {
    let mut file = File::open(newest).ok()?;
    let length = file.metadata().ok()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL))).ok()?;
    let mut text = Vec::new();
    file.read_to_end(&mut text).ok()?;
    let end = text.iter().rposition(|byte| *byte == b'\n')?;
    let line = text[..end].rsplit(|byte| *byte == b'\n').next()?;
    let line: Value = serde_json::from_slice(line).ok()?;
    let time = line["time"].as_u64()?;
    Some(unix_ms(SystemTime::now()).saturating_sub(time) as f64)
}
