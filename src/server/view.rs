//! A view is what a group of subscribers has in common: the same choice of subprotocol, metrics,
//! buckets and compression. It turns samples into frames, each once, and lends the bytes to all.
//!
//! Invariants: a view that nobody looks at encodes nothing and does not exist. What waits for slow
//! subscribers is bounded per view, not per subscriber: they hold positions, not copies.

mod chunks;

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;

pub(crate) use self::chunks::{Alive, Chunk, Room};
use self::chunks::{Chunks, MAX_CHUNK_BYTES};
use super::{
    items::{self, Batch, Item},
    stream::{Deflater, frame},
    views::Wishes,
};
use crate::{
    bucket::Buckets,
    hub::{Hub, Joined},
    protocol::{Encoding, Message, Notice, Projection},
    sample::Schema,
    sync::{Mutex, MutexGuard},
};

/// More samples than fit a chunk in any encoding: each takes at least 64 bytes.
const MAX_CHUNK_SAMPLES: usize = MAX_CHUNK_BYTES / 64;

/// See the module.
#[derive(Debug)]
pub(crate) struct View {
    wishes: Wishes,
    hub: Hub,
    common: Arc<Common>,
    state: Mutex<State>,
}

/// What all views have in common.
#[derive(Debug)]
pub(super) struct Common {
    /// Bytes of encoded frames that may wait for the slowest live subscriber of a view.
    pub(super) max_backlog: AtomicU64,
    pub(super) deflater: Deflater,
    /// For pieces of history that a crowd reads.
    pub(super) room: Arc<Room>,
    /// Pieces of history that are kept, or on their way to somebody.
    pub(super) alive: Alive,
    /// Samples that were encoded since the start, each as often as it was.
    pub(super) encodings: AtomicU64,
}

#[derive(Debug)]
struct State {
    projections: Projections,
    schema_frame: Option<(u64, Bytes)>,
    /// What was said of the change between two revisions.
    notice: Option<((u64, u64), Option<Bytes>)>,
    /// Encoded live samples, oldest first, without holes.
    live: VecDeque<Live>,
    live_bytes: usize,
    chunks: Chunks,
}

/// The projection of the schema met last.
#[derive(Clone, Debug, Default)]
struct Projections(Option<(u64, Arc<Projection>)>);

impl Projections {
    fn of(&mut self, schema: &Schema, wishes: &Wishes) -> &Projection {
        let known = self.0.take().filter(|(revision, _)| *revision == schema.revision);
        let make = || (schema.revision, Arc::new(Projection::new(wishes.encoding, &wishes.metrics, schema)));
        &self.0.insert(known.unwrap_or_else(make)).1
    }
}

/// One encoded live sample.
#[derive(Clone, Debug)]
pub(crate) struct Live {
    /// The oldest sample in it.
    first_seq: u64,
    /// The sample after the newest one in it.
    pub(crate) next_seq: u64,
    /// The whole WebSocket frame.
    pub(crate) frame: Bytes,
    /// What its values stand for; `None` is a gap.
    pub(crate) schema: Option<Arc<Schema>>,
}

/// What comes after a position.
pub(crate) enum Next {
    /// The sample at the position.
    Frame(Live),
    /// It was not taken yet.
    NotYet,
    /// It is no longer waiting: the subscriber fell too far behind. It goes on at `resume_at`.
    Dropped { resume_at: u64 },
}

/// Somebody who reads history: as long as there is one, the pieces are kept for others.
#[derive(Debug)]
pub(crate) struct HistoryReader(Arc<View>);

impl HistoryReader {
    pub(crate) fn new(view: &Arc<View>) -> Self {
        view.state().chunks.reader_comes();
        Self(Arc::clone(view))
    }
}

impl Drop for HistoryReader {
    fn drop(&mut self) {
        self.0.state().chunks.reader_leaves();
    }
}

impl View {
    pub(super) fn new(wishes: Wishes, hub: Hub, common: Arc<Common>) -> Self {
        let state = State {
            projections: Projections::default(),
            schema_frame: None,
            notice: None,
            live: VecDeque::new(),
            live_bytes: 0,
            chunks: Chunks::new(Arc::clone(&common.room)),
        };
        Self { wishes, hub, common, state: Mutex::new(state) }
    }

    pub(crate) fn encoding(&self) -> Encoding {
        self.wishes.encoding
    }

    /// Whether its frames are compressed, and those of its clients may be.
    pub(crate) fn is_compressed(&self) -> bool {
        self.wishes.is_compressed
    }

    pub(crate) fn hub(&self) -> &Hub {
        &self.hub
    }

