//! The sampler: one thread that ticks on a grid, asks the collectors, and publishes.
//!
//! Invariant: nothing a subscriber does can be felt here. The thread waits only for its clock and
//! for its stop channel.

mod grid;
mod status;

use std::{
    io,
    sync::{Arc, mpsc},
    time::Duration,
};

use tracing::{debug, warn};

pub use self::status::{CollectorState, CollectorStatus, SamplerStatus, StatusReport};
use self::{
    grid::{Grid, Tick},
    status::Outcome,
};
use crate::{
    clock::{Now, boottime},
    collector::{CollectError, Fill, Scheduled, Shape},
    hub::Hub,
    sample::{Reading, Schema, Series},
    vital::{self, OnDeath},
};

/// A collector whose source is not there is asked again after this long: a driver may be loaded late.
const ASK_AGAIN_AFTER: Duration = Duration::from_mins(1);

/// A sampler that has its collectors and no thread yet.
pub struct Prepared {
    rounds: Rounds,
}

/// The running sampler; its thread ends when this is dropped.
#[derive(Debug)]
pub struct Sampler {
    orders: mpsc::Sender<Retune>,
    /// Closed by the thread when it ends.
    ended: mpsc::Receiver<()>,
}

impl Sampler {
    /// A sampler that will tick every `interval`.
    pub fn prepare(interval: Duration, collectors: Vec<Scheduled>) -> Prepared {
        Prepared { rounds: Rounds::new(interval, collectors) }
    }
}

impl Prepared {
    /// What the sampler says about itself, once it runs.
    pub fn status(&self) -> Arc<SamplerStatus> {
        Arc::clone(&self.rounds.status)
    }

    /// Starts the thread.
    pub fn start(mut self, hub: Hub, on_death: &OnDeath) -> io::Result<Sampler> {
        let (orders, received) = mpsc::channel();
        let (running, ended) = mpsc::channel();
        vital::spawn("sampler", on_death, move || {
            self.rounds.run(&hub, &received);
            drop(running);
        })?;
        Ok(Sampler { orders, ended })
    }
}

impl Sampler {
    /// Has it go on with another interval and other collectors. Samples go on where they are: `seq` has no hole.
    pub fn retune(&self, interval: Duration, collectors: Vec<Scheduled>) {
        // A thread that is gone has told why, and takes the daemon with it.
        let _ = self.orders.send(Retune { interval, collectors });
    }

    /// Tells the thread to end and waits for that, for at most `patience`: a source that does not
    /// answer must not keep the daemon from stopping.
    pub fn stop(self, patience: Duration) {
        // The thread waits on this channel, so it ends now rather than at its next tick.
        drop(self.orders);
        // Either it has ended or the time is over: there is nothing more to do in both cases.
        let _ = self.ended.recv_timeout(patience);
    }
}

/// Another interval, and other collectors.
struct Retune {
    interval: Duration,
    collectors: Vec<Scheduled>,
}

/// The collectors and the schema they make up together.
struct Rounds {
    interval: Duration,
    slots: Vec<Slot>,
    schema: Arc<Schema>,
    status: Arc<SamplerStatus>,
}

/// One collector between two ticks.
struct Slot {
    scheduled: Scheduled,
    /// When it is due again, on `CLOCK_BOOTTIME`.
    due: Duration,
    /// Whether its source was there the last time it was asked.
    available: bool,
    /// How many values it has in the schema.
    width: usize,
}

impl Rounds {
    fn new(interval: Duration, collectors: Vec<Scheduled>) -> Self {
        let slots = collectors.into_iter().map(Slot::new).collect();
        let status = Arc::new(SamplerStatus::new(interval, Now::read()));
        Self { interval, slots, schema: Arc::new(Schema { revision: 0, series: Vec::new() }), status }
    }

    fn run(&mut self, hub: &Hub, orders: &mpsc::Receiver<Retune>) {
        let mut grid = Grid::new(self.baseline(), self.interval);
        let mut told_of_reach = false;
        loop {
            let wait = grid.wait(Now::read());
            if !wait.is_zero() {
                match orders.recv_timeout(wait) {
                    Err(mpsc::RecvTimeoutError::Timeout) => continue,
                    Err(mpsc::RecvTimeoutError::Disconnected) => return,
                    Ok(Retune { interval, collectors }) => {
                        self.interval = interval;
                        self.slots = collectors.into_iter().map(Slot::new).collect();
                        self.status.retuned(interval);
                        grid = grid.retuned(self.baseline(), interval);
                        continue;
                    }
                }
            }
            let now = Now::read();
            let tick = grid.take(now);
            let values = self.collect(now.boottime);
            let reading = self.reading(now, tick, values);
            hub.publish(reading);
            if let (true, reach) = hub.reach()
                && !std::mem::replace(&mut told_of_reach, true)
            {
                warn!(seconds = reach.as_secs(), "history.max_size holds less than history.window");
            }
            self.status.ticked(now, tick.missed, boottime().saturating_sub(now.boottime));
        }
    }

