//! `hostcast record`

use std::{
    collections::HashSet,
    io::{self, Write as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;

use self::{
    file::{HostOptions, Section},
    options::{DEFAULT_BUFFER, Options},
};
use crate::{
    client::{Client, History, InvalidUrl, Url},
    config::LogLevel,
    logging,
    record::{RecordError, Recording, record},
    recording::FolderName,
};

mod file;
mod options;

/// `hostcast record`
#[derive(Debug, Args)]
pub struct RecordArgs {
    #[arg(
        value_name = "[NAME=]URL",
        required_unless_present = "config",
        help = "The daemons: ws://HOST:PORT, wss://HOST or HOST, each with a name of its own as NAME=URL"
    )]
    hosts: Vec<Target>,
    /// A TOML file with a section [record]: the options below, and hosts. Flags win over it
    #[arg(long, short, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    options: Options,
}

/// A daemon, and what its folder is called.
#[derive(Clone, Debug)]
struct Target {
    name: FolderName,
    url: Url,
    /// What this host has of its own.
    own: HostOptions,
}

/// As clap has it.
const WRONG_USAGE: u8 = 2;

impl RecordArgs {
    /// Records until it is told to stop.
    pub fn run(self) -> Result<ExitCode, RecordError> {
        match self.recording() {
            Ok((recording, level)) => {
                let _log = logging::start(level);
                record(recording).map(|()| ExitCode::SUCCESS)
            }
            Err(wrong) => {
                // Where nobody listens, the exit code still says it.
                let _ = writeln!(io::stderr(), "hostcast: {wrong}");
                Ok(ExitCode::from(WRONG_USAGE))
            }
        }
    }

    fn recording(self) -> Result<(Recording, LogLevel), String> {
        let file = self.config.as_deref().map(Section::read).transpose()?.unwrap_or_default();
        let mut targets = self.hosts;
        targets.extend(file.targets()?);
        let options = self.options.over(file.options);
        let mut names = HashSet::new();
        if let Some(twice) = targets.iter().find(|target| !names.insert(target.name.clone())) {
            return Err(format!("two hosts are called {0}; give them names: NAME={1}", twice.name, twice.url));
        }
        if targets.is_empty() {
            return Err("there is no host to record".into());
        }
        let tls = options.tls()?;
        let client = |target: Target| {
            let mut builder = Client::builder(target.url).history(options.since.unwrap_or(History::All));
            builder = builder.token_file(target.own.token_file.or_else(|| options.token_file.clone()));
            if let Some(metrics) = target.own.metrics.as_ref().or(options.metrics.as_ref()) {
                builder = builder.metrics(metrics);
            }
            if let Some(tls) = &tls {
                builder = builder.tls(tls.clone());
            }
            (target.name, builder)
        };
        let recording = Recording {
            hosts: targets.into_iter().map(client).collect(),
            output: options.output()?,
            buffer: options.buffer.unwrap_or(DEFAULT_BUFFER),
        };
        Ok((recording, options.log_level.unwrap_or(LogLevel::Info)))
    }
}

impl std::str::FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, url) = match text.split_once('=') {
            Some((name, url)) if !name.contains(['/', ':']) => (Some(name), url),
            _ => (None, text),
        };
        let url: Url = url.parse().map_err(|error: InvalidUrl| error.to_string())?;
        let name = name.map_or_else(|| name_of(&url), ToOwned::to_owned);
        let name = FolderName::new(&name).map_err(|error| error.to_string())?;
        Ok(Self { name, url, own: HostOptions::default() })
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

pub(super) const HELP: &str = "\
Examples:
  hostcast record web-1 --output /var/lib/hostcast
  hostcast record web-1=ws://10.0.0.1:7117 web-2=ws://10.0.0.2:7117 -o rec --keep 30d
  hostcast record web-1 --output - --since none | jq .values
  hostcast record --config /etc/hostcast/record.toml

Started again, it goes on where the recording ends. What the daemon did not hold any more is recorded as a gap.

Exit codes: 0 stopped when asked to, 1 failed, 2 wrong usage";

#[cfg(test)]
mod tests {
    use super::*;

    fn target(text: &str) -> Result<(String, String), String> {
        text.parse().map(|Target { name, url, .. }| (name.to_string(), url.to_string()))
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
