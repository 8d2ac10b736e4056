//! What the daemon has of the system, as the kernel tells it, and how that changes over time.

use std::{
    fmt, thread,
    time::{Duration, Instant},
};

use crate::support::{PATIENCE, TestDaemon};

/// At one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Footprint {
    pub(super) descriptors: usize,
    pub(super) threads: usize,
    /// Resident, the program's own pages included, which the kernel takes and gives as it likes.
    pub(super) resident_kib: u64,
    /// Of that what was allocated.
    pub(super) own_kib: u64,
}

impl Footprint {
    pub(super) fn of(daemon: &TestDaemon) -> Self {
        let proc = format!("/proc/{}", daemon.pid().as_raw_nonzero());
        let count = |folder: &str| std::fs::read_dir(format!("{proc}/{folder}")).unwrap().count();
        let status = std::fs::read_to_string(format!("{proc}/status")).unwrap();
        let kib = |key: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(key)?.trim().strip_suffix(" kB"));
            line.expect(key).parse().unwrap()
        };
        Self { descriptors: count("fd"), threads: count("task"), resident_kib: kib("VmRSS:"), own_kib: kib("RssAnon:") }
    }

    /// Once nobody is connected, and nothing has changed for a while: what serves requests rests only then.
    pub(super) fn at_rest(daemon: &TestDaemon) -> Self {
        let started = Instant::now();
        loop {
            let before = Self::of(daemon);
            thread::sleep(Duration::from_secs(12));
            let after = Self::of(daemon);
            if before.descriptors == after.descriptors && before.threads == after.threads {
                return after;
            }
            assert!(started.elapsed() < 4 * PATIENCE, "it does not come to rest: {before:?}, {after:?}");
        }
    }
}

impl fmt::Display for Footprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { descriptors, threads, resident_kib, own_kib } = self;
        write!(f, "{descriptors:>5} | {threads:>7} | {resident_kib:>8} | {own_kib:>7}")
    }
}

/// How a figure grows in an hour, by the straight line that is nearest to all of it, minute by minute.
pub(super) fn growth_an_hour(by_minute: &[u64]) -> f64 {
    let count = by_minute.len() as f64;
    let middle = (count - 1.0) / 2.0;
    let mean = by_minute.iter().sum::<u64>() as f64 / count;
    let (mut shared, mut spread) = (0.0, 0.0);
    for (minute, figure) in by_minute.iter().enumerate() {
        let off = minute as f64 - middle;
        shared += off * (*figure as f64 - mean);
        spread += off * off;
    }
    60.0 * shared / spread
}

#[test]
fn what_grows_by_one_a_minute_grows_by_sixty_an_hour() {
    let growth = growth_an_hour(&[7, 8, 9, 10, 11]);
    assert!((growth - 60.0).abs() < 1e-9, "{growth}");
    assert!(growth_an_hour(&[5, 5, 5]).abs() < 1e-9);
}
