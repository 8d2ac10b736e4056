//! A range out of a recording, for other programs. It is read as it is written, in constant memory.

mod csv;
mod host;
#[cfg(feature = "parquet")]
mod parquet;
mod rows;
mod table;

use std::{
    io::{self, Write},
    path::PathBuf,
    time::Duration,
};

#[cfg(feature = "parquet")]
use self::parquet::Parquet;
use self::{
    csv::Csv,
    host::Host,
    rows::{Kept, Row, Rows, members},
    table::export_table,
};
use super::{
    form::LineText,
    line::Line,
    reader::{Found, Reader},
};
use crate::protocol::{Number, rounded};

/// What is wanted of a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// From this time on, in Unix milliseconds.
    pub from: Option<u64>,
    /// Before this time.
    pub to: Option<u64>,
    /// Series whose id begins with one of these; all, if there are none.
    pub metrics: Vec<String>,
    /// One row for each span of this length, with mean, smallest and largest values.
    pub every: Option<Duration>,
}

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A table: a row for each sample, a column for each series.
    Csv,
    /// Lines of JSON, as they were recorded.
    Ndjson,
    /// The same table in Apache Parquet.
    #[cfg(feature = "parquet")]
    Parquet,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Samples that were read.
    pub samples: u64,
    /// Lines or frames that could not be read, and so are missing.
    pub damaged: u64,
}

/// Writes what is wanted of these hosts.
pub fn export(
    hosts: &[PathBuf],
    selection: &Selection,
    format: Format,
    out: impl Write + Send,
) -> io::Result<Exported> {
    let is_folded = selection.every.is_some();
    match format {
        Format::Ndjson if is_folded => export_folded_ndjson(hosts, selection, out),
        Format::Ndjson => export_ndjson(hosts, selection, out),
        Format::Csv => export_table(hosts, selection, &mut Csv::new(out, is_folded)),
        #[cfg(feature = "parquet")]
        Format::Parquet => export_table(hosts, selection, &mut Parquet::new(out, is_folded)),
    }
}

impl Selection {
    fn wants_time(&self, time: u64) -> bool {
        self.from.is_none_or(|from| time >= from) && self.to.is_none_or(|to| time < to)
    }

    fn wants(&self, id: &str) -> bool {
        self.metrics.is_empty() || self.metrics.iter().any(|prefix| id.starts_with(prefix))
    }
}

/// Whether the values of a line could be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Taken {
    Whole,
    Damaged,
}

/// Calls `each` with every sample and gap of these hosts that is wanted, and its host.
fn read(
    hosts: &[PathBuf],
    selection: &Selection,
    mut each: impl FnMut(&Host, LineText<'_>, &Line<'_>) -> io::Result<Taken>,
) -> io::Result<Exported> {
    let mut exported = Exported::default();
    for folder in hosts {
        let mut host = Host::of(folder);
        let mut reader = Reader::open(folder)?;
        // A gap has no time of its own: it belongs to the sample before it.
        let mut is_within = selection.from.is_none();
        while let Some(found) = reader.read()? {
            match found {
                Found::Line(_, Line::Hello { hello, .. }) => host.greet(&hello),
                Found::Line(text, line) => {
                    if let Line::Sample { time, .. } = &line {
                        is_within = selection.wants_time(*time);
                    }
                    if is_within {
                        match each(&host, text, &line)? {
                            Taken::Whole => exported.samples += u64::from(matches!(line, Line::Sample { .. })),
                            Taken::Damaged => exported.damaged += 1,
                        }
                    }
                }
                Found::Damaged(_) => exported.damaged += 1,
                // It is being written.
                Found::Torn(_) => {}
            }
        }
    }
    Ok(exported)
}

/// Samples and gaps as lines of JSON, as they were recorded, with the labels of their hosts.
fn export_ndjson(hosts: &[PathBuf], selection: &Selection, mut out: impl Write) -> io::Result<Exported> {
    read(hosts, selection, |host, text, line| {
        match line {
            Line::Sample { values, .. } if !selection.metrics.is_empty() => {
                let Ok(members) = members(*values) else { return Ok(Taken::Damaged) };
                // What stands before them can be passed on as it is.
                out.write_all(&host.label(&text.json_head(line)))?;
                let mut separator = "{";
                for (id, value) in members.iter().filter(|(id, _)| selection.wants(id)) {
                    write!(out, "{separator}{}:{value}", serde_json::to_string(id)?)?;
                    separator = ",";
                }
                out.write_all(if separator == "{" { b"{}}\n" } else { b"}}\n" })?;
            }
            _ => out.write_all(&host.label(&text.json(line)))?,
        }
        Ok(Taken::Whole)
    })
}

/// The same of buckets, as `hostcast.v1.json` streams them.
fn export_folded_ndjson(hosts: &[PathBuf], selection: &Selection, mut out: impl Write) -> io::Result<Exported> {
    let mut text = Vec::new();
    Rows::read(hosts, selection, |kept| {
        text.clear();
        match kept {
            Kept::Gap(line) => return out.write_all(line),
            Kept::Row(row) => row_as_json(&row, &mut text)?,
        }
        out.write_all(&text)
    })
}

fn row_as_json(row: &Row<'_>, text: &mut Vec<u8>) -> io::Result<()> {
    let head = row.head();
    serde_json::to_writer(&mut *text, &head)?;
    text.pop();
    for (name, values) in [("values", row.values), ("min", row.min), ("max", row.max)] {
        write!(text, ",\"{name}\":")?;
        let mut separator = "{";
        for (column, value) in row.columns.iter().zip(values).filter(|(column, _)| column.is_wanted) {
            write!(text, "{separator}{}:", column.key)?;
            serde_json::to_writer(&mut *text, &Number(rounded(*value, column.decimals)))?;
            separator = ",";
        }
        text.extend(if separator == "{" { &b"{}"[..] } else { b"}" });
    }
    text.extend(b"}\n");
    Ok(())
}
