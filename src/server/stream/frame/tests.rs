//! Frames of clients, right and wrong, in whatever pieces.

use proptest::prelude::*;

use super::*;
use crate::websocket::opcode::CONTINUATION;

fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let key = [0x12, 0x34, 0x56, 0x78];
    let mut frame = vec![FIN | opcode, MASKED | payload.len() as u8];
    frame.extend(key);
    frame.extend(mask(payload, key));
    frame
}

fn read_in_pieces(bytes: &[u8], piece: usize) -> Vec<Incoming> {
    read_by(FrameReader::default(), bytes, piece)
}

fn read_by(mut reader: FrameReader, bytes: &[u8], piece: usize) -> Vec<Incoming> {
    let mut seen = Vec::new();
    for bytes in bytes.chunks(piece) {
        reader.feed(bytes, |frame| {
            seen.push(frame);
            true
        });
        assert!(reader.held_bytes() <= MAX_PARTIAL);
    }
    seen
}

fn read(bytes: &[u8]) -> Vec<Incoming> {
    read_in_pieces(bytes, usize::MAX)
}

#[test]
fn control_frames_are_read_however_they_are_cut() {
    let bytes = [masked(PING, b"hello"), masked(PONG, b""), masked(CLOSE, b"\x03\xe8bye")].concat();
    let expected = [Incoming::Ping(b"hello".into()), Incoming::Pong, Incoming::Close(Some(1000))];
    for piece in 1..=bytes.len() {
        assert_eq!(read_in_pieces(&bytes, piece), expected, "in pieces of {piece}");
    }
}

#[test]
fn the_largest_control_frame_passes_and_one_byte_more_does_not() {
    assert_eq!(read(&masked(PING, &[7; 125])), [Incoming::Ping(vec![7; 125])]);
    assert_eq!(read(&masked(PING, &[7; 126])), [Incoming::Violation(Violation::Protocol)]);
}

#[test]
fn what_a_client_must_not_send_is_named() {
    let violation = |bytes: &[u8]| match &read(bytes)[..] {
        [Incoming::Violation(violation)] => *violation,
        other => panic!("{other:?}"),
    };
    assert_eq!(violation(&masked(TEXT, b"hi")), Violation::Data);
    assert_eq!(violation(&masked(BINARY, b"")), Violation::Data);
    assert_eq!(violation(&[FIN | TEXT, MASKED | LENGTH_IN_16_BITS, 0x10, 0x01]), Violation::TooBig);
    assert_eq!(violation(&[FIN | TEXT, MASKED | LENGTH_IN_64_BITS, 0, 0, 0, 1, 0, 0, 0, 0]), Violation::TooBig);
    assert_eq!(violation(&[FIN | TEXT, MASKED | LENGTH_IN_64_BITS, 0x80, 0, 0, 0, 0, 0, 0, 0]), Violation::Protocol);
    assert_eq!(violation(&[FIN | TEXT, MASKED | LENGTH_IN_16_BITS, 0, 5]), Violation::Protocol);
    assert_eq!(violation(&masked(CONTINUATION, b"x")), Violation::Protocol);
    assert_eq!(violation(&masked(0x3, b"")), Violation::Protocol);
    assert_eq!(violation(&masked(0xB, b"")), Violation::Protocol);
    assert_eq!(violation(&[FIN | PING, 0]), Violation::Protocol, "not masked");
    assert_eq!(violation(&[PING, MASKED, 0, 0, 0, 0]), Violation::Protocol, "fragmented control frame");
    for bit in [0x40, 0x20, 0x10] {
        assert_eq!(violation(&[FIN | bit | PING, MASKED, 0, 0, 0, 0]), Violation::Protocol);
    }
}

#[test]
fn a_compressed_message_is_refused_as_a_message_where_compression_was_negotiated() {
    let read = |first: u8| read_by(FrameReader::new(true), &[first, MASKED, 0, 0, 0, 0], usize::MAX);
    let violation = |violation| [Incoming::Violation(violation)];
    assert_eq!(read(FIN | COMPRESSED | TEXT), violation(Violation::Data));
    assert_eq!(read(FIN | COMPRESSED | PING), violation(Violation::Protocol));
    assert_eq!(read(FIN | 0x20 | TEXT), violation(Violation::Protocol));
}

#[test]
fn close_codes_and_reasons_are_checked() {
    let close = |payload: &[u8]| read(&masked(CLOSE, payload)).remove(0);
    assert_eq!(close(b""), Incoming::Close(None));
    assert_eq!(close(b"\x03"), Incoming::Violation(Violation::Protocol));
    assert_eq!(close(b"\x03\xe8\xff\xfe"), Incoming::Violation(Violation::InvalidReason));
    for valid in [1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 4999] {
        assert_eq!(close(&u16::to_be_bytes(valid)), Incoming::Close(Some(valid)));
    }
    for invalid in [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535] {
        assert_eq!(close(&u16::to_be_bytes(invalid)), Incoming::Violation(Violation::Protocol), "{invalid}");
    }
}

#[test]
fn lengths_are_written_in_their_shortest_form() {
    assert_eq!(text(&[b'x'; 125])[..2], [0x81, 125]);
    assert_eq!(text(&[b'x'; 126])[..4], [0x81, 126, 0, 126]);
    assert_eq!(text(&vec![b'x'; 0x1_0000])[..10], [0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]);
}

proptest! {
    #[test]
    fn garbage_in_any_pieces_yields_the_same_and_is_never_held(
        bytes in prop::collection::vec(any::<u8>(), 0..600), piece in 1_usize..40,
    ) {
        let until_violation = |mut frames: Vec<Incoming>| {
            let end = frames.iter().position(|frame| matches!(frame, Incoming::Violation(_)));
            frames.truncate(end.map_or(frames.len(), |end| end + 1));
            frames
        };
        prop_assert_eq!(until_violation(read_in_pieces(&bytes, piece)), until_violation(read(&bytes)));
    }
}
