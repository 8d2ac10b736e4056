//! Appends to the recording of one host. What is on disk is the only truth: an error leaves it as it was before.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::{FileExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use super::{
    archive::{self, Compressor, FRAME_TEXT},
    folder::Part,
    form::{Columns, Form, Parser},
    ledger::{Ledger, Record, Verdict},
};

/// When a new part is begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotation {
    /// After this time, counted from the Unix epoch: `24h` is at midnight, UTC.
    pub every: Duration,
    /// Once a part's archive has so many bytes.
    pub size: u64,
}

impl Default for Rotation {
    fn default() -> Self {
        Self { every: Duration::from_hours(24), size: 64 << 20 }
    }
}

/// Why nothing was written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The folder belongs to another recorder.
    #[error("{} is being written by another recorder", .0.display())]
    Busy(PathBuf),
    /// Someone has removed what was being written to.
    #[error("{} was removed", .0.display())]
    Removed(PathBuf),
    /// The file system does not take it.
    #[error("cannot write {}: {error}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// What the kernel says.
        error: io::Error,
    },
}

/// The recording of one host, while it is being written.
#[derive(Debug)]
pub struct Writer {
    folder: PathBuf,
    rotation: Rotation,
    ledger: Ledger,
    open: Option<Open>,
    next_number: u32,
    /// Held as long as this lives.
    _lock: File,
}

/// What a new part begins with.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// In which form its lines are written, and under which header. Those of a part have all the same.
    pub columns: &'a Columns,
    /// The line of a `hello`.
    pub hello: &'a [u8],
}

/// The part that is being written.
#[derive(Debug)]
struct Open {
    part: Part,
    /// Of a part of CSV; shared with the columns.
    header: Arc<[u8]>,
    newest: File,
    newest_length: u64,
    archive_length: u64,
    /// When to try to make a frame of the newest lines.
    seal_at: u64,
}

