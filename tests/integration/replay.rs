//! `hostcast replay`: what was recorded is served as it was taken, gaps included, and says that it is a replay.

mod gaps;
mod part;
mod played;

use std::{
    fs,
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

use hostcast::protocol::{Gap, GapReason, Message, WireSample};
use serde_json::{Value, json};

use crate::support::{
    Address, Feed, Http, TestDaemon, eventually, program,
    recorder::{Recorder, lines},
};

/// A replay on a port that the kernel chose; killed when it is dropped.
pub(crate) struct Replay {
    child: Child,
    address: Address,
}

impl Replay {
    pub(crate) fn of(folder: &Path, flags: &[&str]) -> Self {
        let mut command = command(folder, flags);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("dashboard at http://").and_then(|rest| rest.strip_suffix("/\n"));
        let address = Address::Tcp(address.expect(&line).parse().unwrap());
        Self { child, address }
    }

    fn feed(&self, query: &str, subprotocol: &str) -> Feed {
        Feed::open(&self.address, query, &[subprotocol])
    }

    pub(crate) fn get(&self, path: &str) -> Value {
        let response = Http::connect(&self.address).get(path);
        assert_eq!(response.status, 200, "{path}");
        response.json()
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(folder: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.arg("replay").arg(folder).args(["--listen", "127.0.0.1:0"]).args(flags).stdin(Stdio::null());
    command
}

/// One that is refused: its exit code, and what it says.
fn refused(folder: &Path, flags: &[&str]) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = command(folder, flags).output().unwrap();
    (status.code(), String::from_utf8(stderr).unwrap())
}

/// A recording of one host, line by line.
struct Script(Vec<String>);

const EPOCH: &str = "00000000000000aa";
const NEXT_EPOCH: &str = "00000000000000bb";
/// When its samples begin: one each second.
const BEGINNING: u64 = 1_795_392_000_000;

impl Script {
    fn new() -> Self {
        let mut script = Self(Vec::new());
        script.hello(EPOCH);
        script
    }

    fn hello(&mut self, epoch: &str) {
        let host = json!({"name": "db-1", "os": "Linux", "kernel": "6.12", "cpus": 2, "boot_id": "", "labels": {"site": "fra1"}});
        let hello = json!({"protocol": "hostcast.v1", "server": "hostcast/0.1.0", "host": host, "epoch": epoch,
            "interval_ms": 1000, "oldest_seq": 1, "next_seq": 1, "heartbeat_ms": 5000});
        self.0.push(json!({"type": "hello", "host": "db-1", "epoch": epoch, "hello": hello}).to_string());
    }

    /// Sample `seq`, which was taken `second` seconds after the beginning.
    fn sample(&mut self, epoch: &str, seq: u64, second: u64) {
        let values = json!({"system.uptime": second, "system.filesystem.limit{system.device=/dev/vda}": null});
        let values =
            if second.is_multiple_of(5) { values.to_string().replace("null", "7") } else { values.to_string() };
        let time = BEGINNING + second * 1000;
        self.0.push(format!(
            r#"{{"type":"sample","host":"db-1","epoch":"{epoch}","seq":{seq},"time":{time},"elapsed_ms":1000,"values":{values}}}"#
        ));
    }

    fn samples(&mut self, epoch: &str, seqs: std::ops::RangeInclusive<u64>, second: u64) {
        let first = *seqs.start();
        for seq in seqs {
            self.sample(epoch, seq, second + seq - first);
        }
    }

    fn gap(&mut self, epoch: &str, from: u64, to: Option<u64>, reason: &str) {
        let gap =
            json!({"type": "gap", "host": "db-1", "epoch": epoch, "from_seq": from, "to_seq": to, "reason": reason});
        self.0.push(gap.to_string());
    }

    /// Writes it as a host's folder of a recording.
    fn write(&self, recording: &Path, host: &str) {
        let folder = recording.join(host);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("000001-20261122T235959Z.ndjson"), self.0.join("\n") + "\n").unwrap();
    }
}

/// Everything that can be missing, in 20 samples; the gaps as a replay has to tell of them.
fn with_gaps() -> (tempfile::TempDir, Vec<(u64, u64, GapReason)>) {
    let mut script = Script::new();
    script.samples(EPOCH, 5..=8, 0);
    script.gap(EPOCH, 9, Some(11), "down");
    script.samples(EPOCH, 12..=15, 7);
    script.gap(EPOCH, 16, Some(16), "slow");
    script.gap(EPOCH, 17, Some(18), "no_space");
    script.samples(EPOCH, 19..=22, 14);
    script.0.push("this is no line of a recording".into());
    script.samples(EPOCH, 24..=27, 19);
    script.gap(EPOCH, 28, None, "restarted");
    script.hello(NEXT_EPOCH);
    script.gap(NEXT_EPOCH, 1, Some(100), "evicted");
    script.samples(NEXT_EPOCH, 101..=104, 200);
    let folder = tempfile::tempdir().unwrap();
    script.write(folder.path(), "db-1");
    let gaps = vec![
        (5, 7, GapReason::Down),
        (12, 12, GapReason::Slow),
        (13, 14, GapReason::NoSpace),
        (19, 19, GapReason::Damaged),
        (24, 24, GapReason::Restarted),
        (25, 124, GapReason::Evicted),
    ];
    (folder, gaps)
}

fn told(gap: &Gap) -> (u64, u64, GapReason) {
    (gap.from_seq, gap.to_seq.unwrap(), gap.reason)
}

/// The past as it is streamed: samples, and gaps with the number of samples before each.
fn past(feed: &mut Feed) -> (Vec<WireSample>, Vec<(usize, Gap)>) {
    let (mut samples, mut gaps) = (Vec::new(), Vec::new());
    loop {
        match feed.message() {
            Message::History(chunk) => {
                samples.extend(chunk.samples);
                if chunk.complete {
                    return (samples, gaps);
                }
            }
            Message::Gap(gap) => gaps.push((samples.len(), gap)),
            Message::Schema(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// What a sample says, whatever its number is.
fn measured(lines: &[Value]) -> Vec<Value> {
    let samples = lines.iter().filter(|line| line["type"] == "sample");
    samples.map(|line| json!([line["time"], line["elapsed_ms"], line["missed"], line["values"]])).collect()
}

#[test]
fn what_was_recorded_is_served_and_recorded_again_sample_by_sample() {
    let config = "[sampler]\ninterval = \"100ms\"\n[collectors]\nfilesystem = { every = \"500ms\" }\n[labels]\nsite = \"fra1\"\n";
    let folder = tempfile::tempdir().unwrap();
    let daemon = TestDaemon::with(config);
    let address = daemon.address.to_string();
    let mut recorder = Recorder::start(folder.path(), &[format!("host=ws://{}", daemon.address)]);
    recorder.wait_for("host", 12);
    drop(daemon);
    let daemon = TestDaemon::launch(config, |_| Command::new(program()), &address);
    let host = folder.path().join("host");
    eventually("the new ring is recorded", || {
        let lines = lines(&host);
        let restart = lines.iter().position(|line| line["reason"] == "restarted");
        restart.is_some_and(|restart| measured(&lines[restart..]).len() >= 12)
    });
    let (hello, schema) =
        (daemon.feed("history=none", "hostcast.v1.json").hello(), daemon.get("/api/v1/schema").json());
    assert_eq!(recorder.stop(), Some(0));
    let first = lines(&host);

    let replay = Replay::of(folder.path(), &[]);
    let mut feed = replay.feed("history=none", "hostcast.v1.json");
    let replayed = feed.hello();
    assert_eq!((&replayed.host, replayed.interval_ms), (&hello.host, 100));
    let times: Vec<_> = first.iter().filter_map(|line| line["time"].as_u64()).collect();
    let span = replayed.replay.unwrap();
    assert_eq!((span.from, span.to), (times[0], *times.last().unwrap()));
    assert_eq!(span.speed.to_bits(), 0.0_f64.to_bits());
    // Units, attributes and how often each is read: none of which stands in a recording.
    assert_eq!(replay.get("/api/v1/schema")["series"], schema["series"]);

    let again = tempfile::tempdir().unwrap();
    let mut recorder = Recorder::start(again.path(), &[format!("host=ws://{}", replay.address)]);
    let count = measured(&first).len();
    eventually("all of it is recorded again", || {
        let folder = again.path().join("host");
        folder.is_dir() && measured(&lines(&folder)).len() >= count
    });
    assert_eq!(recorder.stop(), Some(0));
    let second = lines(&again.path().join("host"));
    assert_eq!(measured(&second), measured(&first));
    let restarts = |lines: &[Value]| {
        let before = |at: usize| measured(&lines[..at]).len();
        let gaps = lines.iter().enumerate().filter(|(_, line)| line["type"] == "gap");
        gaps.map(|(at, gap)| (before(at), gap["reason"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(restarts(&second), restarts(&first));
    let report = hostcast::recording::verify(&again.path().join("host")).unwrap();
    assert!(report.is_sound() && !report.is_whole(), "{report:?}");
}

#[test]
fn time_stands_where_the_recording_ends() {
    let (folder, _) = with_gaps();
    let file = folder.path().join("config.toml");
    fs::write(&file, "[server]\nheartbeat = \"1s\"\n").unwrap();
    let replay = Replay::of(folder.path(), &["--config", file.to_str().unwrap()]);
    let mut feed = replay.feed("history=2s", "hostcast.v1.json");
    feed.hello();
    let (samples, _) = past(&mut feed);
    assert_eq!(samples.len(), 3, "the two seconds before the end");
    let Message::Heartbeat(heartbeat) = feed.message() else { panic!("a heartbeat was expected") };
    assert_eq!((heartbeat.seq, heartbeat.time), (128, BEGINNING + 203_000));
    let status = replay.get("/api/v1/status");
    assert_eq!(status["replay"], json!({"from": BEGINNING, "to": heartbeat.time, "speed": 0, "time": heartbeat.time}));
    assert!(status["sampler"].is_null() && status["config"].is_null(), "nothing is sampled: {status}");
    assert_eq!(replay.get("/healthz"), json!({"status": "replay"}));
}

#[test]
fn a_replay_lets_in_whom_a_daemon_would_let_in() {
    let (folder, _) = with_gaps();
    let (code, why) = refused(folder.path(), &["--listen", "0.0.0.0:0"]);
    assert_eq!(code, Some(78), "{why}");
    assert!(why.contains("server.auth"), "{why}");
    let replay = Replay::of(folder.path(), &[]);
    let answer = Http::connect(&replay.address).request("GET", "/api/v1/samples", &[("Origin", "http://evil.example")]);
    assert_eq!(answer.status, 403);
}
