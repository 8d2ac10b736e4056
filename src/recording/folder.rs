//! Names: of the folders of hosts, and of the parts in them.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::form::Form;

/// The name of a host's folder, which is also its `host` in every line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FolderName(String);

/// A name that cannot be that of a folder.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} cannot be the name of a host: letters, digits, dots, hyphens and underscores can, at most 128, not a dot first"
)]
pub struct InvalidName(String);

impl FolderName {
    /// A name that a person chose.
    pub fn new(name: &str) -> Result<Self, InvalidName> {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if name.is_empty() || name.len() > 128 || name.starts_with('.') || !name.chars().all(is_plain) {
            return Err(InvalidName(name.into()));
        }
        Ok(Self(name.into()))
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FolderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The folders of hosts in a recording, by name. A folder that holds parts itself is the recording of one host.
pub fn hosts(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut hosts = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_host = entry.file_name().to_str().is_some_and(|name| FolderName::new(name).is_ok());
        if is_host && entry.file_type()?.is_dir() && !Part::list(&entry.path())?.is_empty() {
            hosts.push(entry.path());
        }
    }
    if hosts.is_empty() && !Part::list(folder)?.is_empty() {
        hosts.push(folder.to_owned());
    }
    hosts.sort();
    Ok(hosts)
}

/// A piece of a recording. Numbered, because a clock that was set back would mix up their order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Part {
    pub(super) number: u32,
    /// When it was begun, in seconds since the Unix epoch.
    pub(super) begun: u64,
    /// How its lines are written.
    pub(super) form: Form,
}

/// What an archive's name ends with, behind its form.
const ARCHIVE: &str = ".zst";

impl Part {
    /// The parts in a host's folder, oldest first.
    pub(super) fn list(folder: &Path) -> io::Result<Vec<Self>> {
        let mut parts = Vec::new();
        for entry in fs::read_dir(folder)? {
            parts.extend(entry?.file_name().to_str().and_then(Self::parse));
        }
        parts.sort();
        parts.dedup();
        Ok(parts)
    }

    fn parse(name: &str) -> Option<Self> {
        let name = name.strip_suffix(ARCHIVE).unwrap_or(name);
        let (form, stem) = Form::ALL.iter().find_map(|form| Some((*form, name.strip_suffix(form.extension())?)))?;
        let (number, begun) = stem.split_once('-')?;
        let part = Self { number: number.parse().ok()?, begun: parse_time(begun)?, form };
        (part.stem() == stem).then_some(part)
    }

    pub(super) fn archive(&self, folder: &Path) -> PathBuf {
        folder.join(self.stem() + self.form.extension() + ARCHIVE)
    }

    pub(super) fn newest(&self, folder: &Path) -> PathBuf {
        folder.join(self.stem() + self.form.extension())
    }

    fn stem(&self) -> String {
        let begun = SystemTime::UNIX_EPOCH + Duration::from_secs(self.begun);
        let begun = humantime::format_rfc3339_seconds(begun).to_string().replace(['-', ':'], "");
        format!("{:06}-{begun}", self.number)
    }
}

/// `20261122T205454Z`
fn parse_time(text: &str) -> Option<u64> {
    let is_digits =
        |range: std::ops::Range<usize>| text.get(range).is_some_and(|t| t.bytes().all(|b| b.is_ascii_digit()));
    if text.len() != 16 || !is_digits(0..8) || !is_digits(9..15) {
        return None;
    }
    let (year, month, day) = (&text[..4], &text[4..6], &text[6..8]);
    let (hour, minute, second) = (&text[9..11], &text[11..13], &text[13..15]);
    let time = humantime::parse_rfc3339(&format!("{year}-{month}-{day}T{hour}:{minute}:{second}Z")).ok()?;
    time.duration_since(SystemTime::UNIX_EPOCH).ok().map(|since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_sort_as_they_were_written() {
        let folder = tempfile::tempdir().unwrap();
        let (json, csv) = (Form::Ndjson, Form::Csv);
        let parts = [(1, 1_795_373_694, json), (2, 5, csv), (9, 1_795_373_695, csv), (10, 1_795_373_696, json)];
        let parts = parts.map(|(number, begun, form)| Part { number, begun, form });
        for part in &parts {
            fs::write(part.archive(folder.path()), "").unwrap();
            fs::write(part.newest(folder.path()), "").unwrap();
        }
        for other in [
            ".lock",
            "notes.ndjson",
            "000001-20261122T205454Z.ndjson.tmp",
            "1-20261122T205454Z.ndjson",
            "000003-20261122T205454Z.zst",
            "000003-20261122T205454Z.csv.gz",
        ] {
            fs::write(folder.path().join(other), "").unwrap();
        }
        assert_eq!(Part::list(folder.path()).unwrap(), parts);
        let mut names: Vec<_> = parts.iter().map(|part| part.archive(folder.path())).collect();
        let as_written = names.clone();
        names.sort();
        assert_eq!(names, as_written);
        assert!(names[0].ends_with("000001-20261122T185454Z.ndjson.zst"), "{names:?}");
    }

    #[test]
    fn no_name_leads_out_of_the_recording() {
        for wrong in ["", ".", "..", ".lock", "a/b", "a b", "ü", &"x".repeat(129)] {
            assert!(FolderName::new(wrong).is_err(), "{wrong:?}");
        }
        assert!(FolderName::new("web-1.example.org_7117").is_ok());
    }
}
