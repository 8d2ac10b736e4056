//! RFC 6455 from the client's side: what arrives in any pieces, and the few frames that are sent.
//!
//! Written out, because a library keeps a read buffer for each connection, and history comes in messages of 64 KiB: here
//! only the part of a frame that has arrived is kept, and after it nothing.

use super::{failure::Lost, inflate};
use crate::websocket::{
    COMPRESSED, FIN, MASKED, MAX_CONTROL_PAYLOAD, OPCODE, RESERVED, mask,
    opcode::{CLOSE, CONTINUATION, PING, PONG, TEXT},
    payload_length,
};

/// What one or several frames add up to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Incoming {
    /// A whole message of text.
    Text(Vec<u8>),
    /// To be answered with the same payload.
    Ping(Vec<u8>),
    /// Signs of life only.
    Pong,
    /// The end, and why.
    Close(Option<u16>),
}

/// A message beyond this is not one of ours. A schema of 10,000 series has 3 MiB.
const MAX_MESSAGE: usize = 16 << 20;
/// History comes in pieces of 64 KiB.
const USUAL_MESSAGE: usize = 66 << 10;
/// A buffer that is larger is given back as soon as it is empty.
const KEPT_CAPACITY: usize = 1 << 10;

/// Puts frames together.
#[derive(Debug, Default)]
pub(super) struct Decoder {
    /// Whether messages may be compressed.
    may_inflate: bool,
    /// What has arrived of the next frame.
    buffer: Vec<u8>,
    /// What has arrived of a message in several frames, and whether it is compressed.
    message: Option<(Vec<u8>, bool)>,
}

/// Where the first frame of a buffer lies.
struct Header {
    is_final: bool,
    is_compressed: bool,
    opcode: u8,
    start: usize,
    end: usize,
}

impl Decoder {
    /// `may_inflate`: whether that was agreed on.
    pub(super) fn new(may_inflate: bool) -> Self {
        Self { may_inflate, ..Self::default() }
    }

    /// Takes what has arrived, and appends what it completes.
    pub(super) fn feed(&mut self, bytes: &[u8], incoming: &mut Vec<Incoming>) -> Result<(), Lost> {
        self.buffer.extend_from_slice(bytes);
        let (mut done, mut due) = (0, 0);
        while let Some(header) = Header::parse(&self.buffer[done..], self.may_inflate)? {
            let Some(payload) = self.buffer.get(done + header.start..done + header.end) else {
                due = header.end;
                break;
            };
            let message = &mut self.message;
            match (header.opcode, header.is_final) {
                (TEXT, true) if message.is_none() && header.is_compressed => {
                    incoming.push(Incoming::Text(inflate::message(payload, MAX_MESSAGE)?));
                }
                // Moved, not copied.
                (TEXT, true) if message.is_none() && payload.len() > KEPT_CAPACITY => {
                    let rest = self.buffer.split_off(done + header.end);
                    let mut text = std::mem::replace(&mut self.buffer, rest);
                    text.drain(..done + header.start);
                    incoming.push(Incoming::Text(text));
                    done = 0;
                    continue;
                }
                (TEXT, true) if message.is_none() => incoming.push(Incoming::Text(payload.to_vec())),
                (TEXT, false) if message.is_none() => *message = Some((payload.to_vec(), header.is_compressed)),
                (CONTINUATION, is_final) => {
                    let (mut whole, is_compressed) =
                        message.take().ok_or(Lost::garbled("a frame goes on with a message that never began"))?;
                    if whole.len() + payload.len() > MAX_MESSAGE {
                        return Err(Lost::garbled("a message is too long"));
                    }
                    whole.extend_from_slice(payload);
                    match (is_final, is_compressed) {
                        (false, _) => *message = Some((whole, is_compressed)),
                        (true, true) => incoming.push(Incoming::Text(inflate::message(&whole, MAX_MESSAGE)?)),
                        (true, false) => incoming.push(Incoming::Text(whole)),
                    }
                }
                (PING, true) => incoming.push(Incoming::Ping(payload.to_vec())),
                (PONG, true) => incoming.push(Incoming::Pong),
                (CLOSE, true) => {
                    let code = payload.first_chunk().map(|code| u16::from_be_bytes(*code));
                    incoming.push(Incoming::Close(code));
                }
                _ => return Err(Lost::garbled("a frame is of a kind that has no place here")),
            }
            done += header.end;
        }
        self.buffer.drain(..done);
        // Otherwise it would come to twice that, in steps. Nothing is promised to whoever announces more than we send.
        if self.buffer.len() > KEPT_CAPACITY {
            self.buffer.reserve_exact(due.min(USUAL_MESSAGE).saturating_sub(self.buffer.len()));
        }
        if self.buffer.is_empty() && self.buffer.capacity() > KEPT_CAPACITY {
            self.buffer = Vec::new();
        }
        Ok(())
    }
}

