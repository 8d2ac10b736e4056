//! The stream: from a completed handshake to the last close. A room of its own, because everything
//! hostcast promises is kept or broken here.
//!
//! The HTTP server makes the handshake and then lets go of the socket. A [`lane`] owns it from there
//! on. Nothing here knows HTTP, and nothing above knows WebSocket frames.

mod deflate;
pub(super) mod frame;
mod lane;
mod mailbox;
#[cfg(all(test, feature = "model"))]
mod model;
mod outbox;
mod socket;
mod subscriber;
mod tls;

use std::{
    fmt, io,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
};

use serde::Serialize;

use self::lane::Lane;
pub(crate) use self::{
    deflate::{Deflater, WINDOW_BITS},
    lane::Settings,
    socket::Socket,
};
use super::{connections::ConnectionSlot, view::View};
use crate::{
    hub::{Hub, Joined, Start},
    protocol::Message,
    vital::OnDeath,
};

/// More lanes than this only get in each other's way: two write faster than clients can read.
const MAX_LANES: usize = 4;

/// All lanes together.
#[derive(Debug)]
pub(crate) struct Streams {
    lanes: Vec<Lane>,
    stats: Arc<StreamStats>,
}

/// A client whose handshake is complete.
pub(crate) struct Newcomer {
    pub(crate) socket: Socket,
    pub(crate) slot: ConnectionSlot,
    pub(crate) view: Arc<View>,
    pub(crate) start: Start,
    /// Whether it may read; asked again when that may have changed.
    pub(crate) may_read: Box<dyn Fn() -> bool + Send>,
    /// Makes its first message, once its position is known.
    pub(crate) hello: Box<dyn FnOnce(&Joined) -> Message + Send>,
    /// What the client sent right behind its handshake.
    pub(crate) early: bytes::Bytes,
}

impl fmt::Debug for Newcomer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Newcomer").field("start", &self.start).finish_non_exhaustive()
    }
}

/// What the lanes count.
#[derive(Debug, Default)]
pub(crate) struct StreamStats {
    subscribers: AtomicUsize,
    subscribers_total: AtomicU64,
    samples: AtomicU64,
    bytes: AtomicU64,
    dropped: AtomicU64,
}

/// The streams' part of `/api/v1/status`.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct StreamReport {
    /// Subscribers right now.
    pub(crate) subscribers: usize,
    /// Subscribers since the start.
    pub(crate) subscribers_total: u64,
    /// Samples handed to subscribers since the start, history included.
    pub(crate) samples_sent: u64,
    /// Bytes written to subscribers since the start.
    pub(crate) bytes_sent: u64,
    /// Samples dropped since the start because their subscriber did not read fast enough.
    pub(crate) samples_dropped: u64,
}

impl Streams {
    /// Starts as many lanes as the machine can use; the hub tells the first of them of each sample, and each tells the next.
    pub(crate) fn start(hub: &Hub, settings: &Settings, on_death: &OnDeath) -> io::Result<Self> {
        let stats = Arc::new(StreamStats::default());
        let count = thread::available_parallelism().map_or(1, usize::from).min(MAX_LANES);
        let mut lanes: Vec<Lane> = Vec::with_capacity(count);
        for index in (0..count).rev() {
            let (name, hub, settings) = (format!("lane-{index}"), hub.clone(), settings.clone());
            lanes.push(Lane::start(&name, lanes.last(), hub, settings, Arc::clone(&stats), on_death)?);
        }
        if let Some(first) = lanes.last() {
            hub.on_publish(first.sample_listener());
        }
        Ok(Self { lanes, stats })
    }

    /// Hands a newcomer to the lane with the fewest subscribers.
    pub(crate) fn join(&self, newcomer: Newcomer) {
        if let Some(lane) = self.lanes.iter().min_by_key(|lane| lane.load()) {
            lane.join(newcomer);
        }
    }

    /// Has the lanes go on by other settings, tell every subscriber so, and send away those who may not read any more.
    pub(crate) fn reconfigure(&self, settings: &Settings, notice: Option<&[u8]>) {
        let notice = notice.map(frame::text);
        for lane in &self.lanes {
            lane.reconfigure(settings.clone(), notice.clone());
        }
    }

    /// Says goodbye to everyone.
    pub(crate) fn drain(&self, reason: &'static str) {
        for lane in &self.lanes {
            lane.drain(reason);
        }
    }

    /// Whether every lane has come round since the last call.
    pub(crate) fn has_moved(&self) -> bool {
        // Each is asked, so that each is woken.
        self.lanes.iter().filter(|lane| lane.has_moved()).count() == self.lanes.len()
    }

    pub(crate) fn report(&self) -> StreamReport {
        let stats = &self.stats;
        StreamReport {
            subscribers: stats.subscribers.load(Ordering::Relaxed),
            subscribers_total: stats.subscribers_total.load(Ordering::Relaxed),
            samples_sent: stats.samples.load(Ordering::Relaxed),
            bytes_sent: stats.bytes.load(Ordering::Relaxed),
            samples_dropped: stats.dropped.load(Ordering::Relaxed),
        }
    }
}

impl StreamStats {
    fn joined(&self) {
        self.subscribers.fetch_add(1, Ordering::Relaxed);
        self.subscribers_total.fetch_add(1, Ordering::Relaxed);
    }

    fn left(&self) {
        self.subscribers.fetch_sub(1, Ordering::Relaxed);
    }

    fn add_samples(&self, count: u64) {
        self.samples.fetch_add(count, Ordering::Relaxed);
    }

    fn add_bytes(&self, count: u64) {
        self.bytes.fetch_add(count, Ordering::Relaxed);
    }

    fn add_dropped(&self, count: u64) {
        self.dropped.fetch_add(count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
