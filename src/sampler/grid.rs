//! When ticks are due: a fixed grid on the monotonic clock, and what to say about ticks not taken.

use std::time::Duration;

use crate::{
    clock::Now,
    sample::{Missed, MissedReason},
};

/// A first sample does not wait longer than this for its baseline, however long the interval is.
const FIRST_TICK_WITHIN: Duration = Duration::from_secs(1);

/// Ticks at `origin + n * interval`. A late tick moves none of the others, so there is no drift, and
/// a tick that was slept through is never made up for.
#[derive(Debug)]
pub(super) struct Grid {
    interval: Duration,
    origin: Duration,
    /// The number of the next tick.
    next: u64,
    /// The clocks at the last tick, or at the baseline before the first one.
    last: Now,
}

/// A tick, seen from the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tick {
    /// Time since the tick before, suspension included.
    pub(super) elapsed: Duration,
    /// Ticks in between that were not taken.
    pub(super) missed: Option<Missed>,
}

impl Grid {
    /// A grid whose baseline was read at `now`.
    pub(super) fn new(now: Now, interval: Duration) -> Self {
        Self { interval, origin: now.monotonic + interval.min(FIRST_TICK_WITHIN), next: 0, last: now }
    }

    /// Another interval from `now` on. What passed since the last tick counts for the next one.
    pub(super) fn retuned(&self, now: Now, interval: Duration) -> Self {
        Self { last: self.last, ..Self::new(now, interval) }
    }

    /// How long to wait for the next tick; zero when it is due.
    pub(super) fn wait(&self, now: Now) -> Duration {
        self.due(self.next).saturating_sub(now.monotonic)
    }

    /// Takes the tick that is due at `now`: the newest one, where several are.
    pub(super) fn take(&mut self, now: Now) -> Tick {
        let index = whole(now.monotonic.saturating_sub(self.origin), self.interval).max(self.next);
        let late = index - self.next;
        let elapsed = now.boottime.saturating_sub(self.last.boottime);
        let awake = now.monotonic.saturating_sub(self.last.monotonic);
        let suspended = whole(elapsed.saturating_sub(awake), self.interval);
        self.next = index + 1;
        self.last = now;
        let missed = (late + suspended > 0).then_some(Missed {
            ticks: late + suspended,
            reason: if suspended > 0 { MissedReason::Suspended } else { MissedReason::Late },
        });
        Tick { elapsed, missed }
    }

    fn due(&self, index: u64) -> Duration {
        // u32 would wrap after 13 years at 100 ms, so the product is made in nanoseconds.
        let nanos = self.interval.as_nanos() * u128::from(index);
        self.origin + Duration::from_nanos_u128(nanos)
    }
}

/// How many whole intervals fit into a span.
fn whole(span: Duration, interval: Duration) -> u64 {
    (span.as_nanos() / interval.as_nanos()) as u64
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    struct Clock {
        now: Now,
    }

    impl Clock {
        fn new() -> Self {
            let start = Duration::from_secs(1_000);
            Self { now: Now { monotonic: start, boottime: start, wall: SystemTime::UNIX_EPOCH } }
        }

        fn run(&mut self, span: Duration) -> Now {
            self.now.monotonic += span;
            self.now.boottime += span;
            self.now.wall += span;
            self.now
        }

        fn suspend(&mut self, span: Duration) {
            self.now.boottime += span;
            self.now.wall += span;
        }
    }

    fn missed(ticks: u64, reason: MissedReason) -> Missed {
        Missed { ticks, reason }
    }

    /// Runs `hours` of ticks that each come up to 30 ms late, and returns how many were taken.
    fn ticks_in(span: Duration, interval: Duration) -> u64 {
        let mut clock = Clock::new();
        let end = clock.now.monotonic + span;
        let mut grid = Grid::new(clock.now, interval);
        let mut ticks = 0;
        loop {
            let jitter = Duration::from_micros(ticks * 7_919 % 30_000);
            let now = clock.run(grid.wait(clock.now) + jitter);
            if now.monotonic > end {
                return ticks;
            }
            assert_eq!(grid.take(now).missed, None);
            ticks += 1;
        }
    }

    #[test]
    fn an_hour_at_one_second_has_3600_ticks_however_late_each_is() {
        assert!(ticks_in(Duration::from_hours(1), SECOND).abs_diff(3_600) <= 1);
    }

    #[test]
    fn a_day_at_100_ms_does_not_drift() {
        assert!(ticks_in(Duration::from_hours(24), Duration::from_millis(100)).abs_diff(864_000) <= 1);
    }

    #[test]
    fn a_stall_is_counted_and_not_made_up_for() {
        let mut clock = Clock::new();
        let mut grid = Grid::new(clock.now, SECOND);
        assert_eq!(grid.take(clock.run(SECOND)).missed, None);
        let tick = grid.take(clock.run(Duration::from_millis(3_200)));
        assert_eq!((tick.elapsed, tick.missed), (Duration::from_millis(3_200), Some(missed(2, MissedReason::Late))));
        assert_eq!(grid.wait(clock.now), Duration::from_millis(800), "back on the old grid");
        assert_eq!(grid.take(clock.run(Duration::from_millis(800))).missed, None);
    }

    #[test]
    fn suspension_is_told_apart_from_lateness() {
        let mut clock = Clock::new();
        let mut grid = Grid::new(clock.now, SECOND);
        grid.take(clock.run(SECOND));
        clock.suspend(Duration::from_mins(1));
        let tick = grid.take(clock.run(SECOND));
        assert_eq!((tick.elapsed, tick.missed), (Duration::from_secs(61), Some(missed(60, MissedReason::Suspended))));
        assert_eq!(grid.take(clock.run(SECOND)).missed, None);
    }

    #[test]
    fn a_step_of_the_wall_clock_is_not_noticed() {
        let mut clock = Clock::new();
        let mut grid = Grid::new(clock.now, SECOND);
        grid.take(clock.run(SECOND));
        for step in [Duration::from_hours(1), Duration::ZERO] {
            clock.now.wall = SystemTime::UNIX_EPOCH + step;
            assert_eq!(grid.wait(clock.now), SECOND);
            assert_eq!(grid.take(clock.run(SECOND)), Tick { elapsed: SECOND, missed: None });
        }
    }

    #[test]
    fn another_interval_loses_no_time() {
        let mut clock = Clock::new();
        let mut grid = Grid::new(clock.now, Duration::from_hours(1));
        grid.take(clock.run(SECOND));
        let mut grid = grid.retuned(clock.run(SECOND), Duration::from_millis(100));
        assert_eq!(grid.wait(clock.now), Duration::from_millis(100));
        let tick = grid.take(clock.run(Duration::from_millis(100)));
        assert_eq!(tick, Tick { elapsed: Duration::from_millis(1_100), missed: None });
    }

    #[test]
    fn the_first_sample_of_a_slow_grid_comes_within_a_second() {
        let mut clock = Clock::new();
        let mut grid = Grid::new(clock.now, Duration::from_hours(1));
        assert_eq!(grid.wait(clock.now), SECOND);
        grid.take(clock.run(SECOND));
        assert_eq!(grid.wait(clock.now), Duration::from_hours(1));
    }
}
