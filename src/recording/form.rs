//! The two forms that the lines of a part can have. What a line says, what may follow it and how a crash is repaired is
//! the same in both; here is all that differs.

use std::{borrow::Cow, sync::Arc};

use memchr::memchr;

use super::{
    csv_line::{self, Header},
    json_line::{self, Keys},
    ledger::{Ledger, Record, Verdict},
    line::{InvalidLine, Line, RecordedGap, SampleValues},
};
use crate::protocol::{Epoch, Hello, SchemaMessage, WireSample};

/// How lines are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// Lines of JSON, each of which names all its series.
    #[default]
    Ndjson,
    /// Rows of CSV, below a header that names them once for a part.
    Csv,
}

impl Form {
    pub(super) const ALL: [Self; 2] = [Self::Ndjson, Self::Csv];

    /// What the name of a file ends with.
    pub(super) fn extension(self) -> &'static str {
        match self {
            Self::Ndjson => ".ndjson",
            Self::Csv => ".csv",
        }
    }
}

/// The series of a host in one form, which is what it takes to write its lines.
#[derive(Debug, PartialEq, Eq)]
pub enum Columns {
    /// Each line has the keys.
    Ndjson(Keys),
    /// Each row has so many cells.
    Csv(Header),
}

impl Default for Columns {
    fn default() -> Self {
        Self::none(Form::default())
    }
}

impl Columns {
    /// Those of a schema.
    pub fn new(form: Form, schema: &SchemaMessage) -> Self {
        match form {
            Form::Ndjson => Self::Ndjson(schema.into()),
            Form::Csv => Self::Csv(schema.into()),
        }
    }

    /// Those of a host whose series are not known yet.
    pub fn none(form: Form) -> Self {
        match form {
            Form::Ndjson => Self::Ndjson(Keys::default()),
            Form::Csv => Self::Csv(Header::new([].into())),
        }
    }

    /// How they are written.
    pub fn form(&self) -> Form {
        match self {
            Self::Ndjson(_) => Form::Ndjson,
            Self::Csv(_) => Form::Csv,
        }
    }

    /// What a part begins with, before all lines. Lines of JSON need nothing.
    pub fn header(&self) -> Arc<[u8]> {
        match self {
            Self::Ndjson(_) => Arc::default(),
            Self::Csv(header) => Arc::clone(header.line()),
        }
    }

    /// Appends a sample, whose values fit the columns.
    pub fn push_sample(&self, text: &mut Vec<u8>, host: &str, epoch: Epoch, sample: &WireSample) {
        match self {
            Self::Ndjson(keys) => json_line::push_sample(text, host, epoch, keys, sample),
            Self::Csv(header) => csv_line::push_sample(text, host, epoch, header, sample),
        }
    }

    /// Appends a gap.
    pub fn push_gap(&self, text: &mut Vec<u8>, host: &str, gap: &RecordedGap) {
        match self {
            Self::Ndjson(_) => json_line::push_gap(text, host, gap),
            Self::Csv(header) => csv_line::push_gap(text, host, header, gap),
        }
    }

    /// Appends what the daemon said about itself.
    pub fn push_hello(&self, text: &mut Vec<u8>, host: &str, hello: &Hello) {
        match self {
            Self::Ndjson(_) => json_line::push_hello(text, host, hello.epoch, hello),
            Self::Csv(header) => csv_line::push_hello(text, host, header, hello),
        }
    }
}

/// Reads the lines of one part.
#[derive(Debug)]
pub(super) enum Parser {
    Ndjson,
    /// With the part's header, once that was read.
    Csv(Option<Header>),
}

impl Parser {
    pub(super) fn new(form: Form) -> Self {
        match form {
            Form::Ndjson => Self::Ndjson,
            Form::Csv => Self::Csv(None),
        }
    }

    pub(super) fn form(&self) -> Form {
        match self {
            Self::Ndjson => Form::Ndjson,
            Self::Csv(_) => Form::Csv,
        }
    }

    /// The header that was read, if any is needed.
    pub(super) fn header(&self) -> Arc<[u8]> {
        match self {
            Self::Csv(Some(header)) => Arc::clone(header.line()),
            Self::Ndjson | Self::Csv(None) => Arc::default(),
        }
    }

    /// Looks at what a text begins with, which is a frame of the part or its newest lines, before its lines are read: how
    /// long the header is. Without one there are no lines to read.
    pub(super) fn begin(&mut self, text: &[u8]) -> Result<usize, InvalidLine> {
        let (Self::Csv(known), Some(end)) = (self, memchr(b'\n', text)) else { return Ok(0) };
        let line = &text[..=end];
        match (Header::parse(line), &known) {
            (Ok(header), None) => *known = Some(header),
            // Sealed a moment ago, and not removed yet where it stood before.
            (Ok(header), Some(known)) if header == *known => {}
            (Ok(_), Some(_)) => return Err(InvalidLine::OtherHeader),
            (Err(_), Some(_)) => return Ok(0),
            (Err(_), None) => return Err(InvalidLine::NoHeader),
        }
        Ok(line.len())
    }

    /// Reads a line, with or without its end.
    pub(super) fn parse<'a>(&'a self, line: &'a [u8]) -> Result<Line<'a>, InvalidLine> {
        match self {
            Self::Ndjson => json_line::parse(line),
            Self::Csv(Some(header)) => csv_line::parse(line, header),
            Self::Csv(None) => Err(InvalidLine::NoHeader),
        }
    }

    /// How many bytes of the newest lines are sealed already, where a recorder died before it removed them: all up to the
    /// very record that the frames end with. A daemon's restarts may lie in between.
    pub(super) fn sealed(&self, lines: &[u8], frames: &Ledger) -> usize {
        let (mut ledger, mut end, mut is_first) = (Ledger::default(), 0, true);
        if frames.position().is_none() {
            return 0;
        }
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            end += line.len();
            let Ok(line) = self.parse(line) else { continue };
            let record = line.record();
            let is_record = !matches!(record, Record::Hello { .. });
            // Nearly always none are.
            if is_record && std::mem::take(&mut is_first) && frames.judge(&record) == Verdict::Next {
                return 0;
            }
            ledger.accept(&record);
            if ledger == *frames {
                return end;
            }
        }
        0
    }
}

/// A line as it stands in its file.
#[derive(Clone, Copy, Debug)]
pub struct LineText<'a> {
    pub(super) form: Form,
    pub(super) bytes: &'a [u8],
}

impl<'a> LineText<'a> {
    /// The line of JSON that says the same: of a recording that has those, the line itself.
    pub fn json(&self, line: &Line<'_>) -> Cow<'a, [u8]> {
        if self.form == Form::Ndjson {
            return self.bytes.into();
        }
        let mut json = Vec::new();
        csv_line::push_json_head(&mut json, self.bytes, line);
        if let Line::Sample { values: SampleValues::Cells(cells), .. } = line {
            cells.push_json(&mut json);
            json.extend(b"}\n");
        }
        json.into()
    }

    /// The same, but of a sample only what stands before its values.
    pub(super) fn json_head(&self, line: &Line<'_>) -> Cow<'a, [u8]> {
        match line {
            // They stand last.
            Line::Sample { values: SampleValues::Object(values), .. } => {
                self.bytes[..self.bytes.len() - values.get().len() - b"}\n".len()].into()
            }
            Line::Sample { values: SampleValues::Cells(_), .. } => {
                let mut json = Vec::new();
                csv_line::push_json_head(&mut json, self.bytes, line);
                json.into()
            }
            Line::Gap(_) | Line::Hello { .. } => self.json(line),
        }
    }
}
