//! Signals, on a thread of their own.

use std::{
    io::{self, IsTerminal as _},
    process,
    sync::Arc,
    thread,
};

use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::{Handle, Signals},
};
use tokio::sync::{Notify, oneshot};
use tracing::info;

/// Listens until it is dropped.
#[derive(Debug)]
pub struct Orders {
    handle: Handle,
}

/// What is asked of the daemon by signals.
#[derive(Debug)]
pub struct Received {
    /// Resolves when it shall stop.
    pub stop: oneshot::Receiver<()>,
    /// Woken when it shall read its configuration again.
    pub reload: Arc<Notify>,
}

/// Exit code of a process that a second signal ended: 128 and the signal's number, as shells say it.
const KILLED_BY: i32 = 128;

impl Orders {
    /// Starts listening. The first SIGTERM or SIGINT is the order to stop, a second one ends the process at once;
    /// SIGHUP is the order to reload, unless it says that the terminal has gone.
    pub fn listen() -> io::Result<(Self, Received)> {
        let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
        let handle = signals.handle();
        let (stop, stopped) = oneshot::channel();
        let reload = Arc::new(Notify::new());
        let received = Received { stop: stopped, reload: Arc::clone(&reload) };
        let had_terminal = io::stdin().is_terminal();
        thread::Builder::new().name("signals".into()).spawn(move || {
            let mut stop = Some(stop);
            for signal in &mut signals {
                // A terminal that was closed is one no more.
                if signal == SIGHUP && (!had_terminal || io::stdin().is_terminal()) {
                    reload.notify_one();
                    continue;
                }
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
        Ok((Self { handle }, received))
    }
}

impl Drop for Orders {
    fn drop(&mut self) {
        self.handle.close();
    }
}
