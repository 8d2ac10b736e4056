//! A recording as long as one likes: what was really recorded, again and again, with numbers and times that go on.
//!
//! It is written by the library's own writer. A frame holds fewer samples than there are different ones, so that each
//! compresses as the real one did.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use hostcast::{
    protocol::Epoch,
    recording::{Columns, Compressor, Form, Found, Head, Line, Reader, Record, Rotation, Writer},
};
use tempfile::TempDir;

use crate::bytes::Recorded;

pub(crate) struct Long {
    folder: TempDir,
    writer: Writer,
    compressor: Compressor,
    columns: Columns,
    hello: Vec<u8>,
    epoch: Epoch,
    /// What stands behind the time in each line.
    rests: Vec<Vec<u8>>,
    count: u64,
}

/// So many lines are appended at once.
const BATCH: u64 = 32;
/// In Unix milliseconds, and one second apart.
const BEGINNING: u64 = 1_795_392_000_000;
const HOST: &str = "long";
/// Beyond the end of the run.
const NEVER: Duration = Duration::from_hours(24 * 365 * 100);

impl Long {
    pub(crate) fn of(recorded: &Recorded) -> io::Result<Self> {
        let mut reader = Reader::open(&recorded.lines())?;
        let (mut hello, mut epoch, mut rests) = (Vec::new(), None, Vec::new());
        while let Some(found) = reader.read()? {
            match found {
                Found::Line(text, line @ Line::Hello { epoch: this, .. }) => {
                    hello = text.json(&line).into_owned();
                    epoch = Some(this);
                }
                Found::Line(text, line @ Line::Sample { .. }) => {
                    let text = text.json(&line);
                    let key = b",\"elapsed_ms\"";
                    let rest = text.windows(key.len()).position(|bytes| bytes == key);
                    rests.extend(rest.map(|rest| text[rest..].to_vec()));
                }
                _ => {}
            }
        }
        let (Some(epoch), false) = (epoch, rests.is_empty()) else {
            return Err(io::Error::other("nothing was recorded that could be multiplied"));
        };
        let folder = tempfile::tempdir()?;
        let rotation = Rotation { every: NEVER, ..Rotation::default() };
        let writer = Writer::open(&folder.path().join(HOST), rotation).map_err(io::Error::other)?;
        Ok(Self {
            folder,
            writer,
            compressor: Compressor::new()?,
            columns: Columns::none(Form::Ndjson),
            hello,
            epoch,
            rests,
            count: 0,
        })
    }

    /// The folder of its one host.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join(HOST)
    }

    /// The folder of the recording.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    pub(crate) fn extend_to(&mut self, count: u64) -> io::Result<()> {
        while self.count < count {
            let seqs = self.count + 1..=count.min(self.count + BATCH);
            self.count = *seqs.end();
            let lines: Vec<_> = seqs.map(|seq| (Record::Sample { epoch: self.epoch, seq }, self.line(seq))).collect();
            let lines = lines.iter().map(|(record, line)| (*record, line.as_slice()));
            let head = Head { columns: &self.columns, hello: &self.hello };
            self.writer.append(head, lines, &mut self.compressor).map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn line(&self, seq: u64) -> Vec<u8> {
        let (epoch, time) = (self.epoch, BEGINNING + seq * 1_000);
        let head = format!(r#"{{"type":"sample","host":"{HOST}","epoch":"{epoch}","seq":{seq},"time":{time}"#);
        [head.as_bytes(), &self.rests[(seq % self.rests.len() as u64) as usize]].concat()
    }
}
