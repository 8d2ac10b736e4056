//! Reads the recording of one host from its beginning, in constant memory, also while it is being written.

use std::{
    fmt::Display,
    fs::File,
    io,
    ops::Range,
    path::{Path, PathBuf},
    vec,
};

use memchr::memchr;

use super::{
    archive,
    folder::Part,
    form::{Form, LineText, Parser},
    ledger::{Ledger, Record, Verdict},
    line::Line,
};

/// What stands next in a recording.
#[derive(Debug)]
pub enum Found<'a> {
    /// A line, and what it says.
    Line(LineText<'a>, Line<'a>),
    /// Something that cannot be read, and why. What follows it may be whole.
    Damaged(String),
    /// The end of a file that was being written when the recorder died: the next start cuts it.
    Torn(PathBuf),
}

/// See the module.
#[derive(Debug)]
pub struct Reader {
    folder: PathBuf,
    parts: vec::IntoIter<Part>,
    current: Option<Current>,
    /// Of the part that is being read.
    parser: Parser,
    /// Lines that were decompressed and not read yet.
    text: Vec<u8>,
    next_line: usize,
    may_be_repeated: bool,
    ledger: Ledger,
    /// Bytes of files and of lines that were read.
    bytes: (u64, u64),
}

/// A part that is being read.
#[derive(Debug)]
struct Current {
    path: PathBuf,
    archive: Option<File>,
    frames: vec::IntoIter<Range<u64>>,
    is_torn: bool,
    newest: Option<Vec<u8>>,
}

impl Reader {
    /// Reads the recording in this folder.
    pub fn open(folder: &Path) -> io::Result<Self> {
        Ok(Self {
            folder: folder.into(),
            parts: Part::list(folder)?.into_iter(),
            current: None,
            parser: Parser::new(Form::default()),
            text: Vec::new(),
            next_line: 0,
            may_be_repeated: false,
            ledger: Ledger::default(),
            bytes: (0, 0),
        })
    }

    /// How many bytes of files were read so far.
    pub fn bytes_on_disk(&self) -> u64 {
        self.bytes.0
    }

    /// How many bytes of lines were read so far.
    pub fn bytes_of_lines(&self) -> u64 {
        self.bytes.1
    }

    /// What stands next; `None` at the end.
    pub fn read(&mut self) -> io::Result<Option<Found<'_>>> {
        let (start, end) = loop {
            let rest = &self.text[self.next_line..];
            if rest.is_empty() {
                match self.refill()? {
                    Refilled::Text => continue,
                    Refilled::Problem(found) => return Ok(Some(found)),
                    Refilled::End => return Ok(None),
                }
            }
            let start = self.next_line;
            let Some(length) = memchr(b'\n', rest) else {
                self.next_line = self.text.len();
                let path = self.current.as_ref().map(|current| current.path.clone());
                return Ok(Some(Found::Torn(path.unwrap_or_default())));
            };
            self.next_line += length + 1;
            if !self.may_be_repeated {
                break (start, self.next_line);
            }
            // Sealed a moment ago, and not removed yet where it stood before.
            let line = self.parser.parse(&self.text[start..self.next_line]);
            let record = line.ok().map(|line| line.record());
            match record.map(|record| (record, self.ledger.judge(&record))) {
                Some((_, Verdict::Known)) => {}
                Some((Record::Hello { .. }, _)) => break (start, self.next_line),
                _ => {
                    self.may_be_repeated = false;
                    break (start, self.next_line);
                }
            }
        };
        self.bytes.1 += (end - start) as u64;
        let line = LineText { form: self.parser.form(), bytes: &self.text[start..end] };
        match self.parser.parse(line.bytes) {
            Ok(parsed) => {
                self.ledger.accept(&parsed.record());
                Ok(Some(Found::Line(line, parsed)))
            }
            Err(error) => Ok(Some(Found::Damaged(error.to_string()))),
        }
    }

    fn refill(&mut self) -> io::Result<Refilled> {
        loop {
            self.next_line = 0;
            self.text.clear();
            let Some(current) = &mut self.current else {
                let Some(part) = self.parts.next() else { return Ok(Refilled::End) };
                self.current = Some(Current::open(&self.folder, &part)?);
                self.parser = Parser::new(part.form);
                self.may_be_repeated = false;
                continue;
            };
            if let (Some(archive), Some(range)) = (&mut current.archive, current.frames.next()) {
                let frame = archive::read_frame(archive, &range)?;
                self.bytes.0 += frame.len() as u64;
                let place = |error: &dyn Display| format!("{}, byte {}: {error}", current.path.display(), range.start);
                return Ok(match archive::text(&frame) {
                    Ok(text) => match self.parser.begin(&text) {
                        Ok(begin) => self.take(text, begin),
                        Err(error) => Refilled::Problem(Found::Damaged(place(&error))),
                    },
                    Err(error) => Refilled::Problem(Found::Damaged(place(&error))),
                });
            }
            if std::mem::take(&mut current.is_torn) {
                return Ok(Refilled::Problem(Found::Torn(current.path.clone())));
            }
            if let Some(newest) = current.newest.take() {
                self.bytes.0 += newest.len() as u64;
                self.may_be_repeated = true;
                return Ok(match self.parser.begin(&newest) {
                    Ok(begin) => {
                        let sealed = self.parser.sealed(&newest[begin..], &self.ledger);
                        let refilled = self.take(newest, begin);
                        self.next_line += sealed;
                        refilled
                    }
                    // It is called like the archive, without the end.
                    Err(error) => {
                        let place = current.path.with_extension("");
                        Refilled::Problem(Found::Damaged(format!("{}: {error}", place.display())))
                    }
                });
            }
            self.current = None;
        }
    }

    /// Has the lines of this text read next, which begin here.
    fn take(&mut self, text: Vec<u8>, begin: usize) -> Refilled {
        (self.text, self.next_line) = (text, begin);
        self.bytes.1 += begin as u64;
        Refilled::Text
    }
}

enum Refilled {
    Text,
    Problem(Found<'static>),
    End,
}

impl Current {
    /// The newest lines first: what is sealed while they are read stands in both files then, and never in none.
    fn open(folder: &Path, part: &Part) -> io::Result<Self> {
        let newest = match std::fs::read(part.newest(folder)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            newest => Some(newest?),
        };
        let path = part.archive(folder);
        let archive = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            archive => Some(archive?),
        };
        let frames = archive.as_ref().map(archive::whole_frames).transpose()?.unwrap_or_default();
        let whole = frames.last().map_or(0, |frame| frame.end);
        let is_torn = archive.as_ref().map(File::metadata).transpose()?.is_some_and(|archive| archive.len() > whole);
        Ok(Self { path, archive, frames: frames.into_iter(), is_torn, newest })
    }
}
