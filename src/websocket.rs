//! What both ends of a connection name the same: bits, kinds of frames and codes of RFC 6455.

/// In a frame's first byte: it is the last one of its message (section 5.2).
pub(crate) const FIN: u8 = 0x80;
/// In a frame's first byte: its payload is compressed (RFC 7692, section 6).
pub(crate) const COMPRESSED: u8 = 0x40;
/// In a frame's first byte: what extensions may use, compression among them.
pub(crate) const RESERVED: u8 = 0x70;
/// In a frame's first byte: its kind, one of those in [`opcode`].
pub(crate) const OPCODE: u8 = 0x0F;
/// In a frame's second byte: its payload is masked, as a client's is.
pub(crate) const MASKED: u8 = 0x80;
/// Instead of a short length: the length stands in the next two, or eight, bytes.
pub(crate) const LENGTH_IN_16_BITS: u8 = 0x7E;
pub(crate) const LENGTH_IN_64_BITS: u8 = 0x7F;
/// The most that the payload of a control frame may have (section 5.5).
pub(crate) const MAX_CONTROL_PAYLOAD: usize = 125;

/// Kinds of frames (section 5.2).
pub(crate) mod opcode {
    pub(crate) const CONTINUATION: u8 = 0x0;
    pub(crate) const TEXT: u8 = 0x1;
    pub(crate) const BINARY: u8 = 0x2;
    pub(crate) const CLOSE: u8 = 0x8;
    pub(crate) const PING: u8 = 0x9;
    pub(crate) const PONG: u8 = 0xA;
}

/// Codes of a close (section 7.4).
pub(crate) mod close {
    pub(crate) const NORMAL: u16 = 1000;
    pub(crate) const GOING_AWAY: u16 = 1001;
    pub(crate) const PROTOCOL_ERROR: u16 = 1002;
    pub(crate) const INVALID_PAYLOAD: u16 = 1007;
    pub(crate) const POLICY_VIOLATION: u16 = 1008;
    pub(crate) const MESSAGE_TOO_BIG: u16 = 1009;
    pub(crate) const TRY_AGAIN_LATER: u16 = 1013;
    /// Ours, from the private range, after HTTP's 401 and 403.
    pub(crate) const SIGNED_OUT: u16 = 4401;
    pub(crate) const NOT_ALLOWED: u16 = 4403;
}

/// The length of a payload, and how many bytes it takes of those behind the frame's first two; `None` while they have not
/// all arrived. `second` is the frame's second byte.
pub(crate) fn payload_length(second: u8, behind: &[u8]) -> Option<(u64, usize)> {
    Some(match second & !MASKED {
        LENGTH_IN_16_BITS => (u16::from_be_bytes(*behind.first_chunk()?).into(), 2),
        LENGTH_IN_64_BITS => (u64::from_be_bytes(*behind.first_chunk()?), 8),
        short => (short.into(), 0),
    })
}

/// A payload with its mask put on, or taken off again, which is the same (section 5.3).
pub(crate) fn mask(payload: &[u8], mask: [u8; 4]) -> impl Iterator<Item = u8> {
    payload.iter().zip(mask.into_iter().cycle()).map(|(byte, mask)| byte ^ mask)
}
