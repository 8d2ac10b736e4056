//! The stream in other people's hands: WebSocket clients that are not ours, in other languages. Each gets history and
//! live without a hole, loses its connection, resumes, answers the server's pings and leaves in good order.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
};

use hostcast::{
    history::{Epoch, Position},
    protocol::Message,
};
use serde_json::{StreamDeserializer, Value, de::IoRead};

use crate::support::{Account, SUBPROTOCOLS, TestDaemon, eventually, skipped};

/// Whoever answers no ping is dropped after three seconds, and whoever can read compressed messages gets them.
const CONFIG: &str = "[sampler]\ninterval = \"100ms\"\n[server]\ncompression = \"always\"\n\
    [server.limits]\nping_interval = \"1s\"\n";
/// So many samples a client takes before its connection is lost, and so many in all: five seconds of them.
const BEFORE: u64 = 10;
const IN_ALL: u64 = 60;

fn url(daemon: &TestDaemon, query: &str) -> String {
    format!("ws://{}/api/v1/stream{query}", daemon.address)
}

fn nobody_is_left(daemon: &TestDaemon) {
    eventually("all have left", || daemon.status()["stream"]["subscribers"] == 0);
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

pub(crate) fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/integration/clients").join(name)
}

/// Has a script of `clients/` follow a daemon, in both subprotocols at once.
fn follows(command: &Command, last_arguments: &[&str]) {
    let daemon = TestDaemon::with(CONFIG);
    let start = |subprotocol: &str| {
        let mut started = Command::new(command.get_program());
        started.args(command.get_args()).arg(url(&daemon, "")).arg(subprotocol).args(last_arguments);
        started.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    for child in SUBPROTOCOLS.map(start) {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let seqs = String::from_utf8(output.stdout).unwrap();
        let seqs: Vec<u64> = seqs.lines().map(|line| line.parse().unwrap()).collect();
        assert!(seqs.len() as u64 >= IN_ALL && seqs.iter().copied().eq(1..=seqs.len() as u64), "{seqs:?}");
    }
    nobody_is_left(&daemon);
}

/// A Python with the package `websockets`, made once and kept with what else is built.
pub(crate) fn python() -> Option<PathBuf> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python");
    let python = home.join("bin/python3");
    let has_package = |python: &Path| succeeds(Command::new(python).args(["-c", "import websockets"]));
    if has_package(&python) {
        return Some(python);
    }
    let made = succeeds(Command::new("python3").args(["-m", "venv"]).arg(&home))
        && succeeds(Command::new(&python).args(["-m", "pip", "install", "--quiet", "websockets>=14,<17"]));
    (made && has_package(&python)).then_some(python)
}

#[test]
fn pythons_websockets_follows_and_resumes() {
    match python() {
        Some(python) => follows(Command::new(python).arg(script("follow.py")), &[]),
        None => skipped("no Python with a venv and the package websockets"),
    }
}

#[test]
fn nodes_own_websocket_follows_and_resumes() {
    let has_websocket = |flags: &[&str]| {
        let check = "process.exit(typeof WebSocket === 'function' ? 0 : 1)";
        succeeds(Command::new("node").args(flags).args(["-e", check]))
    };
    // Built in since version 22, and behind a flag since 20.10.
    let flags: [&[&str]; 2] = [&[], &["--experimental-websocket", "--no-warnings"]];
    match flags.into_iter().find(|flags| has_websocket(flags)) {
        Some(flags) => follows(Command::new("node").args(flags).arg(script("follow.mjs")), &[]),
        None => skipped("no Node.js with a WebSocket of its own"),
    }
}

/// The script in a folder with the package `ws`, made once for each version of it and kept with what else is built.
fn node_with_ws() -> Option<PathBuf> {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("node");
    let lock = fs::read(script("package-lock.json")).unwrap();
    let is_made = || home.join("node_modules/ws").exists();
    if !is_made() || fs::read(home.join("package-lock.json")).ok() != Some(lock) {
        fs::create_dir_all(&home).unwrap();
        for file in ["package.json", "package-lock.json"] {
            fs::copy(script(file), home.join(file)).unwrap();
        }
        // It removes what is there before it installs.
        succeeds(Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&home));
    }
    fs::copy(script("follow.mjs"), home.join("follow.mjs")).unwrap();
    is_made().then(|| home.join("follow.mjs"))
}