#[cfg(test)]
impl Decoder {
    /// How many bytes it has room for.
    pub(super) fn held(&self) -> usize {
        self.buffer.capacity()
    }
}

impl Header {
    /// `None` while it has not arrived.
    fn parse(bytes: &[u8], may_inflate: bool) -> Result<Option<Self>, Lost> {
        let &[first, second, ref rest @ ..] = bytes else { return Ok(None) };
        let (is_final, opcode) = (first & FIN != 0, first & OPCODE);
        // Of a message's first frame alone (RFC 7692, section 6).
        let is_compressed = may_inflate && opcode == TEXT && first & RESERVED == COMPRESSED;
        if first & RESERVED != 0 && !is_compressed {
            return Err(Lost::garbled("a frame uses an extension that was not agreed on"));
        }
        if second & MASKED != 0 {
            return Err(Lost::garbled("a frame of the server is masked"));
        }
        let Some((length, taken)) = payload_length(second, rest) else { return Ok(None) };
        let start = 2 + taken;
        let is_control = opcode & 0x8 != 0;
        let limit = if is_control { MAX_CONTROL_PAYLOAD } else { MAX_MESSAGE };
        if length > limit as u64 {
            return Err(Lost::garbled("a frame is too long"));
        }
        Ok(Some(Self { is_final, is_compressed, opcode, start, end: start + length as usize }))
    }
}

/// Appends a pong. The payload is what came in a ping, so it is short.
pub(super) fn push_pong(payload: &[u8], out: &mut Vec<u8>) {
    push_control(PONG, payload, out);
}

/// Appends a close with this code.
pub(super) fn push_close(code: u16, out: &mut Vec<u8>) {
    push_control(CLOSE, &code.to_be_bytes(), out);
}

