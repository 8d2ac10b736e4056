//! A wall clock that a test sets, for a process alone.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// See the module. What measures spans goes on as it is.
pub(crate) struct Clock {
    library: PathBuf,
    time: PathBuf,
}

impl Clock {
    /// A clock that is right and kept in this folder, if libfaketime is installed.
    pub(crate) fn in_folder(folder: &Path) -> Option<Self> {
        let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
        let mut places = folders.chain([PathBuf::from("/usr/lib"), "/usr/local/lib".into()]);
        let library = places.find_map(|place| {
            let library = place.join("faketime/libfaketime.so.1");
            library.exists().then_some(library)
        });
        let Some(library) = library else {
            super::skipped("libfaketime is not installed");
            return None;
        };
        let clock = Self { library, time: folder.join("time") };
        clock.set("+0");
        Some(clock)
    }

    /// Has the command see this clock.
    pub(crate) fn govern(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("FAKETIME_TIMESTAMP_FILE", &self.time);
        command.env("DONT_FAKE_MONOTONIC", "1").env("NO_FAKE_STAT", "1").env("FAKETIME_NO_CACHE", "1");
    }

    /// Sets it to `+1h`, say, of the right time.
    pub(crate) fn set(&self, step: &str) {
        let new = self.time.with_extension("new");
        fs::write(&new, step).unwrap();
        fs::rename(&new, &self.time).unwrap();
    }
}
