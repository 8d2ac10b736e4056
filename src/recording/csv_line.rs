//! A row of CSV (RFC 4180): it says what a line of JSON says, under a header that stands once at the head of its part.
//!
//! All rows of a part have the same cells: those of every line, then one for each series, so that whatever reads tables
//! reads it. A row never goes across the end of a line: a `hello` is JSON, which has no line breaks, and an id that has
//! one, or a quote in front, stands in the header as JSON has it.

use std::{borrow::Cow, io::Write as _, str, sync::Arc};

use memchr::memchr;
use serde::de::{DeserializeOwned, IntoDeserializer, value::Error as NotKnown};
use serde_json::value::RawValue;

use super::{
    json_line::{self, Head, positional, write},
    line::{Fields, InvalidLine, Line, RecordedGap, SampleValues},
    number,
};
use crate::{
    csv::push_cell,
    protocol::{Epoch, Hello, Number, SchemaMessage, WireSample},
    sample::Missed,
};

/// The columns before those of the series. In a gap, `seq` is the first sample that is missing.
pub(super) const FIXED: [&str; 11] = [
    "type",
    "host",
    "epoch",
    "seq",
    "time",
    "elapsed_ms",
    "missed_ticks",
    "missed_reason",
    "to_seq",
    "reason",
    "hello",
];

/// What the cells of a part stand for.
#[derive(Debug, PartialEq, Eq)]
pub struct Header {
    /// As it is written, with its end.
    line: Arc<[u8]>,
    ids: Arc<[Box<str>]>,
}

impl Header {
    pub(super) fn new(ids: Arc<[Box<str>]>) -> Self {
        let mut line = FIXED.join(",").into_bytes();
        for id in &*ids {
            line.push(b',');
            if id.starts_with('"') || id.contains(|c: char| c.is_ascii_control()) {
                push_cell(&mut line, &serde_json::Value::from(&**id).to_string());
            } else {
                push_cell(&mut line, id);
            }
        }
        line.push(b'\n');
        Self { line: line.into(), ids }
    }

    /// Reads a header, with or without its end.
    pub(super) fn parse(line: &[u8]) -> Result<Self, InvalidLine> {
        let mut cells = Row::new(line)?;
        for name in FIXED {
            if cells.next()?.as_deref() != Some(name) {
                return Err(InvalidLine::NoHeader);
            }
        }
        let mut ids = Vec::new();
        while let Some(cell) = cells.next()? {
            ids.push(if cell.starts_with('"') { serde_json::from_str(&cell)? } else { Box::from(&*cell) });
        }
        Ok(Self { line: line.into(), ids: ids.into() })
    }

    pub(super) fn line(&self) -> &Arc<[u8]> {
        &self.line
    }

    /// The series, in the order of their cells.
    pub(super) fn ids(&self) -> &Arc<[Box<str>]> {
        &self.ids
    }

    /// Ends a row that has nothing to say of any series.
    fn push_nothing(&self, row: &mut Vec<u8>) {
        row.resize(row.len() + self.ids.len(), b',');
        row.push(b'\n');
    }
}

impl From<&SchemaMessage> for Header {
    fn from(schema: &SchemaMessage) -> Self {
        Self::new(schema.series.iter().map(|series| Box::from(&*series.id)).collect())
    }
}

/// Appends a sample, whose values fit the header.
pub(super) fn push_sample(row: &mut Vec<u8>, host: &str, epoch: Epoch, header: &Header, sample: &WireSample) {
    let WireSample { seq, time, elapsed_ms, missed, .. } = *sample;
    let (ticks, reason) = missed.map_or((0, ""), |missed| (missed.ticks, missed.reason.name()));
    push_start(row, "sample", host, epoch);
    // Writing to memory cannot fail.
    let _ = write!(row, ",{seq},{time},");
    write(row, &Number(elapsed_ms));
    let _ = write!(row, ",{ticks},{reason},,,");
    let values = positional(sample);
    for index in 0..header.ids.len() {
        row.push(b',');
        if let Some(value) = values.get(index).copied().flatten().filter(|value| value.is_finite()) {
            write(row, &Number(value));
        }
    }
    row.push(b'\n');
}

