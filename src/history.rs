//! The ring: the recent past, bounded by time and by bytes.

use std::{collections::VecDeque, fmt, str::FromStr, sync::Arc, time::Duration};

use crate::{
    config::HistoryConfig,
    sample::{Reading, Sample},
};

/// Names one life of the ring: random, and new for every new ring, so that a position from before a
/// restart cannot be taken for one from after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Epoch(u64);

/// The last sample that a client has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Position {
    /// The life of the ring that `seq` belongs to.
    pub epoch: Epoch,
    /// 0 is "before the first sample".
    pub seq: u64,
}

/// Samples that were taken, that a client could expect, and that are not coming.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Gap {
    /// The epoch that the numbers belong to.
    pub epoch: Epoch,
    /// The first sample that is missing.
    pub from_seq: u64,
    /// The last sample that is missing; `None` if how many the old ring still took is unknown.
    pub to_seq: Option<u64>,
    /// Why they are missing.
    pub reason: GapReason,
}

/// Why samples are missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GapReason {
    /// They left the ring before the client asked for them.
    Evicted,
    /// The daemon was restarted, and its ring with it.
    Restarted,
    /// The client did not read fast enough.
    Slow,
    /// Of a recording: the recorder was not running, and when it came back the daemon held them no more.
    Down,
    /// Of a recording: the recorder could not write, and when it could the daemon held them no more.
    NoSpace,
    /// Of a replay: the recording cannot be read there.
    Damaged,
}

impl GapReason {
    /// As it stands in a message and in a line of a recording.
    pub fn name(self) -> &'static str {
        match self {
            Self::Evicted => "evicted",
            Self::Restarted => "restarted",
            Self::Slow => "slow",
            Self::Down => "down",
            Self::NoSpace => "no_space",
            Self::Damaged => "damaged",
        }
    }
}

/// Numbers that no sample of this ring ever has: a recording lacks them. A daemon's own ring has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hole {
    /// How many.
    pub samples: u64,
    /// Why.
    pub reason: GapReason,
}

/// Samples in order of `seq`, newest last, without holes but for those that [`Hole`] names.
///
/// The oldest few are past the bounds already: a newcomer who asks for the past is not offered them.
/// They are kept so that a subscriber who was offered the oldest sample and is still reading does not
/// lose it to the very next tick, and whoever resumes may still have them.
#[derive(Debug)]
pub struct History {
    epoch: Epoch,
    window: Duration,
    max_bytes: usize,
    samples: VecDeque<Held>,
    /// How many samples at the front are past the bounds.
    retired: usize,
    /// What the samples take that are not retired.
    bytes: usize,
    /// Whether samples had to go because of the bytes that were not past the window.
    is_cut_short: bool,
    next_seq: u64,
}

#[derive(Debug)]
struct Held {
    sample: Arc<Sample>,
    /// Its footprint, and that of its schema if it is the first of that.
    bytes: usize,
    /// What is missing right before it.
    gaps: Box<[Gap]>,
}

impl History {
    /// An empty ring.
    pub fn new(epoch: Epoch, config: &HistoryConfig) -> Self {
        Self {
            epoch,
            window: config.window,
            max_bytes: usize::try_from(config.max_bytes).unwrap_or(usize::MAX),
            samples: VecDeque::new(),
            retired: 0,
            bytes: 0,
            is_cut_short: false,
            next_seq: 1,
        }
    }

    /// Changes the bounds. What was let go of does not come back.
    pub fn set_bounds(&mut self, config: &HistoryConfig) {
        self.window = config.window;
        self.max_bytes = usize::try_from(config.max_bytes).unwrap_or(usize::MAX);
        self.is_cut_short = false;
        if let Some(now) = self.newest().map(|newest| newest.reading.moment) {
            self.retire(now);
            self.let_go();
        }
    }

    /// Appends a reading as the next sample and lets go of what is past the bounds.
    ///
    /// The newest sample is always held, whatever the bounds.
    pub fn push(&mut self, reading: Reading) -> Arc<Sample> {
        self.push_behind(&[], reading)
    }

    /// The same behind holes.
    pub fn push_behind(&mut self, holes: &[Hole], reading: Reading) -> Arc<Sample> {
        let gaps = holes.iter().filter(|hole| hole.samples > 0).map(|&Hole { samples, reason }| {
            let from_seq = self.next_seq;
            self.next_seq += samples;
            Gap { epoch: self.epoch, from_seq, to_seq: Some(self.next_seq - 1), reason }
        });
        let gaps = gaps.collect();
        let sample = Arc::new(Sample { seq: self.next_seq, reading });
        self.next_seq += 1;
        let bytes = sample.footprint() + self.new_schema_bytes(&sample);
        self.bytes += bytes;
        self.samples.push_back(Held { sample: Arc::clone(&sample), bytes, gaps });
        self.retire(sample.reading.moment);
        self.let_go();
        sample
    }

    fn let_go(&mut self) {
        while self.retired > Self::retired_limit(self.samples.len()) {
            self.samples.pop_front();
            self.retired -= 1;
        }
    }

