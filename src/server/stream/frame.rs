//! RFC 6455 frames, as far as a server needs them that only sends: whole text frames out, control
//! frames in.

use bytes::{BufMut, Bytes, BytesMut};

/// Close codes that hostcast sends (RFC 6455, section 7.4).
pub(super) mod close {
    pub(crate) const GOING_AWAY: u16 = 1001;
    pub(crate) const PROTOCOL_ERROR: u16 = 1002;
    pub(crate) const INVALID_PAYLOAD: u16 = 1007;
    pub(crate) const POLICY_VIOLATION: u16 = 1008;
    pub(crate) const MESSAGE_TOO_BIG: u16 = 1009;
    pub(crate) const TRY_AGAIN_LATER: u16 = 1013;
    /// Ours, from the private range.
    pub(crate) const SIGNED_OUT: u16 = 4401;
}

/// The most that the payload of a control frame may have (section 5.5).
const MAX_CONTROL_PAYLOAD: usize = 125;
/// A data frame up to this size is refused for what it is, a larger one for its size.
const MAX_DATA_PAYLOAD: u64 = 4 << 10;

/// A control frame that lacks its last byte; a data frame is judged by less.
pub(crate) const MAX_PARTIAL: usize = 6 + MAX_CONTROL_PAYLOAD - 1;

const FIN: u8 = 0x80;
/// The payload is compressed (RFC 7692, section 6).
const COMPRESSED: u8 = 0x40;
const RESERVED: u8 = 0x70;
const MASKED: u8 = 0x80;
/// Instead of a short length: the length stands in the next two, or eight, bytes (section 5.2).
const LENGTH_IN_16_BITS: u8 = 0x7E;
const LENGTH_IN_64_BITS: u8 = 0x7F;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// A whole text message in one frame. A server does not mask, so the same bytes serve everyone.
pub(crate) fn text(payload: &[u8]) -> Bytes {
    encode(TEXT, payload)
}

/// A whole text message in one frame whose payload was compressed.
pub(super) fn compressed_text(payload: &[u8]) -> Bytes {
    encode(COMPRESSED | TEXT, payload)
}

/// A ping without payload: the answer matters, not what is in it.
pub(super) fn ping() -> Bytes {
    const FRAME: [u8; 2] = [FIN | PING, 0];
    Bytes::from_static(&FRAME)
}

/// The answer to a ping.
pub(crate) fn pong(payload: &[u8]) -> Bytes {
    encode(PONG, payload)
}

/// Whether an encoded frame is the answer to a ping.
pub(super) fn is_pong(frame: &[u8]) -> bool {
    frame.first() == Some(&(FIN | PONG))
}

/// A close with its code; without one, the payload is empty (section 5.5.1).
pub(crate) fn closing(code: Option<u16>) -> Bytes {
    encode(CLOSE, &code.map(u16::to_be_bytes).map_or_else(Vec::new, Vec::from))
}

fn encode(first: u8, payload: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(payload.len() + 10);
    frame.put_u8(FIN | first);
    match payload.len() {
        length @ 0..=125 => frame.put_u8(length as u8),
        length @ 126..=0xFFFF => {
            frame.put_u8(LENGTH_IN_16_BITS);
            frame.put_u16(length as u16);
        }
        length => {
            frame.put_u8(LENGTH_IN_64_BITS);
            frame.put_u64(length as u64);
        }
    }
    frame.put_slice(payload);
    frame.freeze()
}

/// What a client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Incoming {
    /// To be answered with the same payload.
    Ping(Vec<u8>),
    /// An answer, or an unsolicited sign of life.
    Pong,
    /// The client closes, with the code to answer with.
    Close(Option<u16>),
    /// The client broke the rules: close with this code.
    Violation(Violation),
}

/// How a client broke the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Violation {
    /// It sent a message; clients send nothing but control frames.
    Data,
    /// It sent a message over the limit.
    TooBig,
    /// It did not speak RFC 6455.
    Protocol,
    /// The reason of its close was not UTF-8.
    InvalidReason,
}

impl Violation {
    pub(crate) fn code(self) -> u16 {
        match self {
            Self::Data => close::POLICY_VIOLATION,
            Self::TooBig => close::MESSAGE_TOO_BIG,
            Self::Protocol => close::PROTOCOL_ERROR,
            Self::InvalidReason => close::INVALID_PAYLOAD,
        }
    }

    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Data => "unexpected_data",
            Self::TooBig => "message_too_big",
            Self::Protocol => "protocol_error",
            Self::InvalidReason => "invalid_close_reason",
        }
    }
}

/// Takes a client's bytes apart, however they are cut. Holds only the frame that is not complete
/// yet, at most 130 bytes, and nothing between frames.
#[derive(Debug, Default)]
pub(crate) struct FrameReader {
    partial: Vec<u8>,
    /// Whether messages may be compressed, which changes nothing but why they are refused.
    allows_compressed: bool,
}

/// A frame's fixed part, once enough of it is there.
struct Header {
    opcode: u8,
    mask: [u8; 4],
    start: usize,
    end: usize,
}

impl FrameReader {
    pub(crate) fn new(allows_compressed: bool) -> Self {
        Self { partial: Vec::new(), allows_compressed }
    }

