//! `hostcast watch`: in a real terminal, and as lines.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Command, Stdio},
};

use rustix::process::Signal;
use serde_json::Value;

use crate::support::{Proxy, Terminal, TestDaemon, program, skipped};

fn watch(targets: &[String], environment: &[(&str, &str)]) -> Terminal {
    let arguments: Vec<_> = std::iter::once("watch").chain(targets.iter().map(String::as_str)).collect();
    Terminal::start(&program(), &arguments, environment)
}

fn target(name: &str, daemon: &TestDaemon) -> String {
    format!("{name}=ws://{}", daemon.address)
}

#[test]
fn it_shows_live_numbers_and_obeys_its_keys() {
    let (one, two) = (TestDaemon::start(), TestDaemon::start());
    let mut terminal = watch(&[target("web-1", &one), target("db", &two)], &[]);
    terminal.shows("2 hosts, 2 live");
    terminal.shows_what("a share of the CPU for each", |screen| {
        let rows = screen.lines().filter(|line| line.starts_with("web-1") || line.starts_with("db"));
        rows.filter(|row| row.contains("live") && row.contains(" %")).count() == 2
    });
    terminal.press("s");
    terminal.shows("s sort: name");
    terminal.press("?");
    terminal.shows("a reading of zero");
    terminal.press("\u{1b}");
    terminal.shows("HOST");
    // Sorted by name it is the second row, and the cursor has stayed with it.
    terminal.press("\r");
    terminal.shows("web-1  live");
    for group in ["CPU", "MEMORY", "NETWORK", "load ", "used "] {
        terminal.shows(group);
    }
    terminal.press("G");
    terminal.shows("of a core");
    terminal.press("\u{1b}[D");
    terminal.shows("db  live");
    terminal.press(" ");
    terminal.shows("s behind");
    terminal.press(" ");
    terminal.shows_what("that it goes on", |screen| !screen.contains("behind"));
    assert!(terminal.is_taken());
    terminal.press("q");
    assert_eq!(terminal.wait(), 0);
    terminal.is_given_back();
}

#[test]
fn a_daemon_that_is_killed_and_comes_back_is_followed_on() {
    let daemon = TestDaemon::start();
    let proxy = Proxy::healthy(daemon.address.tcp());
    let mut terminal = watch(&[format!("web-1={}", proxy.url())], &[]);
    terminal.shows("1 host, 1 live");
    proxy.set_target(None);
    let daemon = daemon.kill_and_restart();
    terminal.shows("1 host, 0 live");
    terminal.shows_what("why", |screen| screen.contains("web-1: "));
    let row = terminal.text().lines().nth(2).unwrap().to_owned();
    assert!(row.contains(" – "), "{row}");
    proxy.set_target(Some(daemon.address.tcp()));
    terminal.shows("1 host, 1 live");
    terminal.press("\r");
    terminal.shows("restarted 1 times");
    terminal.press("q");
    assert_eq!(terminal.wait(), 0);
}

#[test]
fn the_terminal_is_given_back_however_it_ends() {
    let daemon = TestDaemon::start();
    for end in ["\u{3}", "SIGTERM", "SIGINT"] {
        let mut terminal = watch(&[target("web-1", &daemon)], &[]);
        terminal.shows("1 live");
        match end {
            "SIGTERM" => terminal.signal(Signal::TERM),
            "SIGINT" => terminal.signal(Signal::INT),
            keys => terminal.press(keys),
        }
        assert_eq!(terminal.wait(), 0, "{end:?}");
        terminal.is_given_back();
    }
}

#[test]
fn a_shell_gets_the_terminal_while_it_is_suspended() {
    let bash = Path::new("/bin/bash");
    if !bash.exists() {
        skipped("there is no bash");
        return;
    }
    let daemon = TestDaemon::start();
    let mut terminal = Terminal::start(bash, &["--norc", "--noediting", "-i"], &[("PS1", "ready> ")]);
    terminal.shows("ready>");
    terminal.press(&format!("{} watch {}\n", program().display(), target("web-1", &daemon)));
    terminal.shows("1 live");
    terminal.press("\u{1a}");
    terminal.shows("Stopped");
    terminal.is_given_back();
    terminal.press("fg\n");
    terminal.shows("1 live");
    assert!(terminal.is_taken());
    terminal.press("q");
    terminal.is_given_back();
    terminal.press("exit\n");
    terminal.wait();
}

