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

use super::{Host, HostEnded, disk::DiskHandle, names::Names, progress::HostProgress};
use crate::{
    client::{Client, Event, Refused},
    protocol::{Epoch, Gap, GapReason, Hello},
    recording::{Columns, FolderName, Record, RecordedGap, push_gap, push_hello, push_sample},
};

/// Lines on their way to the disk.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) host: usize,
    /// The `hello` that a new part begins with.
    pub(super) head: Arc<[u8]>,
    /// Each line's record, and where it ends.
    pub(super) records: Vec<(Record, usize)>,
    pub(super) text: Vec<u8>,
    /// Their share of the budget, which is given back when they are written.
    pub(super) share: Option<OwnedSemaphorePermit>,
}

impl Batch {
    pub(super) fn lines(&self) -> impl Iterator<Item = (Record, &[u8])> {
        let mut start = 0;
        self.records.iter().map(move |(record, end)| {
            let line = &self.text[start..*end];
            start = *end;
            (*record, line)
        })
    }

    fn end_line(&mut self, record: Record) {
        self.records.push((record, self.text.len()));
    }
}

/// No more lines than this are put together: what came while the disk was busy is written at once.
const MAX_BATCH: usize = 16 << 10;

/// How long the disk may take for a piece of the past before its host is left alone, whose daemon wants its pings answered.
const PATIENCE_WITH_DISK: Duration = Duration::from_secs(10);

/// How long a host may keep the others from reading their past. One whose line is slow reads on beside them: of what
/// comes slowly there is never much at once.
const LONGEST_TURN: Duration = Duration::from_secs(5);

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
}

