//! `make soak`: for half an hour, or for hours, subscribers come and go, stall, break off and resume, as chance has it, while
//! the configuration is changed every few seconds and the log rotated. In the end the daemon has to be as it was, and
//! nobody may have lost a sample without a `gap`.

mod footprint;
mod operator;
mod visitor;

use std::{
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};

use self::{
    footprint::{Footprint, growth_an_hour},
    operator::{Operator, config},
    visitor::{Chance, Counts, Visitor},
};
use crate::support::{TestDaemon, program};

const VISITORS: u64 = 48;
const WARM_UP: Duration = Duration::from_secs(40);
/// What may be more at the end: which pages an allocator has given back at one moment is chance.
const MEMORY_TOLERANCE_KIB: u64 = 4 << 10;

/// Sends visitors until the time is up, has the operator at work meanwhile, and waits until all have left. Returns what the
/// daemon had of the system, minute by minute.
fn crowd(daemon: &TestDaemon, operator: &mut Operator, crowd: &Crowd, time: Duration) -> Vec<Footprint> {
    let (started, all_left) = (Instant::now(), AtomicBool::new(false));
    thread::scope(|scope| {
        let visitors: Vec<_> = (1..=crowd.visitors)
            .map(|number| {
                let chance = Chance(crowd.seed.wrapping_add(number.wrapping_mul(0x9E37_79B9_7F4A_7C15)) | 1);
                let mut visitor = Visitor { daemon, chance, counts: &crowd.counts };
                scope.spawn(move || {
                    while started.elapsed() < time {
                        visitor.visit();
                    }
                })
            })
            .collect();
        let watching = scope.spawn(|| {
            let mut minutes = Vec::new();
            while !all_left.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(100));
                if started.elapsed().as_secs() / 60 > minutes.len() as u64 {
                    minutes.push(Footprint::of(daemon));
                    println!("{}", crowd.line(&minutes.len().to_string(), minutes[minutes.len() - 1]));
                }
            }
            minutes
        });
        let operating = scope.spawn(|| operator.work(|| all_left.load(Ordering::Relaxed)));
        let failures = visitors.into_iter().filter_map(|visitor| visitor.join().err()).count();
        all_left.store(true, Ordering::Relaxed);
        assert_eq!(failures, 0, "visitors who did not get what they were promised");
        operating.join().expect("the operator's daemon does as it is told");
        watching.join().expect("the daemon can be watched")
    })
}

struct Crowd {
    visitors: u64,
    seed: u64,
    counts: Counts,
}

impl Crowd {
    const HEAD: &str = "| minute | files | threads | resident |     own | visits | resumes | samples | missing | sent away |\n\
                        | -----: | ----: | ------: | -------: | ------: | -----: | ------: | ------: | ------: | --------: |";

    /// A row of the table: what the daemon has, in KiB, and what it has done.
    fn line(&self, when: &str, footprint: Footprint) -> String {
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        format!(
            "| {when:>6} | {footprint} | {:>6} | {:>7} | {:>7} | {:>7} | {:>9} |",
            count(&self.counts.visits),
            count(&self.counts.resumes),
            count(&self.counts.samples),
            count(&self.counts.missing),
            count(&self.counts.sent_away),
        )
    }
}

#[test]
#[ignore = "takes half an hour: make soak"]
fn after_a_long_time_with_many_visitors_the_daemon_is_as_it_was_and_nothing_was_lost_in_silence() {
    let from_environment = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().expect(name));
    let minutes = from_environment("SOAK_MINUTES").unwrap_or(30);
    let seed = from_environment("SOAK_SEED").unwrap_or_else(|| getrandom::u64().unwrap() >> 16);
    let visitors = from_environment("SOAK_VISITORS").unwrap_or(VISITORS);
    println!("soak: {minutes} min with {visitors} visitors; again with SOAK_SEED={seed}");
    let mut log = None;
    let daemon = TestDaemon::launch(
        &config(0),
        |folder| {
            let log = log.insert(folder.join("hostcast.log"));
            let mut shell = Command::new("sh");
            shell.args(["-c", "log=$1; shift; exec \"$0\" \"$@\" 2>>\"$log\""]).arg(program()).arg(log);
            shell.stdin(Stdio::null());
            shell
        },
        "127.0.0.1:0",
    );
    let mut operator = Operator::new(&daemon, &log.expect("it was launched"));
    let again = |seed| Crowd { visitors, seed, counts: Counts::default() };
    // What a crowd takes once and for all, such as the threads that answer HTTP, is taken before the measuring begins.
    crowd(&daemon, &mut operator, &again(!seed), WARM_UP);
    let before = Footprint::at_rest(&daemon);
    let measured = again(seed);
    println!("{}\n{}", Crowd::HEAD, measured.line("before", before));
    let by_minute = crowd(&daemon, &mut operator, &measured, Duration::from_secs(60 * minutes));
    let after = Footprint::at_rest(&daemon);
    println!("{}", measured.line("after", after));

    let status = daemon.status();
    assert_eq!(status["stream"]["subscribers"], 0, "{status}");
    assert_eq!(status["connections"]["open"], 1, "{status}");
    assert_eq!(after.descriptors, before.descriptors, "file descriptors were left behind");
    assert_eq!(after.threads, before.threads, "threads were left behind");
    assert!(after.own_kib <= before.own_kib + MEMORY_TOLERANCE_KIB, "it has grown from {before:?} to {after:?}");
    let missing = measured.counts.missing.load(Ordering::Relaxed);
    assert!(missing > 0 || minutes < 5, "nobody was too slow, so nothing was shown of gaps");
    let growth = |of: fn(&Footprint) -> u64| growth_an_hour(&by_minute.iter().map(of).collect::<Vec<_>>());
    println!(
        "soak: passed: nothing was lost without a gap, and nothing was left behind; {} reloads, {} rotations of the log; \
         own memory grew by {:.0} KiB an hour, files by {:.1}",
        operator.reloads,
        operator.rotations,
        growth(|footprint| footprint.own_kib),
        growth(|footprint| footprint.descriptors as u64),
    );
}
