//! Keeps count of what one client was told of an epoch.

use std::ops::RangeInclusive;

use hostcast::{
    history::{Epoch, Position},
    hub::GapReason,
    protocol::{Message, WireSample},
};

/// Holds every message against the promise: each sample exactly once and in order, or a gap that
/// names exactly what is missing.
#[derive(Debug)]
pub(crate) struct Account {
    pub(crate) epoch: Epoch,
    /// The only `seq` that may come next.
    pub(crate) next: u64,
    pub(crate) seen: u64,
    pub(crate) missing: Vec<(RangeInclusive<u64>, GapReason)>,
}

impl Account {
    /// The account of a client whose first sample has to be `first`.
    pub(crate) fn from(epoch: Epoch, first: u64) -> Self {
        Self { epoch, next: first, seen: 0, missing: Vec::new() }
    }

    pub(crate) fn sample(&mut self, sample: &WireSample) {
        assert_eq!(sample.seq, self.next, "{self:?}");
        self.next += 1;
        self.seen += 1;
    }

    pub(crate) fn message(&mut self, message: &Message) {
        match message {
            Message::History(chunk) => chunk.samples.iter().for_each(|sample| self.sample(sample)),
            Message::Sample(sample) => self.sample(sample),
            Message::Gap(gap) => {
                assert_eq!((gap.epoch, gap.from_seq), (self.epoch, self.next), "{self:?}");
                let to_seq = gap.to_seq.unwrap();
                assert!(to_seq >= gap.from_seq, "an empty gap: {gap:?}");
                self.missing.push((gap.from_seq..=to_seq, gap.reason));
                self.next = to_seq + 1;
            }
            Message::Hello(_) | Message::Schema(_) | Message::Heartbeat(_) | Message::Notice(_) | Message::Bye(_) => {}
        }
    }

    /// What to ask for to go on from here.
    pub(crate) fn position(&self) -> Position {
        Position { epoch: self.epoch, seq: self.next - 1 }
    }

    pub(crate) fn missing(&self) -> u64 {
        self.missing.iter().map(|(range, _)| range.end() - range.start() + 1).sum()
    }
}
