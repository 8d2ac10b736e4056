//! What a sandbox keeps from us. It does so without a word: there is nothing to read, or too little, and no error. So what
//! gives it away is looked for, where there is such a thing.

use std::fs;

/// What cannot be seen from here though it may be there, a line each that names the setting of systemd that does it.
pub fn hidden() -> Vec<String> {
    let mounts = fs::read("/proc/self/mountinfo").unwrap_or_default();
    // Without /proc/net/dev it is all of /proc that is missing, and the mounts say so.
    let interfaces = fs::read("/proc/net/dev").unwrap_or_default();
    hidden_by(&String::from_utf8_lossy(&mounts), &String::from_utf8_lossy(&interfaces))
}

fn hidden_by(mounts: &str, interfaces: &str) -> Vec<String> {
    let mut hidden: Vec<_> = mounts.lines().filter_map(hidden_by_mount).collect();
    let mut names = interfaces.lines().skip(2).filter_map(|line| line.split_once(':')).map(|(name, _)| name.trim());
    if names.next() == Some("lo") && names.next().is_none() {
        hidden.push("no network interface can be seen but the loopback (PrivateNetwork=)".into());
    }
    hidden
}

/// `id parent major:minor root path options [optional…] - type source options`
fn hidden_by_mount(line: &str) -> Option<String> {
    let words: Vec<_> = line.split(' ').collect();
    let (root, path) = (words.get(3)?, words.get(4)?);
    // systemd puts this folder of its own over what it hides; also where no filesystem is that anybody counts.
    if root.ends_with("/inaccessible/dir")
        && !["/proc/", "/sys/", "/dev/", "/run/", "/usr/"].iter().any(|of| path.starts_with(of))
    {
        return Some(format!("filesystems at {path} and below cannot be seen (ProtectHome=yes or InaccessiblePaths=)"));
    }
    let is_processes_alone = *path == "/proc" && words.last()?.split(',').any(|option| option == "subset=pid");
    is_processes_alone
        .then(|| "of /proc only processes can be seen, so most numbers are missing (ProcSubset=pid)".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "316 1 254:0 / / ro,nosuid shared:87 master:1 - ext4 /dev/vda rw,discard
365 316 0:60 / /home/x ro,nosuid,relatime shared:127 master:67 - tmpfs none rw
354 316 0:61 / /proc rw,nosuid shared:129 - proc proc rw,hidepid=invisible
366 316 0:24 /systemd/inaccessible/dir /usr/lib/modules ro,nosuid shared:130 - tmpfs tmpfs rw,size=1k
";
    const HEAD: &str = "Inter-|   Receive\n face |bytes\n";

    #[test]
    fn where_everything_can_be_seen_nothing_is_said() {
        assert_eq!(hidden_by(MOUNTS, &format!("{HEAD}    lo: 1 2\n  eth0: 1 2\n")), [""; 0]);
        assert_eq!(hidden_by("", ""), [""; 0]);
    }

    #[test]
    fn what_hides_something_is_named() {
        let mounts = MOUNTS.replace("hidepid=invisible", "hidepid=invisible,subset=pid")
            + "365 316 0:24 /systemd/inaccessible/dir /home ro,nosuid shared:128 - tmpfs tmpfs rw,size=1k\n";
        let hidden = hidden_by(&mounts, &format!("{HEAD}    lo: 1 2\n"));
        for (line, setting) in hidden.iter().zip(["ProcSubset=pid", "at /home", "PrivateNetwork="]) {
            assert!(line.contains(setting), "{line}");
        }
        assert_eq!(hidden.len(), 3, "{hidden:?}");
    }
}
