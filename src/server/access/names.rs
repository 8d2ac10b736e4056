//! What this host is called, as far as it knows by itself.

use std::{collections::BTreeSet, fs};

/// `localhost`, the host's own name, the same for multicast DNS, and what `/etc/hosts` calls it besides. No name
/// server is asked: it may be slow, and may be told what to say by others.
pub(super) fn of_host(host_name: &str) -> BTreeSet<String> {
    // Without the file there are fewer names; that is all.
    among(host_name, &fs::read_to_string("/etc/hosts").unwrap_or_default())
}

fn among(host_name: &str, hosts: &str) -> BTreeSet<String> {
    let host_name = host_name.to_ascii_lowercase();
    let mut names = BTreeSet::from(["localhost".to_owned()]);
    if host_name.is_empty() {
        return names;
    }
    let short = host_name.split('.').next().unwrap_or_default();
    names.extend([short.to_owned(), format!("{short}.local")]);
    for line in hosts.lines() {
        let line = line.split('#').next().unwrap_or_default().to_ascii_lowercase();
        let in_line = || line.split_whitespace().skip(1);
        if in_line().any(|name| name == host_name || name == short) {
            names.extend(in_line().map(str::to_owned));
        }
    }
    names.insert(host_name);
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_the_names_that_its_own_file_gives_it() {
        let hosts = "127.0.0.1 localhost\n127.0.1.1\tweb1.example.com web1 # web9\n192.0.2.1 other.example.com\n";
        let names = among("Web1", hosts);
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        assert_eq!(names, ["localhost", "web1", "web1.example.com", "web1.local"]);
    }

    #[test]
    fn a_long_name_has_a_short_form() {
        let names = among("web1.example.com", "");
        assert!(names.contains("web1") && names.contains("web1.example.com"), "{names:?}");
        assert_eq!(among("", "127.0.0.1 a b"), BTreeSet::from(["localhost".to_owned()]));
    }
}
