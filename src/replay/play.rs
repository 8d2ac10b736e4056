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
                // What is due when no clock can tell is not due.
                let Some(due) = begun.checked_add(due(moment, beginning, speed)) else { return };
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

/// How long after the beginning a sample is due.
fn due(moment: Duration, beginning: Duration, speed: f64) -> Duration {
    let recorded = moment.saturating_sub(beginning);
    Duration::try_from_secs_f64(recorded.as_secs_f64() / speed).unwrap_or(Duration::MAX)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_played_is_due_as_many_times_sooner_as_it_is_played_faster() {
        let beginning = Duration::from_secs(100);
        for (second, speed, due_ms) in
            [(100, 1.0, 0), (103, 1.0, 3_000), (103, 0.1, 30_000), (160, 1000.0, 60), (99, 1.0, 0)]
        {
            let due = due(Duration::from_secs(second), beginning, speed);
            assert_eq!(due.as_millis(), due_ms, "second {second} at {speed}");
        }
        assert_eq!(due(Duration::MAX, Duration::ZERO, 0.1), Duration::MAX, "and not a panic");
    }
}
