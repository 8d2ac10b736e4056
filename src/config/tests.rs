//! The configuration as a whole. Each part is tested beside its code.

use std::{collections::BTreeSet, fs, path::Path};

use proptest::{
    collection::{btree_map, vec},
    option,
    prelude::*,
    sample::select,
};

use super::*;

const ANNOTATED: &str = include_str!("../../config/config.toml");

fn load_text(text: impl AsRef<[u8]>) -> Result<Config, InvalidConfig> {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(&file, text).unwrap();
    Source { file: Some(file.path().to_owned()), ..Source::default() }.load().map(|loaded| loaded.config)
}

#[test]
fn the_annotated_file_says_what_runs_without_it() {
    assert_eq!(load_text(ANNOTATED).unwrap(), Config::default());
    assert_eq!(Source::default().load().unwrap().config, Config::default());
}

#[test]
fn the_annotated_file_has_every_key() {
    // `every` is each tick by default, which is said by leaving it out; the collectors are tables or true.
    let written: toml::Table = ANNOTATED.parse().unwrap();
    for path in read::known_paths() {
        let found =
            path.split('.').try_fold(&toml::Value::Table(written.clone()), |value, key| value.get(key)).is_some();
        assert!(found || path.rsplit('.').next() == Some("every"), "{path} is missing in config/config.toml");
    }
}

#[test]
fn the_manual_has_every_key_with_its_default() {
    let written: toml::Table = ANNOTATED.parse().unwrap();
    let mut documented = BTreeSet::new();
    let mut section = "";
    for line in include_str!("../../docs/man/hostcast.toml.5").lines() {
        if let Some(name) = line.strip_prefix(".Ss [") {
            section = name.trim_end_matches(']');
        }
        let Some(item) = line.strip_prefix(".It Ic ") else { continue };
        let (key, default) = item.split_once(" No = Li ").map_or((item, None), |(key, value)| (key, Some(value)));
        let path = format!("{section}.{key}");
        if let Some(default) = default {
            let default: toml::Table = format!("it = {}", default.replace(r"\(dq", "\"")).parse().unwrap();
            let table = section.split('.').fold(&written, |table, name| table[name].as_table().unwrap());
            assert_eq!(default["it"], table[key], "{path}");
        }
        documented.insert(path);
    }
    let known = read::known_paths().into_iter().filter(|path| path.rsplit('.').next() != Some("every"));
    assert_eq!(documented, known.collect());
}

#[test]
fn an_unreadable_file_is_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let load = |path: &Path| {
        let error = Source { file: Some(path.to_owned()), ..Source::default() }.load().unwrap_err();
        error.to_string().replace(directory.path().to_str().unwrap(), "DIR")
    };
    let file = directory.path().join("config.toml");
    assert_eq!(load(directory.path()), "DIR: is a directory, not a file");
    assert_eq!(load(&file), "DIR/config.toml: no such file");
    fs::write(&file, b"[log]\nlevel = \"\xff\"").unwrap();
    assert_eq!(load(&file), "DIR/config.toml: not valid UTF-8 in line 2");
    fs::write(&file, " ".repeat(1 << 20)).unwrap();
    assert!(Source { file: Some(file.clone()), ..Source::default() }.load().is_ok());
    fs::write(&file, " ".repeat((1 << 20) + 1)).unwrap();
    assert_eq!(load(&file), "DIR/config.toml: larger than 1 MiB");
    assert_eq!(load(&directory.path().join("a\nb")), "\"DIR/a\\nb\": no such file");
}

#[test]
fn a_period_that_is_no_longer_than_a_tick_is_each_tick() {
    let config = load_text("[sampler]\ninterval = \"30s\"\n[collectors]\nload = { every = \"30s\" }").unwrap();
    assert_eq!(config.collectors.load.unwrap().every, None);
    // The default of 10 s gives way.
    assert_eq!(config.collectors.filesystem.unwrap().every, None);
}

#[test]
fn a_file_full_of_problems_is_read_quickly_and_told_briefly() {
    let wrong = format!("[collectors.disk]\nexclude = [{}]", "1,".repeat(400_000));
    let unknown = (0..60_000).fold(String::new(), |text, n| text + &format!("key{n} = {n}\n"));
    for text in [wrong, unknown] {
        let started = std::time::Instant::now();
        assert_eq!(load_text(text).unwrap_err().problems().len(), 101);
        assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
    }
}

