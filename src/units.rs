//! Numbers as a person reads them. What is missing is a dash, and never a zero.

use std::time::Duration;

/// What stands where there is no reading.
pub(crate) const MISSING: &str = "–";

const BINARY: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
const DECIMAL: [&str; 6] = ["", "k", "M", "G", "T", "P"];

/// A share of a whole.
pub(crate) fn percent(ratio: Option<f64>) -> String {
    or_missing(ratio, |ratio| {
        let value = ratio * 100.0;
        if value >= 99.95 { format!("{value:.0} %") } else { format!("{value:.1} %") }
    })
}

pub(crate) fn bytes(value: Option<f64>) -> String {
    or_missing(value, |value| {
        let (number, unit) = scaled(value, 1024.0, &BINARY);
        format!("{number} {unit}")
    })
}

pub(crate) fn byte_rate(value: Option<f64>) -> String {
    or_missing(value, |value| bytes(Some(value)) + "/s")
}

/// Bytes a second as bits, because links are sold so. The head of the column says `bit/s`.
pub(crate) fn bits(value: Option<f64>) -> String {
    or_missing(value, |value| {
        let (number, unit) = scaled(value * 8.0, 1000.0, &DECIMAL);
        format!("{number} {unit}").trim_end().into()
    })
}

pub(crate) fn bit_rate(value: Option<f64>) -> String {
    or_missing(value, |value| {
        let (number, unit) = scaled(value * 8.0, 1000.0, &DECIMAL);
        format!("{number} {unit}bit/s")
    })
}

/// Events a second. The head of the column says `/s`.
pub(crate) fn count(value: Option<f64>) -> String {
    or_missing(value, |value| match value.abs() {
        size if size < 99.95 => format!("{value:.1}"),
        _ => {
            let (number, unit) = scaled(value, 1000.0, &DECIMAL);
            format!("{number} {unit}").trim_end().into()
        }
    })
}

pub(crate) fn load(value: Option<f64>) -> String {
    or_missing(value, |value| format!("{value:.2}"))
}

pub(crate) fn celsius(value: Option<f64>) -> String {
    or_missing(value, |value| format!("{value:.1} °C"))
}

/// A value whose unit only the daemon knows, in UCUM.
pub(crate) fn with_unit(value: Option<f64>, unit: &str) -> String {
    or_missing(value, |value| format!("{value} {unit}"))
}

/// The two largest units.
pub(crate) fn duration(time: Duration) -> String {
    let seconds = time.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {} s", seconds % 60),
        (0, ..) => format!("{hours} h {minutes} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// In one unit, where there is little room.
pub(crate) fn brief(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..100 => format!("{seconds} s"),
        seconds @ 100..6_000 => format!("{} min", seconds / 60),
        seconds @ 6_000..172_800 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

fn or_missing(value: Option<f64>, format: impl FnOnce(f64) -> String) -> String {
    value.filter(|value| value.is_finite()).map_or_else(|| MISSING.into(), format)
}

/// Three digits under the largest unit that keeps the number at one or more.
fn scaled<'a>(value: f64, base: f64, units: &[&'a str]) -> (String, &'a str) {
    let (mut scaled, mut unit) = (value, 0);
    // Half a digit early, so that rounding never shows a thousand of the smaller unit.
    while scaled.abs() >= base - 0.5 && unit + 1 < units.len() {
        scaled /= base;
        unit += 1;
    }
    let decimals = match scaled.abs() {
        _ if unit == 0 => 0,
        size if size < 9.995 => 2,
        size if size < 99.95 => 1,
        _ => 0,
    };
    (format!("{scaled:.decimals$}"), units[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_and_what_is_missing_is_a_dash() {
        for (shown, expected) in [
            (percent(Some(0.123_4)), "12.3 %"),
            (percent(Some(1.0)), "100 %"),
            (percent(None), "–"),
            (percent(Some(f64::NAN)), "–"),
            (bytes(Some(0.0)), "0 B"),
            (bytes(Some(1023.0)), "1023 B"),
            (bytes(Some(1023.7)), "1.00 KiB"),
            (bytes(Some(1.5 * 1024.0 * 1024.0)), "1.50 MiB"),
            (byte_rate(Some(123_456.0)), "121 KiB/s"),
            (byte_rate(None), "–"),
            (bits(Some(125.0)), "1.00 k"),
            (bits(Some(3.0)), "24"),
            (bit_rate(Some(1e9)), "8.00 Gbit/s"),
            (count(Some(12.34)), "12.3"),
            (count(Some(12_340.0)), "12.3 k"),
            (bytes(Some(f64::MAX)).split_once(' ').unwrap().1.into(), "EiB"),
            (celsius(Some(45.04)), "45.0 °C"),
        ] {
            assert_eq!(shown, expected);
        }
    }

    #[test]
    fn times_have_their_two_largest_units_or_one() {
        for (seconds, long, short) in [
            (0, "0 s", "0 s"),
            (62, "1 min 2 s", "62 s"),
            (3_700, "1 h 1 min", "61 min"),
            (90_000, "1 d 1 h", "25 h"),
            (864_000, "10 d 0 h", "10 d"),
        ] {
            let time = Duration::from_secs(seconds);
            assert_eq!((&*duration(time), &*brief(time)), (long, short));
        }
    }
}
