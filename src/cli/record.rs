//! `hostcast record`

use std::{
    collections::HashSet,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
    time::Duration,
};

use clap::Args;

use crate::{
    client::{Client, History, Tls, Url},
    config::{LogLevel, parse_duration, parse_size},
    logging,
    record::{Output, RecordError, Recording, record},
    recording::{FolderName, Retention, Rotation},
};

/// `hostcast record`
#[derive(Debug, Args)]
pub struct RecordArgs {
    #[arg(
        value_name = "[NAME=]URL",
        required = true,
        help = "The daemons: ws://HOST:PORT, wss://HOST or HOST, each with a name of its own as NAME=URL"
    )]
    hosts: Vec<Target>,
    /// The folder to record into, one folder for each host in it; - for the standard output
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "all",
        value_parser = history,
        help = "How much of the past to begin with, where nothing is recorded yet: a duration, all or none"
    )]
    since: History,
    /// A file with a bearer token, read with each connection
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Certificates of the authorities to trust behind wss://, instead of the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// This client's certificates, for servers that ask for one
    #[arg(long, value_name = "FILE", requires = "key_file")]
    cert_file: Option<PathBuf>,
    /// The key of that certificate
    #[arg(long, value_name = "FILE", requires = "cert_file")]
    key_file: Option<PathBuf>,
    /// Only series that begin with one of these, separated by commas
    #[arg(long, value_name = "LIST")]
    metrics: Option<String>,
    /// When to begin a new part, counted from midnight, UTC
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = parse_duration)]
    rotate_every: Duration,
    /// Begin a new part at this size of its archive, too
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = parse_size)]
    rotate_size: u64,
    /// Remove parts that were finished longer ago than this
    #[arg(long, value_name = "DURATION", value_parser = parse_duration)]
    keep: Option<Duration>,
    /// Remove the oldest parts while all hosts together take more than this
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    keep_size: Option<u64>,
    /// How much may wait in memory while nothing can be written, of all hosts together
    #[arg(long, value_name = "SIZE", default_value = "64MiB", value_parser = buffer)]
    buffer: u32,
    /// error, warn, info, debug or trace
    #[arg(long, value_name = "LEVEL", default_value = "info", value_parser = level)]
    log_level: LogLevel,
}

/// A daemon, and what its folder is called.
#[derive(Clone, Debug)]
struct Target {
    name: FolderName,
    url: Url,
}

/// As clap has it.
const WRONG_USAGE: u8 = 2;

impl RecordArgs {
    /// Records until it is told to stop.
    pub fn run(self) -> Result<ExitCode, RecordError> {
        let _log = logging::start(self.log_level);
        match self.recording() {
            Ok(recording) => record(recording).map(|()| ExitCode::SUCCESS),
            Err(wrong) => {
                // Where nobody listens, the exit code still says it.
                let _ = writeln!(io::stderr(), "hostcast: {wrong}");
                Ok(ExitCode::from(WRONG_USAGE))
            }
        }
    }

    fn recording(self) -> Result<Recording, String> {
        let mut names = HashSet::new();
        if let Some(twice) = self.hosts.iter().find(|target| !names.insert(target.name.clone())) {
            return Err(format!("two hosts are called {0}; give them names: NAME={1}", twice.name, twice.url));
        }
        let identity = self.cert_file.as_deref().zip(self.key_file.as_deref());
        let tls = (self.ca_file.is_some() || identity.is_some()).then(|| Tls::new(self.ca_file.as_deref(), identity));
        let tls = tls.transpose().map_err(|error| error.to_string())?;
        let client = |target: Target| {
            let builder = Client::builder(target.url).history(self.since).token_file(self.token_file.clone());
            let builder = match &self.metrics {
                Some(metrics) => builder.metrics(metrics),
                None => builder,
            };
            let builder = match &tls {
                Some(tls) => builder.tls(tls.clone()),
                None => builder,
            };
            (target.name, builder)
        };
        let rotation = Rotation { every: self.rotate_every, size: self.rotate_size };
        let retention = Retention { age: self.keep, size: self.keep_size };
        let output = match self.output {
            path if path.as_os_str() == "-" => Output::Stdout,
            path => Output::Folder { path, rotation, retention },
        };
        Ok(Recording { hosts: self.hosts.into_iter().map(client).collect(), output, buffer: self.buffer })
    }
}

impl std::str::FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, url) = match text.split_once('=') {
            Some((name, url)) if !name.contains(['/', ':']) => (Some(name), url),
            _ => (None, text),
        };
        let url: Url = url.parse().map_err(|error: crate::client::InvalidUrl| error.to_string())?;
        let name = name.map_or_else(|| name_of(&url), ToOwned::to_owned);
        let name = FolderName::new(&name).map_err(|error| error.to_string())?;
        Ok(Self { name, url })
    }
}

/// What tells a host from others, without what they have in common.
fn name_of(url: &Url) -> String {
    let host = url.host().replace(':', "-");
    match url.port() {
        80 | 443 | crate::config::DEFAULT_PORT => host,
        port => format!("{host}_{port}"),
    }
}

fn history(text: &str) -> Result<History, String> {
    match text {
        "all" => Ok(History::All),
        "none" => Ok(History::None),
        span => parse_duration(span).map(History::Last),
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

pub(super) const HELP: &str = "\
Examples:
  hostcast record web-1 --output /var/lib/hostcast
  hostcast record web-1=ws://10.0.0.1:7117 web-2=ws://10.0.0.2:7117 -o rec --keep 30d
  hostcast record web-1 --output - --since none | jq .values

Started again, it goes on where the recording ends. What the daemon did not hold any more is recorded as a gap.

Exit codes: 0 stopped when asked to, 1 failed, 2 wrong usage";

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Result<(String, String), String> {
        text.parse().map(|Target { name, url }| (name.to_string(), url.to_string()))
    }

    #[test]
    fn a_host_is_named_by_its_address_or_by_its_user() {
        let named = |name: &str, url: &str| Ok((name.to_owned(), url.to_owned()));
        assert_eq!(target("web-1"), named("web-1", "ws://web-1:7117"));
        assert_eq!(target("ws://[::1]:7200"), named("--1_7200", "ws://[::1]:7200"));
        assert_eq!(target("db=wss://x.example.org/db"), named("db", "wss://x.example.org:443/db"));
        assert_eq!(target("wss://x.example.org/a=b"), named("x.example.org", "wss://x.example.org:443/a=b"));
        assert!(target("../x=web-1").is_err() && target("..=web-1").is_err());
    }
}
