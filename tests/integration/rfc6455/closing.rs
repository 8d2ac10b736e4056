//! How a connection ends: with a close, a wrong one, two at once, or none. Sections 6 and 7 of the Autobahn test suite.

use std::io::{Read, Write};

use hostcast::protocol::Message;
use rustix::process::Signal;

use super::{FIN, POLICY_VIOLATION, PROTOCOL_ERROR, close, expect_pong, ping};
use crate::support::{Raw, Scene, opcode};

const INVALID_PAYLOAD: u16 = 1007;

/// 7.3 and 7.7.
#[test]
fn a_close_is_answered_with_its_code() {
    let mut scene = Scene::set("");
    scene.answers_close("a close without a code", &Raw::frame(opcode::CLOSE, b""), None);
    let longest = [b'r'; 123];
    for code in (1000..=1003).chain(1007..=1014).chain([3000, 3999, 4000, 4321, 4999]) {
        for reason in [&b""[..], b"r", "adé".as_bytes(), &longest] {
            scene.answers_close(&format!("{code}"), &close(code, reason), Some(code));
        }
    }
    let mut raw = scene.open();
    for byte in close(1000, &longest) {
        raw.send(&[byte]);
    }
    assert_eq!(raw.read_close().0, Some(1000));
    scene.others_are_served("closes");
}

/// 7.3.2, 7.3.6, 7.9 and 7.13. 1012 to 1014 have been given out since that list was made.
#[test]
fn a_close_that_must_not_be_sent_is_refused() {
    let mut scene = Scene::set("");
    scene.refuses("half a code", &Raw::frame(opcode::CLOSE, b"\x03"), PROTOCOL_ERROR);
    scene.refuses("a reason of 124 bytes", &close(1000, &[b'r'; 124]), PROTOCOL_ERROR);
    for code in [0, 1, 500, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 0x7FFF, 0x8000, 0xFFFF] {
        for reason in [&b""[..], b"reason"] {
            scene.refuses(&format!("code {code}"), &close(code, reason), PROTOCOL_ERROR);
        }
    }
    scene.others_are_served("wrong closes");
}

/// 6.5 to 6.23 and 7.5.1, in the only text that a client of ours may send.
#[test]
fn the_reason_of_a_close_has_to_be_utf_8() {
    let mut scene = Scene::set("");
    for valid in [
        "κόσμε",
        "Hello-µ@ßöäüàá-UTF-8!!",
        "\0",
        "\u{7F}\u{80}\u{7FF}\u{800}\u{FFFF}",
        "\u{10000}\u{10FFFF}",
        "\u{D7FF}\u{E000}\u{FFFD}",
        // Not characters, but code points all the same.
        "\u{FFFE}\u{1FFFE}\u{10FFFE}",
        "\u{FEFF}a mark of the byte order",
    ] {
        scene.answers_close(&format!("{valid:?}"), &close(1000, valid.as_bytes()), Some(1000));
    }
    for invalid in [
        &b"\x80"[..],
        b"\xBF",
        b"a\x80z",
        b"\xC2",
        b"\xE0\xA0",
        b"\xF0\x90\x80",
        b"\xC3\x28",
        b"\xCE\xBA\xE1\xBD\xB9\xCF\x83\xCE\xBC\xCE\xB5\xED\xA0\x80edited",
        // More bytes than needed.
        b"\xC0\x80",
        b"\xC1\xBF",
        b"\xE0\x80\x80",
        b"\xF0\x80\x80\x80",
        b"\xF0\x8F\xBF\xBF",
        // Halves of surrogate pairs, and both.
        b"\xED\xA0\x80",
        b"\xED\xBF\xBF",
        b"\xED\xA0\x80\xED\xB0\x80",
        // Past the last code point.
        b"\xF4\x90\x80\x80",
        b"\xF5\x80\x80\x80",
        b"\xF8\x88\x80\x80\x80",
        b"\xFC\x84\x80\x80\x80\x80",
        b"\xFE",
        b"\xFF",
    ] {
        scene.refuses(&format!("{invalid:x?}"), &close(1000, invalid), INVALID_PAYLOAD);
    }
    scene.others_are_served("reasons");
}

