//! Where the sampler and the subscribers meet: the ring behind one short lock.
//!
//! A subscriber is nothing but a position in the ring. History and live are the same sequence read
//! from the same place, so nothing can be lost or doubled where one passes into the other: there is
//! no such place. Invariant: the lock is held for copying pointers, never while anyone encodes,
//! writes or waits.

use std::{
    ops::RangeInclusive,
    sync::{Arc, PoisonError},
    time::Duration,
};

use crate::{
    config::HistoryConfig,
    history::{Epoch, History, Position},
    sample::{Reading, Sample},
    sync::{Mutex, MutexGuard, RwLock},
};

pub use crate::history::{Gap, GapReason, Hole};

/// A shared handle; clones are the same hub.
#[derive(Clone)]
pub struct Hub(Arc<Shared>);

struct Shared {
    epoch: Epoch,
    /// A std mutex: held while pointers are copied, and never across an await.
    history: Mutex<History>,
    listeners: RwLock<Vec<Listener>>,
}

impl std::fmt::Debug for Hub {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Hub").field("epoch", &self.0.epoch).finish_non_exhaustive()
    }
}

type Listener = Box<dyn Fn() + Send + Sync>;

/// How much of the past a subscriber wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// What was taken within this span before the newest sample.
    Within(Duration),
    /// Everything on offer.
    All,
    /// Nothing: from the next sample on.
    Live,
    /// Everything after a position, whole, or a gap that says what is missing.
    After(Position),
}

/// A subscriber's first position, taken in one step together with what is said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    /// The ring's epoch.
    pub epoch: Epoch,
    /// The oldest sample on offer.
    pub oldest_seq: u64,
    /// The number of the next sample to be taken.
    pub next_seq: u64,
    /// The first sample this subscriber gets.
    pub cursor: u64,
    /// Whether it goes on from a position: what is before its cursor it has, or was told that it is missing.
    pub is_resumed: bool,
    /// What it could expect and does not get, oldest first: at most what an old ring still took, and
    /// what this one has let go of.
    pub gaps: Vec<Gap>,
}

/// The position asked for lies in the future of this epoch: no ring of ours ever gave it out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("position {asked} is past the newest sample, which is {newest}")]
pub struct FuturePosition {
    asked: Position,
    newest: u64,
}

/// Held samples from a position on.
#[derive(Debug)]
pub struct Run {
    /// In order, without holes but for `gaps`.
    pub samples: Vec<Arc<Sample>>,
    /// What never was in this ring, in order: each ends right before one of the samples or before another gap.
    pub gaps: Vec<Gap>,
    /// What lies between the position asked for and the first sample here: it has left the ring.
    pub lost: Option<RangeInclusive<u64>>,
    /// Whether the last sample here is the newest of the ring.
    pub reaches_newest: bool,
}

/// What was wanted from `wanted` on, of a ring that has only what `held` begins.
fn evicted(epoch: Epoch, wanted: u64, held: u64) -> Option<Gap> {
    (held > wanted).then(|| Gap { epoch, from_seq: wanted, to_seq: Some(held - 1), reason: GapReason::Evicted })
}

impl Hub {
    /// A hub with an empty ring of a new random epoch.
    pub fn new(config: &HistoryConfig) -> Self {
        Self::with_epoch(Epoch::random(), config)
    }

    /// A hub with an empty ring of the given epoch.
    pub fn with_epoch(epoch: Epoch, config: &HistoryConfig) -> Self {
        Self(Arc::new(Shared { epoch, history: Mutex::new(History::new(epoch, config)), listeners: RwLock::default() }))
    }

    /// Numbers a reading, appends it, and wakes the listeners. Returns its `seq`.
    pub fn publish(&self, reading: Reading) -> u64 {
        self.publish_behind(&[], reading)
    }

    /// The same behind holes, which a recording has.
    pub fn publish_behind(&self, holes: &[Hole], reading: Reading) -> u64 {
        let seq = self.history().push_behind(holes, reading).seq;
        for listener in &*self.0.listeners.read().unwrap_or_else(PoisonError::into_inner) {
            listener();
        }
        seq
    }

