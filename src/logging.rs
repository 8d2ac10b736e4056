//! Events go to stderr, one line each: the journal, a container's log or a terminal takes them from there.

use std::{
    env,
    ffi::OsStr,
    io::{self, IsTerminal as _},
};

use tracing::{Subscriber, level_filters::LevelFilter};
use tracing_subscriber::{Registry, fmt, fmt::MakeWriter, layer::SubscriberExt as _, reload};

use self::writer::Queue;
pub use self::{board::Board, writer::Log};
use crate::config::LogLevel;

mod board;
mod writer;

/// Starts logging to stderr. Call it once; keep what it returns until the program ends.
///
/// What a client sent is logged with `?`, never with `%`: that escapes control characters, so that nobody can forge a
/// line or take over a terminal.
pub fn start(level: LogLevel) -> Log {
    let style = Style {
        colours: io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        time: !is_journal(env::var_os("JOURNAL_STREAM").as_deref()),
    };
    match Queue::new(io::stderr()) {
        Ok((queue, mut log)) => {
            let (subscriber, level) = subscriber(level, style, queue);
            // Only a second call fails.
            let _ = tracing::subscriber::set_global_default(subscriber);
            log.level = Some(level);
            log
        }
        // Without a thread nothing else will start either, and that is told on stderr.
        Err(_) => Log::none(),
    }
}

#[derive(Clone, Copy)]
struct Style {
    colours: bool,
    time: bool,
}

/// What may change the level while the program runs.
type LevelHandle = reload::Handle<LevelFilter, Registry>;

fn subscriber<W>(level: LogLevel, style: Style, writer: W) -> (Box<dyn Subscriber + Send + Sync>, LevelHandle)
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let (level, handle) = reload::Layer::new(filter(level));
    let lines = fmt::layer()
        .compact()
        .with_ansi(style.colours)
        .with_target(false)
        .log_internal_errors(false)
        .with_writer(writer);
    let registry = tracing_subscriber::registry().with(level);
    if style.time {
        (Box::new(registry.with(lines)), handle)
    } else {
        (Box::new(registry.with(lines.without_time())), handle)
    }
}

impl Log {
    /// Writes events of this level and of those more severe from now on.
    pub fn set_level(&self, level: LogLevel) {
        if let Some(handle) = &self.level {
            // Fails only where the subscriber is gone, and nothing is logged any more.
            let _ = handle.reload(filter(level));
        }
    }
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

/// Whether stderr is the journal, which has its own time for each line. systemd passes its device and inode, for a
/// child may inherit the variable and write somewhere else.
fn is_journal(stream: Option<&OsStr>) -> bool {
    let Some((device, inode)) = stream.and_then(OsStr::to_str).and_then(|stream| stream.split_once(':')) else {
        return false;
    };
    rustix::fs::fstat(io::stderr())
        .is_ok_and(|stat| device.parse() == Ok(stat.st_dev) && inode.parse() == Ok(stat.st_ino))
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        sync::{Arc, Mutex},
    };

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(level: LogLevel, style: Style, log: impl FnOnce()) -> String {
        let lines = Lines::default();
        let writer = lines.clone();
        tracing::subscriber::with_default(subscriber(level, style, move || writer.clone()).0, log);
        String::from_utf8(lines.0.lock().unwrap().clone()).unwrap()
    }

    const PLAIN: Style = Style { colours: false, time: false };

    #[test]
    fn what_a_client_sends_cannot_forge_a_line() {
        let agent = "curl\n ERROR forged\u{1b}[31m\r\u{7}\u{9b}2J";
        let line = logged(LogLevel::Info, PLAIN, || tracing::info!(?agent, "refused"));
        assert_eq!(line, " INFO refused agent=\"curl\\n ERROR forged\\u{1b}[31m\\r\\u{7}\\u{9b}2J\"\n");
    }

    #[test]
    fn less_severe_events_are_left_out() {
        let log = || {
            tracing::warn!("kept");
            tracing::info!("left out");
        };
        assert_eq!(logged(LogLevel::Warn, PLAIN, log), " WARN kept\n");
    }

    #[test]
    fn the_time_is_left_to_the_journal() {
        let line = logged(LogLevel::Info, Style { time: true, ..PLAIN }, || tracing::info!("started"));
        assert!(line.starts_with("20") && line.contains("Z  INFO started"), "{line}");
    }

    #[test]
    fn another_stream_is_not_the_journal() {
        let stat = rustix::fs::fstat(io::stderr()).unwrap();
        assert!(is_journal(Some(format!("{}:{}", stat.st_dev, stat.st_ino).as_ref())));
        for other in [None, Some(""), Some("8:1"), Some("x:y")] {
            assert!(!is_journal(other.map(OsStr::new)));
        }
    }
}
