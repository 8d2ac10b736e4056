//! Walks the layered tree once and makes a [`Config`] of it. What is allowed is written here, and only here.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::RangeInclusive,
    time::Duration,
};

use super::{
    CollectorsConfig, Config, CpuConfig, DiskConfig, FilesystemConfig, HistoryConfig, Limits, LogConfig, MOST_LABELS,
    NetworkConfig, Patterns, PlainConfig, SamplerConfig, ServerConfig, TlsConfig, check_label_name,
    dashboard::dashboard,
    duration::format_duration,
    parse,
    section::{Report, Section},
    tree::{Table, Value},
};

const HOUR: Duration = Duration::from_hours(1);
const INTERVAL: RangeInclusive<Duration> = Duration::from_millis(100)..=HOUR;
const WINDOW: RangeInclusive<Duration> = *INTERVAL.start()..=Duration::from_hours(24);
const HEARTBEAT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(1);
const SHUTDOWN_GRACE: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_mins(5);
const HEADER_TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(1);
const PING_INTERVAL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(20);
const STALL_TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(10);
const HISTORY_SIZE: RangeInclusive<u64> = 1 << 20..=1 << 40;
const BACKLOG: RangeInclusive<u64> = 4 << 10..=64 << 20;
const CONNECTIONS: RangeInclusive<usize> = 1..=1_000_000;

/// Reads every key; the error is every problem, one line each.
pub(super) fn read(tree: &Table) -> Result<Config, Vec<String>> {
    let mut report = Report::default();
    let config = report.read(tree, config);
    let problems = report.into_lines();
    if problems.is_empty() { Ok(config) } else { Err(problems) }
}

/// The path of every key there is, but for the labels, which are free.
pub(super) fn known_paths() -> BTreeSet<String> {
    let mut report = Report::default();
    report.read(&Table::new(), config);
    report.known
}

fn config(root: &mut Section<'_, '_>) -> Config {
    let sampler = root.section("sampler", sampler);
    let interval = sampler.interval;
    // Where the interval itself is wrong, what depends on it is held against the least it can be.
    let tick = if root.has_failed("sampler.interval") { *INTERVAL.start() } else { interval };
    let interval_at = root.section_origin("sampler", "interval");
    let history = root.section("history", |section| {
        let history = history(section);
        let written = section.origin("window");
        let place = written.as_ref().or(interval_at.as_ref()).filter(|_| !section.has_failed("history.window"));
        if let Some(at) = place
            && history.window < tick
        {
            let (window, interval) = (format_duration(history.window), format_duration(interval));
            let default = if written.is_none() { " by default" } else { "" };
            let problem = format!("{window}{default} is shorter than sampler.interval, which is {interval}");
            section.problem("window", at, &problem);
        }
        history
    });
    Config {
        collectors: root.section("collectors", |section| collectors(section, tick)),
        server: root.section("server", server),
        dashboard: root.section("dashboard", dashboard),
        log: root.section("log", |section| LogConfig {
            level: section.value("level", LogConfig::default().level, parse::log_level),
        }),
        labels: root.section("labels", labels),
        sampler,
        history,
    }
}

fn sampler(section: &mut Section<'_, '_>) -> SamplerConfig {
    let why = ", because the kernel counts CPU time in ticks of 10 ms";
    let default = SamplerConfig::default().interval;
    SamplerConfig { interval: section.value("interval", default, |value| parse::duration(value, &INTERVAL, why)) }
}

fn history(section: &mut Section<'_, '_>) -> HistoryConfig {
    let default = HistoryConfig::default();
    HistoryConfig {
        window: duration(section, "window", default.window, &WINDOW),
        max_bytes: section.value("max_size", default.max_bytes, |value| parse::size(value, &HISTORY_SIZE)),
    }
}

fn collectors(section: &mut Section<'_, '_>, tick: Duration) -> CollectorsConfig {
    let mut plain = |key, default: Option<PlainConfig>| {
        section.switch(key, |section| PlainConfig { every: every(section, default.unwrap_or_default().every, tick) })
    };
    let default = CollectorsConfig::default();
    let load = plain("load", default.load);
    let memory = plain("memory", default.memory);
    let temperature = plain("temperature", default.temperature);
    let pressure = plain("pressure", default.pressure);
    let process = plain("process", default.process);
    CollectorsConfig {
        cpu: section.switch("cpu", |section| {
            let default = CpuConfig::default();
            CpuConfig {
                every: every(section, default.every, tick),
                per_core: section.value("per_core", default.per_core, parse::boolean),
                modes: section.value("modes", default.modes, parse::boolean),
            }
        }),
        disk: section.switch("disk", |section| {
            let default = DiskConfig::default();
            DiskConfig {
                every: every(section, default.every, tick),
                exclude: patterns(section, "exclude", default.exclude),
            }
        }),
        filesystem: section.switch("filesystem", |section| {
            let default = FilesystemConfig::default();
            FilesystemConfig {
                every: every(section, default.every, tick),
                exclude_types: patterns(section, "exclude_types", default.exclude_types),
                exclude_mountpoints: patterns(section, "exclude_mountpoints", default.exclude_mountpoints),
            }
        }),
        network: section.switch("network", |section| {
            let default = NetworkConfig::default();
            NetworkConfig {
                every: every(section, default.every, tick),
                exclude: patterns(section, "exclude", default.exclude),
            }
        }),
        load,
        memory,
        temperature,
        pressure,
        process,
    }
}

