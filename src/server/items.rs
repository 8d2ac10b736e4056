//! What a client gets one message for: each sample, or each bucket of samples.

use std::{ops::RangeInclusive, sync::Arc, time::SystemTime};

use crate::{
    bucket::{Bucket, Buckets},
    hub::{Hub, Joined},
    protocol::{BucketText, Projection, SampleText},
    sample::{Sample, Schema},
};

/// One of them.
#[derive(Debug)]
pub(crate) enum Item {
    Sample(Arc<Sample>),
    Bucket(Box<Bucket>),
}

/// Items from a position on.
#[derive(Debug)]
pub(crate) struct Batch {
    /// In order, without holes.
    pub(crate) items: Vec<Item>,
    /// What lies between the position asked for and the first item: it has left the ring.
    pub(crate) lost: Option<RangeInclusive<u64>>,
    /// The first sample in the first item.
    pub(crate) first_seq: u64,
    /// Whether nothing newer is complete.
    pub(crate) reaches_newest: bool,
}

impl Item {
    /// The sample after the newest one in it.
    pub(crate) fn next_seq(&self) -> u64 {
        match self {
            Self::Sample(sample) => sample.seq + 1,
            Self::Bucket(bucket) => bucket.seq + 1,
        }
    }

    /// When it was taken; of a bucket, where its span begins.
    pub(crate) fn time(&self) -> SystemTime {
        match self {
            Self::Sample(sample) => sample.reading.time,
            Self::Bucket(bucket) => bucket.time,
        }
    }

    pub(crate) fn schema(&self) -> &Arc<Schema> {
        match self {
            Self::Sample(sample) => &sample.reading.schema,
            Self::Bucket(bucket) => &bucket.schema,
        }
    }

    /// Appends the `sample` message.
    pub(crate) fn message(&self, projection: &Projection, text: &mut Vec<u8>) {
        match self {
            Self::Sample(sample) => SampleText { sample, projection }.message(text),
            Self::Bucket(bucket) => BucketText { bucket, projection }.message(text),
        }
    }

    /// Appends it as it stands in `history`.
    pub(crate) fn object(&self, projection: &Projection, text: &mut Vec<u8>) {
        match self {
            Self::Sample(sample) => SampleText { sample, projection }.object(text),
            Self::Bucket(bucket) => BucketText { bucket, projection }.object(text),
        }
    }
}

impl Batch {
    /// At most `limit` items from `cursor` on.
    pub(crate) fn from(hub: &Hub, buckets: Option<Buckets>, cursor: u64, limit: usize) -> Self {
        let run = hub.run(cursor, if buckets.is_some() { usize::MAX } else { limit });
        let first_seq = run.lost.as_ref().map_or(cursor, |lost| lost.end() + 1);
        let Some(buckets) = buckets else {
            let items = run.samples.into_iter().map(Item::Sample).collect();
            return Self { items, lost: run.lost, first_seq, reaches_newest: run.reaches_newest };
        };
        let (mut items, mut taken) = (Vec::new(), 0);
        while items.len() < limit {
            let Some(bucket) = buckets.first(&run.samples[taken..]) else { break };
            taken += bucket.samples as usize;
            items.push(Item::Bucket(Box::new(bucket)));
        }
        Self { reaches_newest: items.len() < limit, items, lost: run.lost, first_seq }
    }
}

/// The first sample that a client gets who has just joined. Buckets are whole, but for one that
/// resumes: what is before its cursor it has, or was told that it is missing.
pub(crate) fn beginning(hub: &Hub, buckets: Option<Buckets>, joined: &Joined) -> u64 {
    match buckets {
        Some(buckets) if !joined.is_resumed => start_of_bucket(hub, buckets, joined.cursor),
        _ => joined.cursor,
    }
}

/// Where the bucket begins that `cursor` lies in. For the next sample, which no one knows yet, that
/// is the bucket of the newest one: whoever joins in the middle gets it whole, as everyone does.
fn start_of_bucket(hub: &Hub, buckets: Buckets, cursor: u64) -> u64 {
    let Some(anchor) = hub.get(cursor).or_else(|| hub.newest()) else { return cursor };
    let mut start = anchor.seq;
    while let Some(before) = start.checked_sub(1).and_then(|seq| hub.get(seq)) {
        if !buckets.are_together(&before, &anchor) {
            break;
        }
        start = before.seq;
    }
    start
}
