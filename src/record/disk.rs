//! The one thread that writes. When something cannot be written it says so, keeps it, and tries again.

use std::{
    collections::VecDeque,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::Ordering::Relaxed,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use tokio::sync::oneshot;
use tracing::{info, warn};

use super::{HostEnded, Output, batch::Batch, progress::Progress};
use crate::{
    protocol::Position,
    recording::{Compressor, FolderName, Ledger, Retention, Rotation, Verdict, WriteError, Writer},
};

/// How long to wait before trying once more.
const RETRY: Duration = Duration::from_secs(1);
/// How long the end waits for what cannot be written.
const LAST_CHANCE: Duration = Duration::from_secs(5);

/// What the hosts ask of the disk. A send fails only when everything ends.
#[derive(Clone, Debug)]
pub(super) struct DiskHandle(Sender<Job>);

#[derive(Debug)]
enum Job {
    /// Where the recording of a host ends.
    Open {
        host: usize,
        reply: oneshot::Sender<Opened>,
    },
    Write(Batch),
    /// Answered when nothing of this host waits.
    Drained {
        host: usize,
        reply: oneshot::Sender<()>,
    },
    Retire,
}

type Opened = Result<Option<Position>, HostEnded>;

impl DiskHandle {
    /// Opens the recording of a host, as soon as that is possible; where it ends.
    pub(super) async fn open(&self, host: usize) -> Opened {
        let (reply, opened) = oneshot::channel();
        let _ = self.0.send(Job::Open { host, reply });
        opened.await.unwrap_or(Err(HostEnded::NoDisk))
    }

    pub(super) fn write(&self, batch: Batch) {
        let _ = self.0.send(Job::Write(batch));
    }

    /// Returns when everything of this host is written.
    pub(super) async fn drained(&self, host: usize) {
        let (reply, drained) = oneshot::channel();
        let _ = self.0.send(Job::Drained { host, reply });
        let _ = drained.await;
    }

    pub(super) fn retire(&self) {
        let _ = self.0.send(Job::Retire);
    }
}

/// The thread, from outside.
#[derive(Debug)]
pub(super) struct Disk {
    jobs: Option<DiskHandle>,
    failed: oneshot::Receiver<io::Error>,
    done: oneshot::Receiver<()>,
}

impl Disk {
    pub(super) fn start(names: Vec<FolderName>, output: Output, progress: Arc<Progress>) -> io::Result<Self> {
        let (send, jobs) = channel();
        let (fail, failed) = oneshot::channel();
        let (end, done) = oneshot::channel();
        let sink = match output {
            Output::Folder { path, rotation, retention, .. } => {
                Sink::Folder { path, rotation, retention, compressor: Compressor::new()? }
            }
            Output::Stdout => Sink::Stdout,
        };
        let hosts = names.into_iter().map(Host::new).collect();
        let mut worker = Worker { hosts, sink, progress, failing: 0 };
        thread::Builder::new().name("disk".into()).spawn(move || {
            if let Err(error) = worker.run(&jobs) {
                let _ = fail.send(error);
            }
            let _ = end.send(());
        })?;
        Ok(Self { jobs: Some(DiskHandle(send)), failed, done })
    }

    pub(super) fn handle(&self) -> DiskHandle {
        self.jobs.clone().expect("it is taken by finish alone, which consumes this")
    }

    /// Resolves if nothing can be written ever again.
    pub(super) async fn failed(&mut self) -> io::Error {
        match (&mut self.failed).await {
            Ok(error) => error,
            // It ended in good order, or died; then the hosts notice.
            Err(_) => std::future::pending().await,
        }
    }

    /// Waits until everything is written, or cannot be.
    pub(super) async fn finish(mut self) {
        self.jobs = None;
        let _ = (&mut self.done).await;
    }
}

struct Worker {
    hosts: Vec<Host>,
    sink: Sink,
    progress: Arc<Progress>,
    /// How many hosts cannot be written.
    failing: usize,
}

enum Sink {
    Folder { path: PathBuf, rotation: Rotation, retention: Retention, compressor: Compressor },
    Stdout,
}

struct Host {
    name: FolderName,
    writer: Option<Writer>,
    /// What was written to the standard output, which cannot be asked.
    ledger: Ledger,
    waiting: VecDeque<Batch>,
    opens: Vec<oneshot::Sender<Opened>>,
    drains: Vec<oneshot::Sender<()>>,
    failing_since: Option<Instant>,
    /// Bytes of lines, since the start.
    written: u64,
}

impl Host {
    fn new(name: FolderName) -> Self {
        Self {
            name,
            writer: None,
            ledger: Ledger::default(),
            waiting: VecDeque::new(),
            opens: Vec::new(),
            drains: Vec::new(),
            failing_since: None,
            written: 0,
        }
    }

    /// Writes what waits, each batch whole or not at all.
    fn write_to(&mut self, path: &Path, rotation: Rotation, compressor: &mut Compressor) -> Result<(), WriteError> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            none => none.insert(Writer::open(&path.join(self.name.as_str()), rotation)?),
        };
        while let Some(batch) = self.waiting.front() {
            self.written += writer.append(batch.head(), batch.lines(), compressor)?;
            // Its share of the budget goes with it.
            drop(self.waiting.pop_front().map(|batch| batch.share));
        }
        for open in self.opens.drain(..) {
            let _ = open.send(Ok(writer.ledger().position()));
        }
        Ok(())
    }

    /// The same to the standard output.
    fn print(&mut self) -> io::Result<()> {
        let mut text = Vec::new();
        for batch in self.waiting.drain(..) {
            for (record, line) in batch.lines() {
                if self.ledger.admit(&record) == Verdict::Next {
                    text.extend(line);
                }
            }
        }
        let mut stdout = io::stdout().lock();
        stdout.write_all(&text)?;
        stdout.flush()?;
        self.written += text.len() as u64;
        for open in self.opens.drain(..) {
            let _ = open.send(Ok(self.ledger.position()));
        }
        Ok(())
    }
}

