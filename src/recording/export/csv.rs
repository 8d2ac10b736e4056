//! A table as text, RFC 4180.

use std::{
    collections::BTreeSet,
    io::{self, Write},
};

use super::{
    rows::Row,
    table::{FOLDED, HEAD, Table, label_column},
};
use crate::{
    csv::push_cell,
    protocol::{Number, rounded},
};

pub(super) struct Csv<W> {
    out: W,
    is_folded: bool,
    labels: Vec<String>,
    /// A row, so that it is written at once.
    text: Vec<u8>,
}

impl<W> Csv<W> {
    pub(super) fn new(out: W, is_folded: bool) -> Self {
        Self { out, is_folded, labels: Vec::new(), text: Vec::new() }
    }
}

impl<W: Write> Table for Csv<W> {
    fn begin(&mut self, labels: &BTreeSet<String>, ids: &[Box<str>]) -> io::Result<()> {
        let text = &mut self.text;
        text.clear();
        write!(text, "{}", HEAD.join(","))?;
        self.labels = labels.iter().cloned().collect();
        for label in &self.labels {
            text.push(b',');
            push_cell(text, &label_column(label));
        }
        if self.is_folded {
            write!(text, ",samples")?;
        }
        for id in ids {
            for suffix in if self.is_folded { &FOLDED[..] } else { &FOLDED[..1] } {
                text.push(b',');
                push_cell(text, &format!("{id}{suffix}"));
            }
        }
        text.push(b'\n');
        self.out.write_all(text)
    }

    fn row(&mut self, row: &Row<'_>, sources: &[Option<usize>]) -> io::Result<()> {
        let text = &mut self.text;
        text.clear();
        write!(text, "{},{},{},{},", row.host.name, row.epoch, row.seq, row.time)?;
        serde_json::to_writer(&mut *text, &Number(row.elapsed_ms))?;
        write!(text, ",{}", row.missed.map_or(0, |missed| missed.ticks))?;
        for label in &self.labels {
            text.push(b',');
            push_cell(text, row.host.labels.get(label).map_or("", String::as_str));
        }
        if let Some(samples) = row.samples {
            write!(text, ",{samples}")?;
        }
        let all = [row.values, row.min, row.max];
        for source in sources {
            for values in if self.is_folded { &all[..] } else { &all[..1] } {
                text.push(b',');
                if let Some(source) = *source
                    && values[source].is_finite()
                {
                    // What was not folded stands as it was recorded.
                    let value = values[source];
                    let value = if self.is_folded { rounded(value, row.columns[source].decimals) } else { value };
                    serde_json::to_writer(&mut *text, &Number(value))?;
                }
            }
        }
        text.push(b'\n');
        self.out.write_all(text)
    }

    fn end(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