#[test]
fn it_lives_in_a_terminal_of_any_size() {
    let daemon = TestDaemon::start();
    let mut terminal = watch(&[target("web-1", &daemon)], &[]);
    terminal.shows("q quit");
    terminal.resize(12, 3);
    terminal.shows_what("the row alone", |screen| screen.contains("web-1") && !screen.contains("quit"));
    terminal.resize(1, 1);
    terminal.shows_what("a letter", |screen| screen == "w");
    terminal.resize(200, 50);
    terminal.shows("q quit");
    terminal.press("q");
    assert_eq!(terminal.wait(), 0);
}

#[test]
fn without_colours_there_are_none() {
    let daemon = TestDaemon::start();
    let has_colours = |environment| {
        let mut terminal = watch(&[target("web-1", &daemon)], environment);
        terminal.shows("1 live");
        terminal.press("q");
        terminal.wait();
        let written = terminal.written();
        // SGR 30 to 49.
        written.windows(4).any(|bytes| matches!(bytes, [0x1b, b'[', b'3' | b'4', b'0'..=b'8']))
    };
    assert!(has_colours(&[]));
    assert!(!has_colours(&[("NO_COLOR", "1")]));
}

fn lines_of(arguments: &[&str], targets: &[String]) -> Command {
    let mut command = Command::new(program());
    command.arg("watch").args(arguments).args(targets);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

#[test]
fn where_there_is_no_terminal_each_sample_is_a_line() {
    let daemon = TestDaemon::start();
    let mut child = lines_of(&["--since", "none"], &[target("web-1", &daemon)]).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    for line in lines.take(5) {
        assert!(line.contains("Z  web-1  cpu ") && line.contains(" %  memory "), "{line}");
    }
    // Whoever has read enough closes the pipe, and that is no failure.
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn the_raw_feed_has_every_message_with_its_host_and_numbers_without_a_hole() {
    let (one, two) = (TestDaemon::start(), TestDaemon::start());
    let targets = [target("web-1", &one), target("db", &two)];
    let mut child = lines_of(&["--json", "--since", "all"], &targets).spawn().unwrap();
    let mut newest = [None::<u64>; 2];
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap) {
        let line: Value = serde_json::from_str(&line).unwrap();
        let host = ["web-1", "db"].iter().position(|name| line["host"] == *name).unwrap();
        if line["type"] == "sample" {
            let seq = line["seq"].as_u64().unwrap();
            assert_eq!(seq, newest[host].unwrap_or(0) + 1);
            assert!(line["epoch"].is_string() && line["values"].is_object());
            newest[host] = Some(seq);
        }
        if newest.iter().all(|seq| *seq >= Some(10)) {
            break;
        }
    }
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn when_every_host_has_refused_it_fails_and_says_why() {
    let daemon = TestDaemon::start();
    let mut refused = lines_of(&["--plain", "--metrics", "no.such.metric"], &[target("web-1", &daemon)]);
    let output = refused.stderr(Stdio::piped()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("web-1: refused with 400"), "{said}");
}

#[test]
fn hosts_come_from_the_file_of_a_recorder_too() {
    let daemon = TestDaemon::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("record.toml");
    std::fs::write(&file, format!("[record]\nkeep = \"1d\"\n[record.hosts]\ndb = \"ws://{}\"\n", daemon.address))
        .unwrap();
    let mut child = lines_of(&["--config", file.to_str().unwrap()], &[]).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().contains("  db  cpu "));
    drop(lines);
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_recorder_on_a_terminal_tells_in_place_how_it_goes_and_its_log_stays() {
    let daemon = TestDaemon::start();
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("recording");
    let arguments = ["record", &target("web-1", &daemon), "--output", output.to_str().unwrap()];
    let mut terminal = Terminal::start(&program(), &arguments, &[]);
    terminal.shows_what("its rate, in one line", |screen| {
        let lines: Vec<_> = screen.lines().filter(|line| line.starts_with("web-1  recorded  ")).collect();
        lines.len() == 1 && !lines[0].contains(" 0.0/s") && !lines[0].contains(" –/s")
    });
    terminal.shows("web-1: connected");
    terminal.signal(Signal::TERM);
    assert_eq!(terminal.wait(), 0);
    terminal.shows("recorded connected=1");
    assert_eq!(terminal.text().matches("web-1  recorded  ").count(), 1, "{}", terminal.text());
}