/// 7.1.2 to 7.1.6: the first close counts, and what comes behind it is not read.
#[test]
fn nothing_that_comes_behind_a_close_is_answered() {
    let mut scene = Scene::set("");
    for (what, behind) in [
        ("a close", close(1001, b"again")),
        ("a wrong close", close(999, b"")),
        ("a ping", ping(b"behind")),
        ("a text", Raw::frame(opcode::TEXT, b"behind")),
        ("a long binary", Raw::frame(opcode::BINARY, &[0; 8 << 10])),
        ("noise", vec![0xFF; 100]),
    ] {
        scene.answers_close(&format!("{what} behind a close"), &[close(1000, b""), behind].concat(), Some(1000));
    }
    let mut raw = scene.open();
    raw.send(&[ping(b"before"), close(1000, b"")].concat());
    expect_pong(&mut raw, b"before");
    assert_eq!(raw.read_close().0, Some(1000));
    scene.others_are_served("words behind a close");
}

#[test]
fn when_both_sides_close_at_once_both_are_done() {
    for code in [1000, 4000] {
        let mut scene = Scene::set("");
        let mut hasty = scene.open();
        let mut polite = scene.open();
        scene.daemon.signal(Signal::TERM);
        // The two cross on their way, whoever was first: what comes is the daemon's close or its answer.
        hasty.send(&close(code, b""));
        let (closed, bye) = hasty.read_close();
        match closed {
            Some(1001) => assert!(matches!(bye, Some(Message::Bye(_)))),
            answer => assert_eq!(answer, Some(code)),
        }
        assert_eq!(hasty.wire.read_until_closed(), b"");
        // The daemon has said 1001 to this one, and gets another code instead of an answer.
        assert_eq!(polite.read_close().0, Some(1001));
        polite.send(&close(code, b"me too"));
        assert_eq!(polite.wire.read_until_closed(), b"");
        let (status, _) = scene.daemon.wait();
        assert!(status.success(), "{status}");
    }
}

#[test]
fn a_client_that_closes_and_sends_no_more_gets_its_answer() {
    let mut scene = Scene::set("");
    for _ in 0..100 {
        let mut raw = scene.open();
        raw.send(&close(1000, b""));
        raw.wire.shut_down_write();
        assert_eq!(raw.read_close().0, Some(1000));
    }
    let mut raw = scene.open();
    raw.send(&Raw::frame(opcode::TEXT, b"hello?"));
    raw.wire.shut_down_write();
    let (code, bye) = raw.read_close();
    assert!(matches!((code, bye), (Some(POLICY_VIOLATION), Some(Message::Bye(_)))));
    scene.others_are_served("half-closed connections");
}

/// Section 7.1.5 of the RFC calls it abnormal, and there is nobody left to be told.
#[test]
fn a_connection_that_ends_without_a_close_leaves_nothing_behind() {
    let mut scene = Scene::set("");
    let before: [&[u8]; 6] =
        [b"", &[FIN], &ping(b"unread"), &ping(b"cut")[..7], &close(1000, b"")[..4], &[FIN | opcode::TEXT, 0xFF, 0]];
    for bytes in before {
        let mut half_closed = scene.open();
        half_closed.send(bytes);
        half_closed.wire.shut_down_write();
        half_closed.wire.read_until_closed();

        let mut reset = scene.open();
        reset.send(bytes);
        reset.wire.reset();

        let mut dropped = scene.open();
        // In the middle of what the server sends.
        dropped.wire.read_exact(&mut [0; 10]).unwrap();
        dropped.wire.write_all(bytes).unwrap();
    }
    scene.only_the_bystander_is_left();
    scene.others_are_served("connections that broke");
}

#[test]
fn whoever_vanishes_leaves_nothing_behind() {
    let mut scene = Scene::set("");
    for round in 0..20 {
        let mut raw = scene.open();
        if round % 2 == 0 {
            raw.wire.read_exact(&mut [0; 10]).unwrap();
        }
    }
    scene.only_the_bystander_is_left();
    scene.others_are_served("those who vanished");
}
