//! How long a recording is kept.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::folder::{Part, hosts};

/// What is kept. The part that is being written always is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Parts that were last written to longer ago are removed.
    pub age: Option<Duration>,
    /// While all hosts together take more bytes, the oldest part is removed.
    pub size: Option<u64>,
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retired {
    /// How many parts.
    pub parts: u64,
    /// How many bytes.
    pub bytes: u64,
}

struct Candidate {
    begun: u64,
    files: [PathBuf; 2],
    bytes: u64,
    written: SystemTime,
}

impl Retention {
    /// Removes what is not to be kept any more.
    pub fn enforce(&self, folder: &Path) -> io::Result<Retired> {
        let mut retired = Retired::default();
        if *self == Self::default() {
            return Ok(retired);
        }
        let (mut candidates, mut total) = (Vec::new(), 0);
        for host in hosts(folder)? {
            let mut parts = Part::list(&host)?;
            let newest = parts.pop();
            total += newest.map_or(0, |part| Candidate::of(&host, &part).bytes);
            candidates.extend(parts.iter().map(|part| Candidate::of(&host, part)));
        }
        total += candidates.iter().map(|candidate| candidate.bytes).sum::<u64>();
        candidates.sort_by_key(|candidate| candidate.begun);
        let now = SystemTime::now();
        for candidate in candidates {
            let is_old = self.age.is_some_and(|age| now.duration_since(candidate.written).is_ok_and(|old| old > age));
            if !is_old && self.size.is_none_or(|size| total <= size) {
                continue;
            }
            for file in &candidate.files {
                match fs::remove_file(file) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
            total -= candidate.bytes;
            retired.parts += 1;
            retired.bytes += candidate.bytes;
        }
        Ok(retired)
    }
}

impl Candidate {
    fn of(host: &Path, part: &Part) -> Self {
        let files = [part.archive(host), part.newest(host)];
        let found = files.iter().filter_map(|file| fs::metadata(file).ok());
        let (mut bytes, mut written) = (0, SystemTime::UNIX_EPOCH);
        for metadata in found {
            bytes += metadata.len();
            written = written.max(metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH));
        }
        Self { begun: part.begun, files, bytes, written }
    }
}
