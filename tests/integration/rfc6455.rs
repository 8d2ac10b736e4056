//! RFC 6455 over raw sockets: the cases of the Autobahn test suite that apply to a server that only sends, by its
//! section numbers. Its sections 1, 6.1 to 6.4, 9 and 10 echo messages, which this server takes from nobody; 12 and
//! 13 are about compression.
//!
//! Whatever one client does, a bystander on the same daemon must not miss a sample.

mod closing;

use hostcast::protocol::{Bye, Message};

use crate::support::{Raw, Scene, eventually, opcode};

const FIN: u8 = 0x80;
const DATA: [u8; 2] = [opcode::TEXT, opcode::BINARY];
const CONTROL: [u8; 3] = [opcode::CLOSE, opcode::PING, opcode::PONG];

const PROTOCOL_ERROR: u16 = 1002;
const POLICY_VIOLATION: u16 = 1008;
const MESSAGE_TOO_BIG: u16 = 1009;

fn ping(payload: &[u8]) -> Vec<u8> {
    Raw::frame(opcode::PING, payload)
}

fn close(code: u16, reason: &[u8]) -> Vec<u8> {
    Raw::frame(opcode::CLOSE, &[&code.to_be_bytes(), reason].concat())
}

/// A frame without its payload, and with this length in as many bytes as it has.
fn head(first: u8, length_form: u8, length: &[u8]) -> Vec<u8> {
    [&[first, 0x80 | length_form][..], length, &[0xA5, 0x5A, 0x0F, 0xF0]].concat()
}

impl Scene {
    fn open(&self) -> Raw {
        Raw::open(&self.daemon.address)
    }

    /// A client that sends this, in one piece or byte by byte, is told that it is wrong and closed with `code`.
    fn refuses(&self, what: &str, bytes: &[u8], code: u16) {
        let pieces: &[usize] = if bytes.len() < 300 { &[usize::MAX, 1] } else { &[usize::MAX] };
        for &piece in pieces {
            let mut raw = self.open();
            bytes.chunks(piece).for_each(|piece| raw.send(piece));
            let (closed, before) = raw.read_close();
            assert_eq!(closed, Some(code), "{what}");
            let Some(Message::Bye(Bye { reason, retry_ms: None })) = before else { panic!("{what}: {before:?}") };
            assert!(!reason.is_empty(), "{what}");
            assert_eq!(raw.wire.read_until_closed(), b"", "nothing comes after a close: {what}");
        }
    }

    /// A client that sends this gets its close answered with `code`, and not a word more.
    fn answers_close(&self, what: &str, bytes: &[u8], code: Option<u16>) {
        let mut raw = self.open();
        raw.send(bytes);
        let (answered, before) = raw.read_close();
        assert_eq!(answered, code, "{what}");
        assert!(!matches!(before, Some(Message::Bye(_))), "it was the client who said goodbye: {what}");
        assert_eq!(raw.wire.read_until_closed(), b"", "nothing comes after a close: {what}");
    }

    fn only_the_bystander_is_left(&self) {
        eventually("only the bystander is left", || {
            let status = self.daemon.status();
            status["stream"]["subscribers"] == 1 && status["connections"]["open"] == 2
        });
    }
}

/// The next frame that is not a message has to be this pong.
fn expect_pong(raw: &mut Raw, payload: &[u8]) {
    let (opcode, answered, _) = raw.read_control();
    assert_eq!((opcode, &answered[..]), (opcode::PONG, payload));
}

/// 2.1 to 2.6.
#[test]
fn a_ping_of_any_legal_length_is_answered_with_its_payload() {
    let mut scene = Scene::set("");
    let mut raw = scene.open();
    for length in 0..=125 {
        let payload = vec![0xFF - length; usize::from(length)];
        raw.send(&ping(&payload));
        expect_pong(&mut raw, &payload);
    }
    for byte in ping(&[0xFE; 125]) {
        raw.send(&[byte]);
    }
    expect_pong(&mut raw, &[0xFE; 125]);
    let frame = ping(b"cut");
    for cut in 1..frame.len() {
        raw.send(&frame[..cut]);
        raw.send(&frame[cut..]);
        expect_pong(&mut raw, b"cut");
    }
    // A mask of zeros is a mask.
    raw.send(&[FIN | opcode::PING, 0x82, 0, 0, 0, 0, b'o', b'k']);
    expect_pong(&mut raw, b"ok");
    scene.others_are_served("pings");
}

