//! `hostcast verify`

use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use clap::Args;
use serde::Serialize;

use crate::recording::{Report, hosts, verify_all};

/// `hostcast verify`
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// A recording, or the folder of one host in it
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// One JSON document instead of a table
    #[arg(long)]
    json: bool,
}

/// A recording is sound, but not whole.
const GAPS: u8 = 3;

/// What a verification has found, worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Found {
    /// Nothing is missing.
    Whole,
    /// Samples are missing, and gaps say which.
    Gaps,
    /// Something is damaged, missing without a word, or there twice.
    Damage,
}

#[derive(Serialize)]
struct Document<'a> {
    whole: bool,
    hosts: &'a [Report],
}

impl VerifyArgs {
    /// Reads the recording and writes what was found.
    pub fn run(&self) -> io::Result<ExitCode> {
        let mut out = BufWriter::new(io::stdout().lock());
        let found = self.verify(&mut out)?;
        out.flush()?;
        Ok(match found {
            Found::Whole => ExitCode::SUCCESS,
            Found::Gaps => ExitCode::from(GAPS),
            Found::Damage => ExitCode::FAILURE,
        })
    }

    fn verify(&self, out: &mut impl Write) -> io::Result<Found> {
        let at = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", self.folder.display()));
        let folders = hosts(&self.folder).map_err(at)?;
        if folders.is_empty() {
            return Err(at(io::Error::new(io::ErrorKind::NotFound, "there is no recording in it")));
        }
        let reports = verify_all(&folders).map_err(at)?;
        let found = reports.iter().map(found).max().unwrap_or(Found::Damage);
        if self.json {
            serde_json::to_writer_pretty(&mut *out, &Document { whole: found == Found::Whole, hosts: &reports })?;
            writeln!(out)?;
        } else {
            table(&reports, out)?;
        }
        Ok(found)
    }
}

fn found(report: &Report) -> Found {
    match report {
        report if report.is_whole() => Found::Whole,
        report if report.is_sound() => Found::Gaps,
        _ => Found::Damage,
    }
}

const HEAD: [&str; 9] = ["host", "samples", "from", "to", "rate/s", "bytes/value", "twice", "damaged", "missing"];

fn table(reports: &[Report], out: &mut impl Write) -> io::Result<()> {
    let rows: Vec<[String; 9]> = reports.iter().map(row).collect();
    let head = HEAD.map(str::to_owned);
    let width = |column: usize| std::iter::once(&head).chain(&rows).map(|row| row[column].len()).max().unwrap_or(0);
    let widths: [usize; 9] = std::array::from_fn(width);
    for row in std::iter::once(&head).chain(&rows) {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        writeln!(out, "{}", cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    for report in reports {
        for problem in &report.problems {
            writeln!(out, "{}: {problem}", report.host)?;
        }
    }
    Ok(())
}

fn row(report: &Report) -> [String; 9] {
    let time = |millis: Option<u64>| {
        let time = millis.map(|millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis));
        time.map_or("-".into(), |time| humantime::format_rfc3339_seconds(time).to_string())
    };
    let per_value = (report.values > 0).then(|| report.bytes as f64 / report.values as f64);
    let number = |number: Option<f64>| number.map_or("-".into(), |number| format!("{number:.2}"));
    let mut missing: Vec<_> = report
        .gaps
        .iter()
        .map(|(reason, gaps)| {
            let samples = if gaps.samples > 0 { format!(" ({} samples)", gaps.samples) } else { String::new() };
            format!("{} {}{samples}", gaps.count, reason.name())
        })
        .collect();
    if report.holes > 0 {
        missing.push(format!("{} untold", report.holes));
    }
    let damaged = match (report.damaged, report.torn) {
        (damaged, 0) => damaged.to_string(),
        (damaged, torn) => format!("{damaged}, {torn} torn"),
    };
    [
        report.host.clone(),
        report.samples.to_string(),
        time(report.first_time),
        time(report.last_time),
        number(report.rate()),
        number(per_value),
        report.duplicates.to_string(),
        damaged,
        if missing.is_empty() { "nothing".into() } else { missing.join(", ") },
    ]
}

pub(super) const HELP: &str = "\
Examples:
  hostcast verify /var/lib/hostcast
  hostcast verify /var/lib/hostcast/web-1 --json | jq .hosts[].gaps

Exit codes: 0 whole, 3 samples are missing and gaps say which, 1 damaged or failed, 2 wrong usage";