    /// Has `listener` called after each publish, on the sampler's thread: it must only wake someone.
    pub fn on_publish(&self, listener: impl Fn() + Send + Sync + 'static) {
        self.0.listeners.write().unwrap_or_else(PoisonError::into_inner).push(Box::new(listener));
    }

    /// Gives a subscriber its first position.
    pub fn join(&self, start: Start) -> Result<Joined, FuturePosition> {
        let history = self.history();
        let (oldest_seq, next_seq, epoch) = (history.oldest_seq(), history.next_seq(), history.epoch());
        let at = |cursor| Joined { epoch, oldest_seq, next_seq, cursor, is_resumed: false, gaps: Vec::new() };
        Ok(match start {
            Start::Within(span) => at(history.seq_within(span)),
            Start::All => at(oldest_seq),
            Start::Live => at(next_seq),
            Start::After(position) if position.epoch != epoch => {
                let (from_seq, reason) = (position.seq.saturating_add(1), GapReason::Restarted);
                let restarted = Gap { epoch: position.epoch, from_seq, to_seq: None, reason };
                let gaps = [Some(restarted), evicted(epoch, 1, oldest_seq)].into_iter().flatten().collect();
                Joined { is_resumed: true, gaps, ..at(oldest_seq) }
            }
            Start::After(position) if position.seq >= next_seq => {
                return Err(FuturePosition { asked: position, newest: next_seq - 1 });
            }
            Start::After(position) => {
                let wanted = position.seq + 1;
                let cursor = wanted.max(history.oldest_held());
                let gaps = evicted(epoch, wanted, cursor).into_iter().collect();
                Joined { is_resumed: true, gaps, ..at(cursor) }
            }
        })
    }

    /// At most `limit` samples from `cursor` on.
    pub fn run(&self, cursor: u64, limit: usize) -> Run {
        let history = self.history();
        let first = cursor.max(history.oldest_held());
        let (mut samples, mut gaps) = (Vec::new(), Vec::new());
        for (sample, before) in history.from(first).take(limit) {
            let due = before.iter().filter(|gap| gap.to_seq.is_some_and(|to_seq| to_seq >= first));
            gaps.extend(due.map(|gap| Gap { from_seq: gap.from_seq.max(first), ..*gap }));
            samples.push(Arc::clone(sample));
        }
        Run {
            lost: (first > cursor).then(|| cursor..=first - 1),
            reaches_newest: samples.last().map_or(first, |newest| newest.seq + 1) >= history.next_seq(),
            samples,
            gaps,
        }
    }

    /// How many samples are held from number `seq` on.
    pub fn count_from(&self, seq: u64) -> usize {
        self.history().from(seq).len()
    }

    /// The sample `seq`, if it is held.
    pub fn get(&self, seq: u64) -> Option<Arc<Sample>> {
        self.history().get(seq).cloned()
    }

    /// The newest sample.
    pub fn newest(&self) -> Option<Arc<Sample>> {
        self.history().newest().cloned()
    }

    /// The number that the next sample will have.
    pub fn next_seq(&self) -> u64 {
        self.history().next_seq()
    }

    /// The epoch of the ring.
    pub fn epoch(&self) -> Epoch {
        self.0.epoch
    }

    /// The oldest sample on offer, and the number that the next one will have.
    pub fn bounds(&self) -> (u64, u64) {
        let history = self.history();
        (history.oldest_seq(), history.next_seq())
    }

    /// Whether the bound on bytes has ever made the ring hold less than its window, and how far back it
    /// goes.
    pub fn reach(&self) -> (bool, Duration) {
        let history = self.history();
        (history.is_cut_short(), history.span())
    }

    /// Changes how much of the past is kept.
    pub fn set_bounds(&self, config: &HistoryConfig) {
        self.history().set_bounds(config);
    }

    /// Samples on offer, and the bytes they occupy.
    pub fn size(&self) -> (usize, usize) {
        self.history().size()
    }

    fn history(&self) -> MutexGuard<'_, History> {
        // The ring is whole between any two of its methods, so a panic elsewhere cannot have torn it.
        self.0.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
