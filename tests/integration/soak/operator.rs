//! Who looks after the daemon meanwhile: has it read one configuration after the other, and rotates its log.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use crate::support::{PATIENCE, TestDaemon};

const BETWEEN_RELOADS: Duration = Duration::from_secs(4);
const RELOADS_A_LOG: u64 = 8;
/// A log that is rotated so often stays far below.
const MAX_LOG_BYTES: u64 = 16 << 20;

pub(super) struct Operator<'a> {
    daemon: &'a TestDaemon,
    log: PathBuf,
    pub(super) reloads: u64,
    pub(super) rotations: u64,
}

/// The configuration of a turn. Of turn 0 is the one that the daemon starts with; each seventh is wrong, and changes
/// nothing. A short history, which is soon full, and little patience.
pub(super) fn config(turn: u64) -> String {
    let window = ["20s", "15s", "25s"][turn as usize % 3];
    let (load, level) = (turn.is_multiple_of(2), if turn % 5 == 1 { "debug" } else { "info" });
    let interval = if turn % 7 == 6 { "50ms" } else { "100ms" };
    let heartbeat = 2 + turn % 4;
    format!(
        "[sampler]\ninterval = \"{interval}\"\n[collectors]\nload = {load}\n[history]\nwindow = \"{window}\"\n\
         [server]\ncompression = \"always\"\nheartbeat = \"{heartbeat}s\"\n\
         [server.limits]\nmax_backlog = \"64KiB\"\nstall_timeout = \"3s\"\n\
         [log]\nlevel = \"{level}\"\n[labels]\nturn = \"{turn}\"\n"
    )
}

impl<'a> Operator<'a> {
    pub(super) fn new(daemon: &'a TestDaemon, log: &Path) -> Self {
        Self { daemon, log: log.to_owned(), reloads: 0, rotations: 0 }
    }

    /// Works until `done`, and ends with the configuration that was there at first.
    pub(super) fn work(&mut self, done: impl Fn() -> bool) {
        let mut turn = 0;
        while !done() {
            turn += 1;
            self.reload(turn);
            if turn % RELOADS_A_LOG == 0 {
                self.rotate();
            }
            let since = Instant::now();
            while !done() && since.elapsed() < BETWEEN_RELOADS {
                thread::sleep(Duration::from_millis(100));
            }
        }
        self.reload(0);
        assert_eq!(self.daemon.status()["host"]["labels"]["turn"], "0", "the last configuration is in force");
    }

    /// Returns when the daemon has told what came of it.
    fn reload(&mut self, turn: u64) {
        self.daemon.reload(&config(turn));
        self.reloads += 1;
        let since = Instant::now();
        while self.told() < self.reloads {
            assert!(since.elapsed() < PATIENCE, "a reload was not told of");
            thread::sleep(Duration::from_millis(50));
        }
    }

    fn told(&self) -> u64 {
        let reload = &self.daemon.status()["reload"];
        reload["applied"].as_u64().unwrap() + reload["refused"].as_u64().unwrap()
    }

    /// As logrotate's `copytruncate` does, which needs nothing of the daemon but that it appends.
    fn rotate(&mut self) {
        let size = fs::metadata(&self.log).unwrap().len();
        assert!((1..MAX_LOG_BYTES).contains(&size), "a log of {size} bytes");
        fs::copy(&self.log, self.log.with_extension("1")).unwrap();
        File::options().write(true).open(&self.log).unwrap().set_len(0).unwrap();
        self.rotations += 1;
        self.reload(0);
        let since = Instant::now();
        let begins = loop {
            let text = fs::read(&self.log).unwrap();
            match text.first() {
                Some(first) => break *first,
                None => assert!(since.elapsed() < PATIENCE, "nothing is logged any more"),
            }
            thread::sleep(Duration::from_millis(50));
        };
        assert_ne!(begins, 0, "the log goes on where it was, behind a hole");
    }
}