impl Writer {
    /// Opens the recording in `folder`, or begins one. Repairs what a crash has left.
    pub fn open(folder: &Path, rotation: Rotation) -> Result<Self, WriteError> {
        let at = |error| io_error(folder, error);
        fs::create_dir_all(folder).map_err(at)?;
        let lock = folder.join(".lock");
        let lock = OpenOptions::new().create(true).append(true).open(&lock).map_err(|error| io_error(&lock, error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(WriteError::Busy(folder.into())),
            Err(TryLockError::Error(error)) => return Err(at(error)),
        }
        let parts = Part::list(folder).map_err(at)?;
        let next_number = parts.last().map_or(1, |part| part.number + 1);
        let mut writer =
            Self { folder: folder.into(), rotation, ledger: Ledger::default(), open: None, next_number, _lock: lock };
        if let Some(last) = parts.last() {
            let archive_length = cut_torn_frame(&last.archive(folder))?;
            writer.ledger = last_position(folder, &parts)?;
            writer.resume(last.clone(), archive_length)?;
        }
        Ok(writer)
    }

    /// How far the recording has come.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Appends those lines that come next; those that are there already are left out. Whole or not at all.
    ///
    /// They are written under the columns of `head`: other columns than those before are a new part. Yields how many bytes
    /// were appended.
    pub fn append<'a>(
        &mut self,
        head: Head<'_>,
        lines: impl IntoIterator<Item = (Record, &'a [u8])>,
        compressor: &mut Compressor,
    ) -> Result<u64, WriteError> {
        let (mut text, mut ledger) = (Vec::new(), self.ledger);
        for (record, line) in lines {
            match ledger.admit(&record) {
                Verdict::Next => text.extend(line),
                Verdict::Known => {}
                // The client yields no holes, and we drop nothing. If one of us is wrong, it must show.
                Verdict::Hole => tracing::error!(folder = %self.folder.display(), ?record, "does not follow"),
            }
        }
        if text.is_empty() {
            return Ok(0);
        }
        self.rotate_if_due(head.columns, compressor)?;
        let path = match &self.open {
            Some(open) => open.part.newest(&self.folder),
            None => self.begin(head.columns)?,
        };
        // It was begun above at the latest.
        let Some(open) = &mut self.open else { return Ok(0) };
        // The same, but that of a part that was there before is nobody else's.
        open.header = head.columns.header();
        if open.newest.metadata().map_err(|error| io_error(&path, error))?.nlink() == 0 {
            return Err(WriteError::Removed(path));
        }
        if open.archive_length == 0 && open.newest_length == 0 {
            let hello = if text.starts_with(head.hello) { &[] } else { head.hello };
            text.splice(..0, open.header.iter().chain(hello).copied());
        }
        if let Err(error) = open.newest.write_all(&text) {
            // Half a line would be cut at the next start, but until then others would see it.
            let _ = open.newest.set_len(open.newest_length);
            return Err(io_error(&path, error));
        }
        open.newest_length += text.len() as u64;
        self.ledger = ledger;
        if open.newest_length >= open.seal_at {
            // The lines are safe: if there is no room for a frame, they stay as they are for a while.
            open.seal_at = open.newest_length + FRAME_TEXT as u64;
            match self.make_frames(compressor) {
                Ok(()) => self.remove_sealed()?,
                Err(error) => tracing::warn!("{error}; its lines stay uncompressed until then"),
            }
        }
        Ok(text.len() as u64)
    }

    /// Makes frames of the newest lines. They are on disk before the lines go.
    fn seal(&mut self, compressor: &mut Compressor) -> Result<(), WriteError> {
        self.make_frames(compressor)?;
        self.remove_sealed()
    }

    /// The first half of it: what fails leaves everything as it was.
    fn make_frames(&mut self, compressor: &mut Compressor) -> Result<(), WriteError> {
        let Some(open) = self.open.as_mut().filter(|open| open.newest_length > 0) else { return Ok(()) };
        let path = open.part.archive(&self.folder);
        let at = |error| io_error(&path, error);
        let mut text = std::mem::take(&mut compressor.text);
        text.resize(open.newest_length as usize, 0);
        let read = open.newest.read_exact_at(&mut text, 0);
        read.map_err(|error| io_error(&open.part.newest(&self.folder), error))?;
        let mut archive = OpenOptions::new().create(true).append(true).open(&path).map_err(at)?;
        let written = frames_of(&text).try_for_each(|text| archive.write_all(compressor.frame(text)?));
        // What has grown while there was no room is given back.
        if text.capacity() <= 2 * FRAME_TEXT {
            compressor.text = text;
        }
        match written.and_then(|()| archive.sync_data()).and_then(|()| archive.metadata()) {
            Ok(metadata) => open.archive_length = metadata.len(),
            Err(error) => {
                // Otherwise the next frame would stand behind half of this one.
                let _ = archive.set_len(open.archive_length);
                return Err(at(error));
            }
        }
        Ok(())
    }

    /// The second half. Where it fails the lines stand in both files, and nothing must be written until `resume` has
    /// repaired that.
    fn remove_sealed(&mut self) -> Result<(), WriteError> {
        let Some(open) = &mut self.open else { return Ok(()) };
        open.newest.set_len(0).map_err(|error| io_error(&open.part.newest(&self.folder), error))?;
        open.newest_length = 0;
        open.seal_at = FRAME_TEXT as u64;
        Ok(())
    }

    fn rotate_if_due(&mut self, columns: &Columns, compressor: &mut Compressor) -> Result<(), WriteError> {
        let Some(open) = &self.open else { return Ok(()) };
        let every = self.rotation.every.as_secs().max(1);
        let is_old = open.part.begun / every != unix_seconds() / every;
        let is_other = open.part.form != columns.form() || open.header != columns.header();
        if !is_old && !is_other && open.archive_length < self.rotation.size {
            return Ok(());
        }
        self.seal(compressor)?;
        if let Some(open) = self.open.take() {
            let path = open.part.newest(&self.folder);
            fs::remove_file(&path).map_err(|error| io_error(&path, error))?;
        }
        Ok(())
    }

    fn begin(&mut self, columns: &Columns) -> Result<PathBuf, WriteError> {
        let part = Part { number: self.next_number, begun: unix_seconds(), form: columns.form() };
        let path = part.newest(&self.folder);
        let newest = open_newest(&path).map_err(|error| io_error(&path, error))?;
        self.next_number += 1;
        let header = columns.header();
        self.open = Some(Open { part, header, newest, newest_length: 0, archive_length: 0, seal_at: first_seal() });
        Ok(path)
    }

    /// Goes on with a part that is there: cuts what is torn, and drops what a frame has already.
    fn resume(&mut self, part: Part, archive_length: u64) -> Result<(), WriteError> {
        let path = part.newest(&self.folder);
        let at = |error| io_error(&path, error);
        let newest = open_newest(&path).map_err(at)?;
        let text = fs::read(&path).map_err(at)?;
        let parser = parser_of(&self.folder, &part).map_err(at)?;
        let readable = parser.and_then(|mut parser| Some((parser.begin(&text).ok()?, parser)));
        let Some((begin, parser)) = readable else {
            // Lines that mean nothing without it: they stay where they are, and what follows is written elsewhere.
            tracing::warn!(file = %path.display(), "its header cannot be read; the recording goes on in a new part");
            return Ok(());
        };
        let sealed = begin + parser.sealed(&text[begin..], &self.ledger);
        let (mut kept, mut is_new) = (sealed..sealed, false);
        let mut is_first = sealed == begin;
        for line in text[sealed..].split_inclusive(|byte| *byte == b'\n') {
            let Some(Ok(parsed)) = line.ends_with(b"\n").then(|| parser.parse(line)) else { break };
            let record = parsed.record();
            let verdict = self.ledger.admit(&record);
            let is_record = !matches!(record, Record::Hello { .. });
            let is_first = is_record && std::mem::take(&mut is_first);
            match verdict {
                Verdict::Next => is_new |= is_record,
                // It was sealed, and then there was no time to remove it here.
                Verdict::Known if !is_new => kept.start = kept.end + line.len(),
                // A frame before it is damaged. These lines are not.
                Verdict::Hole if is_first => {
                    self.ledger.accept(&record);
                    is_new = true;
                }
                Verdict::Known | Verdict::Hole => break,
            }
            kept.end += line.len();
        }
        // Where a frame has it, it stands there; and one without a line is written anew, with the hello that belongs to it.
        let header = if archive_length == 0 && !kept.is_empty() { 0..begin } else { 0..0 };
        let newest_length = header.len() + kept.len();
        if newest_length < text.len() {
            tracing::warn!(file = %path.display(), bytes = text.len() - newest_length, "cut what was torn or is there twice");
        }
        if archive_length == 0 && kept.is_empty() {
            // On a full disk there would be one more with each attempt.
            fs::remove_file(&path).map_err(at)?;
            remove_if_there(&part.archive(&self.folder))?;
            self.next_number = part.number;
            return Ok(());
        }
        let newest = if kept.start == header.end {
            newest.set_len(kept.end as u64).map_err(at)?;
            newest
        } else {
            let new = path.with_extension("tmp");
            let text = [&text[header], &text[kept]].concat();
            fs::write(&new, text).and_then(|()| fs::rename(&new, &path)).map_err(at)?;
            open_newest(&path).map_err(at)?
        };
        let (header, newest_length) = (parser.header(), newest_length as u64);
        self.open = Some(Open { part, header, newest, newest_length, archive_length, seal_at: FRAME_TEXT as u64 });
        Ok(())
    }
}

/// Hosts that begin together would have all their frames made in the same moments, and everyone's lines would wait for
/// that: each begins with a frame of another size.
fn first_seal() -> u64 {
    let least = FRAME_TEXT as u64 / 8;
    // Without entropy, which Linux always has, they do come together.
    least + u64::from(getrandom::u32().unwrap_or(u32::MAX)) % (FRAME_TEXT as u64 - least)
}

fn open_newest(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).read(true).append(true).open(path)
}

