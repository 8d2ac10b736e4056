//! What the sampler says about itself: its ticks, and how each collector fares.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use serde::Serialize;
use tracing::{info, warn};

use crate::{
    clock::Now,
    sample::{Missed, MissedReason},
};

/// Shared between the sampler, which writes it once a tick, and whoever asks.
#[derive(Debug)]
pub struct SamplerStatus {
    interval: Mutex<Duration>,
    report: Mutex<StatusReport>,
    /// When the last tick was taken; the start, before the first one.
    last_tick: Mutex<Now>,
}

/// The sampler's part of `/api/v1/status`.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StatusReport {
    /// Ticks taken since the start.
    pub ticks: u64,
    /// Ticks not taken because the sampler came too late.
    pub missed_late: u64,
    /// Ticks not taken because the host was suspended.
    pub missed_suspended: u64,
    /// How long the last tick took, collectors and publishing together, in microseconds.
    pub tick_us: u64,
    /// One entry for each collector that is turned on.
    pub collectors: Vec<CollectorStatus>,
}

/// How one collector fares.
#[derive(Clone, Debug, Serialize)]
pub struct CollectorStatus {
    /// Its name in the configuration.
    pub name: &'static str,
    /// What came of the last reading.
    pub state: CollectorState,
    /// What failed, where; or what is not on this host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// How long the last reading took, in microseconds.
    pub duration_us: u64,
    /// Readings that failed since the start.
    pub failures: u64,
}

/// What came of a collector's last reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CollectorState {
    /// All values were read.
    Ok,
    /// Some values were read; the message says which were not.
    Partial,
    /// Nothing could be read: its values are null.
    Failed,
    /// This host has no such source: its series are absent.
    Unavailable,
}

/// What came of one reading, as the sampler saw it.
pub(super) enum Outcome {
    Ok(Option<String>),
    Failed(String),
    Unavailable(String),
}

impl SamplerStatus {
    pub(super) fn new(interval: Duration, now: Now) -> Self {
        Self { interval: Mutex::new(interval), report: Mutex::default(), last_tick: Mutex::new(now) }
    }

    /// A copy of the report as of the last tick.
    pub fn report(&self) -> StatusReport {
        self.lock().clone()
    }

    /// The time between two ticks.
    pub fn interval(&self) -> Duration {
        *self.interval.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the last tick is as recent as it should be: a tick may be late by its own length and
    /// by five seconds more before anyone calls the sampler stalled. Time in which the host was
    /// suspended does not count: no tick was due then.
    pub fn is_fresh(&self, now: Now) -> bool {
        let awake = now.monotonic.saturating_sub(self.last_tick().monotonic);
        awake <= self.interval() * 2 + Duration::from_secs(5)
    }

    /// Time since the last tick, suspension included.
    pub fn age(&self, now: Now) -> Duration {
        now.boottime.saturating_sub(self.last_tick().boottime)
    }

    fn last_tick(&self) -> Now {
        *self.last_tick.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Other collectors from now on, which have not said anything yet.
    pub(super) fn retuned(&self, interval: Duration) {
        *self.interval.lock().unwrap_or_else(PoisonError::into_inner) = interval;
        self.lock().collectors.clear();
    }

    pub(super) fn ticked(&self, at: Now, missed: Option<Missed>, took: Duration) {
        let mut report = self.lock();
        report.ticks += 1;
        report.tick_us = took.as_micros() as u64;
        match missed {
            Some(Missed { ticks, reason: MissedReason::Late }) => report.missed_late += ticks,
            Some(Missed { ticks, reason: MissedReason::Suspended }) => report.missed_suspended += ticks,
            None => {}
        }
        drop(report);
        *self.last_tick.lock().unwrap_or_else(PoisonError::into_inner) = at;
    }

    /// Notes what came of a reading, and logs it where it differs from the one before.
    pub(super) fn collected(&self, name: &'static str, outcome: Outcome, took: Duration) {
        let (state, message) = match outcome {
            Outcome::Ok(None) => (CollectorState::Ok, None),
            Outcome::Ok(problem) => (CollectorState::Partial, problem),
            Outcome::Failed(why) => (CollectorState::Failed, Some(why)),
            Outcome::Unavailable(why) => (CollectorState::Unavailable, Some(why)),
        };
        let mut report = self.lock();
        let known = report.collectors.iter().position(|collector| collector.name == name);
        let index = known.unwrap_or(report.collectors.len());
        if known.is_none() {
            report.collectors.push(CollectorStatus {
                name,
                state: CollectorState::Ok,
                message: None,
                duration_us: 0,
                failures: 0,
            });
        }
        let entry = &mut report.collectors[index];
        let changed = entry.state != state;
        entry.state = state;
        entry.duration_us = took.as_micros() as u64;
        entry.failures += u64::from(matches!(state, CollectorState::Failed | CollectorState::Partial));
        entry.message = message;
        if changed {
            log(entry);
        }
    }

    fn lock(&self) -> MutexGuard<'_, StatusReport> {
        self.report.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn log(collector: &CollectorStatus) {
    let name = collector.name;
    let message = collector.message.as_deref().unwrap_or_default();
    match collector.state {
        CollectorState::Ok => info!("collector {name} reads again"),
        CollectorState::Unavailable => info!("collector {name} has nothing to read on this host: {message}"),
        CollectorState::Partial => warn!("collector {name} could not read everything: {message}"),
        CollectorState::Failed => warn!("collector {name} failed: {message}"),
    }
}
