//! `hostcast record` in a folder, and what is found there.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use hostcast::{
    protocol::{Position, WireSample, WireValues},
    recording::{Found, Ledger, Line, Reader, Record, Report, verify},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::{Pour, eventually, program};

/// The flags for each form that a recording can have.
pub(crate) const FORMS: [&[&str]; 2] = [&["--format", "ndjson"], &["--format", "csv"]];

/// A recorder with a folder; killed when it is dropped.
pub(crate) struct Recorder {
    child: Child,
    folder: PathBuf,
    log: tempfile::NamedTempFile,
}

impl Recorder {
    pub(crate) fn start(folder: &Path, targets: &[String]) -> Self {
        Self::with(folder, targets, &[])
    }

    pub(crate) fn with(folder: &Path, targets: &[String], flags: &[&str]) -> Self {
        let mut command = Command::new(program());
        command.arg("record").args(targets).arg("--output").arg(folder).args(flags);
        Self::run(&mut command, folder)
    }

    /// A recorder that is started like this, and records into this folder.
    pub(crate) fn run(command: &mut Command, folder: &Path) -> Self {
        let log = tempfile::NamedTempFile::new().unwrap();
        let stderr = log.reopen().unwrap();
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
        Self { child, folder: folder.into(), log }
    }

    /// What it has said so far.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.log.path()).unwrap()
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Tells it to stop; its exit code.
    pub(crate) fn stop(&mut self) -> Option<i32> {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
        let mut code = None;
        eventually("the recorder ends", || {
            let status = self.child.try_wait().unwrap();
            code = status.and_then(|status| status.code());
            status.is_some()
        });
        code
    }

    /// Waits until sample `seq` of the ring that is recorded now is there.
    pub(crate) fn wait_for(&self, host: &str, seq: u64) {
        let folder = self.folder.join(host);
        eventually(&format!("sample {seq} of {host} is recorded"), || {
            position(&folder).is_some_and(|position| position.seq >= seq)
        });
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of one host, as a reader finds them.
pub(crate) fn lines(folder: &Path) -> Vec<Value> {
    let (mut reader, mut lines) = (Reader::open(folder).unwrap(), Vec::new());
    while let Some(found) = reader.read().unwrap() {
        match found {
            Found::Line(text, line) => lines.push(serde_json::from_slice(&text.json(&line)).unwrap()),
            // It is being written.
            Found::Torn(_) => {}
            Found::Damaged(why) => panic!("{why}"),
        }
    }
    lines
}

/// How far the recording of a host has come: the newest sample that is there, or named as missing.
pub(crate) fn position(folder: &Path) -> Option<Position> {
    let (mut reader, mut ledger) = (Reader::open(folder).ok()?, Ledger::default());
    while let Some(found) = reader.read().unwrap() {
        if let Found::Line(_, line) = found {
            ledger.accept(&line.record());
        }
    }
    ledger.position()
}

pub(crate) struct Recorded {
    pub(crate) seq: u64,
    pub(crate) json: Value,
}

pub(crate) fn samples(folder: &Path) -> Vec<Recorded> {
    let lines = lines(folder).into_iter().filter(|line| line["type"] == "sample");
    lines.map(|json| Recorded { seq: json["seq"].as_u64().unwrap(), json }).collect()
}

pub(crate) fn report(folder: &Path) -> Report {
    verify(folder).unwrap()
}

/// That what is recorded is what was published, and what is not is named.
pub(crate) fn accounts_for(folder: &Path, pour: &Pour) -> Report {
    let report = report(folder);
    assert!(report.is_sound(), "{report:?}");
    let (mut reader, mut next) = (Reader::open(folder).unwrap(), None);
    while let Some(found) = reader.read().unwrap() {
        let Found::Line(text, line) = found else { panic!("{found:?}") };
        let due = next.unwrap_or_else(|| match line.record() {
            Record::Sample { seq, .. } => seq,
            Record::Gap(gap) => gap.from_seq,
            Record::Hello { .. } => 0,
        });
        match line {
            Line::Sample { seq, .. } => {
                assert_eq!(seq, due);
                let sample: WireSample = serde_json::from_slice(&text.json(&line)).unwrap();
                assert!(matches!(&sample.values, WireValues::Named(_)));
                pour.check(&[sample]);
                next = Some(seq + 1);
            }
            Line::Gap(gap) => {
                assert_eq!(gap.from_seq, due);
                next = Some(gap.to_seq.unwrap() + 1);
            }
            Line::Hello { .. } => {}
        }
    }
    assert_eq!(next, Some(pour.newest() + 1));
    report
}

pub(crate) fn target(name: &str, url: &str) -> String {
    format!("{name}={url}")
}
