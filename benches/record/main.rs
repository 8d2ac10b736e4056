//! `hostcast record` as the process that users run, and those that read what it has kept.
//!
//! One daemon stands for all hosts: the recorder follows it once for each, and cannot know. What is compared with a
//! floor reads the same files in the same run. From its start to its end one host is recorded at 1 Hz beside everything
//! else, because what real numbers take on disk needs real time.

#![allow(missing_docs)]

mod bytes;
#[path = "../crowd/daemon.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod daemon;
mod hosts;
mod long;
#[path = "../measure/mod.rs"]
mod measure;
mod memory;
mod one_core;
#[path = "../crowd/process.rs"]
#[allow(dead_code, reason = "a part of it is used here")]
mod process;
mod programs;
mod reading;
mod replayed;

use std::{env, fs, io, time::Duration};

use measure::setting;
use rustix::process::{Resource, Rlimit, setrlimit};

fn main() -> io::Result<()> {
    raise_open_files();
    let arguments: Vec<String> = env::args().skip(1).collect();
    if let [role, past, ..] = &arguments[..]
        && role == programs::AS_DAEMON
    {
        return daemon::run(past.parse().expect("our own numbers"));
    }
    if !measure::is_wanted() {
        return Ok(());
    }
    let count = setting("HOSTCAST_BENCH_HOSTS", 1_000) as usize;
    let seconds = Duration::from_secs(setting("HOSTCAST_BENCH_SECONDS", 90));
    let past = setting("HOSTCAST_BENCH_PAST", 840) as usize;
    let most = setting("HOSTCAST_BENCH_MOST_HOSTS", 32_000) as usize;
    let many = setting("HOSTCAST_BENCH_SAMPLES", 1_000_000);
    let load = fs::read_to_string("/proc/loadavg")?;
    println!("load average before anything was started: {}\n", load.trim());

    let beside = bytes::Beside::start()?;
    let crowd = one_core::Daemons::start(most)?;
    let all = hosts::bench(count, seconds, past)?;
    one_core::bench(&crowd, 4 * count, most)?;
    drop(crowd);
    let recorded = beside.finish()?;
    println!("{}", recorded.table()?);
    let mut long = long::Long::of(&recorded)?;
    let few = memory::Peaks::of(&mut long, 10_000)?;
    reading::bench(&mut long, &all, count)?;
    replayed::bench(&long)?;
    memory::bench(&few, &mut long, many)
}

/// Each host takes three open files. Root may have more of them than a login is given; whoever may not goes as far as it
/// is allowed to.
fn raise_open_files() {
    let most = fs::read_to_string("/proc/sys/fs/nr_open").ok().and_then(|most| most.trim().parse().ok());
    let wanted = most.unwrap_or(200_000).min(200_000);
    if setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: Some(wanted) }).is_err() {
        hostcast::descriptors::raise_limit();
    }
}
