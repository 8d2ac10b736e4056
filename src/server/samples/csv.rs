//! Samples as CSV (RFC 4180): a header, then a row a sample.
//!
//! A CSV's columns cannot change half way, so they are those of the newest schema when the first row
//! is written. A series that comes later is not in it; one that goes leaves its cells empty.

use std::{
    collections::HashMap,
    time::{Duration, SystemTime},
};

use super::{Gap, Item, Writer};
use crate::{
    csv::push_cell,
    protocol::{MetricFilter, Projection, rounded},
    sample::{Missed, Sample, Schema, unix_ms},
};

/// See the module.
pub(super) struct Csv {
    /// Whether each row is of a bucket: then each series has three columns.
    folded: bool,
    series: Vec<Box<str>>,
    /// For the schema met last: where each series' value is.
    sources: Option<(u64, Vec<Option<usize>>)>,
}

impl Writer for Csv {
    fn content_type(&self) -> &'static str {
        "text/csv; charset=utf-8; header=present"
    }

    fn begin(&mut self, text: &mut Vec<u8>, newest: Option<&Sample>, filter: &MetricFilter) {
        if let Some(newest) = newest {
            let wanted = newest.reading.schema.series.iter().filter(|series| filter.wants(series));
            self.series = wanted.map(|series| series.id.clone()).collect();
        }
        text.extend_from_slice(b"seq,time,elapsed_ms,missed_ticks,missed_reason");
        if self.folded {
            text.extend_from_slice(b",samples");
        }
        for id in &self.series {
            for suffix in if self.folded { &["", " min", " max"][..] } else { &[""] } {
                text.push(b',');
                push_cell(text, &format!("{id}{suffix}"));
            }
        }
        text.extend_from_slice(b"\r\n");
    }

    /// A jump in `seq` shows it, and the head of the answer tells of one before the first row.
    fn gap(&mut self, _: &mut Vec<u8>, _: &Gap) {}

    fn item(&mut self, text: &mut Vec<u8>, item: &Item, _: &Projection) {
        match item {
            Item::Sample(sample) => {
                let Sample { seq, reading } = &**sample;
                row(text, *seq, reading.time, reading.elapsed, reading.missed);
                self.cells(text, &reading.schema, &[&reading.values]);
            }
            Item::Bucket(bucket) => {
                row(text, bucket.seq, bucket.time, bucket.elapsed, bucket.missed);
                text.extend(format!(",{}", bucket.samples).bytes());
                self.cells(text, &bucket.schema, &[&bucket.mean, &bucket.min, &bucket.max]);
            }
            Item::Gap(..) => return,
        }
        text.extend_from_slice(b"\r\n");
    }
}

fn row(text: &mut Vec<u8>, seq: u64, time: SystemTime, elapsed: Duration, missed: Option<Missed>) {
    let elapsed_ms = rounded(elapsed.as_secs_f64() * 1e3, 1);
    let (ticks, reason) = missed.map_or((0, ""), |missed| (missed.ticks, missed.reason.name()));
    text.extend(format!("{seq},{},{elapsed_ms},{ticks},{reason}", unix_ms(time)).bytes());
}

impl Csv {
    pub(super) fn new(folded: bool) -> Self {
        Self { folded, series: Vec::new(), sources: None }
    }

    /// For each series its value in each of `rows`; an empty cell where it has none.
    fn cells(&mut self, text: &mut Vec<u8>, schema: &Schema, rows: &[&[f64]]) {
        for source in self.sources(schema) {
            for values in rows {
                text.push(b',');
                if let Some(column) = source {
                    let value = rounded(values[*column], schema.series[*column].metric.unit.decimals());
                    if value.is_finite() {
                        text.extend(value.to_string().bytes());
                    }
                }
            }
        }
    }

    fn sources(&mut self, schema: &Schema) -> &[Option<usize>] {
        if self.sources.as_ref().is_none_or(|(revision, _)| *revision != schema.revision) {
            let by_id: HashMap<&str, usize> =
                schema.series.iter().enumerate().map(|(index, series)| (&*series.id, index)).collect();
            let sources = self.series.iter().map(|id| by_id.get(&**id).copied()).collect();
            self.sources = Some((schema.revision, sources));
        }
        self.sources.as_ref().map_or(&[], |(_, sources)| sources)
    }
}
