//! What the daemon is told to do: plain data, valid by construction.
//!
//! [`Source::load`] lays the layers over each other, each stronger than the one before it: the built-in defaults
//! ([`Config::default`]), one TOML file, environment variables, flags of the command line. Every value carries where
//! it was written until it is checked, so that each problem is one line that names the place. Past that border
//! nothing is checked again.

mod base_path;
mod dashboard;
mod defaults;
mod difference;
mod duration;
mod environment;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzzing;
mod label;
mod listen;
mod parse;
mod print;
mod proxies;
mod read;
mod section;
mod size;
mod source;
mod suggest;
#[cfg(test)]
mod tests;
mod tree;
pub(crate) mod web;

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, time::Duration};

pub use base_path::BasePath;
pub(crate) use base_path::Place;
pub use dashboard::DashboardConfig;
pub use duration::{format_duration, parse_duration};
pub(crate) use label::{MOST_LABELS, check_label_name, check_label_value};
pub use proxies::TrustedProxy;
pub use size::parse_size;
pub use source::{Flag, InvalidConfig, Loaded, SYSTEM_FILE, Source};
pub use web::{AllowedHost, WebOrigin};

/// The port that hostcast listens at unless told otherwise.
pub const DEFAULT_PORT: u16 = 7117;

/// The whole configuration. [`Config::default`] is what runs without a file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Config {
    /// How often to sample.
    pub sampler: SamplerConfig,
    /// What to sample.
    pub collectors: CollectorsConfig,
    /// How much of the past to keep.
    pub history: HistoryConfig,
    /// Whom to serve, and within which bounds.
    pub server: ServerConfig,
    /// What the dashboard shows besides this host, and where it may be shown.
    pub dashboard: DashboardConfig,
    /// What to log.
    pub log: LogConfig,
    /// Free labels that every `hello` carries, such as a site or a role.
    pub labels: BTreeMap<String, String>,
}

/// `[sampler]`
#[derive(Clone, Debug, PartialEq)]
pub struct SamplerConfig {
    /// Time between two ticks: 100 ms to 1 h.
    pub interval: Duration,
}

/// `[collectors]`: each is `None` where it is turned off.
#[derive(Clone, Debug, PartialEq)]
pub struct CollectorsConfig {
    /// CPU utilisation.
    pub cpu: Option<CpuConfig>,
    /// Load average and uptime.
    pub load: Option<PlainConfig>,
    /// Memory and swap.
    pub memory: Option<PlainConfig>,
    /// Disk throughput and operations.
    pub disk: Option<DiskConfig>,
    /// Space on filesystems.
    pub filesystem: Option<FilesystemConfig>,
    /// Network throughput, packets, drops and errors.
    pub network: Option<NetworkConfig>,
    /// Temperature sensors.
    pub temperature: Option<PlainConfig>,
    /// Pressure stall information.
    pub pressure: Option<PlainConfig>,
    /// The daemon's own CPU and memory.
    pub process: Option<PlainConfig>,
}

/// A collector that has nothing to set but its period.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PlainConfig {
    /// Time between two readings; `None` is each tick.
    pub every: Option<Duration>,
}

/// `[collectors] cpu`
#[derive(Clone, Debug, PartialEq)]
pub struct CpuConfig {
    /// Time between two readings; `None` is each tick.
    pub every: Option<Duration>,
    /// A series for each core.
    pub per_core: bool,
    /// A series for each kind of work (user, system, iowait, …).
    pub modes: bool,
}

/// `[collectors] disk`
#[derive(Clone, Debug, PartialEq)]
pub struct DiskConfig {
    /// Time between two readings; `None` is each tick.
    pub every: Option<Duration>,
    /// Devices to leave out.
    pub exclude: Patterns,
}

/// `[collectors] network`
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkConfig {
    /// Time between two readings; `None` is each tick.
    pub every: Option<Duration>,
    /// Interfaces to leave out.
    pub exclude: Patterns,
}

/// `[collectors] filesystem`
#[derive(Clone, Debug, PartialEq)]
pub struct FilesystemConfig {
    /// Time between two readings; `None` is each tick.
    pub every: Option<Duration>,
    /// Filesystem types to leave out.
    pub exclude_types: Patterns,
    /// Mount points to leave out.
    pub exclude_mountpoints: Patterns,
}

/// Shell patterns (`*`, `?`, `[…]`), any of which matches.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patterns(Vec<glob::Pattern>);

/// `[history]`
#[derive(Clone, Debug, PartialEq)]
pub struct HistoryConfig {
    /// How far back a subscriber may ask.
    pub window: Duration,
    /// The most memory that the samples of the window may take, in bytes.
    pub max_bytes: u64,
}

