//! One host: its events become lines, in batches.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Duration,
};

use futures_util::FutureExt as _;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout, timeout_at},
};
use tracing::{info, warn};

use super::{Host, HostEnded, batch::Batch, disk::DiskHandle, names::Names, progress::HostProgress};
use crate::{
    client::{Client, Event, Refused},
    protocol::{Epoch, Gap, GapReason, Hello},
    recording::{Columns, FolderName, Form, Record, RecordedGap},
};

/// No more lines than this are put together: what came while the disk was busy is written at once.
const MAX_BATCH: usize = 16 << 10;

/// How long the disk may take for a piece of the past before its host is left alone, whose daemon wants its pings answered.
const PATIENCE_WITH_DISK: Duration = Duration::from_secs(10);

/// How long a host may keep the others from reading their past. One whose line is slow reads on beside them: of what
/// comes slowly there is never much at once.
const LONGEST_TURN: Duration = Duration::from_secs(5);

/// No daemon has more gaps to tell of before its series.
const MOST_HELD: usize = 16;

/// What all hosts have in common.
#[derive(Clone, Debug)]
pub(super) struct Shared {
    /// Bytes of lines that may wait for the disk.
    pub(super) budget: Arc<Semaphore>,
    /// So many hosts may read their past at a time: it comes in large pieces, and memory that a thousand hosts have
    /// used at once is not given back.
    pub(super) turns: Arc<Semaphore>,
    /// The names of their series.
    pub(super) names: Arc<Names>,
    /// How their lines are written.
    pub(super) form: Form,
}

/// Follows one host until there is no use in it.
pub(super) async fn follow(
    index: usize,
    host: Host,
    disk: DiskHandle,
    shared: Shared,
    progress: &HostProgress,
) -> HostEnded {
    let Host { name, builder, labels } = host;
    let budget = Arc::clone(&shared.budget);
    let mut lines = Lines::new(index, name, labels, shared);
    // What was missed since the recording ended was missed because nobody recorded.
    let mut blame = GapReason::Down;
    loop {
        let position = match disk.open(index).await {
            Ok(position) => position,
            Err(ended) => return ended,
        };
        lines.blame = position.map(|_| blame);
        let mut client = builder.clone().since(position).build();
        loop {
            let mut batch = match lines.next_batch(&mut client, progress).await {
                Ok(batch) => batch,
                Err(refused) => return refused.into(),
            };
            let bytes = batch.text.len() as u32;
            let Ok(share) = Arc::clone(&budget).try_acquire_many_owned(bytes) else {
                // The daemon holds on to these samples, and to those that come meanwhile.
                warn!("{}: nothing can be written and the buffer is full; disconnected until it is not", lines.name);
                lines.take_back(&batch);
                break;
            };
            batch.share = Some(share);
            disk.write(batch);
            if lines.turn.is_had() {
                // The past comes faster than any disk takes it, and all of it would wait in memory.
                if timeout(PATIENCE_WITH_DISK, disk.drained(index)).await.is_err() {
                    warn!("{}: nothing can be written; disconnected until it can", lines.name);
                    break;
                }
                lines.turn.end_if_over();
            }
        }
        drop(client);
        lines.disconnect();
        progress.is_connected.store(false, Relaxed);
        // Not before the disk has written what waits for it: the position is read from there.
        disk.drained(index).await;
        blame = GapReason::NoSpace;
    }
}

/// Makes lines of events.
struct Lines {
    index: usize,
    name: FolderName,
    labels: BTreeMap<String, String>,
    /// What the daemon last said about itself, with our labels: the ring that is being followed, and the machine.
    hello: Option<Hello>,
    /// The same as a line.
    hello_line: Arc<[u8]>,
    /// Whether that is still to be recorded.
    is_new: bool,
    form: Form,
    /// Those of the newest schema; until there was one, of no series.
    columns: Arc<Columns>,
    has_schema: bool,
    /// Those of the lines after the batch that is being made, whose lines are under another header.
    next_columns: Option<Arc<Columns>>,
    /// Gaps that were told of before the first schema. Under a header without series they would be a part of their own.
    held: Vec<RecordedGap>,
    names: Arc<Names>,
    /// Why samples that are not there any more were not taken when they were.
    blame: Option<GapReason>,
    turns: Arc<Semaphore>,
    turn: Turn,
}

