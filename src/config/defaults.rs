//! What runs without a file.

use std::{net::SocketAddr, time::Duration};

use super::{
    Auth, BasePath, CollectorsConfig, Compression, CpuConfig, DEFAULT_PORT, DiskConfig, FilesystemConfig,
    HistoryConfig, Limits, Listen, LogConfig, LogLevel, NetworkConfig, Patterns, PlainConfig, SamplerConfig,
    ServerConfig,
};

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
            auth: Auth::default(),
            token_file: "/var/lib/hostcast/tokens".into(),
            tls: None,
            allowed_hosts: Vec::new(),
            allowed_origins: Vec::new(),
            trusted_proxies: Vec::new(),
            base_path: BasePath::default(),
            heartbeat: Duration::from_secs(5),
            shutdown_grace: Duration::from_secs(5),
            compression: Compression::Auto,
            limits: Limits::default(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_connections: 16_384,
            max_connections_per_address: 1_024,
            header_timeout: Duration::from_secs(10),
            ping_interval: Duration::from_secs(20),
            max_backlog_bytes: 256 << 10,
            stall_timeout: Duration::from_secs(30),
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