/// `[server]`
#[derive(Clone, Debug, PartialEq)]
pub struct ServerConfig {
    /// Where to listen.
    pub listen: Vec<Listen>,
    /// Who has to say who they are.
    pub auth: Auth,
    /// Where tokens are kept.
    pub token_file: PathBuf,
    /// How TCP is encrypted, if it is.
    pub tls: Option<TlsConfig>,
    /// Names of this host that it does not know of itself, as they stand in the address bar of a browser.
    pub allowed_hosts: Vec<AllowedHost>,
    /// Origins of other pages that may read what is served here.
    pub allowed_origins: Vec<WebOrigin>,
    /// Who is believed what they say of those who ask through them.
    pub trusted_proxies: Vec<TrustedProxy>,
    /// What stands before every path.
    pub base_path: BasePath,
    /// The longest silence on a stream: past it a `heartbeat` is sent.
    pub heartbeat: Duration,
    /// How long open connections get to finish when the daemon stops.
    pub shutdown_grace: Duration,
    /// Whether streams are compressed for clients that offer it.
    pub compression: Compression,
    /// Bounds on what clients may take.
    pub limits: Limits,
}

/// A place to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listen {
    /// An IP address and a port; port 0 lets the kernel choose.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// Whom to believe without a question.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// Whoever is on this host. It may then not be listened at an address that others can reach.
    #[default]
    Local,
    /// Everyone, on purpose.
    None,
    /// Nobody: each has to show a token.
    Token,
}

/// `[server.tls]`
#[derive(Clone, Debug, PartialEq)]
pub struct TlsConfig {
    /// The certificate, followed by those that vouch for it, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
    /// Certificates of which clients must show one that is vouched for, in PEM.
    pub client_ca: Option<PathBuf>,
}

/// `[server.limits]`
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Open connections in all.
    pub max_connections: usize,
    /// Open connections of one IP address.
    pub max_connections_per_address: usize,
    /// How long a client may take to send its request's head.
    pub header_timeout: Duration,
    /// Time between two pings to a subscriber, at most 20 s. One that leaves two unanswered is dropped.
    pub ping_interval: Duration,
    /// The most that may wait for one subscriber, in bytes; past it samples are dropped and a `gap` says so.
    pub max_backlog_bytes: u64,
    /// How long a client may read nothing of what waits for it, before it is sent away.
    pub stall_timeout: Duration,
}

/// Whether streams are compressed (`permessage-deflate`) for clients that offer it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// For clients on other machines: on this one bytes are cheaper than the work.
    Auto,
    /// For every client that offers it.
    Always,
    /// For none.
    Never,
}

/// `[log]`
#[derive(Clone, Debug, PartialEq)]
pub struct LogConfig {
    /// The least severe level that is written.
    pub level: LogLevel,
}

/// How much to log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum LogLevel {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Patterns {
    /// Parses each pattern; the error is the first that is malformed.
    pub fn new<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, glob::PatternError> {
        patterns.into_iter().map(glob::Pattern::new).collect::<Result<_, _>>().map(Self)
    }

    /// Whether any pattern matches all of `name`.
    pub fn matches(&self, name: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches(name))
    }

    /// The patterns as they were written.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(glob::Pattern::as_str)
    }
}

impl Compression {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Always, Self::Never];

    /// The choice as the configuration spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Always => "always",
            Self::Never => "never",
        }
    }

    /// Whether it is for a client, which is on this machine or not.
    pub fn is_for(self, is_local: bool) -> bool {
        match self {
            Self::Auto => !is_local,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

impl Auth {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::Local, Self::None, Self::Token];

    /// The choice as the configuration spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::None => "none",
            Self::Token => "token",
        }
    }

    /// Whether it may be listened there.
    pub fn allows(self, listen: &Listen) -> Result<(), OpenToOthers> {
        match listen {
            Listen::Tcp(address) if self == Self::Local && !address.ip().to_canonical().is_loopback() => {
                Err(OpenToOthers(listen.clone()))
            }
            Listen::Tcp(_) | Listen::Unix(_) => Ok(()),
        }
    }
}

/// An address that others can reach, and nothing that asks them who they are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "others can reach {0}, and nothing asks who they are: set server.auth = \"token\" and make one with `hostcast token \
     add NAME`, or set \"none\" if everyone may read"
)]
pub struct OpenToOthers(Listen);

impl LogLevel {
    /// Every level, the quietest first.
    pub const ALL: [Self; 5] = [Self::Error, Self::Warn, Self::Info, Self::Debug, Self::Trace];

    /// The level as the configuration spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}