proptest! {
    #[test]
    fn what_is_printed_reads_back(config in any_config()) {
        let text = config.to_toml();
        let back = load_text(&text);
        prop_assert_eq!(back.as_ref(), Ok(&config), "{}", text);
    }

    #[test]
    fn random_bytes_are_refused_or_read(bytes in vec(any::<u8>(), 0..512)) {
        let _ = load_text(bytes);
    }

    #[test]
    fn mangled_files_are_refused_or_read(
        cut in 0..ANNOTATED.len(),
        drop in 0_usize..40,
        insert in "\\PC{0,8}|[\\[\\]{}\"'=.,#\n0-9-]{0,8}",
    ) {
        let mut text = ANNOTATED.as_bytes().to_vec();
        let end = (cut + drop).min(text.len());
        text.splice(cut..end, insert.bytes());
        if let Err(error) = load_text(text) {
            prop_assert!(error.problems().iter().all(|line| !line.contains(char::is_control)));
        }
    }

    #[test]
    fn any_value_in_any_place_is_refused_or_read(
        path in select(read::known_paths().into_iter().collect::<Vec<_>>()),
        value in any_value(),
    ) {
        let (section, key) = path.rsplit_once('.').unwrap();
        if let Err(error) = load_text(format!("[{section}]\n{key} = {value}\n")) {
            prop_assert!(error.problems().iter().all(|line| !line.contains(char::is_control) && line.len() < 600));
        }
    }
}

fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<f64>().prop_filter("written", |number| number.is_finite()).prop_map(|number| format!("{number:e}")),
        any::<String>().prop_map(|text| toml::Value::from(text).to_string()),
        "[0-9]{1,4}(ms|s|m|h|KiB|MiB)".prop_map(|text| format!("{text:?}")),
        Just("true".to_owned()),
        Just("[1, true, {}, []]".to_owned()),
        Just("{ every = 1, x = 2 }".to_owned()),
        Just("1979-05-27T07:32:00Z".to_owned()),
        Just("99999999999999999999999999999999999999999999".to_owned()),
    ]
}

fn millis(from: u64, to: u64) -> impl Strategy<Value = Duration> {
    // Round ones as often as odd ones.
    prop_oneof![from..=to, (from.div_ceil(1000)..=to / 1000).prop_map(|seconds| seconds * 1000)]
        .prop_map(Duration::from_millis)
}

fn any_patterns() -> impl Strategy<Value = Patterns> {
    let pattern = "[a-z/*?.\"'\\\\ µ\t-]{0,8}".prop_filter("well-formed", |text| glob::Pattern::new(text).is_ok());
    vec(pattern, 0..4).prop_map(|texts| Patterns::new(texts.iter().map(String::as_str)).unwrap())
}

fn any_listen() -> impl Strategy<Value = Listen> {
    prop_oneof![
        any::<std::net::SocketAddrV4>().prop_map(|address| Listen::Tcp(address.into())),
        any::<([u16; 8], u16)>().prop_map(|(ip, port)| Listen::Tcp((ip, port).into())),
        "/[a-z ,\"µ]{1,20}".prop_map(|path| Listen::Unix(path.into())),
    ]
}

fn any_collectors(tick: u64) -> impl Strategy<Value = CollectorsConfig> {
    let every = move || {
        option::of(millis(tick.min(3_599_999) + 1, 3_600_000))
            .prop_map(move |every| every.filter(|every| every.as_millis() > u128::from(tick)))
    };
    let plain = move || option::of(every().prop_map(|every| PlainConfig { every }));
    let cpu = (every(), any::<bool>(), any::<bool>()).prop_map(|(every, per_core, modes)| CpuConfig {
        every,
        per_core,
        modes,
    });
    let disk = (every(), any_patterns()).prop_map(|(every, exclude)| DiskConfig { every, exclude });
    let network = (every(), any_patterns()).prop_map(|(every, exclude)| NetworkConfig { every, exclude });
    let filesystem =
        (every(), any_patterns(), any_patterns()).prop_map(|(every, exclude_types, exclude_mountpoints)| {
            FilesystemConfig { every, exclude_types, exclude_mountpoints }
        });
    let plain = (plain(), plain(), plain(), plain(), plain());
    (option::of(cpu), option::of(disk), option::of(network), option::of(filesystem), plain).prop_map(
        |(cpu, disk, network, filesystem, (load, memory, temperature, pressure, process))| CollectorsConfig {
            cpu,
            load,
            memory,
            disk,
            filesystem,
            network,
            temperature,
            pressure,
            process,
        },
    )
}

