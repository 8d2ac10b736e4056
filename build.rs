//! Finds out which commit is built, for `--version`: from git in a checkout, else from `HOSTCAST_COMMIT` and
//! `SOURCE_DATE_EPOCH`, else nothing is said.

use std::{
    env, fs,
    path::Path,
    process::Command,
    time::{Duration, UNIX_EPOCH},
};

fn main() {
    println!("cargo::rerun-if-env-changed=HOSTCAST_COMMIT");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    println!("cargo::rerun-if-changed=build.rs");
    let version = env::var("CARGO_PKG_VERSION").unwrap_or_default();
    let (commit, date) = if is_checkout() {
        watch_commit();
        (git(&["rev-parse", "--short=7", "HEAD"]), git(&["log", "-1", "--date=format-local:%Y-%m-%d", "--format=%cd"]))
    } else {
        (env::var("HOSTCAST_COMMIT").ok().filter(|commit| !commit.is_empty()), date_of_source())
    };
    let origin: Vec<_> = commit.into_iter().chain(date).collect();
    let version = if origin.is_empty() { version } else { format!("{version} ({})", origin.join(" ")) };
    println!("cargo::rustc-env=HOSTCAST_VERSION={version}");
}

/// Whether git's root is this crate: a tarball that is unpacked within some other checkout is not that checkout.
fn is_checkout() -> bool {
    let here = env::var("CARGO_MANIFEST_DIR").ok().and_then(|path| fs::canonicalize(path).ok());
    let root = git(&["rev-parse", "--show-toplevel"]).and_then(|path| fs::canonicalize(path).ok());
    here.is_some() && here == root
}

/// Builds again when another commit is checked out or made. git is asked for the paths, for a worktree has its own.
fn watch_commit() {
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]);
    for name in ["HEAD", "logs/HEAD", "packed-refs"].into_iter().chain(branch.as_deref()) {
        // One that does not exist would build again each time.
        if let Some(path) = git(&["rev-parse", "--git-path", name]).filter(|path| Path::new(path).exists()) {
            println!("cargo::rerun-if-changed={path}");
        }
    }
}

fn date_of_source() -> Option<String> {
    let seconds = env::var("SOURCE_DATE_EPOCH").ok()?.parse().ok()?;
    let time = UNIX_EPOCH.checked_add(Duration::from_secs(seconds))?;
    // Past the year 9999 there is no such date.
    let latest = UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    (time <= latest).then(|| humantime::format_rfc3339(time).to_string().chars().take(10).collect())
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).env("TZ", "UTC").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| output.status.success() && !text.is_empty())
}
