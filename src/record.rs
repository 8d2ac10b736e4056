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

use tokio::{
    runtime,
    sync::Semaphore,
    task::JoinSet,
    time::{interval, sleep},
};
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
    recording::{FolderName, Form, Retention, Rotation},
    signals::Orders,
};

mod batch;
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
#[derive(Clone, Debug)]
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
        /// How lines are written.
        form: Form,
        /// When a new part is begun.
        rotation: Rotation,
        /// How long parts are kept.
        retention: Retention,
    },
    /// The standard output, for pipes: lines of JSON. It has no memory: each start begins anew.
    Stdout,
}

impl Output {
    fn form(&self) -> Form {
        match self {
            Self::Folder { form, .. } => *form,
            Self::Stdout => Form::Ndjson,
        }
    }
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
/// How many hosts read their past at a time, each for a few seconds at most before it lets another one begin. What the
/// others are sent meanwhile waits in their sockets, so that more at a time would hardly be sooner.
const READERS_OF_THE_PAST: usize = 8;
/// How often the log tells how it goes, and old parts are removed.
const TELL_EVERY: Duration = Duration::from_mins(1);
/// A host that has refused, for a token that was changed for instance, is asked so often whether it still does.
const ASK_AGAIN_AFTER: Duration = Duration::from_mins(5);
/// How often that is shown on a terminal.
const SHOW_EVERY: Duration = Duration::from_secs(1);

/// Records until SIGTERM or SIGINT, or until no host is left.
pub fn record(recording: Recording) -> Result<(), RecordError> {
    descriptors::raise_limit();
    let mut builder = runtime::Builder::new_multi_thread();
    builder.worker_threads(2).max_blocking_threads(RESOLVERS).thread_name("follow").enable_all();
    let runtime = builder.build().map_err(RecordError::Start)?;
    let (_orders, received) = Orders::listen().map_err(RecordError::Start)?;
    let stopped = async {
        // An error means that the signal thread is gone, and then nobody can tell us to stop.
        let _ = received.stop.await;
    };
    let result = runtime.block_on(run(recording, ASK_AGAIN_AFTER, stopped));
    runtime.shutdown_timeout(Duration::ZERO);
    result
}

async fn run(
    recording: Recording,
    ask_again_after: Duration,
    stopped: impl Future<Output = ()>,
) -> Result<(), RecordError> {
    let Recording { hosts, output, buffer, board } = recording;
    let shared = Shared {
        budget: Arc::new(Semaphore::new(buffer as usize)),
        turns: Arc::new(Semaphore::new(READERS_OF_THE_PAST)),
        names: Arc::default(),
        form: output.form(),
    };
    let names: Vec<_> = hosts.iter().map(|host| host.name.clone()).collect();
    let progress = Arc::new(Progress::new(names.clone()));
    let mut disk = Disk::start(names.clone(), output, Arc::clone(&progress)).map_err(RecordError::Start)?;
    info!(hosts = names.len(), "recording");
    let handle = disk.handle();
    let begin = |tasks: &mut JoinSet<_>, index: usize| {
        let (host, disk, shared, progress) =
            (hosts[index].clone(), handle.clone(), shared.clone(), Arc::clone(&progress));
        tasks.spawn(async move { (index, follow(index, host, disk, shared, &progress.hosts[index]).await) });
    };
    let mut tasks = JoinSet::new();
    (0..hosts.len()).for_each(|index| begin(&mut tasks, index));
    // Those that have refused, until they are asked again.
    let mut refused = JoinSet::new();
    // Why each is not recorded, as far as that was told.
    let mut told = vec![None; hosts.len()];
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
            Some(Ok(index)) = refused.join_next() => begin(&mut tasks, index),
            ended = tasks.join_next() => match ended {
                Some(Ok((index, ended))) => {
                    let why = ended.to_string();
                    let host = &progress.hosts[index];
                    host.is_connected.store(false, Relaxed);
                    if !host.is_refused.swap(true, Relaxed) || told[index].as_ref() != Some(&why) {
                        let again = format!(", and asked again every {ask_again_after:?}");
                        let again = if tasks.is_empty() { "" } else { &*again };
                        error!("{}: {why}; it is not recorded{again}", names[index]);
                    }
                    told[index] = Some(why.clone());
                    last = Some((names[index].clone(), why));
                    refused.spawn(async move {
                        sleep(ask_again_after).await;
                        index
                    });
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
    drop(handle);
    // What was received is written before the end.
    disk.finish().await;
    if let Some((live, board)) = &mut live {
        live.show(board);
    }
    progress.tell();
    result
}

#[cfg(test)]
mod tests {
    use tokio::{net::TcpListener, sync::mpsc, time::timeout};

    use super::*;
    use crate::client::Client;

    fn host(name: &str, port: u16) -> Host {
        let builder = Client::builder(format!("ws://127.0.0.1:{port}").parse().unwrap());
        Host { name: FolderName::new(name).unwrap(), builder, labels: BTreeMap::new() }
    }

    #[test]
    fn who_refuses_is_asked_again_as_long_as_there_is_another_one() {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().into();
        let (form, rotation, retention) = (Form::default(), Rotation::default(), Retention::default());
        let output = Output::Folder { path, form, rotation, retention };
        let runtime = runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let refusing = TcpListener::bind("127.0.0.1:0").await.unwrap();
            // Takes connections, and never says a word.
            let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let [bad, good] = [&refusing, &silent].map(|listener| listener.local_addr().unwrap().port());
            let (send, mut asked) = mpsc::channel(1);
            tokio::spawn(async move {
                loop {
                    let (mut stream, _) = refusing.accept().await.unwrap();
                    let _ = stream.read(&mut [0; 4 << 10]).await;
                    let _ = stream.write_all(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n").await;
                    if send.send(()).await.is_err() {
                        return;
                    }
                }
            });
            let thrice = async {
                for _ in 0..3 {
                    asked.recv().await.unwrap();
                }
            };
            let hosts = vec![host("bad", bad), host("good", good)];
            let recording = Recording { hosts, output, buffer: 1 << 20, board: None };
            let ended = timeout(Duration::from_mins(1), run(recording, Duration::from_millis(10), thrice)).await;
            assert!(matches!(ended, Ok(Ok(()))), "{ended:?}");
        });
    }
}
