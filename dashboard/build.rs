//! Builds the page and writes the table of its files that `src/lib.rs` includes.
//!
//! Everything happens in `OUT_DIR`: `cargo package` refuses a build script that touches the source
//! tree, and two profiles must not share one `node_modules`.

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[path = "build/bundle.rs"]
mod bundle;
#[path = "build/table.rs"]
mod table;

/// A folder that holds the page already built, for those who build without Node.js.
const PREBUILT: &str = "HOSTCAST_DASHBOARD_DIST";

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Each line of `cargo::error` stands out in cargo's output; a panic would bury it.
            for line in error.lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), String> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    println!("cargo::rerun-if-env-changed={PREBUILT}");
    let out_dir = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));

    let dist = match env::var_os(PREBUILT).filter(|path| !path.is_empty()) {
        Some(path) => prebuilt(PathBuf::from(path))?,
        None => bundle::build(Path::new("web"), &out_dir).map_err(|error| format!("{error}\n{}", ways_out()))?,
    };
    table::write(&dist, &out_dir)
}

fn prebuilt(dist: PathBuf) -> Result<PathBuf, String> {
    println!("cargo::rerun-if-changed={}", dist.display());
    if !dist.join("index.html").is_file() {
        return Err(format!("{PREBUILT}={} holds no index.html", dist.display()));
    }
    Ok(dist)
}

fn ways_out() -> String {
    format!(
        "The dashboard is built with npm. Either install Node.js 18 or newer and npm \
         (Debian: apt-get install nodejs npm),\n\
         or set {PREBUILT} to a folder that holds the dashboard already built \
         (made elsewhere: cd dashboard/web && npm ci && npm run build -- /path/to/dist)."
    )
}
