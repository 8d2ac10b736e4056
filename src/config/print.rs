//! A configuration as TOML that reads back to the same.

use std::{fmt::Write as _, time::Duration};

use toml::Value;

use super::{
    CollectorsConfig, Config, CpuConfig, DiskConfig, FilesystemConfig, NetworkConfig, Patterns,
    duration::format_duration, size::format_size,
};

impl Config {
    /// Every key, as a file that reads back to the same configuration.
    pub fn to_toml(&self) -> String {
        let mut page = Page(String::new());
        page.section("sampler");
        page.duration("interval", self.sampler.interval);
        page.collectors(&self.collectors, self.sampler.interval);
        page.section("history");
        page.duration("window", self.history.window);
        page.size("max_size", self.history.max_bytes);
        page.section("server");
        page.list("listen", self.server.listen.iter().map(ToString::to_string));
        page.text("auth", self.server.auth.name());
        page.text("token_file", &self.server.token_file.display().to_string());
        page.list("allowed_hosts", self.server.allowed_hosts.iter().map(ToString::to_string));
        page.list("allowed_origins", self.server.allowed_origins.iter().map(ToString::to_string));
        page.list("trusted_proxies", self.server.trusted_proxies.iter().map(ToString::to_string));
        page.text("base_path", self.server.base_path.as_str());
        page.duration("heartbeat", self.server.heartbeat);
        page.duration("shutdown_grace", self.server.shutdown_grace);
        page.text("compression", self.server.compression.name());
        page.section("server.tls");
        let tls = self.server.tls.as_ref();
        for (key, path) in [
            ("certificate", tls.map(|tls| &tls.certificate)),
            ("key", tls.map(|tls| &tls.key)),
            ("client_ca", tls.and_then(|tls| tls.client_ca.as_ref())),
        ] {
            page.text(key, &path.map(|path| path.display().to_string()).unwrap_or_default());
        }
        let limits = &self.server.limits;
        page.section("server.limits");
        page.entry("max_connections", limits.max_connections);
        page.entry("max_connections_per_address", limits.max_connections_per_address);
        page.duration("header_timeout", limits.header_timeout);
        page.duration("ping_interval", limits.ping_interval);
        page.size("max_backlog", limits.max_backlog_bytes);
        page.duration("stall_timeout", limits.stall_timeout);
        page.section("dashboard");
        page.list("hosts", self.dashboard.hosts.iter().cloned());
        page.list("frame_ancestors", self.dashboard.frame_ancestors.iter().cloned());
        page.section("log");
        page.text("level", self.log.level.name());
        page.section("labels");
        for (key, value) in &self.labels {
            // A dot within a label's name is no path.
            page.text(&Value::from(key.as_str()).to_string(), value);
        }
        page.0
    }
}

struct Page(String);

impl Page {
    fn collectors(&mut self, collectors: &CollectorsConfig, tick: Duration) {
        let CollectorsConfig { cpu, load, memory, disk, filesystem, network, temperature, pressure, process } =
            collectors;
        let default = CollectorsConfig::default();
        self.section("collectors");
        self.off("cpu", cpu.is_none());
        self.off("disk", disk.is_none());
        self.off("filesystem", filesystem.is_none());
        self.off("network", network.is_none());
        for (key, config, default) in [
            ("load", load, default.load),
            ("memory", memory, default.memory),
            ("temperature", temperature, default.temperature),
            ("pressure", pressure, default.pressure),
            ("process", process, default.process),
        ] {
            match config.as_ref().map(|config| written(config.every, default.unwrap_or_default().every, tick)) {
                None => self.entry(key, false),
                Some(None) => self.entry(key, true),
                Some(Some(every)) => self.entry(key, format_args!("{{ every = \"{}\" }}", format_duration(every))),
            }
        }
        if let Some(cpu) = cpu {
            self.section("collectors.cpu");
            self.every(cpu.every, CpuConfig::default().every, tick);
            self.entry("per_core", cpu.per_core);
            self.entry("modes", cpu.modes);
        }
        if let Some(disk) = disk {
            self.section("collectors.disk");
            self.every(disk.every, DiskConfig::default().every, tick);
            self.patterns("exclude", &disk.exclude);
        }
        if let Some(filesystem) = filesystem {
            self.section("collectors.filesystem");
            self.every(filesystem.every, FilesystemConfig::default().every, tick);
            self.patterns("exclude_types", &filesystem.exclude_types);
            self.patterns("exclude_mountpoints", &filesystem.exclude_mountpoints);
        }
        if let Some(network) = network {
            self.section("collectors.network");
            self.every(network.every, NetworkConfig::default().every, tick);
            self.patterns("exclude", &network.exclude);
        }
    }

    fn off(&mut self, key: &str, is_off: bool) {
        if is_off {
            self.entry(key, false);
        }
    }

    fn every(&mut self, every: Option<Duration>, default: Option<Duration>, tick: Duration) {
        if let Some(every) = written(every, default, tick) {
            self.duration("every", every);
        }
    }

    fn section(&mut self, path: &str) {
        let gap = if self.0.is_empty() { "" } else { "\n" };
        self.write(format_args!("{gap}[{path}]\n"));
    }

    fn entry(&mut self, key: &str, value: impl std::fmt::Display) {
        self.write(format_args!("{key} = {value}\n"));
    }

    fn text(&mut self, key: &str, text: &str) {
        self.entry(key, Value::from(text));
    }

    fn duration(&mut self, key: &str, duration: Duration) {
        self.text(key, &format_duration(duration));
    }

    fn size(&mut self, key: &str, bytes: u64) {
        self.text(key, &format_size(bytes));
    }

    fn patterns(&mut self, key: &str, patterns: &Patterns) {
        self.list(key, patterns.iter().map(str::to_owned));
    }

    fn list(&mut self, key: &str, texts: impl Iterator<Item = String>) {
        self.entry(key, Value::Array(texts.map(Value::from).collect()));
    }

    fn write(&mut self, line: std::fmt::Arguments<'_>) {
        self.0.write_fmt(line).expect("a string takes all that is written to it");
    }
}

/// What stands for "each tick": nothing, unless nothing means something else.
fn written(every: Option<Duration>, default: Option<Duration>, tick: Duration) -> Option<Duration> {
    every.or(default.map(|_| tick))
}
