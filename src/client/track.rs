//! Where a client stands, and whether what comes is what has to come.

use super::failure::Lost;
use crate::protocol::{Epoch, Gap, GapReason, LARGEST_NUMBER, Position, WireSample};

/// Holds a stream against its promise: every sample exactly once and in order, or a gap that names exactly what is
/// missing. What breaks it is not passed on: the connection is given up, and the next one resumes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Track {
    /// The newest sample that was passed on, or named as missing.
    position: Option<Position>,
    /// The ring of this connection.
    epoch: Option<Epoch>,
    /// The first sample that the gap of a restart has named, so that it is not told twice.
    restarted: Option<Position>,
}

impl Track {
    pub(super) fn new(position: Option<Position>) -> Self {
        Self { position, epoch: None, restarted: None }
    }

    pub(super) fn position(&self) -> Option<Position> {
        self.position
    }

    /// A new connection: what it says about itself is not known yet.
    pub(super) fn connected(&mut self) {
        self.epoch = None;
    }

    /// Whose samples follow. `first` is the first of them, where that is known before it comes: from here on everything
    /// is due, even if the connection is lost before anything else is said.
    pub(super) fn hello(&mut self, epoch: Epoch, first: Option<u64>) {
        self.epoch = Some(epoch);
        if let (None, Some(first)) = (self.position, first) {
            self.position = Some(Position { epoch, seq: first.saturating_sub(1) });
        }
    }

    pub(super) fn sample(&mut self, sample: &WireSample) -> Result<(), Lost> {
        let epoch = self.epoch.ok_or(Lost::garbled("a sample before the hello"))?;
        let last = sample.seq;
        let folded = sample.samples.unwrap_or(1).max(1);
        let first = (last <= LARGEST_NUMBER).then_some(last).and_then(|last| (last + 1).checked_sub(folded));
        let first = first.filter(|first| *first > 0);
        let first = first.ok_or_else(|| Lost::garbled(format!("a sample with the number {last}")))?;
        self.must_follow(epoch, first)?;
        self.position = Some(Position { epoch, seq: last });
        Ok(())
    }

    /// Whether the gap is news: one that was told before the connection broke is told again by the next one.
    pub(super) fn gap(&mut self, gap: &Gap) -> Result<bool, Lost> {
        let epoch = self.epoch.ok_or(Lost::garbled("a gap before the hello"))?;
        let is_number = |seq: u64| (1..=LARGEST_NUMBER).contains(&seq);
        if !is_number(gap.from_seq) || gap.to_seq.is_some_and(|to_seq| !is_number(to_seq)) {
            return Err(Lost::garbled("a gap of samples with numbers that there never are"));
        }
        // A replay tells of the restarts that were recorded, within its own epoch.
        if gap.reason == GapReason::Restarted && (gap.epoch != epoch || gap.to_seq.is_none()) {
            if gap.epoch == epoch || gap.to_seq.is_some() {
                return Err(Lost::garbled("a restart without a new epoch"));
            }
            let before = Position { epoch: gap.epoch, seq: gap.from_seq - 1 };
            if self.position != Some(before) {
                return Err(Lost::garbled(format!("a gap after {before}, which is not where this client stands")));
            }
            // Everything of the new ring is expected now.
            self.position = Some(Position { epoch, seq: 0 });
            return Ok(self.restarted.replace(before) != Some(before));
        }
        let to_seq = gap.to_seq.filter(|to_seq| *to_seq >= gap.from_seq);
        let to_seq = to_seq.ok_or(Lost::garbled("a gap without an end"))?;
        self.must_follow(gap.epoch, gap.from_seq)?;
        self.position = Some(Position { epoch, seq: to_seq });
        Ok(true)
    }

