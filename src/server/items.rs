//! What a client gets one message for: each sample, or each bucket of samples.

use std::{ops::RangeInclusive, sync::Arc, time::SystemTime};

use crate::{
    bucket::{Bucket, Buckets},
    hub::{Gap, Hub, Joined, Run},
    protocol::{BucketText, Message, Projection, SampleText},
    sample::{Sample, Schema},
};

/// A guess at how many there are, so that a long history is not looked through for a few buckets.
const SAMPLES_PER_BUCKET: usize = 16;

/// One of them.
#[derive(Debug)]
pub(crate) enum Item {
    Sample(Arc<Sample>),
    Bucket(Box<Bucket>),
    /// What a recording lacks, and the sample behind it.
    Gap(Gap, Arc<Sample>),
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
            // Whoever makes one of these knows its end.
            Self::Gap(gap, _) => gap.to_seq.unwrap_or(gap.from_seq) + 1,
        }
    }

    /// When it was taken; of a bucket, where its span begins; of a gap, where it ends.
    pub(crate) fn time(&self) -> SystemTime {
        match self {
            Self::Sample(sample) => sample.reading.time,
            Self::Bucket(bucket) => bucket.time,
            Self::Gap(_, behind) => behind.reading.time,
        }
    }

    pub(crate) fn schema(&self) -> &Arc<Schema> {
        match self {
            Self::Sample(sample) => &sample.reading.schema,
            Self::Bucket(bucket) => &bucket.schema,
            Self::Gap(_, behind) => &behind.reading.schema,
        }
    }

    /// Appends the message.
    pub(crate) fn message(&self, projection: &Projection, text: &mut Vec<u8>) {
        match self {
            Self::Sample(sample) => SampleText { sample, projection }.message(text),
            Self::Bucket(bucket) => BucketText { bucket, projection }.message(text),
            Self::Gap(gap, _) => text.extend(Message::Gap(*gap).to_text()),
        }
    }

    /// Appends it as it stands in `history`, where gaps have no place.
    pub(crate) fn object(&self, projection: &Projection, text: &mut Vec<u8>) {
        match self {
            Self::Sample(sample) => SampleText { sample, projection }.object(text),
            Self::Bucket(bucket) => BucketText { bucket, projection }.object(text),
            Self::Gap(..) => {}
        }
    }
}

impl Batch {
    /// About `limit` items from `cursor` on.
    pub(crate) fn from(hub: &Hub, buckets: Option<Buckets>, cursor: u64, limit: usize) -> Self {
        let Some(buckets) = buckets else { return Self::folded(hub.run(cursor, limit), cursor, usize::MAX, None) };
        // How many samples a bucket has shows only when it is there.
        let mut samples = limit * SAMPLES_PER_BUCKET;
        loop {
            let run = hub.run(cursor, samples);
            let reaches_newest = run.reaches_newest;
            let batch = Self::folded(run, cursor, limit, Some(buckets));
            if reaches_newest || !batch.items.is_empty() {
                return batch;
            }
            samples = samples.saturating_mul(4);
        }
    }

    fn folded(run: Run, cursor: u64, limit: usize, buckets: Option<Buckets>) -> Self {
        let Run { samples, gaps, lost, reaches_newest } = run;
        let (mut items, mut taken, mut gaps) =
            (Vec::with_capacity(samples.len().min(limit)), 0, gaps.into_iter().peekable());
        while let Some(next) = samples.get(taken)
            && items.len() < limit
        {
            while let Some(gap) = gaps.next_if(|gap| gap.from_seq < next.seq) {
                items.push(Item::Gap(gap, Arc::clone(next)));
            }
            if let Some(buckets) = buckets {
                // Behind a gap there is another schema, so that no bucket goes across.
                let Some(bucket) = buckets.first(&samples[taken..]) else { break };
                taken += bucket.samples as usize;
                items.push(Item::Bucket(Box::new(bucket)));
            } else {
                items.push(Item::Sample(Arc::clone(next)));
                taken += 1;
            }
        }
        let first_seq = lost.as_ref().map_or(cursor, |lost| lost.end() + 1);
        // Of buckets the last one is open, so that there are always samples left.
        Self { reaches_newest: reaches_newest && items.len() < limit, items, lost, first_seq }
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
