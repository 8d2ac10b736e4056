//! Signals, on a thread of their own.

use std::{io, process, thread};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::{Handle, Signals},
};
use tokio::sync::oneshot;
use tracing::info;

/// Listens until it is dropped.
#[derive(Debug)]
pub struct StopSignals {
    handle: Handle,
}

/// Exit code of a process that a second signal ended: 128 and the signal's number, as shells say it.
const KILLED_BY: i32 = 128;

impl StopSignals {
    /// Starts listening for SIGTERM, SIGINT and SIGHUP (the terminal has gone). The first resolves the
    /// receiver, a second one ends the process at once.
    pub fn listen() -> io::Result<(Self, oneshot::Receiver<()>)> {
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
        let handle = signals.handle();
        let (stop, stopped) = oneshot::channel();
        thread::Builder::new().name("signals".into()).spawn(move || {
            let mut stop = Some(stop);
            for signal in &mut signals {
                match stop.take() {
                    Some(stop) => {
                        // Nobody waits any more only if the daemon is already stopping.
                        let _ = stop.send(());
                        info!(signal, "stopping; another signal ends this at once");
                    }
                    None => process::exit(KILLED_BY + signal),
                }
            }
        })?;
        Ok((Self { handle }, stopped))
    }
}

impl Drop for StopSignals {
    fn drop(&mut self) {
        self.handle.close();
    }
}
