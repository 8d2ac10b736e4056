//! One line of a recording: a sample, a gap, or a `hello`, which stands at the head of each part and before each new
//! epoch. What it says is the same in whatever form it is written.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;

use super::{csv_line::Cells, ledger::Record};
use crate::{
    protocol::{Epoch, Gap, GapReason, LARGEST_NUMBER},
    sample::Missed,
};

/// Samples that are missing from a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordedGap {
    /// The epoch that the numbers belong to.
    pub epoch: Epoch,
    /// The first sample that is missing.
    pub from_seq: u64,
    /// The last one; `None` if how many an old ring still took is unknown.
    pub to_seq: Option<u64>,
    /// Why.
    pub reason: GapReason,
}

impl From<Gap> for RecordedGap {
    fn from(Gap { epoch, from_seq, to_seq, reason }: Gap) -> Self {
        Self { epoch, from_seq, to_seq, reason }
    }
}

/// A line that was read; only what is asked for of its values is looked at.
#[derive(Debug)]
pub enum Line<'a> {
    /// One sample.
    Sample {
        /// Of which ring.
        epoch: Epoch,
        /// Its number in that.
        seq: u64,
        /// Unix milliseconds.
        time: u64,
        /// Measured time since the sample before.
        elapsed_ms: f64,
        /// Ticks before it that were not taken.
        missed: Option<Missed>,
        /// Numbers, by series.
        values: SampleValues<'a>,
    },
    /// What is missing.
    Gap(RecordedGap),
    /// Who speaks from here on.
    Hello {
        /// Its ring.
        epoch: Epoch,
        /// What it said.
        hello: Cow<'a, RawValue>,
    },
}

/// The values of a sample as they stand in its line.
#[derive(Clone, Copy, Debug)]
pub enum SampleValues<'a> {
    /// JSON, which should be an object of numbers and nulls.
    Object(&'a RawValue),
    /// Numbers, and nothing where there was no reading.
    Cells(Cells<'a>),
}

/// A line that is none of a recording.
#[derive(Debug, thiserror::Error)]
pub enum InvalidLine {
    /// It is no JSON, or a field is of the wrong type.
    #[error("no line of a recording: {0}")]
    Json(#[from] serde_json::Error),
    /// A field is missing, its `type` is unknown, or a number is larger than any sample has.
    #[error("a line of type {0:?} without all that belongs to it, or with a number that no sample has")]
    Incomplete(String),
    /// A row that is no text, or whose quotes do not close.
    #[error("no row of a recording: it is no text, or its quotes are wrong")]
    Row,
    /// Cells are missing, or there are too many.
    #[error("no row of a recording: it has {found} cells, and its header {expected}")]
    Cells {
        /// How many there are.
        found: usize,
        /// How many there should be.
        expected: usize,
    },
    /// What stands in a cell is nothing of that kind.
    #[error("no row of a recording: {cell:?} in the column {column:?}")]
    Cell {
        /// What the column is called.
        column: String,
        /// What stands there.
        cell: String,
    },
    /// Rows without a header mean nothing.
    #[error("the rows cannot be read without the header of their part, which is missing or damaged")]
    NoHeader,
    /// A part has one header.
    #[error("these rows have another header than those before them in the same part")]
    OtherHeader,
}

/// Every field of every line. serde's own way to tell the types apart would copy all values first.
#[derive(Deserialize)]
pub(super) struct Fields<'a> {
    #[serde(borrow, rename = "type")]
    pub(super) kind: Cow<'a, str>,
    pub(super) epoch: Epoch,
    pub(super) seq: Option<u64>,
    pub(super) time: Option<u64>,
    pub(super) elapsed_ms: Option<f64>,
    pub(super) missed: Option<Missed>,
    #[serde(borrow)]
    pub(super) values: Option<SampleValues<'a>>,
    pub(super) from_seq: Option<u64>,
    pub(super) to_seq: Option<u64>,
    pub(super) reason: Option<GapReason>,
    #[serde(borrow, default, deserialize_with = "borrowed")]
    pub(super) hello: Option<Cow<'a, RawValue>>,
}

fn borrowed<'de: 'a, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'a, RawValue>>, D::Error> {
    Ok(Option::<&RawValue>::deserialize(deserializer)?.map(Cow::Borrowed))
}

impl Line<'_> {
    /// What the ledger has to know of it.
    pub fn record(&self) -> Record {
        match *self {
            Self::Sample { epoch, seq, .. } => Record::Sample { epoch, seq },
            Self::Gap(gap) => Record::Gap(gap),
            Self::Hello { epoch, .. } => Record::Hello { epoch },
        }
    }
}

impl<'a> Fields<'a> {
    /// The line that has these fields.
    pub(super) fn line(self) -> Result<Line<'a>, InvalidLine> {
        let kind = self.kind.clone();
        self.complete().ok_or_else(|| InvalidLine::Incomplete(kind.into_owned()))
    }

    fn complete(self) -> Option<Line<'a>> {
        let epoch = self.epoch;
        // From here on numbers can be reckoned with.
        let elapsed_ms = self.elapsed_ms.unwrap_or_default();
        let numbers = [self.seq, self.time, self.from_seq, self.to_seq, self.missed.map(|missed| missed.ticks)];
        if numbers.into_iter().flatten().any(|number| number > LARGEST_NUMBER)
            || !(0.0..=LARGEST_NUMBER as f64).contains(&elapsed_ms)
        {
            return None;
        }
        Some(match &*self.kind {
            "sample" => Line::Sample {
                epoch,
                seq: self.seq?,
                time: self.time?,
                elapsed_ms: self.elapsed_ms?,
                missed: self.missed,
                values: self.values?,
            },
            "gap" => {
                Line::Gap(RecordedGap { epoch, from_seq: self.from_seq?, to_seq: self.to_seq, reason: self.reason? })
            }
            "hello" => Line::Hello { epoch, hello: self.hello? },
            _ => return None,
        })
    }
}