    /// The first sample that a subscriber gets who has just joined.
    pub(crate) fn beginning(&self, joined: &Joined) -> u64 {
        items::beginning(&self.hub, self.wishes.buckets, joined)
    }

    /// The live sample that begins with `seq`.
    pub(crate) fn live(&self, seq: u64) -> Next {
        let mut state = self.state();
        if let Ok(index) = state.live.binary_search_by_key(&seq, |live| live.first_seq) {
            return Next::Frame(state.live[index].clone());
        }
        let next_seq = self.hub.next_seq();
        let Some(waiting) = next_seq.checked_sub(seq).filter(|&waiting| waiting > 0) else { return Next::NotYet };
        if self.is_open(seq) {
            return Next::NotYet;
        }
        let bytes_a_sample =
            state.live.back().map_or(0, |live| live.frame.len() as u64 / (live.next_seq - live.first_seq));
        let max_backlog = self.common.max_backlog.load(Ordering::Relaxed);
        // What never was in this ring does not wait.
        let is_too_much = |waiting: u64| waiting > 1 && waiting * bytes_a_sample > max_backlog;
        if is_too_much(waiting) && is_too_much(self.hub.count_from(seq) as u64) {
            return Next::Dropped { resume_at: next_seq };
        }
        let found = Batch::from(&self.hub, self.wishes.buckets, seq, 1);
        match found.items.first() {
            Some(item) if found.lost.is_none() => {
                let live = self.encode_live(&mut state, seq, item);
                self.keep(&mut state, live.clone());
                Next::Frame(live)
            }
            Some(_) => Next::Dropped { resume_at: next_seq },
            None => Next::NotYet,
        }
    }

    /// Whether the bucket that begins with `seq` may still grow.
    fn is_open(&self, seq: u64) -> bool {
        let is_open = |buckets: Buckets| Some(buckets.are_together(&*self.hub.get(seq)?, &*self.hub.newest()?));
        self.wishes.buckets.and_then(is_open).unwrap_or(false)
    }

    fn encode_live(&self, state: &mut State, first_seq: u64, item: &Item) -> Live {
        let mut text = Vec::with_capacity(state.live.back().map_or(1024, |live| live.frame.len() + 64));
        item.message(state.projections.of(item.schema(), &self.wishes), &mut text);
        self.common.encodings.fetch_add(1, Ordering::Relaxed);
        let schema = (!matches!(item, Item::Gap(..))).then(|| Arc::clone(item.schema()));
        let frame = self.frame(&text);
        Live { first_seq, next_seq: item.next_seq(), frame, schema }
    }

    /// Keeps a frame for the others who want it, and as many before it as the backlog allows.
    fn keep(&self, state: &mut State, live: Live) {
        let next_live = state.live.back().map_or(0, |live| live.next_seq);
        if live.first_seq < next_live {
            // Someone is a little behind, and what is kept is for those who are not.
            return;
        }
        if live.first_seq > next_live {
            // Nobody looked for a while; what was kept before is of no use to anyone.
            state.live.clear();
            state.live_bytes = 0;
        }
        state.live_bytes += live.frame.len();
        state.live.push_back(live);
        let max_backlog = self.common.max_backlog.load(Ordering::Relaxed);
        while state.live_bytes as u64 > max_backlog && state.live.len() > 1 {
            state.live_bytes -= state.live.pop_front().map_or(0, |live| live.frame.len());
        }
    }

    /// The piece of history that begins with sample `seq`.
    pub(crate) fn history(&self, seq: u64) -> Arc<Chunk> {
        if let Some(chunk) = self.state().chunks.get(seq, self.hub.next_seq()) {
            return chunk;
        }
        // Without the lock: it may take a millisecond, and live samples must not wait for that. Should two lanes want it at
        // the same moment, both do it, and share what is ready first.
        let chunk = self.encode_chunk(seq);
        self.state().chunks.share(seq, chunk)
    }