fn any_server() -> impl Strategy<Value = ServerConfig> {
    let limits = (
        1_usize..=1_000_000,
        1_usize..=1_000_000,
        millis(1_000, 60_000),
        millis(1_000, 20_000),
        4_u64 << 10..=64 << 20,
        millis(1_000, 600_000),
    )
        .prop_map(
            |(
                max_connections,
                max_connections_per_address,
                header_timeout,
                ping_interval,
                max_backlog_bytes,
                stall_timeout,
            )| Limits {
                max_connections,
                max_connections_per_address,
                header_timeout,
                ping_interval,
                max_backlog_bytes,
                stall_timeout,
            },
        );
    let listen = vec(any_listen(), 1..4)
        .prop_filter("distinct", |listen| (1..listen.len()).all(|n| !listen[..n].contains(&listen[n])));
    let hosts =
        vec(prop_oneof!["[a-z0-9_-]{1,9}(\\.[a-z]{1,9}){0,3}", "\\*\\.[a-z]{1,9}", Just("::1".to_owned())], 0..3)
            .prop_map(|texts| texts.iter().map(|text| text.parse().unwrap()).collect());
    let origins = vec("https?://[a-z]{1,9}(:8[0-9]{3})?", 0..3)
        .prop_map(|texts| texts.iter().map(|text| text.parse().unwrap()).collect());
    let auth = select(Auth::ALL.to_vec());
    let compression = select(Compression::ALL.to_vec());
    let path = || "/[a-z \"µ]{1,20}".prop_map(std::path::PathBuf::from);
    let tls = option::of((path(), path(), option::of(path())))
        .prop_map(|tls| tls.map(|(certificate, key, client_ca)| TlsConfig { certificate, key, client_ca }));
    let token_file = "/[a-z \"µ]{1,20}".prop_map(std::path::PathBuf::from);
    let proxies = vec(select(vec!["unix", "10.0.0.0/8", "192.0.2.1", "2001:db8::/33"]), 0..3)
        .prop_map(|texts| texts.iter().map(|text| text.parse().unwrap()).collect());
    let base_path = "((/[a-z0-9~-]{1,9}){1,3})?".prop_map(|text| text.parse().unwrap());
    let front = (proxies, base_path);
    (
        listen,
        (auth, token_file, tls),
        (hosts, origins, front),
        millis(1_000, 60_000),
        millis(0, 300_000),
        compression,
        limits,
    )
        .prop_map(
            |(
                listen,
                (auth, token_file, tls),
                (allowed_hosts, allowed_origins, (trusted_proxies, base_path)),
                heartbeat,
                shutdown_grace,
                compression,
                limits,
            )| ServerConfig {
                auth: if listen.iter().any(|listen| auth.allows(listen).is_err()) { Auth::None } else { auth },
                token_file,
                tls,
                listen,
                allowed_hosts,
                allowed_origins,
                trusted_proxies,
                base_path,
                heartbeat,
                shutdown_grace,
                compression,
                limits,
            },
        )
}

fn any_config() -> impl Strategy<Value = Config> {
    let interval = millis(100, 3_600_000).prop_map(|interval| interval.as_millis() as u64);
    let labels = btree_map("[a-z0-9_.-]{1,63}", "\\PC{0,60}", 0..4)
        .prop_filter("no control characters", |labels| !labels.values().any(|value| value.contains(char::is_control)));
    let level = select(LogLevel::ALL.to_vec());
    let distinct = |all: &Vec<String>| (1..all.len()).all(|n| !all[..n].contains(&all[n]));
    let hosts = vec("https?://[a-z0-9.:-]{1,20}/([a-z/]{0,9}/)?", 0..4).prop_filter("distinct", distinct);
    let frames = vec("https?://[a-z0-9.:-]{1,20}", 0..4).prop_filter("distinct", distinct);
    let dashboard = (hosts, frames).prop_map(|(hosts, frame_ancestors)| DashboardConfig { hosts, frame_ancestors });
    interval.prop_flat_map(move |tick| {
        let history = (millis(tick, 86_400_000), 1_u64 << 20..=1 << 40);
        (any_collectors(tick), history, any_server(), dashboard.clone(), level.clone(), labels.clone()).prop_map(
            move |(collectors, (window, max_bytes), server, dashboard, level, labels)| Config {
                sampler: SamplerConfig { interval: Duration::from_millis(tick) },
                collectors,
                history: HistoryConfig { window, max_bytes },
                server,
                dashboard,
                log: LogConfig { level },
                labels,
            },
        )
    })
}
