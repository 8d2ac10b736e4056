//! A terminal with a program in it, as someone sees it who sits there.

use std::{
    fs::File,
    io::{Read as _, Write as _},
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    thread,
};

use rustix::{
    fs::{Mode, OFlags, open},
    process::{Pid, Signal, kill_process},
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize},
};

use super::eventually;

/// Killed when it is dropped.
pub(crate) struct Terminal {
    child: Child,
    ours: File,
    /// The program's side, which must not close before we have looked at its modes.
    theirs: File,
    screen: Arc<Mutex<Screen>>,
}

/// What is to be seen.
#[derive(Default)]
struct Screen {
    /// Everything that was ever written.
    written: Vec<u8>,
    rows: Vec<Vec<char>>,
    cursor: (usize, usize),
    is_alternate: bool,
    is_cursor_hidden: bool,
}

impl Terminal {
    /// Starts a program in a terminal of 80 columns and 24 rows, which is its own.
    pub(crate) fn start(program: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap();
        let theirs = open(&*name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let (ours, theirs) = (File::from(controller), File::from(theirs));
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(program).args(arguments);
        command.env("TERM", "xterm-256color").env_remove("NO_COLOR").envs(environment.iter().copied());
        let stdio = || Stdio::from(theirs.try_clone().unwrap());
        command.stdin(stdio()).stdout(stdio()).stderr(stdio());
        let screen = Arc::new(Mutex::new(Screen::default()));
        let (shown, mut output) = (Arc::clone(&screen), ours.try_clone().unwrap());
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // It is an error when the last one has closed it.
            while let Ok(length @ 1..) = output.read(&mut bytes) {
                shown.lock().unwrap().write(&bytes[..length]);
            }
        });
        let terminal = Self { child: command.spawn().unwrap(), ours, theirs, screen };
        terminal.resize(80, 24);
        terminal
    }

    pub(crate) fn resize(&self, columns: u16, rows: u16) {
        tcsetwinsize(&self.ours, Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    }

    pub(crate) fn press(&mut self, keys: &str) {
        self.ours.write_all(keys.as_bytes()).unwrap();
    }

    /// All rows.
    pub(crate) fn text(&self) -> String {
        let screen = self.screen.lock().unwrap();
        let row = |row: &Vec<char>| row.iter().collect::<String>().trim_end().to_owned();
        screen.rows.iter().map(row).collect::<Vec<_>>().join("\n")
    }

    pub(crate) fn written(&self) -> Vec<u8> {
        self.screen.lock().unwrap().written.clone()
    }

    /// Waits until this is to be seen.
    pub(crate) fn shows(&self, text: &str) {
        self.shows_what(text, |screen| screen.contains(text));
    }

    /// Waits until the text has what is looked for.
    pub(crate) fn shows_what(&self, what: &str, mut is_it: impl FnMut(&str) -> bool) {
        let seen = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| eventually(what, || is_it(&self.text()))));
        assert!(seen.is_ok(), "{what} is not shown, but\n{}", self.text());
    }

    /// Waits until it is as a shell wants it: lines are edited, keys are echoed, its own screen and cursor are there.
    pub(crate) fn is_given_back(&self) {
        eventually("the terminal is given back", || !self.is_taken());
    }

    pub(crate) fn is_taken(&self) -> bool {
        let modes = tcgetattr(&self.theirs).unwrap().local_modes;
        let screen = self.screen.lock().unwrap();
        !modes.contains(LocalModes::ICANON | LocalModes::ECHO) || screen.is_alternate || screen.is_cursor_hidden
    }

    pub(crate) fn signal(&self, signal: Signal) {
        // setsid has become the program.
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end; the exit code.
    pub(crate) fn wait(&mut self) -> i32 {
        let mut status = None;
        eventually("the program in the terminal ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        let status = status.unwrap();
        status.code().unwrap_or_else(|| panic!("ended by signal {:?}", status.signal()))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Screen {
    /// As much of a terminal as we make use of.
    fn write(&mut self, bytes: &[u8]) {
        self.written.extend(bytes);
        // What was cut is read with the next piece: everything is drawn again from the beginning, which is short.
        let text = String::from_utf8_lossy(&self.written).into_owned();
        let mut characters = text.chars().peekable();
        self.rows.clear();
        self.cursor = (0, 0);
        while let Some(character) = characters.next() {
            match character {
                '\u{1b}' if characters.next_if_eq(&'[').is_some() => {
                    let mut parameters = String::new();
                    let end = loop {
                        match characters.next() {
                            Some(c @ ('0'..='9' | ';' | '?')) => parameters.push(c),
                            end => break end,
                        }
                    };
                    self.control(&parameters, end);
                }
                '\u{1b}' => _ = characters.next(),
                '\r' => self.cursor.1 = 0,
                '\n' => self.cursor.0 += 1,
                character if character.is_control() => {}
                character => {
                    let (row, column) = self.cursor;
                    self.rows.resize(self.rows.len().max(row + 1), Vec::new());
                    let row = &mut self.rows[row];
                    row.resize(row.len().max(column + 1), ' ');
                    row[column] = character;
                    self.cursor.1 += 1;
                }
            }
        }
    }

    fn control(&mut self, parameters: &str, end: Option<char>) {
        match (parameters, end) {
            ("?1049", Some(set)) => {
                self.is_alternate = set == 'h';
                self.rows.clear();
            }
            ("?25", Some(set)) => self.is_cursor_hidden = set == 'l',
            ("2", Some('J')) => self.rows.clear(),
            (_, Some('J')) => {
                self.rows.truncate(self.cursor.0 + 1);
                if let Some(row) = self.rows.get_mut(self.cursor.0) {
                    row.truncate(self.cursor.1);
                }
            }
            (rows, Some('A')) => self.cursor.0 -= rows.parse::<usize>().unwrap_or(1),
            (place, Some('H')) => {
                let mut numbers = place.split(';').map(|number| number.parse().unwrap_or(1));
                self.cursor = (numbers.next().unwrap_or(1) - 1, numbers.next().unwrap_or(1) - 1);
            }
            _ => {}
        }
    }
}