/// 2.5, and what the other control frames have in common with a ping.
#[test]
fn a_control_frame_over_125_bytes_is_refused() {
    let mut scene = Scene::set("");
    for opcode in CONTROL {
        for length in [126, 127, 0xFFFF, 0x1_0000] {
            scene.refuses(
                &format!("{opcode:#x} of {length} bytes"),
                &Raw::frame(opcode, &vec![b'x'; length]),
                PROTOCOL_ERROR,
            );
        }
        scene.refuses("a long form of a short length", &head(FIN | opcode, 0x7E, &[0, 5]), PROTOCOL_ERROR);
        scene.refuses("the longest form", &head(FIN | opcode, 0x7F, &5_u64.to_be_bytes()), PROTOCOL_ERROR);
    }
    scene.others_are_served("control frames that are too long");
}

/// 2.7 to 2.9.
#[test]
fn pongs_that_nobody_asked_for_are_taken_and_not_answered() {
    let mut scene = Scene::set("");
    let mut raw = scene.open();
    for length in 0..=125 {
        raw.send(&Raw::frame(opcode::PONG, &vec![b'x'; length]));
    }
    raw.send(&ping(b"after the pongs"));
    expect_pong(&mut raw, b"after the pongs");
    scene.others_are_served("unasked pongs");
}

/// 2.10 and 2.11, further: of pings that wait together, the newest must be answered (section 5.5.3).
#[test]
fn a_thousand_pings_before_anything_is_read_end_with_an_answer_to_the_last() {
    let mut scene = Scene::set("");
    let pings: Vec<u8> = (1..=1_000_u16).flat_map(|number| ping(&number.to_be_bytes())).collect();
    for piece in [usize::MAX, 8, 1] {
        let mut raw = scene.open();
        pings.chunks(piece).for_each(|piece| raw.send(piece));
        let mut last = 0;
        while last < 1_000 {
            let (answer, payload, _) = raw.read_control();
            let number = u16::from_be_bytes(payload.try_into().unwrap());
            assert!(answer == opcode::PONG && number > last, "{number} after {last}");
            last = number;
        }
    }
    scene.others_are_served("a thousand pings");
}

/// 3.1 to 3.7, for every combination and every kind of frame.
#[test]
fn reserved_bits_are_refused() {
    let mut scene = Scene::set("");
    for bits in (0x10..=0x70).step_by(0x10) {
        for opcode in DATA.into_iter().chain(CONTROL) {
            let frame = Raw::odd_frame(FIN | bits | opcode, true, &[]);
            scene.refuses(&format!("bits {bits:#x} on opcode {opcode:#x}"), &frame, PROTOCOL_ERROR);
        }
    }
    scene.others_are_served("reserved bits");
}

/// 4.1 and 4.2.
#[test]
fn reserved_opcodes_are_refused() {
    let mut scene = Scene::set("");
    for opcode in (0x3..=0x7).chain(0xB..=0xF) {
        for payload in [&b""[..], b"reserved"] {
            scene.refuses(&format!("opcode {opcode:#x}"), &Raw::frame(opcode, payload), PROTOCOL_ERROR);
        }
    }
    scene.others_are_served("reserved opcodes");
}

#[test]
fn a_client_that_does_not_mask_is_refused() {
    let mut scene = Scene::set("");
    for opcode in DATA.into_iter().chain(CONTROL) {
        scene.refuses(&format!("opcode {opcode:#x}"), &Raw::odd_frame(FIN | opcode, false, &[]), PROTOCOL_ERROR);
    }
    scene.others_are_served("frames without masks");
}