fn remove_if_there(path: &Path) -> Result<(), WriteError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(io_error(path, error)),
        _ => Ok(()),
    }
}

fn io_error(path: &Path, error: io::Error) -> WriteError {
    WriteError::Io { path: path.into(), error }
}

fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// The text in pieces of a frame's size, cut at the ends of lines.
fn frames_of(mut text: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let enough = text.get(FRAME_TEXT..).and_then(|rest| rest.iter().position(|byte| *byte == b'\n'));
        let (frame, rest) = text.split_at(enough.map_or(text.len(), |end| FRAME_TEXT + end + 1));
        text = rest;
        (!frame.is_empty()).then_some(frame)
    })
}

/// Cuts half a frame off the end; the length of what stays.
fn cut_torn_frame(path: &Path) -> Result<u64, WriteError> {
    let at = |error| io_error(path, error);
    let file = match OpenOptions::new().read(true).write(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        file => file.map_err(at)?,
    };
    let whole = archive::whole_frames(&file).map_err(at)?.last().map_or(0, |frame| frame.end);
    let length = file.metadata().map_err(at)?.len();
    if whole < length {
        tracing::warn!(file = %path.display(), bytes = length - whole, "cut a torn frame");
        file.set_len(whole).map_err(at)?;
    }
    Ok(whole)
}

/// What reads the lines of a part, if its header stands in a frame; `None` if that cannot be read.
fn parser_of(folder: &Path, part: &Part) -> io::Result<Option<Parser>> {
    let mut parser = Parser::new(part.form);
    if part.form == Form::Ndjson {
        return Ok(Some(parser));
    }
    let mut file = match File::open(part.archive(folder)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Some(parser)),
        file => file?,
    };
    let frames = archive::whole_frames(&file)?;
    let Some(first) = frames.first() else { return Ok(Some(parser)) };
    let text = archive::text(&archive::read_frame(&mut file, first)?);
    Ok(text.is_ok_and(|text| parser.begin(&text).is_ok()).then_some(parser))
}

/// How far the archives have come: from the last frame, or from as many as it takes.
fn last_position(folder: &Path, parts: &[Part]) -> Result<Ledger, WriteError> {
    for part in parts.iter().rev() {
        let path = part.archive(folder);
        let at = |error| io_error(&path, error);
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            file => file.map_err(at)?,
        };
        let Some(parser) = parser_of(folder, part).map_err(at)? else { continue };
        let mut newer = Vec::new();
        for range in archive::whole_frames(&file).map_err(at)?.iter().rev() {
            let frame = archive::read_frame(&mut file, range).map_err(at)?;
            // What is damaged is told by `verify`; the recording goes on after what can be read.
            let mut text = archive::text(&frame).unwrap_or_default();
            text.append(&mut newer);
            let mut ledger = Ledger::default();
            for line in text.split_inclusive(|byte| *byte == b'\n') {
                if let Ok(line) = parser.parse(line) {
                    ledger.accept(&line.record());
                }
            }
            if ledger.position().is_some() {
                return Ok(ledger);
            }
            newer = text;
        }
    }
    Ok(Ledger::default())
}

#[cfg(test)]
mod tests;
