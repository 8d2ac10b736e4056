//! What may come next in a recording. The same few lines decide what is written, where a recorder goes on after a
//! restart, and whether a recording is whole.

use super::line::RecordedGap;
use crate::protocol::{Epoch, GapReason, Position};

/// What a line stands for, as far as the order is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Record {
    /// One sample.
    Sample {
        /// Its ring.
        epoch: Epoch,
        /// Its number.
        seq: u64,
    },
    /// What is missing.
    Gap(RecordedGap),
    /// Who speaks.
    Hello {
        /// Its ring.
        epoch: Epoch,
    },
}

/// What a record is to a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is what comes next.
    Next,
    /// It is there already.
    Known,
    /// Something that nobody has named is missing before it.
    Hole,
}

/// How far a recording has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ledger(At);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// Nothing is recorded yet.
    #[default]
    Nothing,
    /// A ring is known, and nothing of it: the first sample may have any number.
    Begun(Epoch),
    /// Everything up to here is recorded, or named as missing.
    After(Position),
    /// This ring is over, from this sample on; the next one is not known yet.
    Over(Position),
}

impl Ledger {
    /// What to resume after. Where a restart was recorded and nothing after it, the old ring's last sample: the same
    /// gap is told once more, and known then.
    pub fn position(&self) -> Option<Position> {
        match self.0 {
            At::Nothing | At::Begun(_) => None,
            At::After(position) | At::Over(position) => Some(position),
        }
    }

    /// What the record is, without recording it.
    pub fn judge(&self, record: &Record) -> Verdict {
        match *record {
            Record::Hello { .. } => Verdict::Next,
            Record::Sample { epoch, seq } => self.judge_run(epoch, seq, seq),
            Record::Gap(RecordedGap { epoch, from_seq, reason: GapReason::Restarted, .. }) => match self.0 {
                At::After(at) if at.epoch == epoch && at.seq + 1 == from_seq => Verdict::Next,
                At::Over(at) if at.epoch == epoch && at.seq + 1 == from_seq => Verdict::Known,
                // What there was of that ring was removed; the part begins with the hello of the next one.
                At::Nothing | At::Begun(_) => Verdict::Next,
                _ => Verdict::Hole,
            },
            Record::Gap(RecordedGap { epoch, from_seq, to_seq: Some(to_seq), .. }) if to_seq >= from_seq => {
                self.judge_run(epoch, from_seq, to_seq)
            }
            Record::Gap(_) => Verdict::Hole,
        }
    }

    fn judge_run(&self, epoch: Epoch, first: u64, last: u64) -> Verdict {
        match self.0 {
            At::Nothing => Verdict::Next,
            At::Begun(begun) if begun == epoch => Verdict::Next,
            At::After(at) if at.epoch == epoch && at.seq + 1 == first => Verdict::Next,
            At::After(at) if at.epoch == epoch && last <= at.seq => Verdict::Known,
            At::Begun(_) | At::After(_) | At::Over(_) => Verdict::Hole,
        }
    }

    /// Takes the record if it is what comes next; its verdict.
    pub fn admit(&mut self, record: &Record) -> Verdict {
        let verdict = self.judge(record);
        if verdict == Verdict::Next {
            self.0 = self.after(record);
        }
        verdict
    }

    /// Goes on after this record, whatever was before it: for those who look for more mistakes than one.
    pub fn accept(&mut self, record: &Record) {
        self.0 = self.after(record);
    }

    fn after(&self, record: &Record) -> At {
        match *record {
            Record::Sample { epoch, seq } | Record::Gap(RecordedGap { epoch, to_seq: Some(seq), .. }) => {
                At::After(Position { epoch, seq })
            }
            Record::Gap(RecordedGap { epoch, from_seq, to_seq: None, .. }) => {
                At::Over(Position { epoch, seq: from_seq.saturating_sub(1) })
            }
            Record::Hello { epoch } => match self.0 {
                At::Nothing => At::Begun(epoch),
                // Everything of the new ring is expected.
                At::Over(_) => At::After(Position { epoch, seq: 0 }),
                at => at,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epoch(number: u64) -> Epoch {
        format!("{number:016x}").parse().unwrap()
    }

    fn sample(number: u64, seq: u64) -> Record {
        Record::Sample { epoch: epoch(number), seq }
    }

    fn gap(number: u64, from_seq: u64, to_seq: Option<u64>, reason: GapReason) -> Record {
        Record::Gap(RecordedGap { epoch: epoch(number), from_seq, to_seq, reason })
    }

    fn after(records: &[Record]) -> Ledger {
        let mut ledger = Ledger::default();
        for record in records {
            assert_eq!(ledger.admit(record), Verdict::Next, "{record:?}");
        }
        ledger
    }

    #[test]
    fn only_what_comes_next_is_admitted() {
        let ledger = after(&[Record::Hello { epoch: epoch(1) }, sample(1, 5), sample(1, 6)]);
        assert_eq!(ledger.judge(&sample(1, 7)), Verdict::Next);
        for known in [sample(1, 6), sample(1, 1), gap(1, 2, Some(6), GapReason::Down)] {
            assert_eq!(ledger.judge(&known), Verdict::Known, "{known:?}");
        }
        for hole in
            [sample(1, 8), sample(2, 7), gap(1, 8, Some(9), GapReason::Slow), gap(1, 7, Some(6), GapReason::Slow)]
        {
            assert_eq!(ledger.judge(&hole), Verdict::Hole, "{hole:?}");
        }
        assert_eq!(ledger.position().unwrap().seq, 6);
    }

    #[test]
    fn a_named_gap_leads_on() {
        let ledger = after(&[sample(1, 5), gap(1, 6, Some(9), GapReason::Evicted), sample(1, 10)]);
        assert_eq!(ledger.position().unwrap().seq, 10);
    }

    #[test]
    fn a_restart_is_recorded_once_and_everything_of_the_new_ring_is_due() {
        let restarted = gap(1, 6, None, GapReason::Restarted);
        let mut ledger = after(&[sample(1, 5), restarted]);
        // A recorder that is killed here hears of it once more.
        assert_eq!(ledger.position().unwrap(), Position { epoch: epoch(1), seq: 5 });
        assert_eq!(ledger.admit(&restarted), Verdict::Known);
        assert_eq!(ledger.judge(&sample(2, 1)), Verdict::Hole, "nobody has said yet who speaks");
        ledger.admit(&Record::Hello { epoch: epoch(2) });
        assert_eq!(ledger.position().unwrap(), Position { epoch: epoch(2), seq: 0 });
        assert_eq!(ledger.judge(&sample(2, 2)), Verdict::Hole);
        assert_eq!(ledger.admit(&gap(2, 1, Some(3), GapReason::Evicted)), Verdict::Next);
        assert_eq!(ledger.admit(&sample(2, 4)), Verdict::Next);
    }

    #[test]
    fn the_end_of_a_ring_may_come_first_where_nothing_of_it_is_there() {
        let restarted = gap(1, 6, None, GapReason::Restarted);
        let mut ledger = after(&[Record::Hello { epoch: epoch(2) }, restarted, Record::Hello { epoch: epoch(2) }]);
        assert_eq!(ledger.position().unwrap(), Position { epoch: epoch(2), seq: 0 });
        assert_eq!(ledger.judge(&restarted), Verdict::Hole, "it was told");
        assert_eq!(ledger.admit(&sample(2, 1)), Verdict::Next);
        after(&[restarted, Record::Hello { epoch: epoch(2) }, sample(2, 1)]);
    }
}
