//! The direction of the imports: what each room may know, read from the source.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Each file of `src` by its path within it, and its text.
fn sources() -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![root.clone()];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned();
                sources.push((name, fs::read_to_string(path).unwrap()));
            }
        }
    }
    assert!(sources.len() > 40, "these are not all: {sources:?}");
    sources
}

/// The lines that run: neither comments nor what stands behind `#[cfg(test)]`.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let lines = text.lines().map(str::trim).take_while(|line| *line != "#[cfg(test)]");
    lines.filter(|line| !line.starts_with("//"))
}

fn is_test(name: &str) -> bool {
    name == "tests.rs" || name.ends_with("/tests.rs")
}

/// Whether the line names this crate or module in a path.
fn names(line: &str, module: &str) -> bool {
    line.match_indices(module).any(|(start, _)| {
        let before = line[..start].chars().next_back();
        let after = &line[start + module.len()..];
        !before.is_some_and(|c| c.is_alphanumeric() || c == '_')
            && (after.starts_with("::") || (line.starts_with("use ") && after.starts_with(';')))
    })
}

/// Only these files and folders may name one of these crates; and each of them is named somewhere,
/// or the rule would be about nothing.
fn only(known: &[&str], may: &[&str]) {
    let mut named = vec![false; known.len()];
    for (name, text) in sources().iter().filter(|(name, _)| !is_test(name)) {
        let may = may.iter().any(|may| name == may || (may.ends_with('/') && name.starts_with(may)));
        for line in code(text) {
            for (known, named) in known.iter().zip(&mut named).filter(|(known, _)| names(line, known)) {
                assert!(may, "src/{name} must not know {known}: {line}");
                *named = true;
            }
        }
    }
    assert_eq!(named, vec![true; known.len()], "{known:?}");
}

/// What these files must not know, in `crate::{…}` lists too.
fn never(files: &[&str], unknown: &[&str]) {
    let sources = sources();
    for file in files {
        let (name, text) = sources.iter().find(|(name, _)| name == file).unwrap_or_else(|| panic!("no src/{file}"));
        for line in code(text) {
            let knows = unknown.iter().find(|module| names(line, module));
            assert_eq!(knows, None, "src/{name} must not know this: {line}");
        }
    }
}

#[test]
fn the_host_is_read_by_collectors_only() {
    only(&["sysinfo", "procfs"], &["collector.rs", "collector/"]);
}

#[test]
fn http_is_spoken_by_the_server_only() {
    only(&["warp", "hyper", "hyper_util", "headers"], &["server.rs", "server/"]);
}

#[test]
fn encryption_is_known_where_sockets_are_taken_and_written_only() {
    let places = ["server/tls.rs", "server/tls/", "server/handshake.rs", "server/stream/", "client/tls.rs"];
    only(&["rustls", "tokio_rustls"], &places);
}

#[test]
fn sockets_are_waited_for_by_the_stream_only() {
    only(&["mio"], &["server/stream.rs", "server/stream/"]);
}

#[test]
fn hub_history_and_sample_know_neither_threads_nor_http() {
    never(
        &["hub.rs", "history.rs", "sample.rs"],
        &["tokio", "thread", "server", "sampler", "collector", "protocol", "daemon", "futures_util"],
    );
}

#[test]
fn a_sample_knows_nobody() {
    never(&["sample.rs", "metric.rs"], &["config", "history", "hub"]);
}

#[test]
fn the_protocol_knows_no_transport() {
    let protocol: Vec<_> = sources().into_iter().map(|(name, _)| name).collect();
    let protocol = protocol.iter().filter(|name| name.starts_with("protocol") && !is_test(name));
    let protocol: Vec<_> = protocol.map(String::as_str).collect();
    never(&protocol, &["tokio", "thread", "server", "sampler", "collector", "daemon", "config"]);
}

#[test]
fn the_client_knows_the_protocol_and_nothing_of_a_daemon() {
    let sources: Vec<_> = sources().into_iter().map(|(name, _)| name).collect();
    let client: Vec<_> = sources.iter().filter(|name| name.starts_with("client")).map(String::as_str).collect();
    assert!(client.len() > 5, "{client:?}");
    never(
        &client,
        &["config", "hub", "history", "server", "sampler", "collector", "daemon", "metric", "bucket", "cli"],
    );
}

#[test]
fn a_recording_knows_no_sockets_and_no_daemon() {
    let sources: Vec<_> = sources().into_iter().map(|(name, _)| name).collect();
    let recording: Vec<_> = sources.iter().filter(|name| name.starts_with("recording")).map(String::as_str).collect();
    assert!(recording.len() > 5, "{recording:?}");
    never(&recording, &["tokio", "client", "record", "config", "hub", "server", "sampler", "collector", "daemon"]);
}

#[test]
fn only_the_daemon_knows_sampler_and_server_together() {
    for (name, text) in sources().iter().filter(|(name, _)| !is_test(name)) {
        for line in code(text) {
            let looks_downstream = name.starts_with("sampler") || name.starts_with("collector");
            assert!(!(looks_downstream && names(line, "server")), "src/{name} looks downstream: {line}");
            // The server asks how the sampler fares, and neither makes nor runs one.
            let runs_it = names(line, "Sampler") || names(line, "Prepared");
            assert!(!(name.starts_with("server") && runs_it), "src/{name} runs the sampler: {line}");
        }
    }
    let sources = sources();
    let (_, daemon) = sources.iter().find(|(name, _)| name == "daemon.rs").unwrap();
    assert!(code(daemon).any(|line| names(line, "Sampler")) && code(daemon).any(|line| names(line, "server")));
}

#[test]
fn no_file_is_too_long_to_be_read() {
    for (name, text) in sources() {
        let lines = text.lines().count();
        assert!(lines < 450, "src/{name} has {lines} lines");
    }
    let main = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/main.rs")).unwrap();
    assert!(main.lines().count() < 80);
}
