//! Sizes in bytes as people write them.

use super::tree::quoted;

const UNITS: [(&str, u32); 5] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10), ("B", 0)];

/// Reads `64MiB`, or bytes without a unit.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let (number, unit) = (&text[..text.len() - digits.len()], digits.trim_start());
    let shift =
        UNITS.iter().find(|(name, _)| *name == unit || unit.is_empty() && *name == "B").map(|(_, shift)| *shift);
    let size = number.parse::<u64>().ok().zip(shift).and_then(|(number, shift)| number.checked_mul(1 << shift));
    size.ok_or_else(|| {
        // `64MB` and `64M` mean one thing to some and another to others.
        let wanted = UNITS.iter().find(|(name, _)| unit.len() <= 2 && unit.get(..1) == name.get(..1));
        let hint = match wanted {
            Some((name, _)) if !number.is_empty() && *name != unit => format!("; did you mean \"{number}{name}\"?"),
            _ => String::new(),
        };
        format!("expected a size like \"64MiB\", found {}{hint}", quoted(text))
    })
}

/// The shortest exact form.
pub(super) fn format_size(bytes: u64) -> String {
    let fits = |shift: u32| bytes != 0 && bytes.trailing_zeros() >= shift;
    let (name, shift) = UNITS.into_iter().find(|(_, shift)| fits(*shift)).unwrap_or(("B", 0));
    format!("{}{name}", bytes >> shift)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_are_powers_of_1024() {
        assert_eq!(parse_size("64MiB"), Ok(64 << 20));
        assert_eq!(parse_size("64 KiB"), Ok(64 << 10));
        assert_eq!(parse_size("4096"), Ok(4096));
        for ambiguous in ["64MB", "64M"] {
            assert!(parse_size(ambiguous).unwrap_err().ends_with("did you mean \"64MiB\"?"), "{ambiguous}");
        }
        for wrong in ["", "MiB", "-1MiB", "99999999TiB", "1.5MiB", "64 µB", "64mib"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn reads_back_what_it_writes(bytes: u64) {
            prop_assert_eq!(parse_size(&format_size(bytes)), Ok(bytes));
        }

        #[test]
        fn no_text_panics(text in "[0-9]{0,3}\\PC{0,4}") {
            let _ = parse_size(&text);
        }
    }
}
