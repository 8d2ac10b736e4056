//! Pieces of history that are being read. Whoever comes in a crowd reads what the one before has just read, so that a
//! piece is kept as long as anybody reads history, within a bound that all views share.
//!
//! Another piece may be on its way to each of those who read slowly. What these take is counted, and where it comes to too
//! much, pieces become small.

use std::{
    collections::{HashMap, VecDeque},
    ops::RangeInclusive,
    sync::{
        Arc, Weak,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;

use crate::{hub::Gap, sample::Schema};

/// What is kept for a crowd, of all views together: three times the default history of an ordinary host in json.
const MAX_KEPT_BYTES: usize = 8 << 20;
/// What the pieces may take that are kept or on their way, in all views together, before new ones become small.
const MAX_ALIVE_BYTES: usize = 16 << 20;
/// The most that one `history` message may be, where it has more than one sample.
pub(super) const MAX_CHUNK_BYTES: usize = 64 << 10;
/// The same while too much is on its way: an ordinary sample in json, so that who reads history holds no more than who
/// is live.
const SMALL_CHUNK_BYTES: usize = 4 << 10;

/// One `history` message, shared by whoever reads the same part.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// The whole WebSocket frame.
    pub(crate) frame: Bytes,
    /// What its values stand for, in json those of its last sample; `None` before the very first.
    pub(crate) schema: Option<Arc<Schema>>,
    /// What left the ring before it could be read.
    pub(crate) lost: Option<RangeInclusive<u64>>,
    /// What a recording lacks right before the first sample here.
    pub(crate) gap: Option<Gap>,
    /// The sample after the last one here.
    pub(crate) next_seq: u64,
    /// Whether nothing newer had been taken.
    pub(crate) complete: bool,
    /// The number of the next sample when this was made.
    pub(super) as_of: u64,
}

/// What the pieces of all views take together, until the last one who holds them has let go.
#[derive(Clone, Debug, Default)]
pub(crate) struct Alive(Arc<AtomicUsize>);

impl Alive {
    /// How large the next piece may be.
    pub(super) fn max_chunk_bytes(&self) -> usize {
        if self.0.load(Ordering::Relaxed) < MAX_ALIVE_BYTES { MAX_CHUNK_BYTES } else { SMALL_CHUNK_BYTES }
    }

    /// The same bytes, counted for as long as anybody holds them.
    pub(super) fn count(&self, frame: Bytes) -> Bytes {
        self.0.fetch_add(frame.len(), Ordering::Relaxed);
        Bytes::from_owner(Counted { frame, alive: self.clone() })
    }
}

struct Counted {
    frame: Bytes,
    alive: Alive,
}

impl AsRef<[u8]> for Counted {
    fn as_ref(&self) -> &[u8] {
        &self.frame
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.0.fetch_sub(self.frame.len(), Ordering::Relaxed);
    }
}

impl Chunk {
    fn footprint(&self) -> usize {
        self.frame.len() + size_of::<Self>()
    }
}

/// The pieces of one view.
#[derive(Debug)]
pub(super) struct Chunks {
    /// By their first sample: those that are kept, and those on their way to a slow reader.
    alive: HashMap<u64, Weak<Chunk>>,
    /// The oldest first.
    kept: VecDeque<Arc<Chunk>>,
    readers: usize,
    room: Arc<Room>,
}

/// Bytes that may still be kept, in whatever view.
#[derive(Debug)]
pub(crate) struct Room(AtomicUsize);

impl Default for Room {
    fn default() -> Self {
        Self(AtomicUsize::new(MAX_KEPT_BYTES))
    }
}

impl Room {
    fn take(&self, bytes: usize) -> bool {
        let take = |free: usize| free.checked_sub(bytes);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl Chunks {
    pub(super) fn new(room: Arc<Room>) -> Self {
        Self { alive: HashMap::new(), kept: VecDeque::new(), readers: 0, room }
    }

    /// The piece that begins with sample `seq`, if it still holds when the next sample is number `next_seq`.
    pub(super) fn get(&self, seq: u64, next_seq: u64) -> Option<Arc<Chunk>> {
        let alive = self.alive.get(&seq).and_then(Weak::upgrade);
        alive.filter(|chunk| !chunk.complete || chunk.as_of == next_seq)
    }

    /// Shares the piece that begins with sample `seq`; returns the one that another has shared meanwhile, if any.
    pub(super) fn share(&mut self, seq: u64, chunk: Chunk) -> Arc<Chunk> {
        if let Some(first) = self.get(seq, chunk.as_of) {
            return first;
        }
        let chunk = Arc::new(chunk);
        self.alive.retain(|_, chunk| chunk.strong_count() > 0);
        self.alive.insert(seq, Arc::downgrade(&chunk));
        if self.readers > 0 {
            self.keep(&chunk);
        }
        chunk
    }

    fn keep(&mut self, chunk: &Arc<Chunk>) {
        // The end of history as it was before the newest sample is of no use to anyone.
        let (kept, outdated) =
            std::mem::take(&mut self.kept).into_iter().partition(|kept| !kept.complete || kept.as_of == chunk.as_of);
        self.kept = kept;
        self.give_back(outdated);
        while !self.room.take(chunk.footprint()) {
            // A crowd moves on together: nobody will miss the oldest.
            let Some(oldest) = self.kept.pop_front() else { return };
            self.room.give_back(oldest.footprint());
        }
        self.kept.push_back(Arc::clone(chunk));
    }

    pub(super) fn reader_comes(&mut self) {
        self.readers += 1;
    }

    pub(super) fn reader_leaves(&mut self) {
        self.readers -= 1;
        if self.readers == 0 {
            self.forget();
        }
    }

    fn forget(&mut self) {
        let all = std::mem::take(&mut self.kept);
        self.give_back(all);
    }

    fn give_back(&self, chunks: VecDeque<Arc<Chunk>>) {
        for chunk in chunks {
            self.room.give_back(chunk.footprint());
        }
    }
}

impl Drop for Chunks {
    fn drop(&mut self) {
        self.forget();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(next_seq: u64, bytes: usize) -> Chunk {
        let frame = Bytes::from(vec![0; bytes]);
        Chunk { frame, schema: None, lost: None, gap: None, next_seq, complete: false, as_of: 0 }
    }

    #[test]
    fn pieces_are_kept_while_somebody_reads_and_the_oldest_make_room() {
        let one = chunk(2, 40).footprint();
        let room = Arc::new(Room(AtomicUsize::new(2 * one)));
        let mut chunks = Chunks::new(Arc::clone(&room));
        chunks.share(1, chunk(2, 40));
        assert!(chunks.get(1, 0).is_none(), "nobody reads");
        chunks.reader_comes();
        chunks.reader_comes();
        for seq in 1..=3 {
            chunks.share(seq, chunk(seq + 1, 40));
        }
        assert_eq!([1, 2, 3].map(|seq| chunks.get(seq, 0).is_some()), [false, true, true]);

        let mut others = Chunks::new(Arc::clone(&room));
        others.reader_comes();
        others.share(1, chunk(2, 40));
        assert!(others.get(1, 0).is_none(), "there is room for two in all");
        chunks.reader_leaves();
        assert!(chunks.get(3, 0).is_some());
        chunks.reader_leaves();
        assert!(chunks.get(3, 0).is_none());
        others.share(1, chunk(2, 40));
        assert!(others.get(1, 0).is_some());
        drop(others);
        assert!(room.take(2 * one), "everything was given back");
    }

    #[test]
    fn the_end_of_history_is_kept_until_there_is_a_newer_one() {
        let mut chunks = Chunks::new(Arc::default());
        chunks.reader_comes();
        let end = |as_of| {
            let frame = Bytes::from_static(b"end");
            Chunk { frame, schema: None, lost: None, gap: None, next_seq: as_of, complete: true, as_of }
        };
        chunks.share(1, chunk(16, 40));
        chunks.share(16, end(20));
        assert!(chunks.get(16, 20).is_some());
        chunks.share(17, end(21));
        assert_eq!(chunks.kept.len(), 2, "the first piece and the newest end");
        assert!(chunks.get(1, 21).is_some());
    }

    #[test]
    fn of_two_who_made_the_same_piece_the_first_is_shared() {
        let mut chunks = Chunks::new(Arc::default());
        let first = chunks.share(1, chunk(16, 40));
        assert!(Arc::ptr_eq(&chunks.share(1, chunk(16, 40)), &first));
    }

    #[test]
    fn pieces_become_small_while_too_much_is_on_its_way() {
        let alive = Alive::default();
        let held: Vec<_> = (0..256).map(|_| alive.count(Bytes::from(vec![0; 64 << 10]))).collect();
        assert_eq!(alive.max_chunk_bytes(), SMALL_CHUNK_BYTES);
        // Whoever has written half of it still holds all of it.
        let half = held[0].slice(32 << 10..);
        drop(held);
        assert_eq!(alive.0.load(Ordering::Relaxed), 64 << 10);
        drop(half);
        assert_eq!((alive.0.load(Ordering::Relaxed), alive.max_chunk_bytes()), (0, MAX_CHUNK_BYTES));
    }
}
