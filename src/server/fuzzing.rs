//! What must hold of whatever a client sends.

use std::time::Duration;

use hyper::StatusCode;
use warp::reply::Reply;

use super::{
    problem::Problem,
    query::{Format, SamplesQuery, Spans, StreamQuery},
    stream::frame::{self, FrameReader, Incoming, MAX_PARTIAL},
};
use crate::{config::format_duration, hub::Start, protocol::MetricFilter};

const SPANS: Spans = Spans { interval: Duration::from_millis(100), window: Duration::from_hours(1) };

/// A client's bytes mean the same however they are cut, and next to nothing of them is held. The first byte says into
/// how large pieces the others are cut, and whether compression was negotiated.
pub fn frames(bytes: &[u8]) {
    let Some((how, bytes)) = bytes.split_first() else { return };
    let (piece, allows_compressed) = (usize::from(how & 0x7F) + 1, how & 0x80 != 0);
    let frames = read(bytes, usize::MAX, allows_compressed);
    assert_eq!(read(bytes, piece, allows_compressed), frames, "in pieces of {piece}");
    for incoming in &frames {
        match incoming {
            Incoming::Ping(payload) => assert_eq!(frame::pong(payload).len(), 2 + payload.len()),
            Incoming::Close(Some(code)) => assert_eq!(frame::closing(Some(*code))[2..], code.to_be_bytes()),
            Incoming::Violation(violation) => assert!(matches!(violation.code(), 1002 | 1007..=1009)),
            Incoming::Pong | Incoming::Close(None) => {}
        }
    }
}

/// As a subscriber does it: nothing is read behind a close or a violation.
fn read(bytes: &[u8], piece: usize, allows_compressed: bool) -> Vec<Incoming> {
    let mut reader = FrameReader::new(allows_compressed);
    let mut frames = Vec::new();
    for bytes in bytes.chunks(piece) {
        let mut goes_on = true;
        reader.feed(bytes, |incoming| {
            goes_on = !matches!(incoming, Incoming::Close(_) | Incoming::Violation(_));
            frames.push(incoming);
            goes_on
        });
        if !goes_on {
            break;
        }
        assert!(reader.held_bytes() <= MAX_PARTIAL);
    }
    frames
}

/// A query of the stream is refused for one parameter, or means what it says: written again, it is read as the same.
pub fn stream_query(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    match StreamQuery::parse(text, &SPANS) {
        Ok(query) => {
            let start = match query.start {
                Start::Within(span) => format!("history={}", format_duration(span)),
                Start::All => "history=all".into(),
                Start::Live => "history=none".into(),
                Start::After(position) => format!("since={position}"),
            };
            let every = query.buckets.map(|buckets| buckets.every());
            let again = every.map_or(start.clone(), |every| format!("{start}&every={}", format_duration(every)));
            let query = StreamQuery { metrics: MetricFilter::all(), ..query };
            assert_eq!(StreamQuery::parse(&again, &SPANS).ok(), Some(query), "{again}");
        }
        Err(problem) => is_told(problem),
    }
}

/// A query of the samples is refused for one parameter, or asks for what can be given.
pub fn samples_query(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    match SamplesQuery::parse(text, &SPANS) {
        Ok(query) => {
            assert!(!query.follow || query.format != Format::Json && query.until.is_none());
            assert!(matches!(query.start, Start::All) || query.since.is_none());
            let every = query.buckets.map(|buckets| buckets.every());
            assert!(every.is_none_or(|every| (SPANS.interval..=SPANS.window).contains(&every)));
        }
        Err(problem) => is_told(problem),
    }
}

fn is_told(problem: Problem) {
    assert_eq!(problem.into_response().status(), StatusCode::BAD_REQUEST);
}