/// Ours: clients of hostcast send no messages. Judged by the head alone, however much is to follow.
#[test]
fn a_message_is_refused_for_what_it_is_or_for_its_size() {
    let mut scene = Scene::set("");
    for opcode in DATA {
        for first in [opcode, FIN | opcode] {
            for (length, code) in [
                (0, POLICY_VIOLATION),
                (1, POLICY_VIOLATION),
                (125, POLICY_VIOLATION),
                (126, POLICY_VIOLATION),
                (4 << 10, POLICY_VIOLATION),
                ((4 << 10) + 1, MESSAGE_TOO_BIG),
                (0xFFFF, MESSAGE_TOO_BIG),
                (300 << 10, MESSAGE_TOO_BIG),
            ] {
                let frame = Raw::odd_frame(first, true, &vec![b'x'; length]);
                scene.refuses(&format!("{first:#x} of {length} bytes"), &frame, code);
            }
            scene.refuses("an eternal message", &head(first, 0x7F, &(u64::MAX >> 1).to_be_bytes()), MESSAGE_TOO_BIG);
        }
    }
    scene.others_are_served("messages");
}

/// Section 5.2 of the RFC: the shortest form, and no more than 63 bits.
#[test]
fn a_length_that_is_not_written_as_it_must_be_is_refused() {
    let mut scene = Scene::set("");
    for opcode in DATA {
        for length in [0, 1, 125_u16] {
            let bytes = head(FIN | opcode, 0x7E, &length.to_be_bytes());
            scene.refuses(&format!("{length} in 16 bits"), &bytes, PROTOCOL_ERROR);
        }
        for length in [0, 125, 126, 0xFFFF, 1 << 63, u64::MAX] {
            let bytes = head(FIN | opcode, 0x7F, &length.to_be_bytes());
            scene.refuses(&format!("{length} in 64 bits"), &bytes, PROTOCOL_ERROR);
        }
    }
    scene.others_are_served("odd lengths");
}

/// 5.1, 5.2 and 5.9 to 5.15.
#[test]
fn what_is_in_parts_that_must_not_be_is_refused() {
    let mut scene = Scene::set("");
    let last = |payload: &[u8]| Raw::frame(opcode::CONTINUATION, payload);
    for opcode in CONTROL {
        let part = Raw::odd_frame(opcode, true, b"\x03\xE8");
        scene.refuses(&format!("a part of {opcode:#x}"), &part, PROTOCOL_ERROR);
        scene.refuses(&format!("{opcode:#x} in two parts"), &[part, last(b"x")].concat(), PROTOCOL_ERROR);
    }
    for first in [opcode::CONTINUATION, FIN | opcode::CONTINUATION] {
        for payload in [&b""[..], b"continued"] {
            let frame = Raw::odd_frame(first, true, payload);
            scene.refuses(&format!("{first:#x}: a continuation of nothing"), &frame, PROTOCOL_ERROR);
        }
    }
    scene.others_are_served("parts");
}

/// 5.3 to 5.8 and 5.16 to 5.20: a message is over with its first part, and so is the connection.
#[test]
fn control_frames_within_a_message_in_parts_are_not_answered_but_those_before_it_are() {
    let mut scene = Scene::set("");
    let part = |opcode| Raw::odd_frame(opcode, true, b"part");
    let last = Raw::frame(opcode::CONTINUATION, b"last");
    for opcode in DATA {
        for (what, within) in [
            ("a ping", ping(b"within")),
            ("a pong", Raw::frame(opcode::PONG, b"within")),
            ("a part and a ping", [part(opcode::CONTINUATION), ping(b"within")].concat()),
            ("another message", part(opcode)),
            ("a close", close(1000, b"")),
        ] {
            let bytes = [part(opcode), within, last.clone()].concat();
            scene.refuses(&format!("{what} within a message"), &bytes, POLICY_VIOLATION);
        }
        let mut raw = scene.open();
        raw.send(&[ping(b"before"), part(opcode), ping(b"within"), last.clone()].concat());
        expect_pong(&mut raw, b"before");
        assert_eq!(raw.read_close().0, Some(POLICY_VIOLATION));
        assert_eq!(raw.wire.read_until_closed(), b"");
    }
    scene.others_are_served("messages in parts");
}
