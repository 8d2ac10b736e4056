//! Whether a recording is whole.

use std::{
    collections::BTreeMap,
    io,
    num::NonZero,
    panic::resume_unwind,
    path::{Path, PathBuf},
    sync::atomic::{AtomicUsize, Ordering::Relaxed},
    thread,
};

use serde::Serialize;

use super::{
    check::Check,
    ledger::{Ledger, Record, Verdict},
    line::Line,
    reader::{Found, Reader},
};
use crate::protocol::GapReason;

/// What there is of one host.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// The name of its folder.
    pub host: String,
    /// How many samples there are.
    pub samples: u64,
    /// The time of the first one, in Unix milliseconds.
    pub first_time: Option<u64>,
    /// The time of the last one.
    pub last_time: Option<u64>,
    /// How many lives of the daemon's ring they are of.
    pub epochs: u64,
    /// Gaps that are named, by their reason.
    pub gaps: BTreeMap<GapReason, Gaps>,
    /// Samples that are there twice: there must be none.
    pub duplicates: u64,
    /// Places where samples are missing and no gap says so: there must be none.
    pub holes: u64,
    /// Lines or frames that cannot be read, and samples with a value that is no number: there must be none.
    pub damaged: u64,
    /// The first damages and holes in words.
    pub problems: Vec<String>,
    /// Ends of files that the next start of the recorder will cut.
    pub torn: u64,
    /// What all of it takes on disk.
    pub bytes: u64,
    /// What it is as lines.
    pub bytes_of_lines: u64,
    /// Values of all samples together, missing ones included.
    pub values: u64,
}

/// The gaps of one reason.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Gaps {
    /// How many there are.
    pub count: u64,
    /// How many samples they name; those that a restart has cost are not known.
    pub samples: u64,
}

/// More than this is told by a number.
const MAX_PROBLEMS: usize = 5;

impl Report {
    /// Nothing is damaged, and what is missing has a name.
    pub fn is_sound(&self) -> bool {
        self.duplicates == 0 && self.holes == 0 && self.damaged == 0 && self.torn == 0
    }

    /// Nothing is missing at all.
    pub fn is_whole(&self) -> bool {
        self.is_sound() && self.gaps.is_empty()
    }

    /// Samples each second, from the first to the last.
    pub fn rate(&self) -> Option<f64> {
        let span_ms = self.last_time?.checked_sub(self.first_time?).filter(|span| *span > 0)?;
        Some((self.samples - 1) as f64 * 1e3 / span_ms as f64)
    }

    fn damage(&mut self, what: String) {
        self.damaged += 1;
        self.problem(what);
    }

    fn problem(&mut self, what: String) {
        if self.problems.len() < MAX_PROBLEMS {
            self.problems.push(what);
        }
    }

    fn line(&mut self, line: &Line<'_>, verdict: Verdict, check: &mut Check) {
        match verdict {
            Verdict::Next => {}
            Verdict::Known => {
                self.duplicates += 1;
                self.problem(format!("there twice: {:?}", line.record()));
            }
            Verdict::Hole => {
                self.holes += 1;
                self.problem(format!("something is missing, and nothing says so, before {:?}", line.record()));
            }
        }
        match line {
            Line::Sample { epoch, seq, time, values, .. } => {
                self.samples += 1;
                self.first_time.get_or_insert(*time);
                self.last_time = Some(*time);
                match check.count(values) {
                    Some(values) => self.values += values,
                    None => self.damage(format!("sample {epoch}:{seq} has a value that is no number")),
                }
            }
            Line::Gap(gap) => {
                let gaps = self.gaps.entry(gap.reason).or_default();
                gaps.count += 1;
                gaps.samples =
                    gaps.samples.saturating_add(gap.to_seq.map_or(0, |to_seq| to_seq.saturating_sub(gap.from_seq) + 1));
            }
            Line::Hello { .. } => {}
        }
    }
}

/// Reads the recordings of several hosts, as many at a time as there are processors. The reports have their order.
pub fn verify_all(folders: &[PathBuf]) -> io::Result<Vec<Report>> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut reports = Vec::new();
        loop {
            let index = next.fetch_add(1, Relaxed);
            let Some(folder) = folders.get(index) else { return Ok(reports) };
            reports.push((index, verify(folder)?));
        }
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(folders.len());
    let reports: io::Result<Vec<_>> = thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        // A panic is nobody's answer.
        workers.into_iter().map(|worker| worker.join().unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    let mut reports = reports?.concat();
    reports.sort_by_key(|(index, _)| *index);
    Ok(reports.into_iter().map(|(_, report)| report).collect())
}

/// Reads the whole recording of one host.
pub fn verify(folder: &Path) -> io::Result<Report> {
    let name = folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut report = Report { host: name, ..Report::default() };
    let mut reader = Reader::open(folder)?;
    let (mut ledger, mut epoch, mut check) = (Ledger::default(), None, Check::default());
    while let Some(found) = reader.read()? {
        match found {
            Found::Line(_, line) => {
                let record = line.record();
                let verdict = ledger.judge(&record);
                if verdict != Verdict::Known {
                    ledger.accept(&record);
                }
                report.line(&line, verdict, &mut check);
                if let Record::Sample { epoch: this, .. } = record
                    && epoch.replace(this) != Some(this)
                {
                    report.epochs += 1;
                }
            }
            Found::Damaged(why) => report.damage(why),
            Found::Torn(path) => {
                report.torn += 1;
                report.problem(format!("the end of {} is torn", path.display()));
            }
        }
    }
    report.bytes = reader.bytes_on_disk();
    report.bytes_of_lines = reader.bytes_of_lines();
    Ok(report)
}