/// Appends a gap.
pub(super) fn push_gap(row: &mut Vec<u8>, host: &str, header: &Header, gap: &RecordedGap) {
    let RecordedGap { epoch, from_seq, to_seq, reason } = gap;
    push_start(row, "gap", host, *epoch);
    let to_seq = to_seq.map(|seq| seq.to_string()).unwrap_or_default();
    let _ = write!(row, ",{from_seq},,,,,{to_seq},{},", reason.name());
    header.push_nothing(row);
}

/// Appends what the daemon said about itself.
pub(super) fn push_hello(row: &mut Vec<u8>, host: &str, header: &Header, hello: &Hello) {
    push_start(row, "hello", host, hello.epoch);
    row.extend(b",,,,,,,,");
    let mut text = Vec::new();
    write(&mut text, hello);
    push_cell(row, &String::from_utf8_lossy(&text));
    header.push_nothing(row);
}

fn push_start(row: &mut Vec<u8>, kind: &str, host: &str, epoch: Epoch) {
    row.extend(kind.as_bytes());
    row.push(b',');
    push_cell(row, host);
    let _ = write!(row, ",{epoch}");
}

/// A row, cell by cell.
struct Row<'a> {
    /// `None` behind the last cell.
    rest: Option<&'a str>,
}

impl<'a> Row<'a> {
    fn new(row: &'a [u8]) -> Result<Self, InvalidLine> {
        let row = str::from_utf8(row).map_err(|_| InvalidLine::Row)?;
        Ok(Self { rest: Some(row.strip_suffix('\n').unwrap_or(row)) })
    }

    fn next(&mut self) -> Result<Option<Cow<'a, str>>, InvalidLine> {
        let Some(rest) = self.rest else { return Ok(None) };
        if let Some(quoted) = rest.strip_prefix('"') {
            return self.next_quoted(quoted).map(Some);
        }
        let end = memchr(b',', rest.as_bytes());
        self.rest = end.map(|end| &rest[end + 1..]);
        Ok(Some(rest[..end.unwrap_or(rest.len())].into()))
    }

    fn next_quoted(&mut self, quoted: &'a str) -> Result<Cow<'a, str>, InvalidLine> {
        let mut start = 0;
        let end = loop {
            let quote = memchr(b'"', &quoted.as_bytes()[start..]).ok_or(InvalidLine::Row)? + start;
            if quoted.as_bytes().get(quote + 1) != Some(&b'"') {
                break quote;
            }
            start = quote + 2;
        };
        let rest = &quoted[end + 1..];
        self.rest = match rest.strip_prefix(',') {
            None if !rest.is_empty() => return Err(InvalidLine::Row),
            rest => rest,
        };
        let cell = &quoted[..end];
        Ok(if start == 0 { cell.into() } else { cell.replace("\"\"", "\"").into() })
    }
}

/// The cells of a sample that hold its values: each a number, or empty.
#[derive(Clone, Copy, Debug)]
pub struct Cells<'a> {
    header: &'a Header,
    text: &'a str,
}

impl<'a> Cells<'a> {
    /// What follows the fixed cells of a row, if it is what the header says.
    fn check(header: &'a Header, text: Option<&'a str>) -> Result<Self, InvalidLine> {
        let cells = Self { header, text: text.unwrap_or_default() };
        let count = header.ids.len();
        if are_numbers(cells.text.as_bytes(), count) && text.is_some() == (count > 0) {
            return Ok(cells);
        }
        let found = text.map_or(0, |text| text.split(',').count());
        if found != count {
            return Err(InvalidLine::Cells { found: FIXED.len() + found, expected: FIXED.len() + count });
        }
        let is_wrong = |cell: &str| !cell.is_empty() && number::length(cell.as_bytes()) != Some(cell.len());
        match cells.iter().find(|(_, cell)| is_wrong(cell)) {
            Some((id, cell)) => Err(wrong(id, cell)),
            None => Ok(cells),
        }
    }

    /// The series of the cells.
    pub(super) fn ids(&self) -> &'a Arc<[Box<str>]> {
        self.header.ids()
    }

    /// Each series, and what stands in its cell.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.header.ids.iter().map(|id| &**id).zip(self.text.split(','))
    }

    /// Appends them as an object.
    pub(super) fn push_json(&self, json: &mut Vec<u8>) {
        json.push(b'{');
        for (index, (id, cell)) in self.iter().enumerate() {
            if index > 0 {
                json.push(b',');
            }
            write(json, id);
            json.push(b':');
            json.extend(if cell.is_empty() { b"null" } else { cell.as_bytes() });
        }
        json.push(b'}');
    }
}

