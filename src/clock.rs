//! The three clocks of a tick, read together.

use std::time::{Duration, SystemTime};

use rustix::time::{ClockId, clock_gettime};

/// One moment on each clock that matters to the sampler.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// `CLOCK_MONOTONIC`: stops while the host is suspended; the grid of ticks lies on it.
    pub monotonic: Duration,
    /// `CLOCK_BOOTTIME`: runs on while the host is suspended; spans are measured on it.
    pub boottime: Duration,
    /// The wall clock: may be set at any time; only ever shown.
    pub wall: SystemTime,
}

impl Now {
    /// Reads all three, as one: if the thread was interrupted in between, once more. Otherwise the
    /// interruption would look like a suspension.
    pub fn read() -> Self {
        loop {
            let now = Self { monotonic: monotonic(), boottime: boottime(), wall: SystemTime::now() };
            if monotonic().saturating_sub(now.monotonic) < ONE_MOMENT {
                return now;
            }
        }
    }
}

/// Far longer than three readings take, far shorter than any tick.
const ONE_MOMENT: Duration = Duration::from_millis(1);

fn monotonic() -> Duration {
    since_boot(ClockId::Monotonic)
}

/// `CLOCK_BOOTTIME` alone.
pub fn boottime() -> Duration {
    since_boot(ClockId::Boottime)
}

/// CPU time that this process has used, all threads together.
pub fn process_cpu_time() -> Duration {
    since_boot(ClockId::ProcessCPUTime)
}

fn since_boot(clock: ClockId) -> Duration {
    // None of these clocks can be before its own zero, so the conversion cannot fail.
    clock_gettime(clock).try_into().unwrap_or_default()
}
