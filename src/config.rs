//! What the daemon is told to do: plain data, valid by construction.

use std::{collections::BTreeMap, fmt, net::SocketAddr, path::PathBuf, time::Duration};

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
    /// The longest silence on a stream: past it a `heartbeat` is sent.
    pub heartbeat: Duration,
    /// How long open connections get to finish when the daemon stops.
    pub shutdown_grace: Duration,
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

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

impl Default for SamplerConfig {
    fn default() -> Self {
        Self { interval: Duration::from_secs(1) }
    }
}

impl Default for CollectorsConfig {
    fn default() -> Self {
        Self {
            cpu: Some(CpuConfig::default()),
            load: Some(PlainConfig::default()),
            memory: Some(PlainConfig::default()),
            disk: Some(DiskConfig::default()),
            filesystem: Some(FilesystemConfig::default()),
            network: Some(NetworkConfig::default()),
            temperature: Some(PlainConfig { every: Some(Duration::from_secs(10)) }),
            pressure: Some(PlainConfig::default()),
            process: Some(PlainConfig::default()),
        }
    }
}

impl Default for CpuConfig {
    fn default() -> Self {
        Self { every: None, per_core: true, modes: true }
    }
}

impl Default for DiskConfig {
    fn default() -> Self {
        // Loop and RAM disks have no hardware of their own; zram counts as memory.
        Self { every: None, exclude: built_in(&["loop*", "ram*", "zram*", "fd*", "sr*"]) }
    }
}

impl Default for NetworkConfig {
    fn default() -> Self {
        // What passes a bridge, a tunnel's inner end or a container's veth passes a real interface too.
        Self {
            every: None,
            exclude: built_in(&[
                "lo", "veth*", "docker*", "br-*", "virbr*", "ifb*", "dummy*", "cali*", "cni*", "flannel*",
            ]),
        }
    }
}

impl Default for FilesystemConfig {
    fn default() -> Self {
        Self {
            every: Some(Duration::from_secs(10)),
            exclude_types: built_in(PSEUDO_AND_NETWORK_FILESYSTEMS),
            exclude_mountpoints: built_in(&["/proc/*", "/sys/*", "/dev/*", "/run/*", "/var/lib/docker/*", "/snap/*"]),
        }
    }
}

/// Types that have no disk of their own on this host.
const PSEUDO_AND_NETWORK_FILESYSTEMS: &[&str] = &[
    "9p",
    "afs",
    "autofs",
    "binfmt_misc",
    "bpf",
    "ceph",
    "cgroup*",
    "cifs",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fuse.*",
    "fusectl",
    "hugetlbfs",
    "iso9660",
    "mqueue",
    "ncpfs",
    "nfs*",
    "nsfs",
    "overlay",
    "proc",
    "pstore",
    "ramfs",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "smb*",
    "squashfs",
    "sysfs",
    "tmpfs",
    "tracefs",
    "virtiofs",
];

impl Default for HistoryConfig {
    fn default() -> Self {
        Self { window: Duration::from_mins(15), max_bytes: 64 << 20 }
    }
}

impl Default for ServerConfig {
    fn default() -> Self {
        Self {
            listen: vec![Listen::Tcp(SocketAddr::from(([127, 0, 0, 1], DEFAULT_PORT)))],
            heartbeat: Duration::from_secs(5),
            shutdown_grace: Duration::from_secs(5),
            limits: Limits::default(),
        }
    }
}

/// The port that hostcast listens at unless told otherwise.
pub const DEFAULT_PORT: u16 = 7117;

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 16_384,
            max_connections_per_address: 1_024,
            header_timeout: Duration::from_secs(10),
            ping_interval: Duration::from_secs(20),
            max_backlog_bytes: 256 << 10,
        }
    }
}

impl Default for LogConfig {
    fn default() -> Self {
        Self { level: LogLevel::Info }
    }
}

fn built_in(patterns: &[&str]) -> Patterns {
    Patterns::new(patterns.iter().copied()).expect("built-in patterns are well-formed: a test parses them")
}
