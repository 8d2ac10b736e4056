//! Samples of a recording in memory, until they are published.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::{
    hub::Hole,
    recording::Values,
    sample::{Missed, Reading, Sample, Schema, Series},
};

/// A sample, and what is missing right before it.
#[derive(Debug)]
pub struct Entry {
    /// What is missing.
    pub holes: Vec<Hole>,
    /// The sample.
    pub reading: Reading,
}

/// Oldest first. A sample is made only when it is taken out: how often each series is read shows only when all of them
/// are here.
#[derive(Debug, Default)]
pub struct Entries {
    waiting: VecDeque<Waiting>,
    bytes: usize,
    /// Where a series is read less often than samples are taken.
    interval_ms: HashMap<Box<str>, u64>,
    left_out: BTreeSet<Box<str>>,
    /// What the sample before was made with.
    made: Option<Made>,
}

/// A sample whose series have no schema yet.
#[derive(Debug)]
pub(super) struct Held {
    pub(super) holes: Vec<Hole>,
    pub(super) time: u64,
    pub(super) moment: Duration,
    pub(super) elapsed: Duration,
    pub(super) missed: Option<Missed>,
    /// Which list of series, counted from the beginning of the recording.
    pub(super) layout: u64,
    pub(super) ids: Arc<[Box<str>]>,
    pub(super) values: Box<[f64]>,
}

/// A sample that waits.
#[derive(Debug)]
struct Waiting {
    held: Held,
    /// What it takes in memory, as it is counted in the sum of all.
    bytes: usize,
}

#[derive(Debug)]
struct Made {
    layout: u64,
    schema: Arc<Schema>,
    /// Where the values are of series that are known here; `None` where all are.
    columns: Option<Vec<usize>>,
}

impl Entries {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// The times of the oldest and of the newest, in Unix milliseconds.
    pub fn ends(&self) -> Option<(u64, u64)> {
        Some((self.waiting.front()?.held.time, self.waiting.back()?.held.time))
    }

    /// What passed from the oldest to the newest, whatever was done to the clock in between.
    pub fn span(&self) -> Duration {
        let ends = self.waiting.front().zip(self.waiting.back());
        ends.map_or(Duration::ZERO, |(oldest, newest)| newest.held.moment.saturating_sub(oldest.held.moment))
    }

    /// Of the oldest: when it was taken, in Unix milliseconds, and on a clock that is never set.
    pub fn next_is_due(&self) -> Option<(u64, Duration)> {
        self.waiting.front().map(|oldest| (oldest.held.time, oldest.held.moment))
    }

    /// Series whose metric this version does not know.
    pub fn left_out(&self) -> impl ExactSizeIterator<Item = &str> {
        self.left_out.iter().map(|id| &**id)
    }

    /// Takes the oldest out.
    pub fn pop(&mut self) -> Option<Entry> {
        let held = self.waiting.pop_front()?.held;
        let made = match self.made.take() {
            Some(made) if made.layout == held.layout => made,
            _ => self.make(&held),
        };
        let values = match &made.columns {
            None => held.values,
            Some(columns) => columns.iter().map(|column| held.values[*column]).collect(),
        };
        let reading = Reading {
            time: SystemTime::UNIX_EPOCH + Duration::from_millis(held.time),
            moment: held.moment,
            elapsed: held.elapsed,
            missed: held.missed,
            schema: Arc::clone(&made.schema),
            values,
        };
        self.made = Some(made);
        Some(Entry { holes: held.holes, reading })
    }

