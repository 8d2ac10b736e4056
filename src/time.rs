//! Times as people write them.

use std::time::{Duration, SystemTime};

/// What is told to whoever wrote one that is none.
pub const EXAMPLES: &str = "2026-01-31T12:00:00Z, 2026-01-31T13:00:00+01:00 or 1769860800000 (Unix milliseconds)";

/// A time of RFC 3339, in UTC where it has no offset, or Unix milliseconds.
pub fn parse(text: &str) -> Option<SystemTime> {
    if let Ok(millis) = text.parse() {
        return SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(millis));
    }
    let Some((time, offset, is_ahead)) = split_offset(text) else {
        return humantime::parse_rfc3339_weak(text).ok();
    };
    let time = humantime::parse_rfc3339_weak(time).ok()?;
    // Where clocks are ahead of UTC, the same numbers stand for an earlier moment.
    if is_ahead { time.checked_sub(offset) } else { time.checked_add(offset) }
}

/// The same in Unix milliseconds, for the command line.
pub fn parse_millis(text: &str) -> Result<u64, String> {
    let since = parse(text).and_then(|time| time.duration_since(SystemTime::UNIX_EPOCH).ok());
    Ok(since.ok_or_else(|| format!("expected a time like {EXAMPLES}"))?.as_millis() as u64)
}

/// As people read it.
pub fn format_millis(millis: u64) -> String {
    // Past the year 9999 there is no such text.
    let time = Duration::from_millis(millis.min(253_402_300_799_000));
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + time).to_string()
}

/// `+01:00` at the end of a text. In a query that nobody has escaped, the plus has become a space.
fn split_offset(text: &str) -> Option<(&str, Duration, bool)> {
    const LENGTH: usize = "+01:00".len();
    // Only where a time of day stands before it: the hyphens of a date are no signs.
    let at = text.len().checked_sub(LENGTH).filter(|at| *at >= "2026-01-31T12:00".len())?;
    let (time, offset) = text.split_at_checked(at)?;
    let is_ahead = match offset.as_bytes()[0] {
        b'+' | b' ' => true,
        b'-' => false,
        _ => return None,
    };
    let (hours, minutes) = offset[1..].split_once(':')?;
    let number = |text: &str| text.bytes().all(|c| c.is_ascii_digit()).then(|| text.parse::<u64>().ok())?;
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then_some((time, Duration::from_secs((hours * 60 + minutes) * 60), is_ahead))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> Option<u64> {
        Some(parse(text)?.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs())
    }

    #[test]
    fn the_same_moment_reads_the_same_however_it_is_written() {
        let noon = Some(1_769_860_800);
        for text in [
            "2026-01-31T12:00:00Z",
            "2026-01-31T12:00:00",
            "2026-01-31 12:00:00",
            "2026-01-31T13:00:00+01:00",
            "2026-01-31T13:00:00.000+01:00",
            "2026-01-31T13:00:00 01:00",
            "2026-01-31T06:30:00-05:30",
            "1769860800000",
        ] {
            assert_eq!(seconds(text), noon, "{text}");
        }
        assert_eq!(seconds("2026-01-31"), None, "at which time of that day?");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "x",
            "now",
            "-1",
            "+01:00",
            "2026-01-31T12:00:00+1:00",
            "2026-01-31T12:00:00+24:00",
            "2026-01-31T12:00:00+01:60",
            "2026-01-31T12:00:00+ä1:0",
            "1970-01-01T00:00:00+01:00é",
            "99999999999999999999",
        ] {
            assert_eq!(parse(text), None, "{text:?}");
        }
        assert!(parse_millis("1970-01-01T00:00:00+01:00").is_err(), "before 1970");
    }
}
