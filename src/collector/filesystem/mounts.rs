//! The mount table.
//!
//! The parser is ours: procfs leaves the escapes in a path (`\040` for a space, so `statvfs` would
//! not find it) and refuses the whole table if one path is not UTF-8.

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::PathBuf,
};

use crate::{collector::devices::natural_order, config::FilesystemConfig};

/// One line of the mount table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Mount {
    /// Major and minor number, which mounts of one filesystem share.
    pub(super) device: String,
    /// What was mounted, as a rule a path in `/dev`.
    pub(super) source: String,
    /// Where.
    pub(super) path: PathBuf,
    /// The filesystem's type.
    pub(super) kind: String,
}

/// Every mount; or the first line that is not understood.
pub(super) fn parse(table: &[u8]) -> Result<Vec<Mount>, String> {
    let lines = table.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    lines.map(|line| parse_line(line).ok_or_else(|| format!("`{}`", String::from_utf8_lossy(line)))).collect()
}

/// `id parent major:minor root path options [optional…] - type source options`
fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut words = line.split(|byte| *byte == b' ');
    let device = text(words.nth(2)?);
    let path = PathBuf::from(OsString::from_vec(unescape(words.nth(1)?)));
    words.find(|word| *word == b"-")?;
    let (kind, source) = (text(words.next()?), text(words.next()?));
    Some(Mount { device, source, path, kind })
}

fn text(word: &[u8]) -> String {
    String::from_utf8_lossy(&unescape(word)).into_owned()
}

/// The kernel writes spaces, line ends and backslashes as three octal digits.
fn unescape(word: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(word.len());
    let mut rest = word;
    while let [first, after @ ..] = rest {
        if let [b'\\', a @ b'0'..=b'3', b @ b'0'..=b'7', c @ b'0'..=b'7', after @ ..] = rest {
            plain.push(((a - b'0') << 6) | ((b - b'0') << 3) | (c - b'0'));
            rest = after;
        } else {
            plain.push(*first);
            rest = after;
        }
    }
    plain
}

/// The mounts to publish: one for each device, at the shortest of its mount points, in order.
pub(super) fn select(mounts: Vec<Mount>, config: &FilesystemConfig) -> Vec<Mount> {
    let mut selected: Vec<Mount> = Vec::new();
    for mount in mounts {
        // What is mounted over another hides it.
        selected.retain(|hidden| hidden.path != mount.path);
        selected.push(mount);
    }
    selected.retain(|mount| {
        !config.exclude_types.matches(&mount.kind) && !config.exclude_mountpoints.matches(&mount.path.to_string_lossy())
    });
    // Stable: of two that are as short, the one that was mounted first.
    selected.sort_by_key(|mount| mount.path.as_os_str().as_bytes().len());
    let mut once: Vec<Mount> = Vec::new();
    for mount in selected {
        if once.iter().all(|other| other.device != mount.device) {
            once.push(mount);
        }
    }
    once.sort_by(|a, b| natural_order(&a.path.to_string_lossy(), &b.path.to_string_lossy()));
    once
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &[u8] = b"27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
22 27 0:21 / /proc rw - proc proc rw
40 27 254:0 /srv /mnt/bind rw shared:1 master:2 - ext4 /dev/vda rw
41 27 254:16 / /mnt/with\\040space\\011and\\134 rw shared:5 - xfs /dev/vdb1 rw
42 27 254:32 / /mnt/over rw - ext4 /dev/vdc rw
43 27 254:48 / /mnt/over rw - ext4 /dev/vdd rw
44 27 254:64 / /mnt/10 rw - ext4 /dev/vde rw
45 27 254:80 / /mnt/9 rw future:1:2 - ext4 /dev/vdf rw
46 27 254:96 / /mnt/\xff rw -  none rw
";

    #[test]
    fn one_mount_for_each_device_in_order() {
        let mounts = select(parse(TABLE).expect("well-formed"), &FilesystemConfig::default());
        let found: Vec<_> = mounts.iter().map(|mount| (&*mount.source, mount.path.to_string_lossy())).collect();
        let expected = [
            ("/dev/vda", "/"),
            ("/dev/vdf", "/mnt/9"),
            ("/dev/vde", "/mnt/10"),
            ("/dev/vdd", "/mnt/over"),
            ("/dev/vdb1", "/mnt/with space\tand\\"),
            ("none", "/mnt/\u{fffd}"),
        ];
        assert_eq!(found, expected.map(|(source, path)| (source, path.into())));
        assert_eq!(mounts[5].path.as_os_str().as_bytes(), b"/mnt/\xff");
    }

    #[test]
    fn backslashes_that_escape_nothing_stay() {
        assert_eq!(unescape(b"a\\04"), b"a\\04");
        assert_eq!(unescape(b"\\999\\"), b"\\999\\");
    }

    #[test]
    fn a_truncated_line_is_named() {
        for line in ["27 1 254:0 / / rw,relatime", "27 1 254:0", "27 1 254:0 / / rw - ext4"] {
            assert!(parse(line.as_bytes()).is_err_and(|what| what.contains(line)), "{line}");
        }
        assert_eq!(parse(b""), Ok(Vec::new()));
    }
}