/// The right to read the past.
#[derive(Debug)]
enum Turn {
    NotNeeded,
    Wanted,
    Had {
        /// Given back when it is dropped, at `until` at the latest; from then on there is none.
        permit: Option<OwnedSemaphorePermit>,
        until: Instant,
        /// Whether all of the past was read, and only the disk does not have it yet.
        is_over: bool,
    },
}

impl Turn {
    fn is_had(&self) -> bool {
        matches!(self, Self::Had { .. })
    }

    fn end_if_over(&mut self) {
        if let Self::Had { is_over: true, .. } = self {
            *self = Self::NotNeeded;
        }
    }
}

impl Lines {
    fn new(index: usize, name: FolderName, labels: BTreeMap<String, String>, shared: Shared) -> Self {
        let Shared { turns, names, form, .. } = shared;
        Self {
            index,
            name,
            labels,
            hello: None,
            hello_line: Arc::default(),
            is_new: false,
            form,
            columns: names.share(Columns::none(form)),
            has_schema: false,
            next_columns: None,
            held: Vec::new(),
            names,
            blame: None,
            turns,
            turn: Turn::NotNeeded,
        }
    }

    /// What is there, as soon as there is something.
    async fn next_batch(&mut self, client: &mut Client, progress: &HostProgress) -> Result<Batch, Refused> {
        let mut batch = self.batch();
        self.begin(&mut batch);
        while batch.text.is_empty() {
            // There was no past.
            self.turn.end_if_over();
            if let Turn::Wanted = self.turn {
                let permit = Arc::clone(&self.turns).acquire_owned().await.ok();
                self.turn = Turn::Had { permit, until: Instant::now() + LONGEST_TURN, is_over: false };
            }
            let event = match &mut self.turn {
                Turn::Had { permit: permit @ Some(_), until, .. } => {
                    let until = *until;
                    let event =
                        if until <= Instant::now() { None } else { timeout_at(until, client.next()).await.ok() };
                    let Some(event) = event else {
                        *permit = None;
                        continue;
                    };
                    event
                }
                _ => client.next().await,
            };
            self.take(event?, &mut batch, progress);
        }
        while batch.text.len() < MAX_BATCH && self.next_columns.is_none() && !matches!(self.turn, Turn::Wanted) {
            let Some(event) = client.next().now_or_never() else { break };
            self.take(event?, &mut batch, progress);
        }
        Ok(batch)
    }

    fn batch(&self) -> Batch {
        Batch::new(self.index)
    }

    /// What the batch before had no place for.
    fn begin(&mut self, batch: &mut Batch) {
        if let Some(columns) = self.next_columns.take() {
            self.set_columns(columns, batch);
        }
    }

    /// Nothing of this batch will be written. Its samples and gaps come again, and with them who speaks.
    fn take_back(&mut self, batch: &Batch) {
        self.is_new |= batch.lines().any(|(record, _)| matches!(record, Record::Hello { .. }));
    }

    /// The next client goes on where the disk has come to: what is held here it tells again.
    fn disconnect(&mut self) {
        self.turn = Turn::NotNeeded;
        self.held.clear();
    }

    fn take(&mut self, event: Event, batch: &mut Batch, progress: &HostProgress) {
        match event {
            Event::Hello(hello) => {
                info!(epoch = %hello.epoch, server = ?hello.server, "{}: connected", self.name);
                progress.is_connected.store(true, Relaxed);
                progress.is_refused.store(false, Relaxed);
                self.hello(*hello);
                if !self.turn.is_had() {
                    self.turn = Turn::Wanted;
                }
            }
            Event::Schema(schema) => {
                let columns = self.names.share(Columns::new(self.form, &schema));
                if batch.text.is_empty() || columns.header() == self.columns.header() {
                    self.set_columns(columns, batch);
                } else {
                    self.next_columns = Some(columns);
                }
            }
            Event::Gap(gap) => {
                progress.gaps.fetch_add(1, Relaxed);
                self.gap(gap);
                if self.has_schema || self.held.len() >= MOST_HELD {
                    self.tell_held(batch);
                }
            }
            Event::Sample(sample) => {
                progress.samples.fetch_add(1, Relaxed);
                progress.newest.store(sample.time, Relaxed);
                self.introduce(batch);
                // The client yields no sample before the hello.
                let Some(epoch) = self.epoch() else { return };
                let host = self.name.as_str();
                self.push(batch, Record::Sample { epoch, seq: sample.seq }, |columns, text| {
                    columns.push_sample(text, host, epoch, &sample);
                });
            }
            Event::Live => {
                // From here on it is nobody's fault but the line's.
                self.blame = None;
                if let Turn::Had { is_over, .. } = &mut self.turn {
                    *is_over = true;
                }
            }
            Event::Lost { why, retry_in } => {
                // The client does not tell of them again, and of another ring then perhaps.
                self.tell_held(batch);
                // Who has waited for its turn for so long that its daemon has let it go comes back to what is left of it.
                if !matches!(self.turn, Turn::Had { permit: Some(_), is_over: false, .. }) {
                    self.turn = Turn::NotNeeded;
                }
                progress.is_connected.store(false, Relaxed);
                progress.losses.fetch_add(1, Relaxed);
                warn!("{}: {why}; again in {:.1} s", self.name, retry_in.as_secs_f64());
            }
            Event::Notice(notice) => {
                // As if it had said hello once more: other labels, and another interval, hold for what follows.
                if let Some(mut hello) = self.hello.clone() {
                    hello.amend(&notice);
                    self.hello(hello);
                }
            }
            Event::Heartbeat(_) => {}
        }
    }

