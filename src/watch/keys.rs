//! What each key asks for.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::model::Command;

/// What the terminal asks of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wish {
    /// To show something else.
    Show(Command),
    /// To draw everything anew.
    Redraw,
    Suspend,
    Quit,
}

/// `None` for a key that means nothing.
pub(super) fn wish(key: KeyEvent) -> Option<Wish> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        return match key.code {
            KeyCode::Char('c') => Some(Wish::Quit),
            KeyCode::Char('z') => Some(Wish::Suspend),
            KeyCode::Char('l') => Some(Wish::Redraw),
            _ => None,
        };
    }
    let command = match key.code {
        KeyCode::Char('q') => return Some(Wish::Quit),
        KeyCode::Up | KeyCode::Char('k') => Command::Move(-1),
        KeyCode::Down | KeyCode::Char('j') => Command::Move(1),
        KeyCode::PageUp => Command::Move(-PAGE),
        KeyCode::PageDown => Command::Move(PAGE),
        KeyCode::Home | KeyCode::Char('g') => Command::First,
        KeyCode::End | KeyCode::Char('G') => Command::Last,
        KeyCode::Left | KeyCode::BackTab | KeyCode::Char('h') => Command::Switch(-1),
        KeyCode::Right | KeyCode::Tab | KeyCode::Char('l') => Command::Switch(1),
        KeyCode::Enter => Command::Open,
        KeyCode::Esc | KeyCode::Backspace => Command::Back,
        KeyCode::Char('s') => Command::Sort,
        KeyCode::Char(' ' | 'p') => Command::Pause,
        KeyCode::Char('?') => Command::Help,
        _ => return None,
    };
    Some(Wish::Show(command))
}

/// Rows or lines.
const PAGE: isize = 10;
