//! `hostcast record`: follows daemons elsewhere, and keeps what they stream.
//!
//! A task for each host turns events into lines (`host`); one thread writes the lines of all hosts (`disk`), so that
//! a slow disk never stops anyone from answering pings. Between them stands a budget of bytes: when the disk takes
//! nothing, lines wait in memory until it is spent. Then the hosts are left alone, because their daemons hold the
//! samples too; when the disk takes lines again, each is resumed where its recording ends.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use tokio::{runtime, sync::Semaphore, task::JoinSet, time::interval};
use tracing::{error, info};

use self::{
    disk::Disk,
    host::{Shared, follow},
    live::Live,
    progress::Progress,
};
use crate::{
    client::{Builder, Refused},
    descriptors,
    logging::Board,
    recording::{FolderName, Retention, Rotation},
    signals::Orders,
};

mod disk;
mod host;
mod live;
mod names;
mod progress;

/// What to record, and how.
#[derive(Debug)]
pub struct Recording {
    /// The hosts, each with a name of its own.
    pub hosts: Vec<Host>,
    /// Where to.
    pub output: Output,
    /// How many bytes of lines may wait in memory while the disk takes none, of all hosts together.
    pub buffer: u32,
    /// Where to show how it goes as it goes; otherwise the log tells it, a line a minute.
    pub board: Option<Board>,
}

/// A host that is to be recorded.
#[derive(Debug)]
pub struct Host {
    /// What its folder is called.
    pub name: FolderName,
    /// How it is reached.
    pub builder: Builder,
    /// What the recording says of it, over the labels that it has of its own.
    pub labels: BTreeMap<String, String>,
}

/// Where lines go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// A folder with a folder for each host.
    Folder {
        /// The folder.
        path: PathBuf,
        /// When a new part is begun.
        rotation: Rotation,
        /// How long parts are kept.
        retention: Retention,
    },
    /// The standard output, for pipes. It has no memory: each start begins anew.
    Stdout,
}

/// Why recording ended.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// A thread, the runtime or the signals could not be had.
    #[error("cannot start")]
    Start(#[source] io::Error),
    /// Every host has refused, or belongs to another recorder.
    #[error("no host is left to record; the last one, {host}: {why}")]
    NobodyLeft {
        /// The host.
        host: FolderName,
        /// What it said.
        why: String,
    },
    /// Nobody reads the standard output any more.
    #[error("cannot write to the standard output")]
    Stdout(#[source] io::Error),
}

/// Why one host is not recorded any more.
#[derive(Debug, thiserror::Error)]
enum HostEnded {
    #[error(transparent)]
    Refused(#[from] Refused),
    #[error("{0}")]
    Busy(String),
    /// The disk's thread is gone: everything ends.
    #[error("nothing can be written any more")]
    NoDisk,
}

/// Names are asked for by threads; a thousand hosts need not have one each.
const RESOLVERS: usize = 16;
/// How many hosts read their past at a time. One that stands still gives up its turn when its silence is noticed. What
/// the others are sent meanwhile waits in their sockets, so that more at a time would hardly be sooner.
const READERS_OF_THE_PAST: usize = 8;
/// How often the log tells how it goes, and old parts are removed.
const TELL_EVERY: Duration = Duration::from_mins(1);
/// How often that is shown on a terminal.
const SHOW_EVERY: Duration = Duration::from_secs(1);

/// Records until SIGTERM or SIGINT, or until no host is left.
pub fn record(recording: Recording) -> Result<(), RecordError> {
    descriptors::raise_limit();
    let mut builder = runtime::Builder::new_multi_thread();
    builder.worker_threads(2).max_blocking_threads(RESOLVERS).thread_name("follow").enable_all();
    let runtime = builder.build().map_err(RecordError::Start)?;
    let (_orders, received) = Orders::listen().map_err(RecordError::Start)?;
    let result = runtime.block_on(run(recording, async {
        // An error means that the signal thread is gone, and then nobody can tell us to stop.
        let _ = received.stop.await;
    }));
    runtime.shutdown_timeout(Duration::ZERO);
    result
}

async fn run(recording: Recording, stopped: impl Future<Output = ()>) -> Result<(), RecordError> {
    let Recording { hosts, output, buffer, board } = recording;
    let shared = Shared {
        budget: Arc::new(Semaphore::new(buffer as usize)),
        turns: Arc::new(Semaphore::new(READERS_OF_THE_PAST)),
        names: Arc::default(),
    };
    let names: Vec<_> = hosts.iter().map(|host| host.name.clone()).collect();
    let progress = Arc::new(Progress::new(names.clone()));
    let mut disk = Disk::start(names.clone(), output, Arc::clone(&progress)).map_err(RecordError::Start)?;
    info!(hosts = names.len(), "recording");
    let mut tasks = JoinSet::new();
    for (index, host) in hosts.into_iter().enumerate() {
        let (disk, shared, progress) = (disk.handle(), shared.clone(), Arc::clone(&progress));
        tasks.spawn(async move { (index, follow(index, host, disk, shared, &progress.hosts[index]).await) });
    }
    tokio::pin!(stopped);
    let mut tell = interval(TELL_EVERY);
    tell.tick().await;
    let mut live = board.map(|board| (Live::new(Arc::clone(&progress)), board));
    let mut show = interval(SHOW_EVERY);
    let mut last = None;
    let result = loop {
        tokio::select! {
            () = &mut stopped => break Ok(()),
            error = disk.failed() => break Err(RecordError::Stdout(error)),
            _ = show.tick(), if live.is_some() => {
                if let Some((live, board)) = &mut live {
                    live.show(board);
                }
            }
            _ = tell.tick() => {
                // On a terminal it is there to be seen all the time.
                if live.is_none() {
                    progress.tell();
                }
                disk.handle().retire();
            }
            ended = tasks.join_next() => match ended {
                Some(Ok((index, ended))) => {
                    error!("{}: {ended}; it is not recorded any more", names[index]);
                    progress.hosts[index].is_over.store(true, Relaxed);
                    last = Some((names[index].clone(), ended.to_string()));
                }
                Some(Err(panicked)) => error!("a task has died: {panicked}"),
                None => {
                    let (host, why) = last.unwrap_or_else(|| (names[0].clone(), "its task has died".into()));
                    break Err(RecordError::NobodyLeft { host, why });
                }
            },
        }
    };
    tasks.shutdown().await;
    // What was received is written before the end.
    disk.finish().await;
    if let Some((live, board)) = &mut live {
        live.show(board);
    }
    progress.tell();
    result
}