    fn hello(&mut self, mut hello: Hello) {
        hello.host.labels.extend(self.labels.clone());
        let is_known = |known: &Hello| {
            (known.epoch, &known.host, known.interval_ms) == (hello.epoch, &hello.host, hello.interval_ms)
        };
        self.is_new |= !self.hello.as_ref().is_some_and(is_known);
        self.hello = Some(hello);
        self.write_hello();
    }

    fn epoch(&self) -> Option<Epoch> {
        self.hello.as_ref().map(|hello| hello.epoch)
    }

    fn set_columns(&mut self, columns: Arc<Columns>, batch: &mut Batch) {
        let is_other = columns.header() != self.columns.header();
        self.columns = columns;
        self.has_schema = true;
        if is_other {
            self.write_hello();
        }
        self.tell_held(batch);
    }

    fn write_hello(&mut self) {
        let mut line = Vec::new();
        if let Some(hello) = &self.hello {
            self.columns.push_hello(&mut line, self.name.as_str(), hello);
        }
        self.hello_line = line.into();
    }

    fn gap(&mut self, gap: Gap) {
        let mut gap = RecordedGap::from(gap);
        warn!("{}: missing {}", self.name, Missing(&gap));
        if let (GapReason::Evicted, Some(blame)) = (gap.reason, self.blame) {
            gap.reason = blame;
        }
        self.held.push(gap);
    }

    fn tell_held(&mut self, batch: &mut Batch) {
        for gap in std::mem::take(&mut self.held) {
            let is_end = gap.reason == GapReason::Restarted;
            if !is_end {
                self.introduce(batch);
            }
            self.push(batch, Record::Gap(gap), |columns, text| columns.push_gap(text, self.name.as_str(), &gap));
            if is_end {
                // The new ring is introduced after the end of the old one.
                self.is_new = true;
                self.introduce(batch);
            }
        }
    }

    /// Says whose samples follow, where that was not said.
    fn introduce(&mut self, batch: &mut Batch) {
        if let (true, Some(epoch)) = (std::mem::take(&mut self.is_new), self.epoch()) {
            self.push(batch, Record::Hello { epoch }, |_, text| text.extend(&*self.hello_line));
        }
    }

    /// Appends a line. If the batch begins a new part, that begins with what holds at the first one.
    fn push(&self, batch: &mut Batch, record: Record, write: impl FnOnce(&Columns, &mut Vec<u8>)) {
        if batch.text.is_empty() {
            (batch.columns, batch.hello) = (Arc::clone(&self.columns), Arc::clone(&self.hello_line));
        }
        write(&self.columns, &mut batch.text);
        batch.end_line(record);
    }
}

/// A gap in words.
struct Missing<'a>(&'a RecordedGap);

impl std::fmt::Display for Missing<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let RecordedGap { epoch, from_seq, to_seq, reason } = self.0;
        write!(f, "{epoch}:{from_seq} to ")?;
        match to_seq {
            Some(to_seq) => write!(f, "{to_seq}")?,
            None => f.write_str("the end of that ring")?,
        }
        write!(f, " ({})", reason.name())
    }
}

#[cfg(test)]
mod tests;
