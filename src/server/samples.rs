//! `/api/v1/samples`: the stream's samples over plain HTTP, for curl, spreadsheets and scripts.
//!
//! The answer is written piece by piece, straight from the ring, as fast as the client reads: neither
//! a long history nor a slow reader takes memory.

mod csv;

use std::{sync::Arc, time::SystemTime};

use bytes::Bytes;
use futures_util::{Stream, stream};
use hyper::header::{HeaderName, HeaderValue};
use serde::Serialize;
use tokio::sync::watch;
use warp::reply::{Reply, Response};

use self::csv::Csv;
use super::{
    Context,
    items::{self, Batch, Item},
    problem::Problem,
    query::{Format, SamplesQuery},
    respond,
};
use crate::{
    bucket::Buckets,
    history::Epoch,
    hub::{Gap, GapReason, Hub, Joined},
    protocol::{Encoding, Message, MetricFilter, Projection},
    sample::{Sample, Schema},
};

/// About as much as one piece of the answer has.
const PIECE_BYTES: usize = 16 << 10;
/// Samples, or buckets of them, taken from the ring at a time.
const ITEMS_PER_RUN: usize = 64;
/// Runs that are looked through before others get their turn, where a filter skips all.
const RUNS_PER_TURN: usize = 64;
/// Where a CSV has no room for it, the gap before its first row stands in the head of the answer.
pub(super) const GAP_HEADER: HeaderName = HeaderName::from_static("hostcast-gap");

/// Answers a query.
pub(crate) fn respond(context: &Arc<Context>, query: &str) -> Result<Response, Problem> {
    let in_force = context.in_force.get();
    let query = SamplesQuery::parse(query, &in_force.spans())?;
    let joined = context.hub.join(query.start).map_err(|error| Problem::parameter("since", error))?;
    let writer: Box<dyn Writer> = match query.format {
        Format::Json => Box::new(Json::new(&joined, in_force.interval_ms())),
        Format::Ndjson => Box::new(Ndjson),
        Format::Csv => Box::new(Csv::new(query.buckets.is_some())),
    };
    let cursor = items::beginning(&context.hub, query.buckets, &joined);
    let content_type = writer.content_type();
    let feed = Feed {
        hub: context.hub.clone(),
        news: query.follow.then(|| (context.published.subscribe(), context.stopping.subscribe())),
        filter: query.metrics,
        buckets: query.buckets,
        since: query.since,
        until: query.until,
        end: joined.next_seq,
        cursor,
        epoch: joined.epoch,
        gaps: joined.gaps.clone(),
        is_resumed: joined.is_resumed,
        begun: false,
        projection: None,
        writer: Some(writer),
    };
    let mut response = warp::reply::stream(feed.into_stream()).into_response();
    respond::describe(&mut response, content_type);
    if query.format == Format::Csv {
        // Of a replay there may be one right behind the position, too.
        let behind = if joined.is_resumed { context.hub.run(joined.cursor, 1).gaps } else { Vec::new() };
        for gap in joined.gaps.iter().chain(&behind) {
            let text = serde_json::to_string(gap).unwrap_or_default();
            if let Ok(value) = HeaderValue::try_from(text) {
                response.headers_mut().append(GAP_HEADER, value);
            }
        }
    }
    Ok(response)
}

/// A format of the answer. Gets everything in order, and appends what it writes to `text`.
trait Writer: Send + Sync {
    fn content_type(&self) -> &'static str;
    /// What stands before the first sample.
    fn begin(&mut self, _text: &mut Vec<u8>, _newest: Option<&Sample>, _filter: &MetricFilter) {}
    fn gap(&mut self, text: &mut Vec<u8>, gap: &Gap);
    fn item(&mut self, text: &mut Vec<u8>, item: &Item, projection: &Projection);
    /// What stands behind everything else.
    fn end(&mut self, _text: &mut Vec<u8>) {}
}

/// The messages of `hostcast.v1.json`, one a line.
struct Ndjson;

impl Writer for Ndjson {
    fn content_type(&self) -> &'static str {
        "application/x-ndjson"
    }

    fn gap(&mut self, text: &mut Vec<u8>, gap: &Gap) {
        text.extend(Message::Gap(*gap).to_text());
        text.push(b'\n');
    }

    fn item(&mut self, text: &mut Vec<u8>, item: &Item, projection: &Projection) {
        item.message(projection, text);
        text.push(b'\n');
    }
}

/// One document: where the samples lie in the ring, and the samples.
struct Json {
    head: Head,
    gaps: Vec<Gap>,
    begun: bool,
}

#[derive(Serialize)]
struct Head {
    epoch: Epoch,
    interval_ms: u64,
    oldest_seq: u64,
    next_seq: u64,
}

impl Json {
    fn new(joined: &Joined, interval_ms: u64) -> Self {
        let &Joined { epoch, oldest_seq, next_seq, .. } = joined;
        Self { head: Head { epoch, interval_ms, oldest_seq, next_seq }, gaps: Vec::new(), begun: false }
    }
}

impl Writer for Json {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn begin(&mut self, text: &mut Vec<u8>, _: Option<&Sample>, _: &MetricFilter) {
        text.extend(serde_json::to_vec(&self.head).unwrap_or_default());
        text.pop();
        text.extend_from_slice(b",\"samples\":[");
    }

