//! A file of `/proc` that stays open: reading it again costs a `pread`, not an `open` and a `close`.

use std::{
    fs::File,
    io::{self, ErrorKind},
    os::unix::fs::FileExt,
    path::PathBuf,
};

use procfs::ProcError;

use super::CollectError;

/// A kept descriptor, with the buffer that every reading goes into.
pub(super) struct KeptFile {
    path: PathBuf,
    file: Option<File>,
    buffer: Vec<u8>,
    was_read: bool,
}

impl KeptFile {
    /// A file that is opened when it is first read.
    pub(super) fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), file: None, buffer: Vec::new(), was_read: false }
    }

    /// The whole file as it is now.
    ///
    /// A file that was never there, or whose kernel has it turned off, is `Unavailable`; one that
    /// was read before and cannot be any more is `Failed`, and is opened anew the next time.
    pub(super) fn read(&mut self) -> Result<&[u8], CollectError> {
        match self.read_whole() {
            Ok(len) => {
                self.was_read = true;
                Ok(&self.buffer[..len])
            }
            Err(error) => {
                self.file = None;
                let text = format!("cannot read {}: {error}", self.path.display());
                let absent = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Unsupported);
                Err(if absent && !self.was_read { CollectError::Unavailable(text) } else { CollectError::Failed(text) })
            }
        }
    }

    /// The error for text that the parser does not understand.
    pub(super) fn malformed(&self, error: &ProcError) -> CollectError {
        self.odd(&match error {
            // Their text tells the parser's source line, which means nothing to an operator.
            ProcError::InternalError(error) => error.msg.clone(),
            ProcError::Incomplete(_) => "it ends early".to_owned(),
            error => error.to_string(),
        })
    }

    /// The error for text that is not as expected.
    pub(super) fn odd(&self, what: &str) -> CollectError {
        CollectError::Failed(format!("cannot understand {}: {what}", self.path.display()))
    }

    /// Reads until the end is seen: the kernel hands out long tables a page at a time.
    fn read_whole(&mut self) -> io::Result<usize> {
        let file = match &mut self.file {
            Some(file) => file,
            none => none.insert(File::open(&self.path)?),
        };
        let mut len = 0;
        loop {
            if len == self.buffer.len() {
                self.buffer.resize((len * 2).max(4096), 0);
            }
            match file.read_at(&mut self.buffer[len..], len as u64) {
                Ok(0) => return Ok(len),
                Ok(more) => len += more,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn reads_what_is_there_now_however_long_it_is() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("table");
        fs::write(&path, "short").expect("a writable file");
        let mut kept = KeptFile::new(&path);
        assert_eq!(kept.read().expect("readable"), b"short");
        let long = "x".repeat(70_000);
        fs::write(&path, &long).expect("a writable file");
        assert_eq!(kept.read().expect("readable"), long.as_bytes());
        fs::write(&path, "short again").expect("a writable file");
        assert_eq!(kept.read().expect("readable"), b"short again");
    }

    #[test]
    fn a_file_that_was_never_there_is_unavailable_and_is_found_when_it_appears() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("late");
        let mut kept = KeptFile::new(&path);
        assert!(matches!(kept.read(), Err(CollectError::Unavailable(text)) if text.contains("late")));
        fs::write(&path, "here").expect("a writable file");
        assert_eq!(kept.read().expect("readable"), b"here");
    }

    #[test]
    fn a_source_that_breaks_has_failed_and_is_opened_again() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("breaks");
        fs::write(&path, "here").expect("a writable file");
        let mut kept = KeptFile::new(&path);
        kept.read().expect("readable");
        // A directory opens, but does not read: what a vanished driver's file does.
        kept.file = Some(File::open(dir.path()).expect("a directory"));
        assert!(matches!(kept.read(), Err(CollectError::Failed(_))));
        assert_eq!(kept.read().expect("readable"), b"here");
    }
}
