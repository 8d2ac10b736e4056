//! The options of `hostcast record`: the same as flags and as keys of a file.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::{
    config::{LogLevel, parse_duration, parse_size},
    record::Output,
    recording::{Form, Retention, Rotation},
};

/// What is not given has a default.
#[derive(Clone, Debug, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Options {
    /// The folder to record into, one folder for each host in it; - for the standard output
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
    /// How to write it [default: ndjson]
    #[arg(long, value_name = "FORMAT")]
    format: Option<Format>,
    /// When to begin a new part, counted from midnight, UTC [default: 24h]
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    #[serde(deserialize_with = "by_duration")]
    rotate_every: Option<Duration>,
    /// Begin a new part at this size of its archive, too [default: 64MiB]
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    #[serde(deserialize_with = "by_size")]
    rotate_size: Option<u64>,
    /// Remove parts that were finished longer ago than this
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    #[serde(deserialize_with = "by_duration")]
    keep: Option<Duration>,
    /// Remove the oldest parts while all hosts together take more than this
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    #[serde(deserialize_with = "by_size")]
    keep_size: Option<u64>,
    /// How much may wait in memory while nothing can be written, of all hosts together [default: 64MiB]
    #[arg(long, value_name = "SIZE", value_parser = buffer)]
    #[serde(deserialize_with = "by_buffer")]
    pub(super) buffer: Option<u32>,
    /// error, warn, info, debug or trace [default: info]
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    #[serde(deserialize_with = "by_level")]
    pub(super) log_level: Option<LogLevel>,
}

/// How the lines of a recording are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Format {
    /// Lines of JSON
    Ndjson,
    /// Rows of CSV, under a header that does not change within a part
    Csv,
}

impl From<Format> for Form {
    fn from(format: Format) -> Self {
        match format {
            Format::Ndjson => Self::Ndjson,
            Format::Csv => Self::Csv,
        }
    }
}

/// As much as the daemons of a thousand hosts stream within twenty seconds.
pub(super) const DEFAULT_BUFFER: u32 = 64 << 20;

/// Hosts have different columns, and one's change, but a table has one header.
const NO_TABLE: &str =
    "the standard output gets lines of JSON alone: use --format ndjson, or let --output name a folder";

impl Options {
    /// These, and where one is not given, the other's.
    pub(super) fn over(self, weaker: Self) -> Self {
        Self {
            output: self.output.or(weaker.output),
            format: self.format.or(weaker.format),
            rotate_every: self.rotate_every.or(weaker.rotate_every),
            rotate_size: self.rotate_size.or(weaker.rotate_size),
            keep: self.keep.or(weaker.keep),
            keep_size: self.keep_size.or(weaker.keep_size),
            buffer: self.buffer.or(weaker.buffer),
            log_level: self.log_level.or(weaker.log_level),
        }
    }

    pub(super) fn output(&self) -> Result<Output, String> {
        let path = self.output.clone().ok_or("where to? --output names a folder, or - for the standard output")?;
        let form = self.format.map_or(Form::default(), Form::from);
        if path.as_os_str() == "-" {
            return if form == Form::Ndjson { Ok(Output::Stdout) } else { Err(NO_TABLE.into()) };
        }
        let default = Rotation::default();
        let rotation = Rotation {
            every: self.rotate_every.unwrap_or(default.every),
            size: self.rotate_size.unwrap_or(default.size),
        };
        Ok(Output::Folder { path, form, rotation, retention: Retention { age: self.keep, size: self.keep_size } })
    }
}

fn buffer(text: &str) -> Result<u32, String> {
    let size = parse_size(text)?;
    let size = u32::try_from(size).ok().filter(|size| (1 << 20..=1 << 30).contains(size));
    size.ok_or_else(|| "from 1MiB to 1GiB".into())
}

fn level(text: &str) -> Result<LogLevel, String> {
    let level = LogLevel::ALL.into_iter().find(|level| level.name() == text);
    level.ok_or_else(|| format!("one of {}", LogLevel::ALL.map(LogLevel::name).join(", ")))
}

fn by<'de, T, D: Deserializer<'de>>(
    deserializer: D,
    parse: fn(&str) -> Result<T, String>,
) -> Result<Option<T>, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse(&text).map(Some).map_err(D::Error::custom)
}

fn by_duration<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    by(deserializer, parse_duration)
}

fn by_size<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    by(deserializer, parse_size)
}

fn by_buffer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    by(deserializer, buffer)
}

fn by_level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<LogLevel>, D::Error> {
    by(deserializer, level)
}