impl Worker {
    fn run(&mut self, jobs: &Receiver<Job>) -> io::Result<()> {
        let mut retry_at = Instant::now() + RETRY;
        loop {
            let job = if self.failing == 0 {
                jobs.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                jobs.recv_timeout(retry_at.saturating_duration_since(Instant::now()))
            };
            match job {
                Ok(Job::Open { host, reply }) => {
                    self.hosts[host].opens.push(reply);
                    self.attend(host, false)?;
                }
                Ok(Job::Write(batch)) => {
                    let host = batch.host;
                    self.hosts[host].waiting.push_back(batch);
                    self.attend(host, false)?;
                }
                Ok(Job::Drained { host, reply }) => {
                    self.hosts[host].drains.push(reply);
                    self.attend(host, false)?;
                }
                Ok(Job::Retire) => self.retire(),
                Err(RecvTimeoutError::Timeout) => {
                    self.attend_all()?;
                    retry_at = Instant::now() + RETRY;
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
        }
        let end = Instant::now() + LAST_CHANCE;
        while self.failing > 0 && Instant::now() < end {
            thread::sleep(RETRY / 10);
            self.attend_all()?;
        }
        Ok(())
    }

    fn attend_all(&mut self) -> io::Result<()> {
        (0..self.hosts.len()).try_for_each(|host| self.attend(host, true))
    }

    /// Does what waits for this host, unless that failed a moment ago.
    fn attend(&mut self, index: usize, is_retry: bool) -> io::Result<()> {
        let host = &mut self.hosts[index];
        if host.failing_since.is_some() && !is_retry {
            return Ok(());
        }
        let result = match &mut self.sink {
            Sink::Folder { path, rotation, compressor, .. } => host.write_to(path, *rotation, compressor),
            Sink::Stdout => {
                host.print()?;
                Ok(())
            }
        };
        let progress = &self.progress.hosts[index];
        progress.bytes.store(host.written, Relaxed);
        match result {
            Ok(()) => {
                for drained in host.drains.drain(..) {
                    let _ = drained.send(());
                }
                if let Some(since) = host.failing_since.take() {
                    self.failing -= 1;
                    progress.is_stuck.store(false, Relaxed);
                    info!("{}: can be written again, after {:.0} s", host.name, since.elapsed().as_secs_f64());
                }
            }
            Err(error @ WriteError::Busy(_)) if !host.opens.is_empty() => {
                for open in host.opens.drain(..) {
                    let _ = open.send(Err(HostEnded::Busy(error.to_string())));
                }
            }
            Err(error) => {
                // Whatever it has in its hands may be gone.
                host.writer = None;
                if host.failing_since.is_none() {
                    host.failing_since = Some(Instant::now());
                    self.failing += 1;
                    progress.is_stuck.store(true, Relaxed);
                    warn!("{}: {error}; samples wait in memory, and it is tried again each second", host.name);
                }
            }
        }
        Ok(())
    }

    fn retire(&mut self) {
        if let Sink::Folder { path, retention, .. } = &self.sink {
            match retention.enforce(path) {
                Ok(retired) if retired.parts > 0 => {
                    info!(parts = retired.parts, bytes = retired.bytes, "removed old parts");
                }
                Ok(_) => {}
                Err(error) => warn!("cannot remove old parts in {}: {error}", path.display()),
            }
        }
    }
}
