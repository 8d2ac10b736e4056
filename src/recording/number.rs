//! What a number looks like, without making one of it.

/// Beyond so many digits before the point a number may be larger than any double.
const SURELY_FINITE: usize = 308;

/// How long the number is that a text begins with, as JSON has it; `None` if there is none, or none that is finite.
pub(super) fn length(text: &[u8]) -> Option<usize> {
    let sign = usize::from(text.first() == Some(&b'-'));
    let whole = digits(&text[sign..]);
    if whole == 0 || (whole > 1 && text[sign] == b'0') {
        return None;
    }
    let mut end = sign + whole;
    if text.get(end) == Some(&b'.') {
        let decimals = digits(&text[end + 1..]);
        if decimals == 0 {
            return None;
        }
        end += 1 + decimals;
    }
    let mut is_finite = whole <= SURELY_FINITE;
    if let Some(b'e' | b'E') = text.get(end) {
        end += 1;
        end += usize::from(matches!(text.get(end), Some(b'+' | b'-')));
        let exponent = digits(&text[end..]);
        if exponent == 0 {
            return None;
        }
        end += exponent;
        is_finite = false;
    }
    let is_finite = is_finite || read(&text[..end]).is_some_and(f64::is_finite);
    is_finite.then_some(end)
}

/// The number that this text is.
pub(super) fn read(text: &[u8]) -> Option<f64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

fn digits(text: &[u8]) -> usize {
    text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_is_what_json_takes_for_one_that_is_finite() {
        for text in [
            "0", "-0", "7", "-12", "0.5", "1e3", "1E+3", "-1.25e-7", "1e308", "1e999", "-1e999", "01", "-", "", ".5",
            "1.", "+1", "1e", "1e+", "NaN", "inf", "0x1", "1.5.2", "--1", "1_0",
        ] {
            let whole = length(text.as_bytes()) == Some(text.len());
            assert_eq!(whole, serde_json::from_str::<f64>(text).is_ok(), "{text}");
        }
        let (longest, longer) = ("9".repeat(308), "9".repeat(310));
        assert_eq!((length(longest.as_bytes()), length(longer.as_bytes())), (Some(308), None));
        assert_eq!(length(b"12.5,7"), Some(4));
    }

    proptest! {
        #[test]
        fn whatever_is_written_it_is_a_number_if_json_says_so(text in "-?[0-9]{0,3}(\\.[0-9]{0,3})?([eE][+-]?[0-9]{0,3})?") {
            let whole = length(text.as_bytes()) == Some(text.len());
            prop_assert_eq!(whole, serde_json::from_str::<f64>(&text).is_ok());
        }
    }
}