    fn gap(&mut self, _: &mut Vec<u8>, gap: &Gap) {
        self.gaps.push(*gap);
    }

    fn item(&mut self, text: &mut Vec<u8>, item: &Item, projection: &Projection) {
        text.extend_from_slice(if std::mem::replace(&mut self.begun, true) { b",\n" } else { b"\n" });
        item.object(projection, text);
    }

    fn end(&mut self, text: &mut Vec<u8>) {
        text.extend_from_slice(b"],\"gaps\":");
        text.extend(serde_json::to_vec(&self.gaps).unwrap_or_default());
        text.extend_from_slice(b"}\n");
    }
}

/// One answer on its way.
struct Feed {
    hub: Hub,
    /// Where it follows the present: the newest `seq`, and whether the daemon is stopping.
    news: Option<(watch::Receiver<u64>, watch::Receiver<bool>)>,
    filter: MetricFilter,
    buckets: Option<Buckets>,
    since: Option<SystemTime>,
    until: Option<SystemTime>,
    /// Where it ends, unless it follows.
    end: u64,
    cursor: u64,
    epoch: Epoch,
    /// What is to be said before the next sample.
    gaps: Vec<Gap>,
    /// Whether it goes on from a position.
    is_resumed: bool,
    /// Whether the writer was told to begin.
    begun: bool,
    projection: Option<(u64, Projection)>,
    /// `None` when everything was written.
    writer: Option<Box<dyn Writer>>,
}

impl Feed {
    fn into_stream(self) -> impl Stream<Item = Result<Bytes, std::convert::Infallible>> + Send + Sync + 'static {
        stream::unfold(self, |mut feed| async move {
            let mut text = Vec::new();
            loop {
                let is_waiting = feed.fill(&mut text);
                if !text.is_empty() {
                    return Some((Ok(Bytes::from(text)), feed));
                }
                feed.writer.as_ref()?;
                if is_waiting {
                    feed.wait().await;
                } else {
                    tokio::task::yield_now().await;
                }
            }
        })
    }

    /// Writes what there is, up to about one piece. Returns whether there was nothing more.
    fn fill(&mut self, text: &mut Vec<u8>) -> bool {
        let Some(mut writer) = self.writer.take() else { return true };
        for _ in 0..RUNS_PER_TURN {
            let run = Batch::from(&self.hub, self.buckets, self.cursor, ITEMS_PER_RUN);
            if let Some(lost) = run.lost {
                self.lose(*lost.start(), *lost.end());
            }
            for gap in self.gaps.drain(..) {
                writer.gap(text, &gap);
            }
            for item in &run.items {
                if self.is_past_end(item.next_seq() - 1) || text.len() >= PIECE_BYTES {
                    break;
                }
                self.cursor = item.next_seq();
                if let Item::Gap(gap, _) = item {
                    // Before the first sample nothing is missing, unless everything behind a position is wanted.
                    if (self.begun || self.is_resumed) && self.wants(item.time()) {
                        writer.gap(text, gap);
                    }
                } else if self.wants(item.time()) {
                    self.begin(&mut *writer, text);
                    let projection = self.projection(item.schema());
                    writer.item(text, item, projection);
                }
            }
            // A bucket that is still open when the answer ends is not a part of it.
            let has_all = self.news.is_none() && run.reaches_newest && text.len() < PIECE_BYTES;
            if has_all || self.is_past_end(self.cursor) || self.is_stopping() {
                self.begin(&mut *writer, text);
                writer.end(text);
                return true;
            }
            if text.len() >= PIECE_BYTES {
                break;
            }
            if run.reaches_newest {
                self.writer = Some(writer);
                return true;
            }
        }
        self.writer = Some(writer);
        false
    }

    /// As late as can be, because a daemon that has just started knows no series yet.
    fn begin(&mut self, writer: &mut dyn Writer, text: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            writer.begin(text, self.hub.newest().as_deref(), &self.filter);
        }
    }

    /// Goes on behind samples that left the ring while the client was reading others.
    fn lose(&mut self, from_seq: u64, to_seq: u64) {
        self.cursor = to_seq + 1;
        let to_seq = if self.news.is_none() { to_seq.min(self.end - 1) } else { to_seq };
        if from_seq <= to_seq {
            let (epoch, to_seq) = (self.epoch, Some(to_seq));
            self.gaps.push(Gap { epoch, from_seq, to_seq, reason: GapReason::Slow });
        }
    }

    fn is_past_end(&self, seq: u64) -> bool {
        self.news.is_none() && seq >= self.end
    }

    fn is_stopping(&self) -> bool {
        self.news.as_ref().is_some_and(|(_, stopping)| *stopping.borrow())
    }

    fn wants(&self, time: SystemTime) -> bool {
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }

    fn projection(&mut self, schema: &Schema) -> &Projection {
        if self.projection.as_ref().is_none_or(|(revision, _)| *revision != schema.revision) {
            self.projection = None;
        }
        let make = || (schema.revision, Projection::new(Encoding::Json, &self.filter, schema));
        &self.projection.get_or_insert_with(make).1
    }

    /// Returns once there may be something new to write.
    async fn wait(&mut self) {
        let Some((published, stopping)) = &mut self.news else { return };
        // Either sender is gone only when the daemon is, and then its runtime ends this too.
        tokio::select! {
            _ = published.changed() => {}
            _ = stopping.changed() => {}
        }
    }
}