#[test]
fn nodes_ws_follows_and_resumes() {
    match node_with_ws() {
        Some(script) => follows(Command::new("node").arg(script), &["ws"]),
        None => skipped("no Node.js with npm that can install the package ws"),
    }
}

#[test]
fn javas_http_client_follows_and_resumes() {
    let version = Command::new("javac").arg("-version").output();
    let version = version.ok().and_then(|output| {
        let text = String::from_utf8(output.stdout).ok()?;
        text.strip_prefix("javac ")?.trim().split('.').next()?.parse::<u32>().ok()
    });
    match version {
        Some(17..) => follows(Command::new("java").arg(script("Follow.java")), &[]),
        _ => skipped("no JDK of version 17 or newer"),
    }
}

/// A program that prints each message that comes.
struct Printer {
    child: Child,
    messages: StreamDeserializer<'static, IoRead<ChildStdout>, Value>,
}

impl Printer {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let messages = serde_json::Deserializer::from_reader(child.stdout.take().unwrap()).into_iter();
        Self { child, messages }
    }

    fn message(&mut self) -> Message {
        let message = self.messages.next().expect("it ended").unwrap();
        Message::parse(message.to_string().as_bytes()).unwrap()
    }

    fn epoch(&mut self) -> Epoch {
        let Message::Hello(hello) = self.message() else { panic!("no hello") };
        hello.epoch
    }
}

/// Follows with a program that prints, given an address and a subprotocol, and ends as `end` has it.
fn prints(command: impl Fn(&str, &str) -> Command + Sync, end: impl Fn(Child) + Sync) {
    let daemon = TestDaemon::with(CONFIG);
    let follow = |subprotocol| {
        let start = |query: &str| Printer::start(&mut command(&url(&daemon, query), subprotocol));
        let mut printer = start("?history=all");
        let mut account = Account::from(printer.epoch(), 1);
        while account.next <= BEFORE {
            account.message(&printer.message());
        }
        end(printer.child);
        let Position { epoch, seq } = account.position();
        let mut printer = start(&format!("?since={epoch}:{seq}"));
        assert_eq!(printer.epoch(), epoch);
        while account.next <= IN_ALL {
            account.message(&printer.message());
        }
        end(printer.child);
        assert_eq!(account.missing, []);
    };
    thread::scope(|scope| {
        for subprotocol in SUBPROTOCOLS {
            scope.spawn(|| follow(subprotocol));
        }
    });
    nobody_is_left(&daemon);
}

#[test]
fn websocat_follows_and_resumes() {
    if !succeeds(Command::new("websocat").arg("--version")) {
        return skipped("no websocat");
    }
    let command = |url: &str, subprotocol: &str| {
        let mut command = Command::new("websocat");
        command.args(["--close-status-code", "1000", "--protocol", subprotocol, url]);
        command
    };
    prints(command, |mut child| {
        // It says goodbye when there is nothing more to send, and ends when that is answered.
        drop(child.stdin.take());
        assert!(child.wait().unwrap().success());
    });
}

#[test]
fn curl_follows_and_resumes() {
    let version = Command::new("curl").arg("--version").output();
    let version = version.map_or(String::new(), |output| String::from_utf8_lossy(&output.stdout).into_owned());
    let mut protocols = version.lines().filter(|line| line.starts_with("Protocols:")).flat_map(str::split_whitespace);
    if !protocols.any(|name| name == "ws") {
        return skipped("no curl that speaks ws://");
    }
    let command = |url: &str, subprotocol: &str| {
        let mut command = Command::new("curl");
        command.args(["--silent", "--no-buffer", "-H", &format!("Sec-WebSocket-Protocol: {subprotocol}"), url]);
        command
    };
    // It knows no end.
    prints(command, |mut child| {
        child.kill().unwrap();
        child.wait().unwrap();
    });
}
