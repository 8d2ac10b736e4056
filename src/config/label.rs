//! Labels: what tells a host from others, in the words of those who run it.

use super::tree::quoted;

/// So many at most.
pub(crate) const MOST_LABELS: usize = 32;
const LONGEST_NAME: usize = 63;
const LONGEST_VALUE: usize = 255;

/// What is wrong with the name of a label.
pub(crate) fn check_label_name(name: &str) -> Result<(), String> {
    let is_allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_.-".contains(c);
    if name.is_empty() || name.len() > LONGEST_NAME || !name.chars().all(is_allowed) {
        return Err(format!("a label's name is 1 to {LONGEST_NAME} of a-z, 0-9, \"_\", \".\" and \"-\""));
    }
    Ok(())
}

/// What is wrong with the value of a label.
pub(crate) fn check_label_value(value: &str) -> Result<(), String> {
    if value.chars().count() > LONGEST_VALUE {
        return Err(format!("{} is too long: at most {LONGEST_VALUE} characters", quoted(value)));
    }
    if value.contains(char::is_control) {
        return Err(format!("{} has a control character", quoted(value)));
    }
    Ok(())
}
