//! What the tables that we write have in common (RFC 4180).

/// Appends a cell, in quotes where it needs them: every id with attributes may hold a comma.
pub(crate) fn push_cell(text: &mut Vec<u8>, cell: &str) {
    if cell.contains([',', '"', '\n', '\r']) {
        text.push(b'"');
        text.extend(cell.replace('"', "\"\"").as_bytes());
        text.push(b'"');
    } else {
        text.extend(cell.as_bytes());
    }
}
