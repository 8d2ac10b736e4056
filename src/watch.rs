//! `hostcast watch`: shows what daemons elsewhere stream, in a terminal or as lines.
//!
//! One direction: a task for each host passes its events on, the `model` takes them in, the `view` draws it. What is
//! drawn depends on the model and the moment alone.

use std::{
    io::{self, stdout},
    thread,
    time::Duration,
};

use tokio::{
    runtime,
    sync::{mpsc, oneshot},
};

pub use self::lines::Form;
use self::lines::Lines;
use crate::{
    client::{Builder, Client, Event, Refused},
    descriptors,
    recording::FolderName,
    signals::Orders,
};

mod host;
mod keys;
mod lines;
mod model;
mod readings;
mod screen;
mod terminal;
mod trail;
mod view;

/// What to watch, and how.
#[derive(Debug)]
pub struct Watch {
    /// The hosts, each with a name of its own; one at least.
    pub hosts: Vec<(FolderName, Builder)>,
    /// As lines of this form; in the terminal, if there is none.
    pub lines: Option<Form>,
}

/// Why it ended before anybody wanted that.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// A thread, the runtime or the signals could not be had.
    #[error("cannot start")]
    Start(#[source] io::Error),
    /// The terminal or the standard output takes nothing any more.
    #[error("cannot write to the standard output")]
    Output(#[source] io::Error),
    /// Every host has refused.
    #[error("no host is left to watch")]
    NobodyLeft,
}

/// What one host's task has heard; a refusal is the last of it.
struct Heard {
    host: usize,
    event: Result<Event, Refused>,
}

/// More than this many events wait for nobody: then the tasks do, and their daemons hold the samples.
const QUEUE: usize = 256;
/// Names are asked for by threads.
const RESOLVERS: usize = 16;

/// Watches until it is told to stop, by a key or a signal, or until nobody reads its lines any more.
pub fn watch(watch: Watch) -> Result<(), WatchError> {
    descriptors::raise_limit();
    let mut builder = runtime::Builder::new_current_thread();
    let runtime = builder.max_blocking_threads(RESOLVERS).enable_all().build().map_err(WatchError::Start)?;
    let (_orders, received) = Orders::listen().map_err(WatchError::Start)?;
    let names: Vec<_> = watch.hosts.iter().map(|(name, _)| name.to_string()).collect();
    let result = runtime.block_on(async {
        let heard = follow_all(watch.hosts);
        match watch.lines {
            None => screen::show(names, heard, received.stop).await,
            Some(form) => {
                let ended = print(Lines::new(form, names, stdout()), heard).map_err(WatchError::Start)?;
                tokio::select! {
                    _ = received.stop => Ok(()),
                    // An error means that the thread has died, and has said why.
                    ended = ended => ended.unwrap_or(Ok(())),
                }
            }
        }
    });
    runtime.shutdown_timeout(Duration::ZERO);
    result
}

/// A task for each host. What they hear ends when each of them was refused.
fn follow_all(hosts: Vec<(FolderName, Builder)>) -> mpsc::Receiver<Heard> {
    let (send, heard) = mpsc::channel(QUEUE);
    for (host, (_, builder)) in hosts.into_iter().enumerate() {
        tokio::spawn(follow(host, builder.build(), send.clone()));
    }
    heard
}

async fn follow(host: usize, mut client: Client, send: mpsc::Sender<Heard>) {
    loop {
        let event = client.next().await;
        let is_last = event.is_err();
        if send.send(Heard { host, event }).await.is_err() || is_last {
            return;
        }
    }
}

/// Writes lines on a thread of its own, so that a reader who takes nothing does not keep us from stopping.
fn print(
    mut lines: Lines<impl io::Write + Send + 'static>,
    mut heard: mpsc::Receiver<Heard>,
) -> io::Result<oneshot::Receiver<Result<(), WatchError>>> {
    let (end, ended) = oneshot::channel();
    thread::Builder::new().name("print".into()).spawn(move || {
        let mut printed = || -> io::Result<()> {
            while let Some(first) = heard.blocking_recv() {
                let more = std::iter::from_fn(|| heard.try_recv().ok()).take(QUEUE);
                for trouble in std::iter::once(first).chain(more).filter_map(|heard| lines.hear(heard)) {
                    crate::cli::complain(&format!("hostcast: {trouble}"));
                }
                lines.flush()?;
            }
            Ok(())
        };
        let result = match printed() {
            Ok(()) => Err(WatchError::NobodyLeft),
            // Whoever has read enough closes the pipe.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(WatchError::Output(error)),
        };
        // Nobody waits for it when a signal was faster.
        let _ = end.send(result);
    })?;
    Ok(ended)
}

#[cfg(test)]
mod tests;
