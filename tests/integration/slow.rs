//! A subscriber that does not keep up: bounded, told what it missed, and felt by nobody else.

use std::time::{Duration, Instant};

use hostcast::{hub::GapReason, protocol::Message};

use crate::support::{Account, Feed, Http, Pour, SUBPROTOCOLS, WIDE, eventually, schema};

#[test]
fn a_slow_subscriber_is_told_what_it_missed_and_nobody_else_misses_anything() {
    const POURED: u64 = 800;
    for subprotocol in SUBPROTOCOLS {
        let mut pour = Pour::new();
        // About 10 MB in either subprotocol: more than any socket takes.
        pour.schema = schema(1, if subprotocol == "hostcast.v1.json" { WIDE } else { 5 * WIDE });
        let wire = pour.address.connect_with_small_buffer();
        let mut slow = Feed::over(wire, &pour.address, "history=none", &[subprotocol]);
        let mut attentive = pour.feed("history=none", subprotocol);
        let mut account_of_attentive = Account::from(attentive.hello().epoch, 1);
        let mut account = Account::from(slow.hello().epoch, 1);
        assert_eq!(slow.past(), []);

        while pour.newest() < POURED {
            pour.publish(4);
            pour.read_up_to(pour.newest(), &mut attentive, &mut account_of_attentive);
        }
        assert_eq!(account_of_attentive.missing, [], "someone else's slowness was felt");

        pour.read_up_to(POURED, &mut slow, &mut account);
        // A kernel may take a little more now and then, and then there are several gaps.
        assert!(account.missing.iter().all(|(_, reason)| *reason == GapReason::Slow), "{account:?}");
        let (first, _) = account.missing.first().expect("it was too slow");
        assert!(*first.start() > 1, "what was on its way arrives: {account:?}");
        assert!(account.missing() > POURED / 4, "{account:?}");
        let stream = Http::connect(&pour.address).get("/api/v1/status").json()["stream"].take();
        assert_eq!(stream["samples_dropped"], account.missing());

        // From here on it keeps up.
        let gaps = account.missing.len();
        for _ in 0..10 {
            pour.publish(1);
            pour.read_up_to(pour.newest(), &mut slow, &mut account);
        }
        assert_eq!(account.missing.len(), gaps, "{account:?}");
    }
}

#[test]
fn publishing_waits_for_nobody() {
    const POURED: u64 = 20_000;
    let pour = Pour::new();
    let open = |_| {
        let wire = pour.address.connect_with_small_buffer();
        let mut feed = Feed::over(wire, &pour.address, "history=none", &["hostcast.v1.json"]);
        feed.hello();
        feed
    };
    let mut readers_of_nothing: Vec<_> = (0..20).map(open).collect();
    // Returns only when all were taken, and a single one that had to wait for a socket would wait forever.
    pour.publish(POURED);
    assert_eq!(pour.newest(), POURED);
    for feed in &mut readers_of_nothing {
        let mut account = Account::from(pour.hub.epoch(), 1);
        pour.read_up_to(POURED, feed, &mut account);
        assert!(account.missing.iter().all(|(_, reason)| *reason == GapReason::Slow));
    }
}

#[test]
fn a_history_that_leaves_the_ring_while_it_is_read_is_named_too() {
    let mut pour = Pour::with(|config| config.history.max_bytes = 4 << 20);
    pour.schema = schema(1, WIDE);
    // Some 1,200 samples of 20 kB each as JSON.
    pour.publish(2_000);
    let wire = pour.address.connect_with_small_buffer();
    let mut feed = Feed::over(wire, &pour.address, "history=all", &["hostcast.v1.json"]);
    let hello = feed.hello();
    // The whole ring passes while this one looks away.
    pour.publish(2_000);
    let mut account = Account::from(hello.epoch, hello.oldest_seq);
    pour.read_up_to(pour.newest(), &mut feed, &mut account);
    assert!(!account.missing.is_empty() && account.seen > 0, "{account:?}");
    assert!(account.missing.iter().all(|(_, reason)| *reason == GapReason::Slow));
    pour.publish(1);
    assert!(matches!(feed.message(), Message::Sample(sample) if sample.seq == pour.newest()));
}

/// A server that waits this long for those who read nothing, and one who reads its hello and then
/// nothing, while far more than its socket takes waits for it.
fn stalled(stall_timeout: Duration) -> (Pour, Feed) {
    let mut pour = Pour::with(|config| {
        config.server.limits.stall_timeout = stall_timeout;
        // Who reads nothing answers no pings: that must not be what ends it.
        config.server.limits.ping_interval = Duration::from_secs(1);
        // Nothing shall be dropped: what waits has to be enough to fill the socket.
        config.server.limits.max_backlog_bytes = 1 << 30;
    });
    pour.schema = schema(1, 5 * WIDE);
    let wire = pour.address.connect_with_small_buffer();
    let mut feed = Feed::over(wire, &pour.address, "history=none", &["hostcast.v1.json"]);
    feed.hello();
    assert_eq!(feed.past(), []);
    pour.publish(200);
    (pour, feed)
}

#[test]
fn whoever_reads_nothing_for_too_long_is_sent_away_to_try_again() {
    let (pour, mut feed) = stalled(Duration::from_secs(3));
    // Time is the subject: past the limit, and within the same again that is left to read the goodbye.
    // The clock begins when the kernel takes no more, and it may take a little now and then.
    let mut http = Http::connect(&pour.address);
    let (mut sent, mut since) = (0, Instant::now());
    eventually("the kernel takes no more", || {
        let now_sent = http.get("/api/v1/status").json()["stream"]["bytes_sent"].as_u64().unwrap();
        if now_sent != sent {
            (sent, since) = (now_sent, Instant::now());
        }
        since.elapsed() > Duration::from_millis(4_500)
    });
    assert_eq!(feed.goodbye(), ("slow".into(), Some(1_000), Some(1013)));
}

#[test]
fn whoever_never_reads_again_is_dropped() {
    let (pour, _feed) = stalled(Duration::from_secs(1));
    let mut http = Http::connect(&pour.address);
    assert_eq!(http.get("/api/v1/status").json()["stream"]["subscribers"], 1);
    eventually("its place is free", || http.get("/api/v1/status").json()["stream"]["subscribers"] == 0);
}
