//! Which daemons are meant, and how they are reached: what the commands that dial out have in common.

use std::{
    collections::{BTreeMap, HashSet},
    path::PathBuf,
};

use clap::Args;
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::{
    client::{Builder, Client, History, InvalidUrl, Tls, Url},
    config::parse_duration,
    recording::FolderName,
};

/// A daemon, and what it is called.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) name: FolderName,
    pub(super) url: Url,
    /// What this host has of its own.
    pub(super) own: HostOptions,
}

/// What one host has of its own.
#[derive(Clone, Debug, Default)]
pub(super) struct HostOptions {
    pub(super) token_file: Option<PathBuf>,
    pub(super) metrics: Option<String>,
    pub(super) labels: BTreeMap<String, String>,
}

/// The same as flags and as keys of a file. What is not given has a default.
#[derive(Clone, Debug, Default, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Reach {
    #[arg(long, value_name = "DURATION", value_parser = history, help = SINCE_HELP)]
    #[serde(deserialize_with = "by_history")]
    pub(super) since: Option<History>,
    /// A file with a bearer token, read with each connection
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Certificates of the authorities to trust behind wss://, instead of the system's
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// This client's certificates, for servers that ask for one
    #[arg(long, value_name = "FILE")]
    cert_file: Option<PathBuf>,
    /// The key of that certificate
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Only series that begin with one of these, separated by commas
    #[arg(long, value_name = "LIST")]
    metrics: Option<String>,
}

const SINCE_HELP: &str = "How much of the past to begin with: a duration, all or none [default: all to record, where nothing is recorded yet; else 1m]";

impl Reach {
    /// The keys that it has in a file, beside those of a command.
    pub(super) const KEYS: [&str; 6] = ["since", "token_file", "ca_file", "cert_file", "key_file", "metrics"];

    /// These, and where one is not given, the other's.
    pub(super) fn over(self, weaker: Self) -> Self {
        Self {
            since: self.since.or(weaker.since),
            token_file: self.token_file.or(weaker.token_file),
            ca_file: self.ca_file.or(weaker.ca_file),
            cert_file: self.cert_file.or(weaker.cert_file),
            key_file: self.key_file.or(weaker.key_file),
            metrics: self.metrics.or(weaker.metrics),
        }
    }

    /// What is to be dialled. `history` is how much of the past comes first, where that is not said.
    pub(super) fn clients(&self, targets: Vec<Target>, history: History) -> Result<Vec<(FolderName, Builder)>, String> {
        let mut names = HashSet::new();
        if let Some(twice) = targets.iter().find(|target| !names.insert(target.name.clone())) {
            return Err(format!("two hosts are called {0}; give them names: NAME={1}", twice.name, twice.url));
        }
        if targets.is_empty() {
            return Err("there is no host to follow".into());
        }
        let tls = self.tls()?;
        let client = |target: Target| {
            let mut builder = Client::builder(target.url).history(self.since.unwrap_or(history));
            builder = builder.token_file(target.own.token_file.or_else(|| self.token_file.clone()));
            if let Some(metrics) = target.own.metrics.as_ref().or(self.metrics.as_ref()) {
                builder = builder.metrics(metrics);
            }
            if let Some(tls) = &tls {
                builder = builder.tls(tls.clone());
            }
            (target.name, builder)
        };
        Ok(targets.into_iter().map(client).collect())
    }

    /// `None` where the system's authorities and no certificate of our own will do.
    fn tls(&self) -> Result<Option<Tls>, String> {
        let identity = match (&self.cert_file, &self.key_file) {
            (Some(chain), Some(key)) => Some((chain.as_path(), key.as_path())),
            (None, None) => None,
            _ => return Err("a certificate and its key go together: --cert-file and --key-file".into()),
        };
        let is_wanted = self.ca_file.is_some() || identity.is_some();
        let tls = is_wanted.then(|| Tls::new(self.ca_file.as_deref(), identity));
        tls.transpose().map_err(|error| error.to_string())
    }
}

fn history(text: &str) -> Result<History, String> {
    match text {
        "all" => Ok(History::All),
        "none" => Ok(History::None),
        span => parse_duration(span).map(History::Last),
    }
}

fn by_history<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<History>, D::Error> {
    history(&String::deserialize(deserializer)?).map(Some).map_err(D::Error::custom)
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
