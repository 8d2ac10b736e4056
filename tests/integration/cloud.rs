//! What is shipped for hosts in the cloud, as far as it can be held against anything without a cloud.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use hcl::{Block, Body, Expression};
use hostcast::config::{Config, Source};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/cloud")
}

fn user_data() -> String {
    fs::read_to_string(folder().join("user-data.yaml")).unwrap()
}

fn terraform() -> (String, Body) {
    let text = fs::read_to_string(folder().join("main.tf")).unwrap();
    let body = hcl::parse(&text).unwrap_or_else(|error| panic!("{error}"));
    (text, body)
}

/// The configuration that the user data writes.
fn config() -> Config {
    let text = user_data();
    let (_, rest) = text.split_once("    content: |\n").unwrap();
    let lines = rest.lines().take_while(|line| line.is_empty() || line.starts_with("      "));
    let toml: String = lines.map(|line| line.trim_start_matches("      ").to_owned() + "\n").collect();
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(
        &file,
        toml.replace("${name}", "monitor.example.com").replace("${balancer_networks}", "[\"10.0.0.0/24\"]"),
    )
    .unwrap();
    Source { file: Some(file.path().into()), ..Source::default() }.load().unwrap().config
}

/// The names between `before` and whatever cannot be a part of a name.
fn names_after(text: &str, before: &str) -> BTreeSet<String> {
    let name =
        |rest: &str| rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect();
    text.split(before).skip(1).map(name).collect()
}

fn resource<'a>(body: &'a Body, kind: &str) -> &'a Block {
    let is_it = |block: &&Block| block.labels().first().is_some_and(|label| label.as_str() == kind);
    body.blocks().find(is_it).unwrap_or_else(|| panic!("there is no {kind}"))
}

fn number(block: &Block, name: &str) -> u64 {
    let attribute = block.body().attributes().find(|attribute| attribute.key() == name);
    match attribute.map(hcl::Attribute::expr) {
        Some(Expression::Number(number)) => number.as_u64().unwrap(),
        other => panic!("{name} is {other:?}"),
    }
}

#[test]
fn the_terraform_file_declares_what_it_uses_and_uses_what_it_declares() {
    let (text, body) = terraform();
    let variables = body.blocks().filter(|block| block.identifier() == "variable");
    let declared: BTreeSet<_> = variables.map(|block| block.labels()[0].as_str().to_owned()).collect();
    assert_eq!(declared, names_after(&text, "var."));
    for kind in names_after(&text, "aws_").iter().filter(|name| !name.is_empty()) {
        assert!(
            body.blocks()
                .any(|block| block.labels().first().is_some_and(|label| label.as_str() == format!("aws_{kind}"))),
            "aws_{kind}"
        );
    }
}

#[test]
fn terraform_fills_in_what_the_user_data_leaves_open() {
    let (text, _) = terraform();
    let (_, rest) = text.split_once("user-data.yaml\", {").unwrap();
    let (filled, _) = rest.split_once("})").unwrap();
    let filled: BTreeSet<_> =
        filled.lines().filter_map(|line| Some(line.split_once(" =")?.0.trim().to_owned())).collect();
    let mut open = names_after(&user_data(), "${");
    // The comment that explains it.
    open.remove("");
    assert_eq!(filled, open);
}

#[test]
fn a_stream_is_never_silent_for_as_long_as_the_load_balancer_waits() {
    let (_, body) = terraform();
    let config = config();
    let silence = std::time::Duration::from_secs(number(resource(&body, "aws_lb"), "idle_timeout"));
    assert!(config.server.heartbeat * 10 <= silence);
    assert!(config.server.limits.ping_interval * 3 <= silence);
}

#[test]
fn the_load_balancer_asks_where_the_daemon_listens() {
    let (_, body) = terraform();
    let port = number(resource(&body, "aws_lb_target_group"), "port");
    assert_eq!(config().server.listen, [format!("0.0.0.0:{port}").parse().unwrap()]);
    assert_eq!(number(resource(&body, "aws_lb_target_group_attachment"), "port"), port);
}
