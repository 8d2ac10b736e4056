//! The part that sysinfo measures.

use std::time::{Duration, Instant};

use sysinfo::{MINIMUM_CPU_UPDATE_INTERVAL, System};

/// The shortest period that sysinfo is asked at: its own minimum, and room for a tick that is late.
const SHORTEST_PERIOD: Duration = Duration::from_millis(250);

/// sysinfo, asked so that it cannot answer with anything but the last tick's utilisation.
///
/// It measures from its own last reading, silently repeats the old figure when that is less than
/// [`MINIMUM_CPU_UPDATE_INTERVAL`] ago (after a tick that was late, the next one may be) or when it
/// cannot open `/proc/stat`, and knows cores by position only.
pub(super) struct Meter {
    system: System,
    /// When it last took a reading; `None` if that was not at the last tick.
    refreshed: Option<Instant>,
    last: Vec<f32>,
}

/// Shares, 0 to 1.
pub(super) struct Measured {
    pub(super) total: f64,
    pub(super) cores: Vec<f64>,
}

impl Meter {
    /// A meter without a baseline; `None` on a system that sysinfo does not support.
    pub(super) fn new() -> Option<Self> {
        Some(Self { system: System::new().ok()?, refreshed: None, last: Vec::new() })
    }

    /// A meter, unless ticks are too close for sysinfo.
    pub(super) fn for_interval(interval: Duration) -> Option<Self> {
        (interval >= SHORTEST_PERIOD).then(Self::new).flatten()
    }

    /// The utilisation since the last call; `None` if sysinfo cannot tell it.
    pub(super) fn measure(&mut self, cores: usize) -> Option<Measured> {
        let baseline = self.refreshed.take();
        if baseline.is_some_and(|at| at.elapsed() < MINIMUM_CPU_UPDATE_INTERVAL) {
            return None;
        }
        self.system.refresh_cpu_usage();
        self.refreshed = Some(Instant::now());

        let (total, each) = (self.system.global_cpu_usage(), self.system.cpus());
        let figures: Vec<_> = each.iter().map(sysinfo::Cpu::usage).chain([total]).collect();
        let repeated = figures == self.last;
        self.last = figures;
        if baseline.is_none() || each.len() != cores || repeated {
            return None;
        }
        let share = |percent: f32| f64::from(percent / 100.0).clamp(0.0, 1.0);
        Some(Measured { total: share(total), cores: self.last[..cores].iter().copied().map(share).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::thread;

    #[test]
    fn short_periods_have_no_meter() {
        assert!(Meter::for_interval(Duration::from_millis(249)).is_none());
        assert!(Meter::for_interval(Duration::from_millis(250)).is_some());
    }

    #[test]
    fn only_a_span_that_began_at_the_last_tick_is_measured() {
        let mut meter = Meter::new().expect("sysinfo supports Linux");
        assert!(meter.measure(1).is_none(), "the first reading is the average since boot");
        let cores = meter.system.cpus().len();
        assert!(meter.measure(cores).is_none(), "sysinfo would repeat itself");
        assert!(meter.refreshed.is_none());
        thread::sleep(MINIMUM_CPU_UPDATE_INTERVAL);
        assert!(meter.measure(cores).is_none(), "the baseline is two ticks old");
        assert!(meter.refreshed.is_some(), "a reading was taken");
    }

    #[test]
    fn cores_that_are_not_those_of_sysinfo_are_not_measured() {
        let mut meter = Meter::new().expect("sysinfo supports Linux");
        meter.measure(1);
        let cores = meter.system.cpus().len();
        thread::sleep(MINIMUM_CPU_UPDATE_INTERVAL);
        assert!(meter.measure(cores + 1).is_none());
    }
}
