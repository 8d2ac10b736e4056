//! A configuration that is read again while everyone goes on reading.

use std::{
    fs,
    os::unix::net::UnixDatagram,
    process::{Command, Stdio},
};

use hostcast::protocol::{Message, Notice, WireSample};
use rustix::{
    fs::{Mode, OFlags, open},
    process::Signal,
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
};
use serde_json::json;

use crate::support::{Feed, PATIENCE, TestDaemon, eventually, program};

const FAST: &str = "sampler.interval = \"100ms\"\n";

/// What comes up to the notice of a reload, and the notice.
fn notice(feed: &mut Feed) -> (Vec<WireSample>, Notice) {
    let mut samples = Vec::new();
    loop {
        match feed.message() {
            Message::Sample(sample) => samples.push(sample),
            Message::Notice(notice) if notice.reason == "config_reloaded" => return (samples, notice),
            Message::Schema(_) | Message::Heartbeat(_) | Message::Notice(_) => {}
            other => panic!("a notice was expected, not {other:?}"),
        }
    }
}

fn reloads(daemon: &TestDaemon) -> (u64, u64) {
    let reload = &daemon.status()["reload"];
    (reload["applied"].as_u64().unwrap(), reload["refused"].as_u64().unwrap())
}

#[test]
fn a_reload_takes_effect_and_loses_no_subscriber_and_no_sample() {
    let daemon = TestDaemon::with("sampler.interval = \"300ms\"\n[labels]\nsite = \"fra1\"\n");
    daemon.wait_for(2);
    let mut feeds = ["hostcast.v1.json", "hostcast.v1.compact"].map(|name| daemon.feed("history=all", name));
    let epoch = feeds[0].hello().epoch;
    feeds[1].hello();
    let pasts = feeds.each_mut().map(Feed::past);

    daemon.reload(
        "[sampler]\ninterval = \"100ms\"\n[collectors]\nload = false\n[history]\nwindow = \"1m\"\n\
         [server]\nheartbeat = \"1s\"\nallowed_hosts = \"other.example\"\n[server.limits]\nmax_connections = 3\n\
         [labels]\nsite = \"nbg1\"\n",
    );
    for (feed, past) in feeds.iter_mut().zip(pasts) {
        let (mut samples, notice) = notice(feed);
        let mut changed = notice.changed;
        changed.sort();
        assert_eq!(
            changed,
            [
                "collectors.load",
                "history.window",
                "labels.site",
                "sampler.interval",
                "server.allowed_hosts",
                "server.heartbeat",
                "server.limits.max_connections",
            ]
        );
        assert_eq!((notice.interval_ms, notice.heartbeat_ms), (Some(100), Some(1_000)));
        assert_eq!(notice.labels, Some([("site".to_owned(), "nbg1".to_owned())].into()));
        samples.extend((0..5).map(|_| feed.live()));
        for (expected, sample) in (past[0].seq..).zip(past.iter().chain(&samples)) {
            assert_eq!(sample.seq, expected);
        }
        let elapsed: f64 = samples.windows(2).map(|pair| pair[1].elapsed_ms).sum();
        let apart = samples[samples.len() - 1].time - samples[0].time;
        assert!((elapsed - apart as f64).abs() < 20.0, "{elapsed} ms of samples in {apart} ms");
    }

    let [mut feed, _compact] = feeds;
    let mut third = daemon.feed("history=all", "hostcast.v1.json");
    let hello = third.hello();
    assert_eq!((hello.epoch, hello.interval_ms, hello.heartbeat_ms), (epoch, 100, 1_000));
    assert_eq!(hello.host.labels["site"], "nbg1");
    let newest = third.past().pop().unwrap();
    let sample = serde_json::to_value(&newest.values).unwrap();
    assert!(sample["system.cpu.utilization"].is_number() && sample.get("system.cpu.load_average.1m").is_none());
    // The fourth connection is one too many now.
    assert_eq!(daemon.get("/api/v1/status").status, 503);
    third.close();
    let mut status = json!(null);
    eventually("there is room again", || {
        status = daemon.status();
        status["history"].is_object()
    });
    assert_eq!(status["history"]["window_ms"], 60_000);
    assert_eq!(status["sampler"]["interval_ms"], 100);
    let names: Vec<_> = status["sampler"]["collectors"].as_array().unwrap().iter().map(|it| &it["name"]).collect();
    assert!(!names.contains(&&json!("load")) && names.contains(&&json!("cpu")), "{names:?}");
    assert_eq!(status["reload"], json!({"applied": 1, "refused": 0, "problems": [], "needs_restart": []}));
    feed.live();
}

