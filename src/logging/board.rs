//! A few lines at the foot of a terminal that change in place, while the log goes on above them.

use std::{
    fmt::Write as _,
    io::{self, Write},
};

use rustix::termios::tcgetwinsize;

use super::writer::Queue;

/// How a program tells what is to stand there.
#[derive(Clone, Debug)]
pub struct Board(pub(super) Queue);

impl Board {
    /// Shows these lines in place of those before.
    pub fn show(&self, lines: Vec<String>) {
        self.0.show(lines);
    }

    /// How many columns and rows the terminal has.
    pub fn size() -> (usize, usize) {
        match tcgetwinsize(io::stderr()) {
            Ok(size) if size.ws_col > 0 && size.ws_row > 0 => (size.ws_col.into(), size.ws_row.into()),
            _ => (80, 24),
        }
    }
}

/// What stands there.
#[derive(Debug, Default)]
pub(super) struct Shown(Vec<String>);

impl Shown {
    pub(super) fn replace(&mut self, lines: Vec<String>, sink: &mut impl Write) -> io::Result<()> {
        let mut text = self.erasure();
        self.0 = lines;
        self.draw(&mut text);
        sink.write_all(text.as_bytes())
    }

    /// Writes a line of the log above it.
    pub(super) fn write_above(&self, line: &[u8], sink: &mut impl Write) -> io::Result<()> {
        if self.0.is_empty() {
            return sink.write_all(line);
        }
        let mut text = self.erasure().into_bytes();
        text.extend(line);
        let mut board = String::new();
        self.draw(&mut board);
        text.extend(board.into_bytes());
        sink.write_all(&text)
    }

    /// Up to its first row, and nothing below.
    fn erasure(&self) -> String {
        if self.0.is_empty() {
            return String::new();
        }
        let (columns, _) = Board::size();
        // In a terminal that was made narrower, a line takes several rows.
        let rows: usize = self.0.iter().map(|line| line.chars().count().div_ceil(columns).max(1)).sum();
        format!("\r\u{1b}[{rows}A\u{1b}[J")
    }

    fn draw(&self, text: &mut String) {
        for line in &self.0 {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{line}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_goes_on_above_what_changes_in_place() {
        let (mut shown, mut written) = (Shown::default(), Vec::new());
        shown.write_above(b"log 1\n", &mut written).unwrap();
        shown.replace(vec!["a 1".into(), "b 1".into()], &mut written).unwrap();
        shown.write_above(b"log 2\n", &mut written).unwrap();
        shown.replace(vec!["a 2".into()], &mut written).unwrap();
        shown.replace(Vec::new(), &mut written).unwrap();
        let expected =
            "log 1\na 1\nb 1\n\r\u{1b}[2A\u{1b}[Jlog 2\na 1\nb 1\n\r\u{1b}[2A\u{1b}[Ja 2\n\r\u{1b}[1A\u{1b}[J";
        assert_eq!(String::from_utf8(written).unwrap(), expected);
    }
}
