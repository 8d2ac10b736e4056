//! From `web/` to a folder of hashed files, by npm and esbuild.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the page is made of. Tests and `node_modules` beside it do not count as a change.
const SOURCES: &[&str] = &["build.mjs", "icon.svg", "index.html", "package-lock.json", "package.json", "src"];

const LOCK: &str = "package-lock.json";

/// Returns the folder that holds the built page.
pub(crate) fn build(web: &Path, out_dir: &Path) -> Result<PathBuf, String> {
    let work = out_dir.join("web");
    let dist = out_dir.join("dist");
    for name in SOURCES {
        println!("cargo::rerun-if-changed={}", web.join(name).display());
        replace(&web.join(name), &work.join(name))
            .map_err(|error| format!("cannot copy {name} to {}: {error}", work.display()))?;
    }
    install(&work)?;
    let script = work.join("build.mjs");
    run(Command::new("node").arg(script).arg(&dist))?;
    Ok(dist)
}

/// Installs the packages unless those of this very lock file are there already. The stamp lies among
/// them and is written last, so whatever interrupts or removes an installation leaves none.
fn install(work: &Path) -> Result<(), String> {
    let stamp = work.join("node_modules/.installed-package-lock.json");
    let lock = fs::read(work.join(LOCK)).map_err(|error| format!("cannot read {LOCK}: {error}"))?;
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    // No install scripts: esbuild's binary comes as a package of its own, and what is not run
    // cannot do harm. Development packages (the type checker) are not needed to build.
    run(Command::new("npm")
        .args(["ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund"])
        .current_dir(work))?;
    fs::write(&stamp, lock).map_err(|error| format!("cannot write {}: {error}", stamp.display()))
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let arguments: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
    let line = format!("{program} {}", arguments.join(" "));
    let output = command.output().map_err(|error| format!("cannot run `{line}`: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{line}` failed ({}):\n{}", output.status, said.trim()))
}

/// Copies a file or a folder over whatever was there: a deleted source must not linger.
fn replace(from: &Path, to: &Path) -> std::io::Result<()> {
    if from.is_dir() {
        if to.exists() {
            fs::remove_dir_all(to)?;
        }
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            replace(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    fs::copy(from, to).map(drop)
}
