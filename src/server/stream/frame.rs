//! RFC 6455 frames, as far as a server needs them that only sends: whole text frames out, control
//! frames in.

use bytes::{BufMut, Bytes, BytesMut};

use crate::websocket::{
    COMPRESSED, FIN, LENGTH_IN_16_BITS, LENGTH_IN_64_BITS, MASKED, MAX_CONTROL_PAYLOAD, OPCODE, RESERVED, close, mask,
    opcode::{BINARY, CLOSE, PING, PONG, TEXT},
    payload_length,
};

/// A data frame up to this size is refused for what it is, a larger one for its size.
const MAX_DATA_PAYLOAD: u64 = 4 << 10;

/// A control frame that lacks its last byte; a data frame is judged by less.
pub(crate) const MAX_PARTIAL: usize = 6 + MAX_CONTROL_PAYLOAD - 1;

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
    let opcode = first & OPCODE;
    let is_message = matches!(opcode, TEXT | BINARY);
    let allowed = if allows_compressed && is_message { COMPRESSED } else { 0 };
    if first & RESERVED & !allowed != 0 || second & MASKED == 0 {
        return Err(Violation::Protocol);
    }
    match opcode {
        CLOSE | PING | PONG => {
            let length = usize::from(second & !MASKED);
            if first & FIN == 0 || length > MAX_CONTROL_PAYLOAD {
                return Err(Violation::Protocol);
            }
            let &[a, b, c, d, ..] = rest else { return Ok(None) };
            let start = 6;
            Ok(Some(Header { opcode, mask: [a, b, c, d], start, end: start + length }))
        }
        TEXT | BINARY => match payload_length(second, rest) {
            Some((length, taken)) if !is_shortest(length, taken) => Err(Violation::Protocol),
            Some((length, _)) if length > MAX_DATA_PAYLOAD => Err(Violation::TooBig),
            Some(_) => Err(Violation::Data),
            None => Ok(None),
        },
        // Unknown, or a continuation: there is never a message that could be continued, because its
        // first frame ended the connection.
        _ => Err(Violation::Protocol),
    }
}

/// Section 5.2: a length takes as few bytes as it can, and its highest bit is not used.
fn is_shortest(length: u64, taken: usize) -> bool {
    match taken {
        0 => true,
        2 => length >= 126,
        _ => length > 0xFFFF && length >> 63 == 0,
    }
}

fn control_frame(header: &Header, bytes: &[u8]) -> Incoming {
    let payload: Vec<u8> = mask(&bytes[header.start..header.end], header.mask).collect();
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
mod tests;