    fn must_follow(&self, epoch: Epoch, first: u64) -> Result<(), Lost> {
        match self.position {
            // The very first sample may have any number.
            None if self.epoch == Some(epoch) => Ok(()),
            Some(Position { epoch: expected, seq }) if expected == epoch && seq.checked_add(1) == Some(first) => Ok(()),
            Some(position) => Err(Lost::garbled(format!("{epoch}:{first} came, and what follows {position} was due"))),
            None => Err(Lost::garbled("a gap of another epoch")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::WireValues;

    fn sample(seq: u64) -> WireSample {
        WireSample {
            seq,
            time: 0,
            elapsed_ms: 0.0,
            missed: None,
            samples: None,
            values: WireValues::Positional(Vec::new()),
            min: None,
            max: None,
        }
    }

    fn epoch(text: &str) -> Epoch {
        text.parse().unwrap()
    }

    fn old() -> Epoch {
        epoch("0000000000000001")
    }

    fn new() -> Epoch {
        epoch("0000000000000002")
    }

    fn gap(epoch: Epoch, from_seq: u64, to_seq: Option<u64>, reason: GapReason) -> Gap {
        Gap { epoch, from_seq, to_seq, reason }
    }

    #[test]
    fn samples_must_follow_each_other() {
        let mut track = Track::new(None);
        assert!(track.sample(&sample(7)).is_err(), "before the hello");
        track.hello(old(), None);
        track.sample(&sample(7)).unwrap();
        track.sample(&sample(8)).unwrap();
        for wrong in [0, 7, 8, 10] {
            assert!(track.clone().sample(&sample(wrong)).is_err(), "{wrong}");
        }
        assert!(track.gap(&gap(old(), 9, Some(12), GapReason::Slow)).unwrap());
        track.sample(&sample(13)).unwrap();
        assert_eq!(track.position().unwrap().to_string(), "0000000000000001:13");
    }

    #[test]
    fn no_number_is_believed_that_no_daemon_comes_to() {
        let mut track = Track::new(None);
        track.hello(old(), None);
        assert!(track.clone().sample(&sample(u64::MAX)).is_err());
        assert!(track.clone().sample(&sample(LARGEST_NUMBER)).is_ok());
        for (from_seq, to_seq) in [(1, u64::MAX), (u64::MAX, u64::MAX), (LARGEST_NUMBER + 1, LARGEST_NUMBER + 1)] {
            assert!(track.gap(&gap(old(), from_seq, Some(to_seq), GapReason::Slow)).is_err(), "{from_seq} to {to_seq}");
        }
    }

    #[test]
    fn what_was_promised_before_the_connection_was_lost_is_due_on_the_next_one() {
        let mut track = Track::new(None);
        track.hello(old(), Some(5));
        track.connected();
        track.hello(old(), Some(9));
        assert!(track.sample(&sample(9)).is_err());
        track.gap(&gap(old(), 5, Some(8), GapReason::Evicted)).unwrap();
        track.sample(&sample(9)).unwrap();
    }

    #[test]
    fn a_folded_sample_covers_what_it_was_folded_from() {
        let mut track = Track::new(Some(Position { epoch: old(), seq: 9 }));
        track.hello(old(), None);
        let folded = |seq, samples| WireSample { samples: Some(samples), ..sample(seq) };
        assert!(track.sample(&folded(20, 10)).is_err());
        track.sample(&folded(19, 10)).unwrap();
        assert!(track.sample(&folded(5, 10)).is_err());
    }

    #[test]
    fn another_epoch_begins_with_a_gap_that_is_told_once() {
        let mut track = Track::new(Some(Position { epoch: old(), seq: 9 }));
        track.hello(new(), None);
        assert!(track.sample(&sample(1)).is_err(), "the gap comes first");
        let restarted = gap(old(), 10, None, GapReason::Restarted);
        let mut unlucky = track;
        assert!(unlucky.gap(&restarted).unwrap());
        assert!(unlucky.gap(&gap(new(), 1, Some(4), GapReason::Evicted)).unwrap());
        unlucky.sample(&sample(5)).unwrap();
        assert_eq!(unlucky.position().unwrap(), Position { epoch: new(), seq: 5 });
        for wrong in [gap(old(), 9, None, GapReason::Restarted), gap(new(), 1, None, GapReason::Restarted)] {
            assert!(track.gap(&wrong).is_err(), "{wrong:?}");
        }
    }
}
