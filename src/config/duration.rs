//! Durations as people write them: a number with a unit.

use std::time::Duration;

use super::tree::quoted;

/// So many digits a number may have.
const MOST_DIGITS: usize = 10;

/// Reads `15m`, `1h 30m`, `1.5s`. The error says what was expected and what was found.
///
/// Whole milliseconds only. Safe for text from anywhere: `humantime` by itself panics where the sum leaves the range
/// (`18446744073709551615s 1000ms`), so longer text than any sensible duration is refused before it gets there.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let text = text.trim();
    let expected = |why: &str| format!("expected a duration like \"15m\", found {}{why}", quoted(text));
    if text.starts_with(|c: char| c.is_ascii_digit()) && text.chars().all(|c| c.is_ascii_digit() || c == '.') {
        return Err(expected(", which has no unit"));
    }
    let longest_number = text.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or_default();
    if text.len() > 64 || longest_number > MOST_DIGITS {
        return Err(expected(", which is too long to read"));
    }
    let duration = humantime::parse_duration(text).map_err(|_| expected(""))?;
    if !duration.subsec_nanos().is_multiple_of(1_000_000) {
        return Err(format!("{} is too fine: whole milliseconds only", quoted(text)));
    }
    // A thousand years and a second are not meant by anyone, and could not be written in one unit.
    if format_duration(duration).trim_end_matches(char::is_alphabetic).len() > MOST_DIGITS {
        return Err(expected(", which is too long to read"));
    }
    Ok(duration)
}

/// The shortest exact form in one unit that [`parse_duration`] reads back: `90s`, `15m`, `1500ms`.
pub fn format_duration(duration: Duration) -> String {
    let units: [(u128, &str); 3] = [(3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let millis = duration.as_millis();
    match units.into_iter().find(|(unit, _)| millis.is_multiple_of(*unit)) {
        _ if millis == 0 => "0s".to_owned(),
        Some((unit, name)) => format!("{}{name}", millis / unit),
        None => format!("{millis}ms"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_shortest_exact_form() {
        let cases =
            [(0, "0s"), (100, "100ms"), (1_500, "1500ms"), (90_000, "90s"), (900_000, "15m"), (86_400_000, "24h")];
        for (millis, text) in cases {
            assert_eq!(format_duration(Duration::from_millis(millis)), text);
        }
    }

    #[test]
    fn what_could_not_be_written_again_is_not_read() {
        assert_eq!(parse_duration("9999999999s"), Ok(Duration::from_secs(9_999_999_999)));
        assert!(parse_duration("30d 9999999999s").is_err());
        assert!(parse_duration("9999999999y").is_err());
    }

    #[test]
    fn a_number_alone_is_refused() {
        let message = "expected a duration like \"15m\", found \"15\", which has no unit";
        assert_eq!(parse_duration("15"), Err(message.to_owned()));
        assert_eq!(parse_duration("1500us"), Err("\"1500us\" is too fine: whole milliseconds only".to_owned()));
    }

    #[test]
    fn a_sum_past_the_range_is_an_error() {
        assert!(parse_duration("18446744073709551615s 1000ms").is_err());
        assert!(parse_duration(&"999999999y ".repeat(600)).is_err());
    }

    proptest! {
        #[test]
        fn reads_back_what_it_writes(millis in 0_u64..10_000_000_000) {
            let duration = Duration::from_millis(millis);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in "([0-9]{0,20}(ns|us|ms|s|m|h|d|w|M|y|\\.|\\PC)? ?){0,5}") {
            let _ = parse_duration(&text);
        }
    }
}
