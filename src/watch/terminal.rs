//! The terminal: taken for the whole screen, and given back as it was, however this ends.

use std::{
    io::{self, Stdout, stdout},
    panic,
};

use ratatui::{
    Terminal,
    backend::CrosstermBackend,
    crossterm::{
        cursor::Show,
        execute,
        terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
    },
    layout::{Position, Rect},
};
use rustix::process::{Signal, kill_current_process_group};

/// Held while the screen is ours.
#[derive(Debug)]
pub(super) struct Screen {
    pub(super) terminal: Terminal<CrosstermBackend<Stdout>>,
}

impl Screen {
    pub(super) fn take() -> io::Result<Self> {
        // A message that is written to the other screen goes with it.
        let tell = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            give_back();
            tell(info);
        }));
        let terminal = Terminal::new(CrosstermBackend::new(stdout()))?;
        let mut screen = Self { terminal };
        screen.enter()?;
        Ok(screen)
    }

    /// Once more, after the shell had it.
    pub(super) fn enter(&mut self) -> io::Result<()> {
        enable_raw_mode()?;
        execute!(stdout(), EnterAlternateScreen)?;
        self.clear()
    }

    /// What is drawn next is drawn as a whole.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        // `Terminal::clear` would ask the terminal where its cursor is, and not every one answers.
        let size = self.terminal.size()?;
        self.terminal.resize(Rect::from((Position::ORIGIN, size)))
    }

    /// Lets the shell have the terminal; returns when it is ours again.
    pub(super) fn suspend(&mut self) -> io::Result<()> {
        give_back();
        // All who share the job, as the terminal would do it. Nobody is told before this one goes on.
        kill_current_process_group(Signal::TSTP)?;
        self.enter()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        give_back();
    }
}

/// As it was. What cannot be written any more has nobody who could miss it.
fn give_back() {
    let _ = execute!(stdout(), LeaveAlternateScreen, Show);
    let _ = disable_raw_mode();
}

#[cfg(test)]
mod tests {
    use std::{
        env,
        fs::File,
        io::Read as _,
        process::{Command, Stdio},
    };

    use rustix::{
        fs::{Mode, OFlags, open},
        pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
        termios::{LocalModes, tcgetattr},
    };

    use super::*;

    const PANICS: &str = "HOSTCAST_TEST_PANICS";

    /// Runs itself once more, in a terminal, and panics there.
    #[test]
    fn a_panic_gives_the_terminal_back_and_is_read_on_it() {
        if env::var_os(PANICS).is_some() {
            let _screen = Screen::take().unwrap();
            panic!("as promised");
        }
        let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&controller).unwrap();
        unlockpt(&controller).unwrap();
        let name = ptsname(&controller, Vec::new()).unwrap();
        let inside = open(&*name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
        let stdio = || Stdio::from(inside.try_clone().unwrap());
        let mut again = Command::new(env::current_exe().unwrap());
        again.args(["--exact", "watch::terminal::tests::a_panic_gives_the_terminal_back_and_is_read_on_it"]);
        again.arg("--nocapture").env(PANICS, "1").stdin(stdio()).stdout(stdio()).stderr(stdio());
        assert!(!again.status().unwrap().success());
        assert!(tcgetattr(&inside).unwrap().local_modes.contains(LocalModes::ICANON | LocalModes::ECHO));
        drop((again, inside));
        let mut written = Vec::new();
        // Reading ends with an error, because nobody is left on the other side.
        let _ = File::from(controller).read_to_end(&mut written);
        let written = String::from_utf8_lossy(&written);
        let (_, after) = written.split_once("\u{1b}[?1049l").unwrap();
        assert!(after.contains("as promised"), "{written:?}");
    }
}
