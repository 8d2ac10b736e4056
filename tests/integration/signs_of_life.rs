//! Heartbeats and pings: silence that can be told from a dead line. Time is the subject here.

use std::{
    thread,
    time::{Duration, Instant},
};

use hostcast::protocol::Message;

use crate::support::{Feed, Heard, Raw, TestDaemon, eventually, opcode};

#[test]
fn a_heartbeat_comes_when_nothing_else_does() {
    let daemon =
        TestDaemon::with("[sampler]\ninterval = \"1h\"\n[history]\nwindow = \"2h\"\n[server]\nheartbeat = \"1s\"\n");
    let mut feed = daemon.feed("history=all", "hostcast.v1.json");
    assert_eq!(feed.hello().heartbeat_ms, 1_000);
    let mut newest = feed.past().last().map_or(0, |sample| sample.seq);
    let mut last = Instant::now();
    let mut heartbeats = 0;
    while heartbeats < 2 {
        match feed.message() {
            Message::Sample(sample) => newest = sample.seq,
            Message::Schema(_) => {}
            Message::Heartbeat(heartbeat) => {
                assert_eq!(heartbeat.seq, newest);
                let silence = last.elapsed();
                assert!((Duration::from_millis(900)..Duration::from_secs(10)).contains(&silence), "{silence:?}");
                heartbeats += 1;
            }
            other => panic!("{other:?}"),
        }
        last = Instant::now();
    }
    assert_eq!(newest, 1, "the first sample does not wait for an hour");
}

#[test]
fn no_heartbeat_comes_between_samples() {
    let daemon = TestDaemon::with("[sampler]\ninterval = \"100ms\"\n[server]\nheartbeat = \"1s\"\n");
    let mut feed = daemon.feed("history=none", "hostcast.v1.json");
    feed.hello();
    feed.past();
    for _ in 0..15 {
        let message = feed.message();
        assert!(matches!(message, Message::Sample(_) | Message::Schema(_)), "{message:?}");
    }
}

#[test]
fn a_peer_that_leaves_two_pings_unanswered_is_dropped_and_one_that_answers_stays() {
    let daemon = TestDaemon::with(
        "[sampler]\ninterval = \"1h\"\n[history]\nwindow = \"2h\"\n[server.limits]\nping_interval = \"1s\"\n",
    );
    let mut lively = daemon.feed("history=none", "hostcast.v1.json");
    lively.hello();
    let lively = thread::spawn(move || hears_on(lively));

    let mut silent = Raw::open(&daemon.address);
    let started = Instant::now();
    let mut pings = 0;
    while let Ok((opcode, _)) = silent.try_read() {
        pings += u32::from(opcode == opcode::PING);
    }
    assert_eq!(pings, 2);
    assert!(started.elapsed() >= Duration::from_millis(2_900), "{:?}", started.elapsed());

    eventually("only the one that answers is left", || daemon.status()["stream"]["subscribers"] == 1);
    daemon.signal(rustix::process::Signal::TERM);
    assert!(lively.join().unwrap(), "and hears the goodbye");
}

/// Reads to the end, which answers pings; whether that was a goodbye.
fn hears_on(mut feed: Feed) -> bool {
    let mut said_bye = false;
    loop {
        match feed.hear() {
            Heard::Message(message) => said_bye |= matches!(*message, Message::Bye(_)),
            Heard::Closed { .. } => {}
            Heard::Ended => return said_bye,
        }
    }
}