fn push_control(opcode: u8, payload: &[u8], out: &mut Vec<u8>) {
    let payload = &payload[..payload.len().min(MAX_CONTROL_PAYLOAD)];
    // The mask keeps pages from writing what they like into others' proxies. We are no page, but it is the rule.
    let key = getrandom::u32().unwrap_or_default().to_be_bytes();
    out.extend([FIN | opcode, MASKED | payload.len() as u8]);
    out.extend(key);
    out.extend(mask(payload, key));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = vec![first];
        match payload.len() {
            length @ 0..=125 => frame.push(length as u8),
            length @ 126..=0xFFFF => {
                frame.push(126);
                frame.extend((length as u16).to_be_bytes());
            }
            length => {
                frame.push(127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(payload);
        frame
    }

    fn decode(pieces: &[&[u8]]) -> Result<Vec<Incoming>, String> {
        decode_by(Decoder::default(), pieces)
    }

    fn decode_by(mut decoder: Decoder, pieces: &[&[u8]]) -> Result<Vec<Incoming>, String> {
        let mut incoming = Vec::new();
        for piece in pieces {
            decoder.feed(piece, &mut incoming).map_err(|error| error.to_string())?;
        }
        Ok(incoming)
    }

    #[test]
    fn messages_of_every_length_arrive_in_any_pieces() {
        let texts: Vec<Vec<u8>> = [0, 1, 125, 126, 65_535, 65_536].map(|length| vec![b'x'; length]).into();
        let bytes: Vec<u8> = texts.iter().flat_map(|text| frame(0x81, text)).collect();
        for size in [1, 7, 4_096, bytes.len()] {
            let pieces: Vec<_> = bytes.chunks(size).collect();
            assert_eq!(decode(&pieces).unwrap(), texts.iter().cloned().map(Incoming::Text).collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_message_in_parts_with_a_ping_between_is_put_together() {
        let bytes = [frame(0x01, b"one "), frame(0x89, b"?"), frame(0x00, b"two "), frame(0x80, b"three")].concat();
        let whole = Incoming::Text(b"one two three".to_vec());
        assert_eq!(decode(&[&bytes]).unwrap(), [Incoming::Ping(b"?".to_vec()), whole]);
    }

    #[test]
    fn a_compressed_message_is_read_where_that_was_agreed_on_and_nothing_else_is() {
        // "Hello", as RFC 7692 has it in section 7.2.3.1.
        let hello = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
        let whole = frame(0xC1, &hello);
        let parts = [frame(0x41, &hello[..3]), frame(0x89, b"?"), frame(0x80, &hello[3..])].concat();
        let plain = frame(0x81, b"Hello");
        let text = || Incoming::Text(b"Hello".to_vec());
        let agreed = |bytes: &[u8]| decode_by(Decoder::new(true), &[bytes]);
        assert_eq!(agreed(&whole).unwrap(), [text()]);
        assert_eq!(agreed(&parts).unwrap(), [Incoming::Ping(b"?".to_vec()), text()]);
        assert_eq!(agreed(&plain).unwrap(), [text()]);
        let continued = [frame(0x41, &hello[..3]), frame(0xC0, &hello[3..])].concat();
        for wrong in [continued, frame(0xC9, b"?"), frame(0xE1, &hello), frame(0xA1, b"x")] {
            assert!(agreed(&wrong).unwrap_err().contains("extension"), "{wrong:?}");
        }
        assert!(agreed(&frame(0xC1, &[0xFF; 9])).is_err());
    }

    #[test]
    fn a_close_has_its_code() {
        assert_eq!(decode(&[&frame(0x88, &[0x03, 0xE9, b'x'])]).unwrap(), [Incoming::Close(Some(1001))]);
        assert_eq!(decode(&[&frame(0x88, &[])]).unwrap(), [Incoming::Close(None)]);
    }

    #[test]
    fn what_no_server_may_send_is_an_error() {
        for (bytes, why) in [
            (frame(0xC1, b"x"), "extension"),
            (vec![0x81, 0x81, 0, 0, 0, 0, b'x'], "masked"),
            (frame(0x80, b"x"), "never began"),
            (frame(0x82, b"x"), "kind"),
            (frame(0x09, b"x"), "kind"),
            (frame(0x89, &[0; 126]), "too long"),
            ([vec![0x81, 127], u64::MAX.to_be_bytes().to_vec()].concat(), "too long"),
            ([frame(0x01, b"x"), frame(0x81, b"x")].concat(), "kind"),
        ] {
            let error = decode(&[&bytes]).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn after_a_large_message_nothing_is_kept() {
        let (mut decoder, mut incoming) = (Decoder::default(), Vec::new());
        for piece in frame(0x81, &vec![b'x'; 70_000]).chunks(16 << 10) {
            decoder.feed(piece, &mut incoming).unwrap();
        }
        assert_eq!((incoming.len(), decoder.buffer.capacity()), (1, 0));
    }

    #[test]
    fn an_answer_to_a_ping_is_masked_and_has_its_payload() {
        let mut out = Vec::new();
        push_pong(b"payload", &mut out);
        assert_eq!(out[..2], [0x8A, 0x80 | 7]);
        let mask = &out[2..6];
        let payload: Vec<_> = out[6..].iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        assert_eq!(payload, b"payload");
    }

    proptest! {
        #[test]
        fn no_bytes_panic_and_pieces_do_not_matter(bytes: Vec<u8>, size in 1..9_usize) {
            let pieces: Vec<_> = bytes.chunks(size).collect();
            prop_assert_eq!(decode(&pieces), decode(&[&bytes]));
            prop_assert_eq!(decode_by(Decoder::new(true), &pieces), decode_by(Decoder::new(true), &[&bytes]));
        }
    }
}
