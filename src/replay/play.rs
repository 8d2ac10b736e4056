//! Has the samples of a recording come as they came when it was made, or faster.

use std::{
    io,
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use super::Entries;
use crate::{
    hub::Hub,
    vital::{self, OnDeath},
};

/// Plays until there is nothing left, or until it is dropped.
#[derive(Debug)]
pub(super) struct Player {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Player {
    /// Begins with the newest sample that is in the ring.
    pub(super) fn start(mut entries: Entries, speed: f64, hub: Hub, on_death: &OnDeath) -> io::Result<Self> {
        let (stop, stopped) = mpsc::channel();
        let begun = Instant::now();
        let beginning = hub.newest().map_or(Duration::ZERO, |newest| newest.reading.moment);
        let thread = vital::spawn("replay", on_death, move || {
            while let Some((_, moment)) = entries.next_is_due() {
                let waits = moment.saturating_sub(beginning).div_f64(speed);
                let Some(due) = begun.checked_add(waits) else { return };
                // The stop channel is the timer: stopping never waits for a sample.
                match stopped.recv_timeout(due.saturating_duration_since(Instant::now())) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return,
                }
                if let Some(entry) = entries.pop() {
                    hub.publish_behind(&entry.holes, entry.reading);
                }
            }
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.stop = None;
        if let Some(thread) = self.thread.take() {
            // The only error is a panic, and `OnDeath` has told of that.
            let _ = thread.join();
        }
    }
}