    fn make(&self, held: &Held) -> Made {
        let known = held.ids.iter().enumerate().filter_map(|(column, id)| {
            let series = Series::from_id(id)?;
            Some((column, Series { interval_ms: self.interval_ms.get(id).copied(), ..series }))
        });
        let (columns, series): (Vec<_>, Vec<_>) = known.unzip();
        let columns = (columns.len() < held.ids.len()).then_some(columns);
        Made { layout: held.layout, schema: Arc::new(Schema { revision: held.layout, series }), columns }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn push(&mut self, held: Held) {
        let begins_list = self.waiting.back().is_none_or(|before| before.held.layout != held.layout);
        let bytes = footprint(&held, begins_list);
        self.bytes += bytes;
        self.waiting.push_back(Waiting { held, bytes });
    }

    pub(super) fn drop_newest(&mut self) {
        self.bytes -= self.waiting.pop_back().map_or(0, |newest| newest.bytes);
    }

    pub(super) fn drop_oldest(&mut self) {
        self.bytes -= self.waiting.pop_front().map_or(0, |oldest| oldest.bytes);
        if let Some(Waiting { held, bytes }) = self.waiting.front_mut() {
            // What is missing before the first sample is nobody's business.
            held.holes = Vec::new();
            // Of its list of series it is the first now, whoever was that before.
            let before = std::mem::replace(bytes, footprint(held, true));
            self.bytes = self.bytes - before + *bytes;
        }
    }

    pub(super) fn set_rhythms(&mut self, rhythms: &Rhythms, interval_ms: u64) {
        self.interval_ms = rhythms.slow().map(|(id, ticks)| (id.into(), ticks.saturating_mul(interval_ms))).collect();
        self.left_out = rhythms.ids().filter(|id| Series::from_id(id).is_none()).map(Into::into).collect();
    }
}

/// What it takes in memory, here and in the ring. The first sample with a list of series has that, too: the ids, and
/// the schema that is made of them, which has them once more, and their attributes.
fn footprint(held: &Held, begins_list: bool) -> usize {
    let of_list =
        || held.ids.iter().map(|id| size_of::<Series>() + size_of::<Box<str>>() + 4 * id.len()).sum::<usize>();
    let list = if begins_list { of_list() } else { 0 };
    size_of::<Waiting>() + size_of::<Sample>() + size_of_val(&*held.values) + size_of_val(&*held.holes) + list
}

/// How often each series is read. A recording does not say it, but the readings do.
#[derive(Debug, Default)]
pub(super) struct Rhythms {
    /// Samples so far, those that are missing included.
    number: u64,
    all: Vec<Rhythm>,
    known: BTreeMap<Box<str>, usize>,
    /// For each series of the newest sample, its rhythm.
    columns: Vec<usize>,
    ids: Option<Arc<[Box<str>]>>,
}

/// The number of samples from one reading to the next, by the vote of the majority: ticks that were not taken, and starts,
/// make it shorter now and then.
#[derive(Clone, Copy, Debug, Default)]
struct Rhythm {
    newest: Option<u64>,
    ticks: u64,
    votes: u64,
}

impl Rhythms {
    pub(super) fn listen(&mut self, values: &Values, holes: &[Hole]) {
        self.number += 1 + holes.iter().map(|hole| hole.samples).sum::<u64>();
        if !holes.is_empty() {
            self.all.iter_mut().for_each(|rhythm| rhythm.newest = None);
        }
        if self.ids.as_ref().is_none_or(|ids| !Arc::ptr_eq(ids, values.ids())) {
            self.ids = Some(Arc::clone(values.ids()));
            self.columns = values.ids().iter().map(|id| self.column(id)).collect();
        }
        for (column, value) in self.columns.iter().zip(values.numbers()) {
            if !value.is_nan() {
                self.all[*column].reading(self.number);
            }
        }
    }

    fn column(&mut self, id: &str) -> usize {
        let next = self.all.len();
        let column = *self.known.entry(id.into()).or_insert(next);
        if column == next {
            self.all.push(Rhythm::default());
        }
        column
    }

    fn ids(&self) -> impl Iterator<Item = &str> {
        self.known.keys().map(|id| &**id)
    }

    /// Series that are not read with each sample, and with each how many-th they are.
    fn slow(&self) -> impl Iterator<Item = (&str, u64)> {
        self.known.iter().map(|(id, column)| (&**id, self.all[*column].ticks)).filter(|(_, ticks)| *ticks > 1)
    }
}

impl Rhythm {
    fn reading(&mut self, number: u64) {
        let Some(before) = self.newest.replace(number) else { return };
        let ticks = number - before;
        if self.votes == 0 {
            self.ticks = ticks;
        }
        if self.ticks == ticks {
            self.votes += 1;
        } else {
            self.votes -= 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::GapReason;

    /// A sample with as many series.
    fn held(layout: u64, series: usize, holes: usize) -> Held {
        Held {
            holes: vec![Hole { samples: 1, reason: GapReason::Down }; holes],
            time: 0,
            moment: Duration::ZERO,
            elapsed: Duration::ZERO,
            missed: None,
            layout,
            ids: (0..series).map(|series| format!("series {series}").into()).collect(),
            values: vec![0.0; series].into(),
        }
    }

    /// Layout, series and holes of some samples.
    const SCRIPT: [(u64, usize, usize); 7] =
        [(1, 5, 0), (1, 5, 0), (2, 5, 3), (2, 5, 0), (3, 9, 0), (3, 9, 0), (4, 9, 1)];

    fn pushed(script: &[(u64, usize, usize)]) -> Entries {
        let mut entries = Entries::default();
        for &(layout, series, holes) in script {
            entries.push(held(layout, series, holes));
        }
        entries
    }

    #[test]
    fn what_is_left_is_counted_as_if_nothing_else_had_ever_been_there() {
        let (mut without_oldest, mut without_newest) = (pushed(&SCRIPT), pushed(&SCRIPT));
        for dropped in 1..=SCRIPT.len() {
            without_oldest.drop_oldest();
            let mut rest = SCRIPT[dropped..].to_vec();
            rest.first_mut().into_iter().for_each(|(_, _, holes)| *holes = 0);
            assert_eq!(without_oldest.bytes(), pushed(&rest).bytes(), "without the oldest {dropped}");
            without_newest.drop_newest();
            let rest = &SCRIPT[..SCRIPT.len() - dropped];
            assert_eq!(without_newest.bytes(), pushed(rest).bytes(), "without the newest {dropped}");
        }
        assert_eq!(without_oldest.bytes(), 0);
    }

    #[test]
    fn series_that_come_and_go_count_each_time() {
        let same = pushed(&[(1, 100, 0), (1, 100, 0)]).bytes();
        let other = pushed(&[(1, 100, 0), (2, 100, 0)]).bytes();
        assert!(other >= same + 100 * (size_of::<Series>() + "series 10".len() * 2), "{other} and {same}");
    }
}
