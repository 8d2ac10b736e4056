//! `hostcast export`

use std::{
    io::{self, BufWriter, Write as _},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::{Args, ValueEnum};

use crate::{
    config::parse_duration,
    recording::{Format, Selection, export, hosts},
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
    format: Written,
    /// From this time on: 2026-01-31T12:00:00Z, 2026-01-31T13:00:00+01:00 or Unix milliseconds
    #[arg(long, value_name = "TIME", value_parser = time::parse_millis)]
    from: Option<u64>,
    /// Before this time
    #[arg(long, value_name = "TIME", value_parser = time::parse_millis)]
    to: Option<u64>,
    /// Only series that begin with this; may be repeated
    #[arg(long, value_name = "PREFIX")]
    metrics: Vec<String>,
    /// One row for each span of this length: mean, smallest and largest values
    #[arg(long, value_name = "DURATION", value_parser = span)]
    every: Option<Duration>,
}

/// Every format, also those that a build may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Written {
    /// A table: a row for each sample, a column for each series
    Csv,
    /// Lines of JSON, as they were recorded
    Ndjson,
    /// The table in Apache Parquet, where the program was built with that
    Parquet,
}

impl Written {
    fn format(self) -> io::Result<Format> {
        match self {
            Self::Csv => Ok(Format::Csv),
            Self::Ndjson => Ok(Format::Ndjson),
            #[cfg(feature = "parquet")]
            Self::Parquet if io::IsTerminal::is_terminal(&io::stdout()) => {
                Err(io::Error::other("Parquet is nothing for a terminal: send it to a file, with > or |"))
            }
            #[cfg(feature = "parquet")]
            Self::Parquet => Ok(Format::Parquet),
            #[cfg(not(feature = "parquet"))]
            Self::Parquet => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this program was built without Parquet: cargo build --release --features parquet, or --format csv",
            )),
        }
    }
}

impl ExportArgs {
    /// Writes what is wanted to the standard output.
    pub fn run(self) -> io::Result<ExitCode> {
        let at = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", self.folder.display()));
        let format = self.format.format()?;
        let hosts = hosts(&self.folder).map_err(at)?;
        if hosts.is_empty() {
            return Err(at(io::Error::new(io::ErrorKind::NotFound, "there is no recording in it")));
        }
        let selection = Selection { from: self.from, to: self.to, metrics: self.metrics, every: self.every };
        let mut out = BufWriter::new(io::stdout());
        let exported = export(&hosts, &selection, format, &mut out)?;
        out.flush()?;
        if exported.damaged == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        let damaged = exported.damaged;
        writeln!(io::stderr(), "hostcast: {damaged} places could not be read; hostcast verify tells which")?;
        Ok(ExitCode::FAILURE)
    }
}

fn span(text: &str) -> Result<Duration, String> {
    let span = parse_duration(text)?;
    if span.is_zero() { Err("must be at least 1ms".into()) } else { Ok(span) }
}

pub(super) const HELP: &str = "\
Examples:
  hostcast export recording --format csv > all.csv
  hostcast export recording/web-1 --from 2026-11-22T02:00:00Z --to 2026-11-22T03:00:00Z
  hostcast export recording --metrics system.cpu.utilization | jq .values
  hostcast export recording --every 5m --format parquet > all.parquet

Exit codes: 0 done, 1 failed or something could not be read, 2 wrong usage";
