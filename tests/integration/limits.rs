//! How many may come, and what the one too many is told.

use std::{io::Write, net::SocketAddr, process::Command};

use rustix::process::Signal;

use crate::support::{Account, Feed, Http, Raw, TestDaemon, eventually};

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

/// What the daemon keeps for itself.
const RESERVED: usize = 128;

/// A daemon that may have so many open files, and how many subscribers it makes of that.
fn with_open_files(soft: usize, hard: usize) -> (TestDaemon, usize) {
    let limited = |program: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -Sn {soft}; ulimit -Hn {hard}; exec \"$0\" \"$@\""), program]);
        command
    };
    let config = "[sampler]\ninterval = \"100ms\"\n";
    let program = crate::support::program();
    let daemon = TestDaemon::launch(config, |_| limited(program.to_str().unwrap()), "127.0.0.1:0");
    (daemon, hard - RESERVED)
}

#[test]
fn it_says_at_the_start_how_many_connections_its_open_files_allow() {
    let (mut daemon, room) = with_open_files(140, 300);
    daemon.signal(Signal::TERM);
    let (_, log) = daemon.wait();
    assert!(log.contains(&format!("open files are limited to {room} connections")), "{log}");
    assert!(log.contains(&format!("up to {room} connections")), "{log}");
}

#[test]
fn when_open_files_run_out_newcomers_are_refused_and_nobody_else_notices() {
    const OPEN_FILES: usize = 200;
    let (daemon, room) = with_open_files(OPEN_FILES, OPEN_FILES);
    let join = || {
        let mut feed = daemon.feed("history=none&metrics=system.cpu.utilization", "hostcast.v1.compact");
        let hello = feed.hello();
        (feed, Account::from(hello.epoch, hello.next_seq))
    };
    let mut subscribers: Vec<_> = (0..room).map(|_| join()).collect();
    let everyone_hears_up_to = |subscribers: &mut Vec<(Feed, Account)>, seq: u64| {
        for (feed, account) in subscribers {
            while account.next <= seq {
                account.message(&feed.message());
            }
            assert_eq!(account.missing, []);
        }
    };

    for _ in 0..20 {
        let refused = daemon.http().request("GET", "/api/v1/stream", &[("Upgrade", "websocket")]);
        assert_eq!(refused.problem(503)["error"], "too many connections");
        assert_eq!(refused.header("retry-after"), Some("1"));
    }
    // More than it could hold, all at once, and none of them leaves by itself.
    let flood: Vec<_> = (0..2 * OPEN_FILES)
        .map(|_| {
            let mut wire = daemon.address.connect();
            // It may have been closed already.
            let _ = wire.write_all(&Raw::request(&daemon.address, ""));
            wire
        })
        .collect();
    let open_files = std::fs::read_dir(format!("/proc/{}/fd", daemon.pid().as_raw_nonzero())).unwrap().count();
    assert!(open_files < OPEN_FILES, "{open_files}");
    for mut wire in flood {
        let answer = String::from_utf8(wire.read_until_closed()).unwrap();
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 503 "), "{answer}");
    }
    let (_, account) = &subscribers[0];
    let two_more = account.next + 2;
    everyone_hears_up_to(&mut subscribers, two_more);

    for (feed, _) in subscribers.drain(..room / 2) {
        feed.close();
    }
    let mut http = daemon.http();
    eventually("their places are free", || {
        http.get("/api/v1/status").json()["connections"]["open"] == subscribers.len() + 1
    });
    subscribers.extend((subscribers.len()..room - 1).map(|_| join()));
    daemon.http().request("GET", "/api/v1/stream", &[("Upgrade", "websocket")]).problem(503);
    let (_, account) = subscribers.last().unwrap();
    let two_more = account.next + 2;
    everyone_hears_up_to(&mut subscribers, two_more);
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
