//! Clients that send what they must not, or what they may at odd moments. Nobody else notices.

use std::{
    io::{Read, Write},
    time::{Duration, Instant},
};

use hostcast::protocol::{Bye, Message};

use crate::support::{Account, Feed, Raw, TestDaemon, opcode};

/// A daemon and a subscriber who must not notice what others do to it.
struct Scene {
    daemon: TestDaemon,
    bystander: Feed,
    account: Account,
}

impl Scene {
    fn set(config: &str) -> Self {
        let daemon = TestDaemon::with(&format!("[sampler]\ninterval = \"100ms\"\n{config}"));
        let mut bystander = daemon.feed("history=none", "hostcast.v1.json");
        let hello = bystander.hello();
        assert_eq!(bystander.past(), []);
        Self { daemon, bystander, account: Account::from(hello.epoch, hello.next_seq) }
    }

    /// That the daemon still serves: the one who was there all the time, and newcomers.
    fn others_are_served(&mut self, after: &str) {
        self.account.sample(&self.bystander.live());
        let health = self.daemon.get("/healthz");
        assert_eq!(health.status, 200, "after {after}: {health:?}");
        let mut newcomer = self.daemon.feed("history=all", "hostcast.v1.compact");
        newcomer.hello();
        assert!(!newcomer.past().is_empty(), "after {after}");
        newcomer.close();
    }
}

#[test]
fn whoever_breaks_the_rules_is_told_which_and_closed() {
    let mut scene = Scene::set("");
    let close = |payload: &[u8]| Raw::frame(opcode::CLOSE, payload);
    let huge_head = [&[0x80 | opcode::BINARY, 0xFF][..], &(1_u64 << 40).to_be_bytes()].concat();
    for (what, bytes, code) in [
        ("a text", Raw::frame(opcode::TEXT, b"hello"), 1008),
        ("an empty binary", Raw::frame(opcode::BINARY, b""), 1008),
        ("the first part of a text", Raw::odd_frame(opcode::TEXT, true, b"hel"), 1008),
        ("a huge text", Raw::frame(opcode::TEXT, &vec![b'x'; 300 << 10]), 1009),
        ("the head of a binary of a terabyte", huge_head, 1009),
        ("a continuation of nothing", Raw::frame(opcode::CONTINUATION, b""), 1002),
        ("an unmasked ping", Raw::odd_frame(0x80 | opcode::PING, false, b""), 1002),
        ("a reserved bit", Raw::odd_frame(0xC0 | opcode::PING, true, b""), 1002),
        ("an unknown message", Raw::frame(0x3, b""), 1002),
        ("an unknown control frame", Raw::frame(0xB, b""), 1002),
        ("a ping in parts", Raw::odd_frame(opcode::PING, true, b""), 1002),
        ("a ping that is too long", Raw::frame(opcode::PING, &[0; 126]), 1002),
        ("half a close code", close(&[3]), 1002),
        ("a close code that only programs use", close(&1005_u16.to_be_bytes()), 1002),
        ("a close code out of range", close(&999_u16.to_be_bytes()), 1002),
        ("a close reason that is not UTF-8", close(b"\x03\xE8\xFF"), 1007),
    ] {
        let mut raw = Raw::open(&scene.daemon.address);
        raw.send(&bytes);
        let (closed, before) = raw.read_close();
        assert_eq!(closed, Some(code), "{what}");
        let Some(Message::Bye(Bye { reason, retry_ms: None })) = before else { panic!("{what}: {before:?}") };
        assert!(!reason.is_empty(), "{what}");
        assert_eq!(raw.wire.read_until_closed(), b"", "nothing comes after a close: {what}");
        scene.others_are_served(what);
    }
}

#[test]
fn a_ping_is_answered_with_its_payload() {
    let mut scene = Scene::set("");
    let mut raw = Raw::open(&scene.daemon.address);
    for payload in [&b""[..], b"x", &[0xFF; 125]] {
        raw.send(&Raw::frame(opcode::PING, payload));
        let (answer, answered, _) = raw.read_control();
        assert_eq!((answer, &answered[..]), (opcode::PONG, payload));
    }
    // An unasked pong is a sign of life and nothing else.
    raw.send(&Raw::frame(opcode::PONG, b"alive"));
    raw.send(&Raw::frame(opcode::PING, b"last"));
    assert_eq!(raw.read_control().1, b"last");
    scene.others_are_served("pings");
}

#[test]
fn a_thousand_pings_before_anything_is_read_end_with_an_answer_to_the_last() {
    let mut scene = Scene::set("");
    let mut raw = Raw::open(&scene.daemon.address);
    for number in 1..=1_000_u16 {
        raw.send(&Raw::frame(opcode::PING, &number.to_be_bytes()));
    }
    let mut last = 0;
    while last < 1_000 {
        let (answer, payload, _) = raw.read_control();
        let number = u16::from_be_bytes(payload.try_into().unwrap());
        assert!(answer == opcode::PONG && number > last, "{number} after {last}");
        last = number;
    }
    scene.others_are_served("a thousand pings");
}