#[test]
fn a_wrong_configuration_changes_nothing_and_is_told_everywhere() {
    let manager = tempfile::tempdir().unwrap();
    let socket = UnixDatagram::bind(manager.path().join("notify")).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let hear_of = |wanted: &str| {
        loop {
            let mut message = [0; 4096];
            let length = socket.recv(&mut message).unwrap();
            let message = str::from_utf8(&message[..length]).unwrap().to_owned();
            if message.contains(wanted) {
                return message;
            }
        }
    };
    let command = |_: &std::path::Path| {
        let mut command = Command::new(program());
        command.env("NOTIFY_SOCKET", manager.path().join("notify")).stdin(Stdio::null());
        command
    };
    let mut daemon = TestDaemon::launch(FAST, command, "127.0.0.1:0");
    hear_of("READY=1");
    let mut feed = daemon.feed("history=none", "hostcast.v1.json");
    feed.hello();
    feed.past();

    let file = daemon.folder().join("config.toml");
    let line = format!(
        "{}:1:20: sampler.interval: \"1ms\" is too short: at least 100ms, because the kernel counts CPU time in ticks \
         of 10 ms",
        file.display()
    );
    daemon.reload("sampler.interval = \"1ms\"\n");
    let reloading = hear_of("RELOADING=1");
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    let told = hear_of("READY=1");
    assert_eq!(told, format!("READY=1\nSTATUS=the configuration is wrong, the old one stays in force: {line}"));
    let status = daemon.status();
    assert_eq!(status["reload"], json!({"applied": 0, "refused": 1, "problems": [line], "needs_restart": []}));
    assert_eq!(status["sampler"]["interval_ms"], 100);
    // It goes on being said.
    hear_of("sampling every 100ms, 1 subscriber; the configuration is wrong");

    daemon.reload("sampler.interval = \"200ms\"\n");
    assert_eq!(notice(&mut feed).1.changed, ["sampler.interval"]);
    assert_eq!(hear_of("READY=1"), "READY=1\nSTATUS=reloaded: sampler.interval");
    assert_eq!(daemon.status()["reload"]["problems"], json!([]));
    fs::remove_file(&file).unwrap();
    daemon.signal(Signal::HUP);
    hear_of("no such file");
    daemon.signal(Signal::TERM);
    let (_, log) = daemon.wait();
    assert!(log.contains(&format!("ERROR {line}")) && log.contains("the old one stays in force"), "{log}");
}

#[test]
fn what_only_a_restart_can_change_is_said_so() {
    // The flag of the test would win over the file, so it is a variable here.
    let command = |_: &std::path::Path| {
        let mut shell = Command::new("sh");
        let script = "exec \"$0\" serve --config \"$3\"";
        shell.args(["-c", script]).arg(program()).stdin(Stdio::null());
        shell
    };
    let mut daemon = TestDaemon::launch("server.listen = \"127.0.0.1:0\"\n", command, "");
    daemon.reload("server.listen = \"127.0.0.1:1\"\nserver.heartbeat = \"2s\"\n");
    eventually("the reload", || reloads(&daemon) == (1, 0));
    assert_eq!(daemon.status()["reload"]["needs_restart"], json!(["server.listen"]));
    let mut feed = daemon.feed("history=none", "hostcast.v1.json");
    assert_eq!(feed.hello().heartbeat_ms, 2_000, "the rest is in force");
    daemon.reload("server.listen = \"127.0.0.1:0\"\nserver.heartbeat = \"2s\"\n");
    eventually("the second reload", || reloads(&daemon) == (2, 0));
    assert_eq!(daemon.status()["reload"]["needs_restart"], json!([]));
    daemon.signal(Signal::TERM);
    let (_, log) = daemon.wait();
    assert!(log.contains("WARN takes effect only with a restart: server.listen"), "{log}");
}