/// Whether there are so many cells, all of them numbers or empty: all that is looked at of a row that is whole.
fn are_numbers(text: &[u8], count: usize) -> bool {
    let mut end = 0;
    for index in 0..count {
        if index > 0 {
            if text.get(end) != Some(&b',') {
                return false;
            }
            end += 1;
        }
        end += number::length(&text[end..]).unwrap_or(0);
    }
    end == text.len()
}

fn wrong(column: &str, cell: &str) -> InvalidLine {
    InvalidLine::Cell { column: column.into(), cell: cell.into() }
}

/// Reads a row, with or without its end.
pub(super) fn parse<'a>(row: &'a [u8], header: &'a Header) -> Result<Line<'a>, InvalidLine> {
    let mut row = Row::new(row)?;
    let mut fixed: [Cow<'a, str>; FIXED.len()] = Default::default();
    for (index, cell) in fixed.iter_mut().enumerate() {
        let expected = FIXED.len() + header.ids.len();
        *cell = row.next()?.ok_or(InvalidLine::Cells { found: index, expected })?;
    }
    let cells = Cells::check(header, row.rest)?;
    let [kind, _, epoch, seq, time, elapsed_ms, missed_ticks, missed_reason, to_seq, reason, hello] = fixed;
    let seq = optional("seq", &seq, whole)?;
    let missed = optional("missed_reason", &missed_reason, named)?;
    let ticks = optional("missed_ticks", &missed_ticks, whole)?;
    let missed = match (missed, ticks) {
        (Some(reason), Some(ticks)) => Some(Missed { ticks, reason }),
        (None, None | Some(0)) => None,
        _ => return Err(wrong("missed_ticks", &missed_ticks)),
    };
    let fields = Fields {
        kind,
        epoch: epoch.parse().map_err(|_| wrong("epoch", &epoch))?,
        seq,
        time: optional("time", &time, whole)?,
        elapsed_ms: optional("elapsed_ms", &elapsed_ms, |cell| {
            (number::length(cell.as_bytes()) == Some(cell.len())).then(|| number::read(cell.as_bytes())).flatten()
        })?,
        missed,
        values: Some(SampleValues::Cells(cells)),
        from_seq: seq,
        to_seq: optional("to_seq", &to_seq, whole)?,
        reason: optional("reason", &reason, named)?,
        hello: if hello.is_empty() { None } else { Some(Cow::Owned(RawValue::from_string(hello.into_owned())?)) },
    };
    fields.line()
}

/// What a cell holds, if anything.
fn optional<T>(column: &str, cell: &str, read: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, InvalidLine> {
    if cell.is_empty() {
        return Ok(None);
    }
    read(cell).map(Some).ok_or_else(|| wrong(column, cell))
}

fn whole(cell: &str) -> Option<u64> {
    cell.bytes().all(|byte| byte.is_ascii_digit()).then(|| cell.parse().ok()).flatten()
}

/// What JSON has under this name.
fn named<T: DeserializeOwned>(name: &str) -> Option<T> {
    T::deserialize(IntoDeserializer::<NotKnown>::into_deserializer(name)).ok()
}

/// Appends the line of JSON that says the same as this row; of a sample only what stands before its values.
pub(super) fn push_json_head(json: &mut Vec<u8>, row: &[u8], line: &Line<'_>) {
    let mut cells = Row { rest: str::from_utf8(row).ok() };
    // It was read before, or there would be no line.
    let host = cells.next().and_then(|_| cells.next()).ok().flatten().unwrap_or_default();
    match line {
        &Line::Sample { epoch, seq, time, elapsed_ms, missed, .. } => {
            Head { host: &host, epoch, seq, time, elapsed_ms: Number(elapsed_ms), missed }.push(json);
        }
        Line::Gap(gap) => json_line::push_gap(json, &host, gap),
        Line::Hello { epoch, hello } => json_line::push_hello(json, &host, *epoch, &**hello),
    }
}

#[cfg(test)]
mod tests;
