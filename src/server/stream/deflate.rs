//! `permessage-deflate` (RFC 7692) without giving up shared frames: each message is compressed by
//! itself, so that the same bytes serve everyone who negotiated it, whenever they joined.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress};

use super::frame;

/// Base-2 logarithm of the LZ77 window. 4 KiB hold the sample before, which is what a sample repeats;
/// 32 KiB make history 5 % smaller, and shut out clients that offer to keep less (Python's
/// `websockets` offers 12 bits).
pub(crate) const WINDOW_BITS: u8 = 12;
/// zlib's default.
const LEVEL: u32 = 6;
/// What is shorter is sent as it is.
const LEAST_BYTES: usize = 128;
/// How a message ends whose last block was flushed; the receiver adds it again (section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// Compresses for every view. Its tables, 200 KB, are there as often as threads have compressed at the same time, and not
/// before the first message: a live sample waits for no piece of history.
#[derive(Debug, Default)]
pub(crate) struct Deflater(Mutex<Vec<Compress>>);

impl Deflater {
    /// A whole text message in one frame, compressed unless that would not make it smaller.
    pub(crate) fn text(&self, payload: &[u8]) -> Bytes {
        if payload.len() < LEAST_BYTES {
            return frame::text(payload);
        }
        let compressed = self.compress(payload);
        match compressed {
            Some(compressed) if compressed.len() < payload.len() => frame::compressed_text(&compressed),
            _ => frame::text(payload),
        }
    }

    /// `None` if the library refuses.
    fn compress(&self, payload: &[u8]) -> Option<Vec<u8>> {
        let mut state = self
            .idle()
            .pop()
            .unwrap_or_else(|| Compress::new_with_window_bits(Compression::new(LEVEL), false, WINDOW_BITS));
        let compressed = compress(&mut state, payload);
        self.idle().push(state);
        compressed
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Compress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn compress(state: &mut Compress, payload: &[u8]) -> Option<Vec<u8>> {
    // No context takeover: nothing of the message before may be referred to.
    state.reset();
    let mut compressed = Vec::with_capacity(payload.len() / 2);
    loop {
        // A flush is complete when it leaves room unused (zlib's manual, `deflate`).
        compressed.reserve(64.max(payload.len() / 8));
        let consumed = state.total_in() as usize;
        state.compress_vec(&payload[consumed..], &mut compressed, FlushCompress::Sync).ok()?;
        if compressed.len() < compressed.capacity() {
            break;
        }
    }
    compressed.truncate(compressed.strip_suffix(&TAIL)?.len());
    Some(compressed)
}

#[cfg(test)]
mod tests {
    use flate2::{Decompress, FlushDecompress};
    use proptest::prelude::*;

    use super::*;

    fn decompressed(mut compressed: Vec<u8>, length: usize) -> Vec<u8> {
        compressed.extend(TAIL);
        let mut payload = Vec::with_capacity(length + 1);
        let mut state = Decompress::new_with_window_bits(false, WINDOW_BITS);
        state.decompress_vec(&compressed, &mut payload, FlushDecompress::Sync).unwrap();
        payload
    }

    proptest! {
        #[test]
        fn every_message_is_read_back_by_itself(
            messages in prop::collection::vec(prop::collection::vec(0_u8..20, 0..70_000), 1..5),
        ) {
            let deflater = Deflater::default();
            for message in messages {
                let compressed = deflater.compress(&message).unwrap();
                prop_assert_eq!(decompressed(compressed, message.len()), message);
            }
        }
    }

    #[test]
    fn noise_and_short_messages_are_sent_as_they_are() {
        let mut noise = vec![0; 5000];
        getrandom::fill(&mut noise).unwrap();
        let deflater = Deflater::default();
        assert_eq!(deflater.text(&noise), frame::text(&noise));
        assert_eq!(deflater.text(&[b'x'; LEAST_BYTES - 1]), frame::text(&[b'x'; LEAST_BYTES - 1]));
        assert!(deflater.text(&[b'x'; LEAST_BYTES]).len() < 20);
    }

    #[test]
    fn the_same_message_makes_the_same_frame() {
        let deflater = Deflater::default();
        let message = "a sample is like the one before ".repeat(20);
        let first = deflater.text(message.as_bytes());
        assert_eq!(deflater.text(message.as_bytes()), first);
    }

    #[test]
    fn tables_are_used_again_and_are_there_once_for_each_who_compresses() {
        let deflater = Deflater::default();
        let message = [b'x'; 1000];
        (0..3).for_each(|_| drop(deflater.text(&message)));
        assert_eq!(deflater.idle().len(), 1);
        // Someone is at it meanwhile.
        let taken = deflater.idle().pop().unwrap();
        assert!(deflater.text(&message).len() < 20);
        deflater.idle().push(taken);
        assert_eq!(deflater.idle().len(), 2);
    }
}