    /// Feeds bytes; `each` gets every complete frame and says whether to go on.
    ///
    /// A data frame is judged by its header alone: its payload is never held.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], mut each: impl FnMut(Incoming) -> bool) {
        if self.partial.is_empty() {
            let consumed = take_frames(bytes, self.allows_compressed, &mut each);
            bytes = &bytes[consumed..];
            self.partial.extend_from_slice(bytes);
        } else {
            self.partial.extend_from_slice(bytes);
            let consumed = take_frames(&self.partial, self.allows_compressed, &mut each);
            self.partial.drain(..consumed);
        }
        // A burst must not leave its size behind: there may be many thousands of readers.
        self.partial.shrink_to(if self.partial.is_empty() { 0 } else { MAX_PARTIAL });
    }

    /// The memory that is held for what has come of the next frame.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn held_bytes(&self) -> usize {
        self.partial.capacity()
    }
}

/// Hands out the complete frames in `bytes` and returns how many bytes they took.
fn take_frames(bytes: &[u8], allows_compressed: bool, each: &mut impl FnMut(Incoming) -> bool) -> usize {
    let mut taken = 0;
    loop {
        let rest = &bytes[taken..];
        match parse_header(rest, allows_compressed) {
            Ok(Some(header)) if header.end <= rest.len() => {
                taken += header.end;
                if !each(control_frame(&header, rest)) {
                    return bytes.len();
                }
            }
            Ok(_) => return taken,
            Err(violation) => {
                each(Incoming::Violation(violation));
                return bytes.len();
            }
        }
    }
}

/// `None` while too little is there to tell.
fn parse_header(bytes: &[u8], allows_compressed: bool) -> Result<Option<Header>, Violation> {
    let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
    let opcode = first & 0x0F;
    let is_message = matches!(opcode, TEXT | BINARY);
    let allowed = if allows_compressed && is_message { COMPRESSED } else { 0 };
    if first & RESERVED & !allowed != 0 || second & MASKED == 0 {
        return Err(Violation::Protocol);
    }
    let length = second & !MASKED;
    match opcode {
        CLOSE | PING | PONG => {
            if first & FIN == 0 || usize::from(length) > MAX_CONTROL_PAYLOAD {
                return Err(Violation::Protocol);
            }
            let &[a, b, c, d, ..] = rest else { return Ok(None) };
            let start = 6;
            Ok(Some(Header { opcode, mask: [a, b, c, d], start, end: start + usize::from(length) }))
        }
        TEXT | BINARY => match data_length(length, rest)? {
            Some(length) if length > MAX_DATA_PAYLOAD => Err(Violation::TooBig),
            Some(_) => Err(Violation::Data),
            None => Ok(None),
        },
        // Unknown, or a continuation: there is never a message that could be continued, because its
        // first frame ended the connection.
        _ => Err(Violation::Protocol),
    }
}

fn data_length(short: u8, rest: &[u8]) -> Result<Option<u64>, Violation> {
    let length = match short {
        LENGTH_IN_16_BITS => {
            let Some(bytes) = rest.first_chunk::<2>() else { return Ok(None) };
            let length = u64::from(u16::from_be_bytes(*bytes));
            // Section 5.2: the shortest form must be used.
            if length < 126 {
                return Err(Violation::Protocol);
            }
            length
        }
        LENGTH_IN_64_BITS => {
            let Some(bytes) = rest.first_chunk::<8>() else { return Ok(None) };
            let length = u64::from_be_bytes(*bytes);
            if length <= 0xFFFF || length >> 63 != 0 {
                return Err(Violation::Protocol);
            }
            length
        }
        short => u64::from(short),
    };
    Ok(Some(length))
}

fn control_frame(header: &Header, bytes: &[u8]) -> Incoming {
    let unmask = |(byte, mask): (&u8, &u8)| byte ^ mask;
    let payload = bytes[header.start..header.end].iter().zip(header.mask.iter().cycle());
    let payload: Vec<u8> = payload.map(unmask).collect();
    match header.opcode {
        PING => Incoming::Ping(payload),
        PONG => Incoming::Pong,
        _ => match *payload {
            [] => Incoming::Close(None),
            [_] => Incoming::Violation(Violation::Protocol),
            [high, low, ref reason @ ..] => {
                let code = u16::from_be_bytes([high, low]);
                if !is_valid_close_code(code) {
                    Incoming::Violation(Violation::Protocol)
                } else if str::from_utf8(reason).is_err() {
                    Incoming::Violation(Violation::InvalidReason)
                } else {
                    Incoming::Close(Some(code))
                }
            }
        },
    }
}

/// Section 7.4 and the registry it founded: what may stand in a frame.
fn is_valid_close_code(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CONTINUATION: u8 = 0x0;

    fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mask = [0x12, 0x34, 0x56, 0x78];
        let mut frame = vec![FIN | opcode, MASKED | payload.len() as u8];
        frame.extend(mask);
        frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
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
        assert_eq!(
            violation(&[FIN | TEXT, MASKED | LENGTH_IN_64_BITS, 0x80, 0, 0, 0, 0, 0, 0, 0]),
            Violation::Protocol
        );
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
}
