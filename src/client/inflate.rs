//! `permessage-deflate` (RFC 7692) from the client's side. Each message is compressed by itself, so that nothing is kept
//! for a connection between two of them.

use std::cell::RefCell;

use flate2::{Decompress, FlushDecompress, Status};

use super::failure::Lost;

/// What is asked for. The server may use any window: ours is the largest, and is there once for a thread.
pub(super) const OFFER: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

/// How a message ends whose last block was flushed; whoever sends it leaves that out (section 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];
/// JSON shrinks to about a fifth.
const USUAL_RATIO: usize = 6;

thread_local! {
    /// Some 50 KiB, which a thousand connections need not have each.
    static STATE: RefCell<Option<Decompress>> = const { RefCell::new(None) };
}

/// Whether the server compresses, by its answer to the offer.
pub(super) fn is_agreed(answer: Option<&str>) -> Result<bool, Lost> {
    let Some(answer) = answer else { return Ok(false) };
    let mut parts = answer.split(';').map(str::trim);
    let is_ours = parts.next() == Some("permessage-deflate");
    let parameters: Vec<_> = parts.collect();
    let is_known = |parameter: &&str| {
        let name = parameter.split_once('=').map_or(*parameter, |(name, _)| name.trim_end());
        // The window of the server may be any; ours was not spoken of.
        ["server_no_context_takeover", "client_no_context_takeover", "server_max_window_bits"].contains(&name)
    };
    if is_ours && parameters.contains(&"server_no_context_takeover") && parameters.iter().all(is_known) {
        Ok(true)
    } else {
        Err(Lost::garbled(format!("it answers with an extension that was not asked for: {answer:?}")))
    }
}

/// The message of a payload; an error where it is damaged, or longer than `limit`.
pub(super) fn message(payload: &[u8], limit: usize) -> Result<Vec<u8>, Lost> {
    STATE.with_borrow_mut(|state| {
        let state = state.get_or_insert_with(|| Decompress::new(false));
        state.reset(false);
        let mut message = Vec::with_capacity(payload.len().saturating_mul(USUAL_RATIO).min(limit));
        for piece in [payload, &TAIL] {
            if inflate(state, piece, &mut message, limit)? == Status::StreamEnd {
                // It has ended before its time, and there is nothing to be read behind that.
                break;
            }
        }
        Ok(message)
    })
}

fn inflate(state: &mut Decompress, piece: &[u8], message: &mut Vec<u8>, limit: usize) -> Result<Status, Lost> {
    let begun = state.total_in();
    loop {
        let rest = &piece[(state.total_in() - begun) as usize..];
        let status = state.decompress_vec(rest, message, FlushDecompress::Sync);
        let status = status.map_err(|error| Lost::garbled(format!("a compressed message: {error}")))?;
        if message.len() > limit {
            return Err(Lost::garbled("a compressed message is too long"));
        }
        // All is out when there is room left (zlib's manual, `inflate`).
        if status == Status::StreamEnd || message.len() < message.capacity() {
            return Ok(status);
        }
        // One byte more than the limit shows that it is more.
        message.reserve_exact(message.len().max(1 << 10).min(limit + 1 - message.len()));
    }
}

#[cfg(test)]
mod tests {
    use flate2::{Compress, Compression, FlushCompress};
    use proptest::prelude::*;

    use super::*;

    fn compressed(message: &[u8], window_bits: u8) -> Vec<u8> {
        let mut state = Compress::new_with_window_bits(Compression::new(6), false, window_bits);
        let mut payload = Vec::with_capacity(message.len() + 1_000);
        state.compress_vec(message, &mut payload, FlushCompress::Sync).unwrap();
        payload.strip_suffix(&TAIL).unwrap().to_vec()
    }

    proptest! {
        #[test]
        fn every_message_is_read_by_itself(
            messages in prop::collection::vec(prop::collection::vec(0_u8..20, 0..70_000), 1..5),
            window_bits in 9..=15_u8,
        ) {
            for text in messages {
                prop_assert_eq!(message(&compressed(&text, window_bits), 1 << 20).unwrap(), text);
            }
        }

        #[test]
        fn no_bytes_panic_and_none_become_more_than_the_limit(bytes: Vec<u8>) {
            if let Ok(message) = message(&bytes, 1_000) {
                prop_assert!(message.len() <= 1_000);
            }
        }
    }

    #[test]
    fn a_bomb_is_refused_before_it_has_gone_off() {
        let bomb = compressed(&vec![b' '; 64 << 20], 15);
        assert!(bomb.len() < 100_000);
        assert!(message(&bomb, 16 << 20).unwrap_err().to_string().contains("too long"));
        // The next one is read as if nothing had been.
        assert_eq!(message(&compressed(b"hello", 15), 16 << 20).unwrap(), b"hello");
    }

    #[test]
    fn a_message_may_end_its_stream() {
        let mut state = Compress::new(Compression::new(6), false);
        let mut payload = Vec::with_capacity(100);
        state.compress_vec(b"the end", &mut payload, FlushCompress::Finish).unwrap();
        assert_eq!(message(&payload, 100).unwrap(), b"the end");
        payload.push(0);
        assert_eq!(message(&payload, 100).unwrap(), b"the end");
    }

    #[test]
    fn only_what_was_offered_may_be_agreed_on() {
        assert!(!is_agreed(None).unwrap());
        let plain = "permessage-deflate; server_no_context_takeover";
        for answer in [plain, OFFER, "permessage-deflate;server_max_window_bits=12 ; server_no_context_takeover"] {
            assert!(is_agreed(Some(answer)).unwrap(), "{answer}");
        }
        for answer in [
            "permessage-deflate",
            "permessage-deflate; client_no_context_takeover",
            "permessage-deflate; server_no_context_takeover; client_max_window_bits=10",
            "permessage-bzip2; server_no_context_takeover",
            "permessage-deflate; server_no_context_takeover, permessage-deflate",
            "",
        ] {
            assert!(is_agreed(Some(answer)).is_err(), "{answer}");
        }
    }
}