/// Each tick is always `None`, however it was written; so is a default that is shorter than a tick.
fn every(section: &mut Section<'_, '_>, default: Option<Duration>, tick: Duration) -> Option<Duration> {
    let why = if tick == *INTERVAL.start() { "" } else { ", which is sampler.interval" };
    let every = section.value("every", default, |value| parse::duration(value, &(tick..=HOUR), why).map(Some));
    every.filter(|every| *every > tick)
}

fn patterns(section: &mut Section<'_, '_>, key: &'static str, default: Patterns) -> Patterns {
    match section.list(key, "a list of patterns", parse::pattern) {
        Some(patterns) => Patterns(patterns.into_iter().map(|(pattern, _)| pattern).collect()),
        None => default,
    }
}

fn server(section: &mut Section<'_, '_>) -> ServerConfig {
    let default = ServerConfig::default();
    let auth = section.value("auth", default.auth, parse::auth);
    let mut listen = default.listen;
    if let Some(addresses) = section.list("listen", "an address or a list of them", parse::listen) {
        listen = Vec::new();
        for (address, at) in addresses {
            if listen.contains(&address) {
                section.problem("listen", &at, &format!("{address} is there twice"));
            } else if let Err(open) = auth.allows(&address)
                && !section.has_failed("server.auth")
            {
                section.problem("listen", &at, &open.to_string());
            } else {
                listen.push(address);
            }
        }
        if let Some(at) = section.origin("listen")
            && listen.is_empty()
            && !section.has_failed("server.listen")
        {
            section.problem("listen", &at, "at least one address is needed");
        }
    }
    ServerConfig {
        listen,
        auth,
        token_file: section.value("token_file", default.token_file, parse::path),
        allowed_hosts: each(section, "allowed_hosts", "a name or a list of them", parse::allowed_host),
        allowed_origins: each(section, "allowed_origins", "an origin or a list of them", parse::allowed_origin),
        trusted_proxies: each(section, "trusted_proxies", "an address or a list of them", parse::trusted_proxy),
        base_path: section.value("base_path", default.base_path, parse::base_path),
        heartbeat: duration(section, "heartbeat", default.heartbeat, &HEARTBEAT),
        shutdown_grace: duration(section, "shutdown_grace", default.shutdown_grace, &SHUTDOWN_GRACE),
        compression: section.value("compression", default.compression, parse::compression),
        tls: section.section("tls", tls),
        limits: section.section("limits", limits),
    }
}

/// A list that is empty by default.
fn each<T>(
    section: &mut Section<'_, '_>,
    key: &'static str,
    expected: &str,
    parse: fn(&Value) -> Result<T, String>,
) -> Vec<T> {
    section.list(key, expected, parse).into_iter().flatten().map(|(element, _)| element).collect()
}

fn tls(section: &mut Section<'_, '_>) -> Option<TlsConfig> {
    let mut file = |key| section.value(key, None, parse::optional_path);
    let (certificate, key, client_ca) = (file("certificate"), file("key"), file("client_ca"));
    let (missing, because) = match (&certificate, &key, &client_ca) {
        (Some(_), None, _) => ("key", "certificate"),
        (None, Some(_), _) => ("certificate", "key"),
        (None, None, Some(_)) => ("certificate", "client_ca"),
        _ => return certificate.zip(key).map(|(certificate, key)| TlsConfig { certificate, key, client_ca }),
    };
    if let Some(at) = section.origin(because)
        && !["certificate", "key"].iter().any(|key| section.has_failed(&format!("server.tls.{key}")))
    {
        section.problem(because, &at, &format!("needs server.tls.{missing}, too"));
    }
    None
}

fn limits(section: &mut Section<'_, '_>) -> Limits {
    let default = Limits::default();
    let mut count = |key, default| section.value(key, default, |value| parse::count(value, &CONNECTIONS));
    Limits {
        max_connections: count("max_connections", default.max_connections),
        max_connections_per_address: count("max_connections_per_address", default.max_connections_per_address),
        header_timeout: duration(section, "header_timeout", default.header_timeout, &HEADER_TIMEOUT),
        ping_interval: duration(section, "ping_interval", default.ping_interval, &PING_INTERVAL),
        max_backlog_bytes: section
            .value("max_backlog", default.max_backlog_bytes, |value| parse::size(value, &BACKLOG)),
        stall_timeout: duration(section, "stall_timeout", default.stall_timeout, &STALL_TIMEOUT),
    }
}

fn labels(section: &mut Section<'_, '_>) -> BTreeMap<String, String> {
    let mut labels = BTreeMap::new();
    for (key, node) in section.entries() {
        if let Err(rule) = check_label_name(key) {
            section.problem(key, &node.key, &rule);
            continue;
        }
        match parse::label(&node.value) {
            Ok(_) if labels.len() == MOST_LABELS => {
                section.problem(key, &node.key, &format!("at most {MOST_LABELS} labels"));
            }
            Ok(value) => {
                labels.insert(key.clone(), value);
            }
            Err(problem) => section.problem(key, &node.at, &problem),
        }
    }
    labels
}

fn duration(
    section: &mut Section<'_, '_>,
    key: &'static str,
    default: Duration,
    bounds: &RangeInclusive<Duration>,
) -> Duration {
    section.value(key, default, |value| parse::duration(value, bounds, ""))
}
