//! How many may come, and what the one too many is told.

use std::net::SocketAddr;

use crate::support::{Feed, Http, TestDaemon, eventually};

/// Tries until a connection is served again.
fn recovers(daemon: &TestDaemon) {
    eventually("a place is free again", || daemon.get("/healthz").status == 200);
}

#[test]
fn one_connection_too_many_is_told_so_and_a_place_is_free_when_one_leaves() {
    let daemon = TestDaemon::with("[server.limits]\nmax_connections = 2\n");
    let mut first = daemon.http();
    assert_eq!(first.get("/healthz").status, 200);
    let mut subscriber = daemon.feed("history=none", "hostcast.v1.json");
    subscriber.hello();

    let refused = daemon.get("/healthz");
    assert_eq!(refused.problem(503)["error"], "too many connections");
    assert_eq!(refused.header("retry-after"), Some("1"));
    assert_eq!(refused.header("connection"), Some("close"));
    assert_eq!(first.get("/api/v1/status").json()["connections"]["refused_total"], 1);

    drop(first);
    recovers(&daemon);
    // A stream counts as long as it lasts, and its place is given back too.
    let mut second = daemon.http();
    eventually("the place of the last request is free", || {
        second = daemon.http();
        second.get("/healthz").status == 200
    });
    daemon.get("/healthz").problem(503);
    subscriber.close();
    recovers(&daemon);
}

#[test]
fn a_stream_that_is_one_too_many_is_refused_before_its_handshake() {
    let daemon = TestDaemon::with("[server.limits]\nmax_connections = 1\n");
    let mut only = daemon.feed("history=none", "hostcast.v1.json");
    only.hello();
    let upgrade = [("Connection", "Upgrade"), ("Upgrade", "websocket")];
    daemon.http().request("GET", "/api/v1/stream", &upgrade).problem(503);
    only.close();
    eventually("there is room for a stream", || daemon.get("/healthz").status == 200);
}

#[test]
fn each_address_has_its_own_limit() {
    let daemon = TestDaemon::with("[server.limits]\nmax_connections_per_address = 1\n");
    let from = |source: [u8; 4]| {
        let wire = daemon.address.connect_from(SocketAddr::from((source, 0)));
        Http::over(wire, &daemon.address)
    };
    let mut first = from([127, 0, 0, 1]);
    assert_eq!(first.get("/healthz").status, 200);
    assert_eq!(from([127, 0, 0, 1]).get("/healthz").problem(503)["error"], "too many connections from this address");
    let mut other = from([127, 0, 0, 2]);
    assert_eq!(other.get("/healthz").status, 200);
    from([127, 0, 0, 2]).get("/healthz").problem(503);
    drop(first);
    eventually("the address has a place again", || from([127, 0, 0, 1]).get("/healthz").status == 200);
}

#[test]
fn a_hundred_subscribers_hear_the_same() {
    let daemon = TestDaemon::start();
    daemon.wait_for(2);
    let mut feeds: Vec<Feed> = (0..100).map(|_| daemon.feed("history=none", "hostcast.v1.compact")).collect();
    let starts: Vec<_> = feeds.iter_mut().map(|feed| feed.hello().next_seq).collect();
    let common = *starts.iter().max().unwrap();
    let mut heard = feeds.iter_mut().zip(starts).map(|(feed, start)| {
        assert_eq!(feed.past(), []);
        let samples: Vec<_> = (start..=common + 2).map(|_| feed.live()).collect();
        assert!(samples.iter().map(|sample| sample.seq).eq(start..=common + 2));
        samples[samples.len() - 3..].to_vec()
    });
    let first = heard.next().unwrap();
    assert!(heard.all(|samples| samples == first));
}
