//! Samples as CSV (RFC 4180): a header, then a row a sample.
//!
//! A CSV's columns cannot change half way, so they are those of the newest schema when the first row
//! is written. A series that comes later is not in it; one that goes leaves its cells empty.

use std::collections::HashMap;

use super::{Gap, Writer};
use crate::{
    protocol::{Encoding, MetricFilter, Projection, SampleText, rounded},
    sample::{Missed, MissedReason, Sample, unix_ms},
};

/// See the module.
#[derive(Default)]
pub(super) struct Csv {
    columns: Vec<Box<str>>,
    /// For the schema met last: where each column's value is.
    sources: Option<(u64, Vec<Option<usize>>)>,
}

impl Writer for Csv {
    fn content_type(&self) -> &'static str {
        "text/csv; charset=utf-8; header=present"
    }

    fn begin(&mut self, text: &mut Vec<u8>, newest: Option<&Sample>, filter: &MetricFilter) {
        if let Some(newest) = newest {
            let schema = &newest.reading.schema;
            let projection = Projection::new(Encoding::Json, filter, schema);
            self.columns = projection.columns.iter().map(|&column| schema.series[column].id.clone()).collect();
        }
        text.extend_from_slice(b"seq,time,elapsed_ms,missed_ticks,missed_reason");
        for column in &self.columns {
            text.push(b',');
            quote(text, column);
        }
        text.extend_from_slice(b"\r\n");
    }

    /// A jump in `seq` shows it, and the head of the answer tells of one before the first row.
    fn gap(&mut self, _: &mut Vec<u8>, _: &Gap) {}

    fn sample(&mut self, text: &mut Vec<u8>, sample: SampleText<'_>) {
        let Sample { seq, reading } = sample.sample;
        let elapsed_ms = rounded(reading.elapsed.as_secs_f64() * 1e3, 1);
        let (ticks, reason) = match reading.missed {
            None => (0, ""),
            Some(Missed { ticks, reason: MissedReason::Late }) => (ticks, "late"),
            Some(Missed { ticks, reason: MissedReason::Suspended }) => (ticks, "suspended"),
        };
        text.extend(format!("{seq},{},{elapsed_ms},{ticks},{reason}", unix_ms(reading.time)).bytes());
        for source in self.sources(sample.sample) {
            text.push(b',');
            if let Some(column) = source {
                let value = rounded(reading.values[*column], reading.schema.series[*column].metric.unit.decimals());
                if value.is_finite() {
                    text.extend(value.to_string().bytes());
                }
            }
        }
        text.extend_from_slice(b"\r\n");
    }
}

impl Csv {
    fn sources(&mut self, sample: &Sample) -> &[Option<usize>] {
        let schema = &sample.reading.schema;
        if self.sources.as_ref().is_none_or(|(revision, _)| *revision != schema.revision) {
            let by_id: HashMap<&str, usize> =
                schema.series.iter().enumerate().map(|(index, series)| (&*series.id, index)).collect();
            let sources = self.columns.iter().map(|id| by_id.get(&**id).copied()).collect();
            self.sources = Some((schema.revision, sources));
        }
        self.sources.as_ref().map_or(&[], |(_, sources)| sources)
    }
}

/// Every id with attributes may hold a comma.
fn quote(text: &mut Vec<u8>, field: &str) {
    if field.contains([',', '"', '\r', '\n']) {
        text.push(b'"');
        text.extend(field.replace('"', "\"\"").bytes());
        text.push(b'"');
    } else {
        text.extend(field.bytes());
    }
}
