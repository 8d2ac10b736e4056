//! How it goes, for people and for the log.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
};

use tracing::{info, warn};

use crate::recording::FolderName;

/// Of all hosts.
#[derive(Debug)]
pub(super) struct Progress {
    pub(super) hosts: Vec<HostProgress>,
    told: Mutex<Told>,
}

/// Of one host.
#[derive(Debug)]
pub(super) struct HostProgress {
    pub(super) name: FolderName,
    pub(super) is_connected: AtomicBool,
    pub(super) samples: AtomicU64,
    pub(super) gaps: AtomicU64,
    pub(super) losses: AtomicU64,
    /// Bytes of lines.
    pub(super) bytes: AtomicU64,
    /// Whether its lines cannot be written for now.
    pub(super) is_stuck: AtomicBool,
    /// Whether it has refused, and has not let us in since.
    pub(super) is_refused: AtomicBool,
    /// The time of the newest sample, in Unix milliseconds by the daemon's clock; 0 before the first.
    pub(super) newest: AtomicU64,
}

/// What was told the last time.
#[derive(Debug, Default)]
struct Told {
    samples: u64,
}

impl Progress {
    pub(super) fn new(names: Vec<FolderName>) -> Self {
        let host = |name| HostProgress {
            name,
            is_connected: AtomicBool::new(false),
            samples: AtomicU64::new(0),
            gaps: AtomicU64::new(0),
            losses: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            is_stuck: AtomicBool::new(false),
            is_refused: AtomicBool::new(false),
            newest: AtomicU64::new(0),
        };
        Self { hosts: names.into_iter().map(host).collect(), told: Mutex::default() }
    }

    /// One line for all hosts together, and one that names those that are in trouble.
    pub(super) fn tell(&self) {
        let sum = |of: fn(&HostProgress) -> &AtomicU64| self.hosts.iter().map(|host| of(host).load(Relaxed)).sum();
        let samples: u64 = sum(|host| &host.samples);
        let (gaps, losses, bytes): (u64, u64, u64) =
            (sum(|host| &host.gaps), sum(|host| &host.losses), sum(|host| &host.bytes));
        let connected = self.hosts.iter().filter(|host| host.is_connected.load(Relaxed)).count();
        let new = {
            let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            samples - std::mem::replace(&mut told.samples, samples)
        };
        info!(connected, of = self.hosts.len(), samples, new, bytes, gaps, losses, "recorded");
        let names = |which: fn(&HostProgress) -> bool| {
            let mut names = self.hosts.iter().filter(|host| which(host)).map(|host| host.name.as_str());
            let first: Vec<_> = names.by_ref().take(MAX_NAMES).collect();
            match names.count() {
                0 => first.join(", "),
                more => format!("{} and {more} more", first.join(", ")),
            }
        };
        let away = names(|host| !host.is_connected.load(Relaxed));
        if !away.is_empty() {
            warn!("not connected: {away}");
        }
        let stuck = names(|host| host.is_stuck.load(Relaxed));
        if !stuck.is_empty() {
            warn!("cannot be written for now: {stuck}");
        }
    }
}

/// So many names fit a line.
const MAX_NAMES: usize = 10;
