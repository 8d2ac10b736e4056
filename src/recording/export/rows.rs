//! The lines of a recording as numbers: a row for each sample, or for each bucket of samples.

use std::{
    borrow::Cow,
    collections::BTreeMap,
    fmt, io,
    path::PathBuf,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::{
    Deserialize, Serialize,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{Exported, Selection, Taken, host::Host, read};
use crate::{
    bucket::{Bucket, Buckets, Folding},
    protocol::{Epoch, Number},
    recording::{Line, LineText, SampleValues, Values},
    sample::{Missed, Reading, Sample, Schema, Series, unix_ms},
};

/// What stands next.
pub(super) enum Kept<'a> {
    Row(Row<'a>),
    /// The line of a gap.
    Gap(&'a [u8]),
}

/// A sample or a bucket.
pub(super) struct Row<'a> {
    pub(super) host: &'a Host,
    pub(super) epoch: Epoch,
    pub(super) seq: u64,
    pub(super) time: u64,
    pub(super) elapsed_ms: f64,
    /// How many samples are in the bucket.
    pub(super) samples: Option<u64>,
    pub(super) missed: Option<Missed>,
    pub(super) columns: &'a [Column],
    /// Grows with each other list of columns.
    pub(super) layout: u64,
    /// Of a bucket the means.
    pub(super) values: &'a [f64],
    /// Of a bucket.
    pub(super) min: &'a [f64],
    /// Of a bucket.
    pub(super) max: &'a [f64],
}

/// A series of a row.
#[derive(Clone, Debug)]
pub(super) struct Column {
    pub(super) id: Box<str>,
    /// The id as JSON has it.
    pub(super) key: Box<str>,
    pub(super) is_wanted: bool,
    /// How many decimals of a mean are worth writing.
    pub(super) decimals: u32,
}

/// Of a metric that this version does not know.
const MOST_DECIMALS: u32 = 9;

impl Column {
    fn new(id: &str, selection: &Selection) -> Self {
        let decimals = Series::from_id(id).map_or(MOST_DECIMALS, |series| series.metric.unit.decimals());
        let key = serde_json::to_string(id).unwrap_or_default().into();
        Self { id: id.into(), key, is_wanted: selection.wants(id), decimals }
    }
}

/// What stands before the values of a row.
#[derive(Serialize)]
#[serde(tag = "type", rename = "sample")]
pub(super) struct Head<'a> {
    host: &'a str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'a BTreeMap<String, String>,
    epoch: Epoch,
    seq: u64,
    time: u64,
    elapsed_ms: Number,
    #[serde(skip_serializing_if = "Option::is_none")]
    samples: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missed: Option<Missed>,
}

impl Row<'_> {
    pub(super) fn head(&self) -> Head<'_> {
        let &Self { host, epoch, seq, time, samples, missed, .. } = self;
        Head {
            host: &host.name,
            labels: &host.labels,
            epoch,
            seq,
            time,
            elapsed_ms: Number(self.elapsed_ms),
            samples,
            missed,
        }
    }
}

/// Makes rows of lines.
pub(super) struct Rows<'a> {
    selection: &'a Selection,
    host: Host,
    epoch: Option<Epoch>,
    values: Values,
    columns: Vec<Column>,
    layout: u64,
    /// Samples of one revision may be in one bucket.
    schema: Arc<Schema>,
    folding: Option<Folding>,
}

