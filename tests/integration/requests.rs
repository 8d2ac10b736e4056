//! Requests that are odd, slow or none at all, and frames that come with them. Nobody else notices.

use std::{
    io::Write,
    time::{Duration, Instant},
};

use hostcast::protocol::Message;

use crate::support::{Raw, Scene, opcode};

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
fn the_name_of_the_protocol_may_be_written_in_any_case_and_among_others() {
    let mut scene = Scene::set("");
    for name in ["WebSocket", "WEBSOCKET", "h2c, websocket"] {
        let request = String::from_utf8(Raw::request(&scene.daemon.address, "history=none")).unwrap();
        let request = request.replace("Upgrade: websocket", &format!("Upgrade: {name}"));
        Raw::open_with(scene.daemon.address.connect(), request.as_bytes());
    }
    scene.others_are_served("upgrades in odd words");
}