    fn encode_chunk(&self, seq: u64) -> Chunk {
        const TAIL: &[u8] = br#"],"complete":false}"#;
        let max_bytes = self.common.alive.max_chunk_bytes();
        let as_of = self.hub.next_seq();
        let run = Batch::from(&self.hub, self.wishes.buckets, seq, MAX_CHUNK_SAMPLES);
        let schema = match run.items.first() {
            Some(first) => Some(Arc::clone(first.schema())),
            None => self.hub.newest().map(|newest| Arc::clone(&newest.reading.schema)),
        };
        let mut projections = self.state().projections.clone();
        let mut text = Vec::with_capacity(max_bytes);
        text.extend_from_slice(br#"{"type":"history","samples":["#);
        // Where the text of each sample that is in it ends.
        let mut ends = Vec::new();
        // A gap is a message of its own, before the samples behind it.
        let (gap, items) = match &run.items[..] {
            [Item::Gap(gap, _), behind @ ..] => (Some(*gap), behind),
            items => (None, items),
        };
        let first_seq = run.items.first().filter(|_| gap.is_some()).map_or(run.first_seq, Item::next_seq);
        for item in items {
            if let Item::Gap(..) = item {
                break;
            }
            let same_schema = schema.as_ref().is_some_and(|schema| schema.revision == item.schema().revision);
            if self.wishes.encoding == Encoding::Compact && !same_schema {
                break;
            }
            let before = text.len();
            if !ends.is_empty() {
                text.push(b',');
            }
            item.object(projections.of(item.schema(), &self.wishes), &mut text);
            if text.len() + TAIL.len() > max_bytes && !ends.is_empty() {
                text.truncate(before);
                if self.wishes.buckets.is_none() {
                    align(&mut ends, first_seq);
                }
                text.truncate(*ends.last().unwrap_or(&before));
                break;
            }
            ends.push(text.len());
        }
        self.common.encodings.fetch_add(ends.len() as u64, Ordering::Relaxed);
        let last = ends.len().checked_sub(1).map(|last| &items[last]);
        // Json goes on over a change of the schema: what holds behind the chunk is that of its last sample.
        let schema = last.map(|last| Arc::clone(last.schema())).or(schema);
        let next_seq = last.map_or(first_seq, Item::next_seq);
        let complete = run.reaches_newest && ends.len() == items.len();
        text.extend_from_slice(if complete { br#"],"complete":true}"# } else { TAIL });
        let frame = self.common.alive.count(self.frame(&text));
        Chunk { frame, schema, lost: run.lost, gap, next_seq, complete, as_of }
    }

    /// The `schema` message: of this schema in compact, where the order of values depends on it; of
    /// the newest one in json, where it comes only once.
    pub(crate) fn schema_frame(&self, schema: &Arc<Schema>) -> Bytes {
        let newest = self.hub.newest().map(|newest| Arc::clone(&newest.reading.schema));
        let schema = match self.wishes.encoding {
            Encoding::Compact => schema,
            Encoding::Json => newest.as_ref().unwrap_or(schema),
        };
        let mut state = self.state();
        match &state.schema_frame {
            Some((revision, frame)) if *revision == schema.revision => frame.clone(),
            _ => {
                let message = state.projections.of(schema, &self.wishes).schema_message(schema);
                let frame = self.frame(&message.to_text());
                state.schema_frame = Some((schema.revision, frame.clone()));
                frame
            }
        }
    }

    /// The `notice` that series came or went, unless none of this view's did.
    pub(crate) fn notice_frame(&self, before: &Schema, after: &Schema) -> Option<Bytes> {
        let revisions = (before.revision, after.revision);
        let mut state = self.state();
        match &state.notice {
            Some((known, frame)) if *known == revisions => frame.clone(),
            _ => {
                let frame = self.encode_notice(before, after);
                state.notice = Some((revisions, frame.clone()));
                frame
            }
        }
    }

    fn encode_notice(&self, before: &Schema, after: &Schema) -> Option<Bytes> {
        let ids = |schema: &Schema| -> BTreeSet<String> {
            schema
                .series
                .iter()
                .filter(|series| self.wishes.metrics.wants(series))
                .map(|series| series.id.to_string())
                .collect()
        };
        let (before, after) = (ids(before), ids(after));
        let notice = Notice {
            reason: "series_changed".into(),
            added: after.difference(&before).cloned().collect(),
            removed: before.difference(&after).cloned().collect(),
            ..Notice::default()
        };
        (before != after).then(|| self.frame(&Message::Notice(notice).to_text()))
    }

    /// A whole message for everyone here.
    fn frame(&self, text: &[u8]) -> Bytes {
        if self.wishes.is_compressed { self.common.deflater.text(text) } else { frame::text(text) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shortens a chunk that begins with sample `first` to end before a multiple of the largest power of two that it has
/// room for, so that subscribers who started at different samples share the later ones.
fn align(ends: &mut Vec<usize>, first: u64) {
    let count = ends.len() as u64;
    let alignment = 1 << count.ilog2();
    let beyond = (first + count) % alignment;
    ends.truncate((count - beyond) as usize);
}

#[cfg(test)]
mod tests;