/// Follows one host until there is no use in it.
pub(super) async fn follow(
    index: usize,
    host: Host,
    disk: DiskHandle,
    shared: Shared,
    progress: &HostProgress,
) -> HostEnded {
    let Shared { budget, turns, names } = shared;
    let Host { name, builder, labels } = host;
    let mut lines = Lines::new(index, name, labels, turns, names);
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
            let batch = match lines.next_batch(&mut client, progress).await {
                Ok(batch) => batch,
                Err(refused) => return refused.into(),
            };
            let bytes = batch.text.len() as u32;
            let Ok(share) = Arc::clone(&budget).try_acquire_many_owned(bytes) else {
                // The daemon holds on to these samples, and to those that come meanwhile.
                warn!("{}: nothing can be written and the buffer is full; disconnected until it is not", lines.name);
                break;
            };
            disk.write(Batch { share: Some(share), ..batch });
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
        lines.turn = Turn::NotNeeded;
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
    /// The ring that is being followed.
    epoch: Option<Epoch>,
    /// What the daemon last said about itself, with the labels that we give it.
    hello: Option<Box<Hello>>,
    /// The same as a line.
    head: Arc<[u8]>,
    /// Whether that is still to be recorded.
    is_new: bool,
    columns: Arc<Columns>,
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
    fn new(
        index: usize,
        name: FolderName,
        labels: BTreeMap<String, String>,
        turns: Arc<Semaphore>,
        names: Arc<Names>,
    ) -> Self {
        let (head, columns) = (Arc::default(), Arc::default());
        let turn = Turn::NotNeeded;
        let (epoch, hello, is_new, blame) = (None, None, false, None);
        Self { index, name, labels, epoch, hello, head, is_new, columns, names, blame, turns, turn }
    }

    /// What is there, as soon as there is something.
    async fn next_batch(&mut self, client: &mut Client, progress: &HostProgress) -> Result<Batch, Refused> {
        let mut batch = Batch { host: self.index, ..Batch::default() };
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
        while batch.text.len() < MAX_BATCH && !matches!(self.turn, Turn::Wanted) {
            let Some(event) = client.next().now_or_never() else { break };
            self.take(event?, &mut batch, progress);
        }
        batch.head = Arc::clone(&self.head);
        Ok(batch)
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
            Event::Schema(schema) => self.columns = self.names.share(Columns::from(&schema)),
            Event::Gap(gap) => {
                progress.gaps.fetch_add(1, Relaxed);
                self.gap(gap, batch);
            }
            Event::Sample(sample) => {
                progress.samples.fetch_add(1, Relaxed);
                progress.newest.store(sample.time, Relaxed);
                self.introduce(batch);
                // The client yields no sample before the hello.
                let Some(epoch) = self.epoch else { return };
                push_sample(&mut batch.text, self.name.as_str(), epoch, &self.columns, &sample);
                batch.end_line(Record::Sample { epoch, seq: sample.seq });
            }
            Event::Live => {
                // From here on it is nobody's fault but the line's.
                self.blame = None;
                if let Turn::Had { is_over, .. } = &mut self.turn {
                    *is_over = true;
                }
            }
            Event::Lost { why, retry_in } => {
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
                    self.hello(*hello);
                }
            }
            Event::Heartbeat(_) => {}
        }
    }

    fn hello(&mut self, mut hello: Hello) {
        hello.host.labels.extend(self.labels.clone());
        let known = self.hello.as_ref();
        self.is_new |= known.is_none_or(|known| {
            (known.epoch, &known.host, known.interval_ms) != (hello.epoch, &hello.host, hello.interval_ms)
        });
        let mut head = Vec::new();
        push_hello(&mut head, self.name.as_str(), &hello);
        self.head = head.into();
        (self.epoch, self.hello) = (Some(hello.epoch), Some(Box::new(hello)));
    }

    fn gap(&mut self, gap: Gap, batch: &mut Batch) {
        let mut gap = RecordedGap::from(gap);
        warn!("{}: missing {}", self.name, Missing(&gap));
        let is_end = gap.reason == GapReason::Restarted;
        if !is_end {
            self.introduce(batch);
        }
        if let (GapReason::Evicted, Some(blame)) = (gap.reason, self.blame) {
            gap.reason = blame;
        }
        push_gap(&mut batch.text, self.name.as_str(), &gap);
        batch.end_line(Record::Gap(gap));
        if is_end {
            // The new ring is introduced after the end of the old one.
            self.is_new = true;
            self.introduce(batch);
        }
    }

    /// Says whose samples follow, where that was not said.
    fn introduce(&mut self, batch: &mut Batch) {
        if let (true, Some(epoch)) = (std::mem::take(&mut self.is_new), self.epoch) {
            batch.text.extend(&*self.head);
            batch.end_line(Record::Hello { epoch });
        }
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
mod tests {
    use serde_json::json;

    use super::{super::progress::Progress, *};
    use crate::client::Lost;

    fn lines() -> Lines {
        let turns = Arc::new(Semaphore::new(1));
        Lines::new(0, FolderName::new("web-1").unwrap(), BTreeMap::new(), turns, Arc::default())
    }

    fn hello(site: &str) -> Event {
        let text = format!(
            r#"{{"protocol":"hostcast.v1","server":"hostcast/0.1.0","host":{{"name":"web-1","os":"Linux","kernel":"6.1",
            "cpus":2,"boot_id":"","labels":{{"site":{site:?}}}}},"epoch":"00000000000000ff","interval_ms":1000,
            "oldest_seq":1,"next_seq":1,"heartbeat_ms":5000}}"#
        );
        Event::Hello(Box::new(serde_json::from_str(&text).unwrap()))
    }

    fn sample(seq: u64) -> Event {
        let text = format!(r#"{{"seq":{seq},"time":{seq},"elapsed_ms":1000,"values":[]}}"#);
        Event::Sample(serde_json::from_str(&text).unwrap())
    }

    #[test]
    fn who_loses_its_connection_while_it_waits_for_its_turn_has_it_when_it_is_back() {
        let mut lines = lines();
        let permit = Arc::clone(&lines.turns).try_acquire_owned().ok();
        let has_permit = |lines: &Lines| matches!(lines.turn, Turn::Had { permit: Some(_), .. });
        lines.turn = Turn::Had { permit, until: Instant::now(), is_over: false };
        let progress = Progress::new(vec![lines.name.clone()]);
        let lost = || Event::Lost { why: Lost::Silent(Duration::ZERO), retry_in: Duration::ZERO };
        for event in [lost(), hello("fra1")] {
            lines.take(event, &mut Batch::default(), &progress.hosts[0]);
            assert!(has_permit(&lines));
        }
        for event in [Event::Live, lost()] {
            lines.take(event, &mut Batch::default(), &progress.hosts[0]);
        }
        assert_eq!((has_permit(&lines), lines.turns.available_permits()), (false, 1));
    }

    #[test]
    fn what_a_notice_tells_of_labels_holds_for_what_follows_it_below_those_of_the_recorder() {
        let (mut lines, mut batch) = (lines(), Batch::default());
        lines.labels = BTreeMap::from([("rack".into(), "7".into())]);
        let progress = Progress::new(vec![lines.name.clone()]);
        let notice = |fields: serde_json::Value| Event::Notice(serde_json::from_value(fields).unwrap());
        let labels = |site: &str| notice(json!({"reason": "config_reloaded", "labels": {"site": site, "rack": "1"}}));
        let other = || notice(json!({"reason": "config_reloaded", "changed": ["log.level"], "interval_ms": 1000}));
        let faster = || notice(json!({"reason": "config_reloaded", "interval_ms": 100}));
        for event in [
            hello("fra1"),
            sample(1),
            other(),
            sample(2),
            labels("ams1"),
            labels("nbg1"),
            sample(3),
            labels("nbg1"),
            sample(4),
            faster(),
            sample(5),
        ] {
            lines.take(event, &mut batch, &progress.hosts[0]);
        }
        let told = batch.lines().map(|(_, line)| serde_json::from_slice::<serde_json::Value>(line).unwrap());
        let told: Vec<_> = told
            .map(|line| match &line["hello"] {
                serde_json::Value::Null => line["seq"].clone(),
                hello => {
                    json!([hello["host"]["labels"]["site"], hello["host"]["labels"]["rack"], hello["interval_ms"]])
                }
            })
            .collect();
        let [fra, nbg, faster] =
            [("fra1", 1000), ("nbg1", 1000), ("nbg1", 100)].map(|(site, ms)| json!([site, "7", ms]));
        assert_eq!(told, [fra, json!(1), json!(2), nbg, json!(3), json!(4), faster, json!(5)]);
        let head: serde_json::Value = serde_json::from_slice(&lines.head).unwrap();
        assert_eq!(head["hello"]["host"]["labels"]["site"], "nbg1", "a new part begins with it");
    }

    #[test]
    fn labels_that_a_daemon_has_now_hold_for_what_follows_them() {
        let (mut lines, mut batch) = (lines(), Batch::default());
        let progress = Progress::new(vec![lines.name.clone()]);
        for event in [hello("fra1"), sample(1), hello("fra1"), sample(2), hello("ams1"), sample(3)] {
            lines.take(event, &mut batch, &progress.hosts[0]);
        }
        let told: Vec<_> = batch
            .lines()
            .map(|(record, line)| match record {
                Record::Hello { .. } if String::from_utf8_lossy(line).contains(r#""site":"ams1""#) => "ams1",
                Record::Hello { .. } => "fra1",
                _ => "sample",
            })
            .collect();
        assert_eq!(told, ["fra1", "sample", "sample", "ams1", "sample"]);
    }
}
