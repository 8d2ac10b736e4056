//! The negotiation of `permessage-deflate` (RFC 7692, section 7.1).

use hyper::{
    HeaderMap,
    header::{HeaderValue, SEC_WEBSOCKET_EXTENSIONS},
};

use crate::server::stream::WINDOW_BITS;

/// The answer to the first offer that we can meet; `None` where there is none, and then nothing is
/// compressed. A bad offer is no error: it is declined, like one that is not known.
pub(super) fn negotiate(headers: &HeaderMap) -> Option<HeaderValue> {
    let offers = headers.get_all(SEC_WEBSOCKET_EXTENSIONS).iter().filter_map(|value| value.to_str().ok());
    offers.flat_map(|list| list.split(',')).find_map(accept)
}

/// Neither side keeps anything from one message to the next: we share our frames, and clients send
/// no messages at all.
const PLAIN: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

fn accept(offer: &str) -> Option<HeaderValue> {
    let mut parts = offer.split(';').map(str::trim);
    if parts.next() != Some("permessage-deflate") {
        return None;
    }
    let mut seen = Vec::new();
    let mut answer = PLAIN.to_owned();
    for parameter in parts {
        let (name, value) = match parameter.split_once('=') {
            Some((name, value)) => (name.trim_end(), Some(unquoted(value.trim_start()))),
            None => (parameter, None),
        };
        if seen.contains(&name) {
            return None;
        }
        seen.push(name);
        match (name, value) {
            ("server_no_context_takeover" | "client_no_context_takeover" | "client_max_window_bits", None) => {}
            ("client_max_window_bits", Some(bits)) => _ = window_bits(bits)?,
            ("server_max_window_bits", Some(bits)) if window_bits(bits)? >= WINDOW_BITS => {
                answer = format!("{PLAIN}; server_max_window_bits={WINDOW_BITS}");
            }
            _ => return None,
        }
    }
    HeaderValue::try_from(answer).ok()
}

/// A decimal number from 8 to 15 without leading zeros (section 7.1.2).
fn window_bits(text: &str) -> Option<u8> {
    let bits: u8 = text.parse().ok().filter(|bits| (8..=15).contains(bits))?;
    (bits.to_string() == text).then_some(bits)
}

fn unquoted(value: &str) -> &str {
    value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(offers: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for offer in offers {
            headers.append(SEC_WEBSOCKET_EXTENSIONS, HeaderValue::from_static(offer));
        }
        negotiate(&headers).map(|answer| answer.to_str().unwrap().to_owned())
    }

    #[test]
    fn what_clients_offer_in_practice_is_accepted() {
        let windowed = format!("{PLAIN}; server_max_window_bits=12");
        // Browsers and Node's ws.
        assert_eq!(answer(&["permessage-deflate; client_max_window_bits"]).as_deref(), Some(PLAIN));
        // Python's websockets.
        let python = "permessage-deflate; server_max_window_bits=12; client_max_window_bits=12";
        assert_eq!(answer(&[python]), Some(windowed.clone()));
        // Gorilla.
        assert_eq!(answer(&[PLAIN]).as_deref(), Some(PLAIN));
        assert_eq!(answer(&["permessage-deflate;server_max_window_bits = \"15\""]), Some(windowed));
    }

    #[test]
    fn the_first_offer_that_can_be_met_is_taken() {
        let small_first = "permessage-deflate; server_max_window_bits=9, permessage-deflate";
        assert_eq!(answer(&[small_first]).as_deref(), Some(PLAIN));
        assert_eq!(answer(&["x-webkit-deflate-frame", "permessage-deflate"]).as_deref(), Some(PLAIN));
    }

    #[test]
    fn what_cannot_be_met_or_is_malformed_is_declined() {
        for offer in [
            "",
            "permessage-bzip2",
            "permessage-deflate; server_max_window_bits=11",
            "permessage-deflate; server_max_window_bits",
            "permessage-deflate; server_max_window_bits=16",
            "permessage-deflate; server_max_window_bits=012",
            "permessage-deflate; server_max_window_bits=+12",
            "permessage-deflate; client_max_window_bits=7",
            "permessage-deflate; client_max_window_bits=\"10",
            "permessage-deflate; server_no_context_takeover=1",
            "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
            "permessage-deflate; unheard_of",
            "permessage-deflate;",
        ] {
            assert_eq!(answer(&[offer]), None, "{offer}");
        }
    }
}
