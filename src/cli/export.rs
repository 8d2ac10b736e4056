//! `hostcast export`

use std::{
    io::{self, BufWriter, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Args, ValueEnum};

use crate::{
    recording::{Selection, export_csv, export_ndjson, hosts},
    time,
};

/// `hostcast export`
#[derive(Debug, Args)]
pub struct ExportArgs {
    /// A recording, or the folder of one host in it
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// How to write it
    #[arg(long, value_name = "FORMAT", default_value = "ndjson")]
    format: Format,
    /// From this time on: 2026-01-31T12:00:00Z, 2026-01-31T13:00:00+01:00 or Unix milliseconds
    #[arg(long, value_name = "TIME", value_parser = time::parse_millis)]
    from: Option<u64>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = time::parse_millis)]
    to: Option<u64>,
    /// Only series that begin with this; may be repeated
    #[arg(long, value_name = "PREFIX")]
    metrics: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// A table: a row for each sample, a column for each series
    Csv,
    /// Lines of JSON, as they were recorded
    Ndjson,
}

impl ExportArgs {
    /// Writes what is wanted to the standard output.
    pub fn run(self) -> io::Result<ExitCode> {
        let at = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", self.folder.display()));
        let hosts = hosts(&self.folder).map_err(at)?;
        if hosts.is_empty() {
            return Err(at(io::Error::new(io::ErrorKind::NotFound, "there is no recording in it")));
        }
        let selection = Selection { from: self.from, to: self.to, metrics: self.metrics };
        let mut out = BufWriter::new(io::stdout().lock());
        let exported = match self.format {
            Format::Csv => export_csv(&hosts, &selection, &mut out)?,
            Format::Ndjson => export_ndjson(&hosts, &selection, &mut out)?,
        };
        out.flush()?;
        if exported.damaged == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        let damaged = exported.damaged;
        writeln!(io::stderr(), "hostcast: {damaged} places could not be read; hostcast verify tells which")?;
        Ok(ExitCode::FAILURE)
    }
}

pub(super) const HELP: &str = "\
Examples:
  hostcast export recording --format csv > all.csv
  hostcast export recording/web-1 --from 2026-11-22T02:00:00Z --to 2026-11-22T03:00:00Z
  hostcast export recording --metrics system.cpu.utilization | jq .values

Exit codes: 0 done, 1 failed or something could not be read, 2 wrong usage";