    /// Rates need a reading to start from. It is taken and thrown away: what has no baseline is never published.
    fn baseline(&mut self) -> Now {
        let now = Now::read();
        self.collect(now.boottime);
        self.make_all_due();
        now
    }

    fn reading(&self, now: Now, tick: Tick, values: Box<[f64]>) -> Reading {
        if let Some(missed) = tick.missed {
            debug!(ticks = missed.ticks, reason = ?missed.reason, "ticks were not taken");
        }
        Reading {
            time: now.wall,
            moment: now.boottime,
            elapsed: tick.elapsed,
            missed: tick.missed,
            schema: Arc::clone(&self.schema),
            values,
        }
    }

    /// The slow ones too shall have a value in the very first sample.
    fn make_all_due(&mut self) {
        for slot in self.slots.iter_mut().filter(|slot| slot.available) {
            slot.due = Duration::ZERO;
        }
    }

    /// Asks every collector that is due and brings the schema up to date.
    fn collect(&mut self, now: Duration) -> Box<[f64]> {
        let mut fill = Fill::new(now, self.schema.series.len());
        let mut changed = self.schema.revision == 0;
        for slot in &mut self.slots {
            changed |= slot.collect(&mut fill, self.interval, &self.status) == Shape::Changed;
        }
        if changed {
            let series: Vec<_> = self.slots.iter().flat_map(Slot::series).collect();
            // Other collectors may have the same series as those before them.
            if self.schema.revision == 0 || series != self.schema.series {
                self.schema = Arc::new(Schema { revision: self.schema.revision + 1, series });
            }
        }
        fill.into_values()
    }
}

impl Slot {
    fn new(scheduled: Scheduled) -> Self {
        Self { scheduled, due: Duration::ZERO, available: true, width: 0 }
    }

    fn collect(&mut self, fill: &mut Fill, interval: Duration, status: &SamplerStatus) -> Shape {
        let before = fill.len();
        if fill.now() < self.due {
            // Not its turn. What it said last is not repeated: these values are missing here.
            fill.resize(before + self.width);
            return Shape::Same;
        }
        let started = boottime();
        let result = self.scheduled.collector.collect(fill);
        if let Err(CollectError::Pending) = result {
            fill.resize(before);
            fill.resize(before + self.width);
            return Shape::Same;
        }
        self.available = !matches!(result, Err(CollectError::Unavailable(_)));
        let width = if self.available { self.scheduled.collector.series().len() } else { 0 };
        let resized = std::mem::replace(&mut self.width, width) != width;
        if result.is_err() {
            // Whatever it pushed before it failed is not to be trusted.
            fill.resize(before);
        }
        fill.resize(before + width);
        self.schedule(fill.now(), interval);

        let (shape, outcome) = match result {
            Ok(shape) => (shape, Outcome::Ok(fill.take_problem())),
            Err(CollectError::Unavailable(why)) => (Shape::Same, Outcome::Unavailable(why)),
            Err(error) => (Shape::Same, Outcome::Failed(error.to_string())),
        };
        status.collected(self.scheduled.collector.name(), outcome, boottime().saturating_sub(started));
        if resized { Shape::Changed } else { shape }
    }

    fn schedule(&mut self, now: Duration, interval: Duration) {
        let every = if self.available { self.scheduled.every.unwrap_or_default() } else { ASK_AGAIN_AFTER };
        // The grid says when a reading is taken: this only picks the tick, which may come early
        // because this one was late.
        self.due = (now + every).saturating_sub(interval / 2);
    }

    fn series(&self) -> impl Iterator<Item = Series> {
        let interval_ms = self.scheduled.every.map(|every| every.as_millis() as u64);
        let series = self.scheduled.collector.series()[..self.width].iter().cloned();
        series.map(move |series| Series { interval_ms, ..series })
    }
}
