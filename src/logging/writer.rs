//! The way of a line to stderr: through a bounded queue, so that a terminal or a log collector that
//! does not read stops nobody, and a disk that is full harms nobody.

use std::{
    env,
    io::{self, IsTerminal as _, Write},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, Sender, SyncSender},
    },
    thread,
    time::Duration,
};

use tracing_subscriber::fmt::MakeWriter;

use super::{
    LevelHandle,
    board::{Board, Shown},
};

/// Lines that may wait.
const QUEUE_LINES: usize = 1024;
/// How long the end of the program waits for the last lines to be taken.
const PATIENCE: Duration = Duration::from_secs(1);

/// Takes lines from any thread and never waits.
#[derive(Clone, Debug)]
pub(super) struct Queue {
    entries: SyncSender<Entry>,
    /// Lines that found no room and have not been told of.
    lost: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Entry {
    Line(Vec<u8>),
    /// What is to stand below the lines.
    Board(Vec<String>),
    /// To be dropped when every line before it was written.
    Mark(Sender<()>),
}

/// Sees to it, when it is dropped, that the last lines are written.
#[must_use]
pub struct Log {
    queue: Option<Queue>,
    pub(super) level: Option<LevelHandle>,
}

impl Queue {
    /// A queue into `sink`, which its own thread writes to.
    pub(super) fn new(sink: impl Write + Send + 'static) -> io::Result<(Self, Log)> {
        let (entries, received) = mpsc::sync_channel(QUEUE_LINES);
        let lost = Arc::new(AtomicU64::new(0));
        let queue = Self { entries, lost: Arc::clone(&lost) };
        thread::Builder::new().name("log".into()).stack_size(128 << 10).spawn(move || drain(&received, &lost, sink))?;
        Ok((queue.clone(), Log { queue: Some(queue), level: None }))
    }

    /// Where there is no room, it is shown the next time.
    pub(super) fn show(&self, lines: Vec<String>) {
        let _ = self.entries.try_send(Entry::Board(lines));
    }
}

impl Log {
    /// A place below the log for what changes, where that is a terminal that can do it.
    pub fn board(&self) -> Option<Board> {
        let can_move = env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb");
        let queue = self.queue.as_ref().filter(|_| can_move && io::stderr().is_terminal())?;
        Some(Board(queue.clone()))
    }

    /// Of a program that logs nothing.
    pub(super) fn none() -> Self {
        Self { queue: None, level: None }
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        let Some(queue) = &self.queue else { return };
        let (mark, written) = mpsc::channel();
        // A queue that is full belongs to a reader who has gone: there is nothing to wait for.
        if queue.entries.try_send(Entry::Mark(mark)).is_ok() {
            let _ = written.recv_timeout(PATIENCE);
        }
    }
}

fn drain(entries: &Receiver<Entry>, lost: &AtomicU64, mut sink: impl Write) {
    let mut shown = Shown::default();
    for entry in entries {
        // Nobody is left to be told that a line could not be written.
        match entry {
            Entry::Line(line) => {
                let _ = shown.write_above(&line, &mut sink);
            }
            Entry::Board(lines) => {
                let _ = shown.replace(lines, &mut sink);
            }
            Entry::Mark(mark) => drop(mark),
        }
        match lost.swap(0, Ordering::Relaxed) {
            0 => {}
            lines => {
                let line = format!("{lines} lines of the log were lost: they came faster than they were taken\n");
                let _ = shown.write_above(line.as_bytes(), &mut sink);
            }
        }
    }
}

impl<'writer> MakeWriter<'writer> for Queue {
    type Writer = &'writer Self;

    fn make_writer(&'writer self) -> Self::Writer {
        self
    }
}

impl Write for &Queue {
    /// Takes one whole event, as the formatter hands it over.
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        if self.entries.try_send(Entry::Line(one_line(event))).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The event with the line breaks within it escaped: whatever it tells of, it stays one line. (The
/// formatter escapes the other control characters.)
fn one_line(event: &[u8]) -> Vec<u8> {
    let text = event.strip_suffix(b"\n").unwrap_or(event);
    let mut line = Vec::with_capacity(event.len());
    for &byte in text {
        match byte {
            b'\n' => line.extend_from_slice(b"\\n"),
            b'\r' => line.extend_from_slice(b"\\r"),
            byte => line.push(byte),
        }
    }
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use super::*;

    /// Holds the writer until it is opened.
    #[derive(Clone, Default)]
    struct Gate(Arc<(Mutex<State>, Condvar)>);

    #[derive(Default)]
    struct State {
        is_open: bool,
        passed: Vec<u8>,
    }

    impl Gate {
        fn open(&self) {
            self.0.0.lock().unwrap().is_open = true;
            self.0.1.notify_all();
        }

        fn passed(&self) -> String {
            String::from_utf8(self.0.0.lock().unwrap().passed.clone()).unwrap()
        }
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut state = self.0.1.wait_while(self.0.0.lock().unwrap(), |state| !state.is_open).unwrap();
            state.passed.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// As the formatter does: a whole event at a time.
    fn log(mut queue: &Queue, event: &str) {
        queue.write_all(event.as_bytes()).unwrap();
    }

    #[test]
    fn a_reader_that_does_not_read_stops_nobody_and_what_is_lost_is_told() {
        let gate = Gate::default();
        let (queue, written) = Queue::new(gate.clone()).unwrap();
        for number in 0..QUEUE_LINES + 100 {
            log(&queue, &format!("line {number}\n"));
        }
        gate.open();
        while !gate.passed().contains("lost") {
            thread::yield_now();
        }
        drop(written);
        let passed = gate.passed();
        let lost: usize = passed.lines().find_map(|line| line.strip_suffix(&TOLD[1..])?.parse().ok()).unwrap();
        assert_eq!(passed.lines().filter(|line| line.starts_with("line ")).count() + lost, QUEUE_LINES + 100);
    }

    const TOLD: &str = "_ lines of the log were lost: they came faster than they were taken";

    #[test]
    fn the_last_line_is_written_before_the_program_ends() {
        let gate = Gate::default();
        gate.open();
        let (queue, written) = Queue::new(gate.clone()).unwrap();
        log(&queue, "the last\n");
        drop(written);
        assert_eq!(gate.passed(), "the last\n");
    }

    #[test]
    fn a_sink_that_fails_harms_nobody() {
        struct Full;
        impl Write for Full {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::StorageFull.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let (queue, written) = Queue::new(Full).unwrap();
        log(&queue, "lost\n");
        drop(written);
    }

    #[test]
    fn an_event_is_one_line() {
        assert_eq!(one_line(b"a\nERROR forged\r\n"), b"a\\nERROR forged\\r\n");
        assert_eq!(one_line(b"plain\n"), b"plain\n");
    }
}