    /// On a host whose devices come and go all the time, schemas outweigh the samples.
    fn new_schema_bytes(&self, sample: &Sample) -> usize {
        let schema = &sample.reading.schema;
        let is_known = self.newest().is_some_and(|newest| Arc::ptr_eq(&newest.reading.schema, schema));
        if is_known { 0 } else { schema.footprint() }
    }

    fn retire(&mut self, now: Duration) {
        while self.retired + 1 < self.samples.len() {
            let oldest = &self.samples[self.retired];
            let age = now.saturating_sub(oldest.sample.reading.moment);
            let is_within = age <= self.window;
            if is_within && self.bytes <= self.max_bytes {
                break;
            }
            self.is_cut_short |= is_within;
            self.bytes -= oldest.bytes;
            self.retired += 1;
        }
    }

    /// A minute's worth at 1 s and the default window, and always a few.
    fn retired_limit(held: usize) -> usize {
        8 + held / 16
    }

    /// This ring's epoch.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The oldest sample that is offered; equal to [`next_seq`](Self::next_seq) while there is none.
    pub fn oldest_seq(&self) -> u64 {
        self.samples.get(self.retired).map_or(self.next_seq, |oldest| oldest.sample.seq)
    }

    /// The oldest sample that can still be read.
    pub fn oldest_held(&self) -> u64 {
        self.samples.front().map_or(self.next_seq, |oldest| oldest.sample.seq)
    }

    /// The number that the next sample will have.
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// The sample `seq`, if it is held.
    pub fn get(&self, seq: u64) -> Option<&Arc<Sample>> {
        self.samples.get(self.index(seq)).map(|held| &held.sample).filter(|sample| sample.seq == seq)
    }

    /// The newest sample.
    pub fn newest(&self) -> Option<&Arc<Sample>> {
        self.samples.back().map(|held| &held.sample)
    }

    /// Held samples from `seq` on, oldest first, each with what is missing right before it; all of them if `seq` is
    /// older than the oldest.
    pub fn from(&self, seq: u64) -> impl ExactSizeIterator<Item = (&Arc<Sample>, &[Gap])> {
        self.samples.range(self.index(seq).min(self.samples.len())..).map(|held| (&held.sample, &*held.gaps))
    }

    /// Where the first sample stands that is number `seq` or newer.
    fn index(&self, seq: u64) -> usize {
        // Without holes that is it.
        let index = usize::try_from(seq.saturating_sub(self.oldest_held())).unwrap_or(usize::MAX);
        match self.samples.get(index) {
            Some(held) if held.sample.seq == seq || index == 0 => index,
            None if seq >= self.next_seq => self.samples.len(),
            _ => self.samples.partition_point(|held| held.sample.seq < seq),
        }
    }

    /// The first offered sample that was taken at most `span` before the newest one.
    pub fn seq_within(&self, span: Duration) -> u64 {
        let Some(newest) = self.newest() else { return self.next_seq };
        let start = newest.reading.moment.saturating_sub(span);
        let index = self.samples.partition_point(|held| held.sample.reading.moment < start);
        self.samples.get(index).map_or(self.next_seq, |held| held.sample.seq).max(self.oldest_seq())
    }

    /// Whether the bound on bytes has ever made it hold less than the window.
    pub fn is_cut_short(&self) -> bool {
        self.is_cut_short
    }

    /// How far back the samples on offer go.
    pub fn span(&self) -> Duration {
        let oldest = self.samples.get(self.retired);
        let (Some(oldest), Some(newest)) = (oldest, self.newest()) else { return Duration::ZERO };
        newest.reading.moment.saturating_sub(oldest.sample.reading.moment)
    }

    /// Samples on offer, and the bytes they occupy.
    pub fn size(&self) -> (usize, usize) {
        (self.samples.len() - self.retired, self.bytes)
    }
}

impl Epoch {
    /// A new random epoch.
    pub fn random() -> Self {
        Self(getrandom::u64().expect("the kernel gives random bytes: without them nothing here is safe"))
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.seq)
    }
}

/// The text was not an epoch or a position as [`Display`](fmt::Display) writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a position: expected <epoch>:<seq> as in a hello and a sample, 16 hexadecimal digits and a number")]
pub struct ParsePositionError;

impl FromStr for Epoch {
    type Err = ParsePositionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let lowercase_hex = |c: u8| c.is_ascii_digit() || (b'a'..=b'f').contains(&c);
        if text.len() != 16 || !text.bytes().all(lowercase_hex) {
            return Err(ParsePositionError);
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| ParsePositionError)
    }
}

impl FromStr for Position {
    type Err = ParsePositionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (epoch, seq) = text.split_once(':').ok_or(ParsePositionError)?;
        if !seq.bytes().all(|c| c.is_ascii_digit()) {
            return Err(ParsePositionError);
        }
        Ok(Self { epoch: epoch.parse()?, seq: seq.parse().map_err(|_| ParsePositionError)? })
    }
}

impl serde::Serialize for Epoch {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Epoch {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'de, str>>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