#[test]
fn a_close_is_answered_with_its_code() {
    let mut scene = Scene::set("");
    for code in [Some(1000_u16), Some(1001), Some(4321), None] {
        let mut raw = Raw::open(&scene.daemon.address);
        let payload = code.map_or_else(Vec::new, |code| [&code.to_be_bytes()[..], "adé".as_bytes()].concat());
        raw.send(&Raw::frame(opcode::CLOSE, &payload));
        let (answered, before) = raw.read_close();
        assert_eq!(answered, code);
        assert!(!matches!(before, Some(Message::Bye(_))), "it was the client who said goodbye");
        assert_eq!(raw.wire.read_until_closed(), b"");
        scene.others_are_served("a close");
    }
}

#[test]
fn frames_may_come_in_the_same_packet_as_the_handshake() {
    let mut scene = Scene::set("");
    let address = scene.daemon.address.clone();
    let open = |frame: &[u8]| Raw::open_with(address.connect(), &[&Raw::request(&address, "")[..], frame].concat());
    let (answer, payload, _) = open(&Raw::frame(opcode::PING, b"early")).read_control();
    assert_eq!((answer, &payload[..]), (opcode::PONG, &b"early"[..]));
    let (code, before) = open(&Raw::frame(opcode::TEXT, b"early")).read_close();
    assert!(code == Some(1008) && matches!(before, Some(Message::Bye(_))), "{code:?} {before:?}");
    assert_eq!(open(&Raw::frame(opcode::CLOSE, b"\x03\xE8")).read_close().0, Some(1000));
    scene.others_are_served("early frames");
}

#[test]
fn everything_may_come_one_byte_at_a_time() {
    let mut scene = Scene::set("");
    let mut wire = scene.daemon.address.connect();
    for byte in Raw::request(&scene.daemon.address, "history=none") {
        wire.write_all(&[byte]).unwrap();
    }
    let mut raw = Raw::answered(wire);
    for payload in [&b"slowly"[..], &[7; 125]] {
        for byte in Raw::frame(opcode::PING, payload) {
            raw.send(&[byte]);
        }
        assert_eq!(raw.read_control().1, payload);
    }
    scene.others_are_served("single bytes");
}

#[test]
fn half_a_request_is_closed_when_its_time_is_up() {
    let mut scene = Scene::set("[server.limits]\nheader_timeout = \"1s\"\n");
    for half in ["", "GET /api/v1/stream HT", "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n"] {
        let started = Instant::now();
        let mut wire = scene.daemon.address.connect();
        wire.write_all(half.as_bytes()).unwrap();
        wire.read_until_closed();
        let open = started.elapsed();
        assert!((Duration::from_millis(900)..Duration::from_secs(15)).contains(&open), "{half:?}: {open:?}");
        scene.others_are_served(half);
    }
}

#[test]
fn what_is_not_http_is_refused() {
    let mut scene = Scene::set("");
    let long_head = format!("GET / HTTP/1.1\r\nHost: x\r\nCookie: {}\r\n\r\n", "x".repeat(64 << 10));
    for (what, bytes, status) in [
        ("a TLS hello", &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..], "400"),
        ("line noise", &[0x80; 512], "400"),
        ("a head over the limit", long_head.as_bytes(), "431"),
    ] {
        let mut wire = scene.daemon.address.connect();
        // The server may have closed before all of it was sent.
        let _ = wire.write_all(bytes);
        let answer = String::from_utf8_lossy(&wire.read_until_closed()).into_owned();
        assert!(answer.is_empty() || answer.starts_with(&format!("HTTP/1.1 {status} ")), "{what}: {answer}");
        scene.others_are_served(what);
    }
}

#[test]
fn whoever_vanishes_leaves_nothing_behind() {
    let mut scene = Scene::set("");
    for round in 0..20 {
        let mut raw = Raw::open(&scene.daemon.address);
        if round % 2 == 0 {
            raw.wire.read_exact(&mut [0; 10]).unwrap();
        }
    }
    crate::support::eventually("only the bystander is left", || {
        let status = scene.daemon.status();
        status["stream"]["subscribers"] == 1 && status["connections"]["open"] == 2
    });
    scene.others_are_served("those who vanished");
}

#[test]
fn a_client_that_closes_and_sends_no_more_gets_its_answer() {
    let mut scene = Scene::set("");
    for _ in 0..100 {
        let mut raw = Raw::open(&scene.daemon.address);
        raw.send(&Raw::frame(opcode::CLOSE, &1000_u16.to_be_bytes()));
        raw.wire.shut_down_write();
        assert_eq!(raw.read_close().0, Some(1000));
    }
    let mut raw = Raw::open(&scene.daemon.address);
    raw.send(&Raw::frame(opcode::TEXT, b"hello?"));
    raw.wire.shut_down_write();
    let (code, bye) = raw.read_close();
    assert!(matches!((code, bye), (Some(1008), Some(Message::Bye(_)))));
    scene.others_are_served("half-closed connections");
}

#[test]
fn the_name_of_the_protocol_may_be_written_in_any_case_and_among_others() {
    let mut scene = Scene::set("");
    for name in ["WebSocket", "WEBSOCKET", "h2c, websocket"] {
        let request = String::from_utf8(Raw::request(&scene.daemon.address, "history=none")).unwrap();
        let request = request.replace("Upgrade: websocket", &format!("Upgrade: {name}"));
        Raw::open_with(scene.daemon.address.connect(), request.as_bytes());
    }
    scene.others_are_served("upgrades in odd words");
}