impl<'a> Rows<'a> {
    /// Calls `each` with everything that is wanted.
    pub(super) fn read(
        hosts: &[PathBuf],
        selection: &'a Selection,
        mut each: impl FnMut(Kept<'_>) -> io::Result<()>,
    ) -> io::Result<Exported> {
        let folding = selection.every.map(|every| Folding::new(Buckets::new(every)));
        let schema = Arc::new(Schema { revision: 0, series: Vec::new() });
        let (values, columns) = (Values::default(), Vec::new());
        let mut rows =
            Self { selection, host: Host::default(), epoch: None, values, columns, layout: 0, schema, folding };
        let exported = read(hosts, selection, |host, text, line| rows.line(host, text, line, &mut each))?;
        rows.close(&mut each)?;
        Ok(exported)
    }

    fn line(
        &mut self,
        host: &Host,
        text: LineText<'_>,
        line: &Line<'_>,
        each: &mut impl FnMut(Kept<'_>) -> io::Result<()>,
    ) -> io::Result<Taken> {
        if self.host != *host {
            self.begin(each)?;
            self.host = host.clone();
        }
        match *line {
            Line::Hello { .. } => {}
            Line::Gap(_) => {
                self.begin(each)?;
                each(Kept::Gap(&host.label(&text.json(line))))?;
            }
            Line::Sample { epoch, seq, time, elapsed_ms, missed, values } => {
                if self.epoch != Some(epoch) {
                    self.begin(each)?;
                    self.epoch = Some(epoch);
                }
                // What follows other series is closed before they are forgotten.
                let mut read = std::mem::take(&mut self.values);
                let is_changed = read.read(&values);
                // Nor does a bucket go across one that cannot be read.
                if !matches!(is_changed, Ok(false)) {
                    self.begin(each)?;
                }
                let Ok(is_changed) = is_changed else {
                    self.values = read;
                    return Ok(Taken::Damaged);
                };
                if is_changed {
                    self.columns = read.ids().iter().map(|id| Column::new(id, self.selection)).collect();
                    self.layout += 1;
                }
                self.values = read;
                if self.folding.is_some() {
                    let sample = self.sample(seq, time, elapsed_ms, missed);
                    let closed = self.folding.as_mut().and_then(|folding| folding.push(sample));
                    closed.map_or(Ok(()), |bucket| self.bucket(&bucket, each))?;
                    return Ok(Taken::Whole);
                }
                each(Kept::Row(Row {
                    host: &self.host,
                    epoch,
                    seq,
                    time,
                    elapsed_ms,
                    samples: None,
                    missed,
                    columns: &self.columns,
                    layout: self.layout,
                    values: self.values.numbers(),
                    min: &[],
                    max: &[],
                }))?;
            }
        }
        Ok(Taken::Whole)
    }

    /// What follows belongs to no bucket of before.
    fn begin(&mut self, each: &mut impl FnMut(Kept<'_>) -> io::Result<()>) -> io::Result<()> {
        self.close(each)?;
        self.schema = Arc::new(Schema { revision: self.schema.revision + 1, series: Vec::new() });
        Ok(())
    }

    fn close(&mut self, each: &mut impl FnMut(Kept<'_>) -> io::Result<()>) -> io::Result<()> {
        let open = self.folding.as_mut().and_then(Folding::finish);
        open.map_or(Ok(()), |bucket| self.bucket(&bucket, each))
    }

    fn sample(&self, seq: u64, time: u64, elapsed_ms: f64, missed: Option<Missed>) -> Arc<Sample> {
        let reading = Reading {
            time: SystemTime::UNIX_EPOCH + Duration::from_millis(time),
            moment: Duration::ZERO,
            elapsed: Duration::try_from_secs_f64(elapsed_ms / 1e3).unwrap_or_default(),
            missed,
            schema: Arc::clone(&self.schema),
            values: self.values.numbers().into(),
        };
        Arc::new(Sample { seq, reading })
    }

    fn bucket(&self, bucket: &Bucket, each: &mut impl FnMut(Kept<'_>) -> io::Result<()>) -> io::Result<()> {
        // A bucket is closed before another epoch is known.
        let Some(epoch) = self.epoch else { return Ok(()) };
        each(Kept::Row(Row {
            host: &self.host,
            epoch,
            seq: bucket.seq,
            time: unix_ms(bucket.time),
            elapsed_ms: crate::protocol::rounded(bucket.elapsed.as_secs_f64() * 1e3, 1),
            samples: Some(bucket.samples),
            missed: bucket.missed,
            columns: &self.columns,
            layout: self.layout,
            values: &bucket.mean,
            min: &bucket.min,
            max: &bucket.max,
        }))
    }
}

/// The values in their order, each as JSON has it.
pub(super) fn members(values: SampleValues<'_>) -> Result<Vec<(Cow<'_, str>, &str)>, serde_json::Error> {
    Ok(match values {
        SampleValues::Object(object) => serde_json::from_str::<Members<'_>>(object.get())?.0,
        SampleValues::Cells(cells) => {
            cells.iter().map(|(id, cell)| (id.into(), if cell.is_empty() { "null" } else { cell })).collect()
        }
    })
}

struct Members<'a>(Vec<(Cow<'a, str>, &'a str)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of numbers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(64);
                while let Some((Id(id), value)) = map.next_entry::<_, &RawValue>()? {
                    members.push((id, value.get()));
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

/// Borrowed, unless it has an escape.
#[derive(Deserialize)]
struct Id<'a>(#[serde(borrow)] Cow<'a, str>);