#[test]
fn the_log_says_more_or_less_from_the_reload_on() {
    let mut daemon = TestDaemon::with("log.level = \"error\"\n");
    daemon.reload("log.level = \"debug\"\n");
    eventually("the reload", || reloads(&daemon) == (1, 0));
    assert_eq!(daemon.http().request("GET", "/", &[("Origin", "http://evil.example")]).status, 403);
    daemon.signal(Signal::TERM);
    let (_, log) = daemon.wait();
    assert!(!log.contains("serving") && log.contains("DEBUG refused a request"), "{log}");
}

/// Open descriptors and threads.
fn held(daemon: &TestDaemon) -> (usize, usize) {
    let count = |folder| fs::read_dir(format!("/proc/{}/{folder}", daemon.pid())).unwrap().count();
    (count("fd"), count("task"))
}

#[test]
fn a_thousand_reloads_in_a_burst_end_on_the_last_file_and_leak_nothing() {
    let daemon = TestDaemon::with(FAST);
    let mut feed = daemon.feed("history=none", "hostcast.v1.json");
    feed.hello();
    feed.past();
    let mut last = feed.live().seq;
    let before = held(&daemon);
    // A reader that does not read: what it is to be told must not pile up either.
    let deaf = daemon.feed("history=none", "hostcast.v1.compact");
    for number in 0..1_000 {
        let interval = 100 + number % 7;
        daemon.reload(&format!(
            "[sampler]\ninterval = \"{interval}ms\"\n[collectors]\npressure = {}\n[labels]\nnumber = \"{number}\"\n",
            number % 2 == 0
        ));
    }
    daemon.reload("sampler.interval = \"150ms\"\n[labels]\nnumber = \"last\"\n");
    loop {
        match feed.message() {
            Message::Notice(notice) if notice.interval_ms == Some(150) => break,
            Message::Sample(sample) => {
                assert_eq!(sample.seq, last + 1);
                last = sample.seq;
            }
            Message::Notice(_) | Message::Schema(_) | Message::Heartbeat(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(feed.live().seq, last + 1);
    let hello = daemon.feed("history=none", "hostcast.v1.json").hello();
    assert_eq!((hello.interval_ms, &*hello.host.labels["number"]), (150, "last"));
    let (applied, refused) = reloads(&daemon);
    assert!((1..=1_001).contains(&applied), "{applied}");
    // A file that was caught half written is refused like any other.
    assert!(refused <= 1_000);
    drop(deaf);
    eventually("everything that was opened is closed again", || held(&daemon) == before);
}

#[test]
fn a_terminal_that_is_closed_ends_it() {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&terminal).unwrap();
    unlockpt(&terminal).unwrap();
    let name = ptsname(&terminal, Vec::new()).unwrap();
    let inside = open(&*name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let command = move |_: &std::path::Path| {
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(program()).stdin(inside);
        command
    };
    let mut daemon = TestDaemon::launch(FAST, command, "127.0.0.1:0");
    // With its terminal there it is a reload like any other.
    daemon.reload(FAST);
    eventually("the reload", || reloads(&daemon) == (1, 0));
    drop(terminal);
    assert!(daemon.wait().0.success());
}

#[test]
fn no_reload_opens_to_others_what_nothing_guards() {
    let command = |_: &std::path::Path| {
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec \"$0\" serve --config \"$3\""]).arg(program()).stdin(Stdio::null());
        shell
    };
    let daemon = TestDaemon::launch("[server]\nlisten = \"0.0.0.0:0\"\nauth = \"none\"\n", command, "");
    // By itself this file is right. But the port that others can reach is still open, and only a restart closes it.
    daemon.reload("[server]\nlisten = \"127.0.0.1:7117\"\nauth = \"local\"\n");
    eventually("it is refused", || reloads(&daemon) == (0, 1));
    let status = daemon.status();
    assert_eq!(status["access"]["auth"], "none");
    let problem = status["reload"]["problems"][0].as_str().unwrap();
    assert!(problem.starts_with("server.auth: others can reach 0.0.0.0:"), "{problem}");
}
