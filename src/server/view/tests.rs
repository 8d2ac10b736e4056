//! Views: shared, bounded, and silent when nobody looks.

use std::time::{Duration, SystemTime};

use super::*;
use crate::{
    bucket::Buckets,
    config::HistoryConfig,
    hub::Start,
    metric,
    protocol::{Encoding, HistoryChunk, MetricFilter, WireValues},
    sample::{Reading, Series},
    server::views::{MAX_CHOICES, Views},
};

const BACKLOG: usize = 8 << 10;

fn schema(revision: u64, width: usize) -> Arc<Schema> {
    let name =
        |index: usize| Series::new(metric::CPU_UTILIZATION, [("cpu.logical_number", index.to_string().as_str())]);
    Arc::new(Schema { revision, series: (0..width).map(name).collect() })
}

fn publish(hub: &Hub, schema: &Arc<Schema>) -> u64 {
    let seq = hub.next_seq();
    hub.publish(Reading {
        time: SystemTime::UNIX_EPOCH + Duration::from_millis(seq),
        moment: Duration::from_millis(seq),
        elapsed: Duration::from_millis(1),
        missed: None,
        schema: Arc::clone(schema),
        values: vec![seq as f64; schema.series.len()].into(),
    })
}

fn fixture(window: Duration) -> (Hub, Views) {
    let hub = Hub::new(&HistoryConfig { window, max_bytes: 64 << 20 });
    let views = Views::new(hub.clone(), BACKLOG as u64);
    (hub, views)
}

fn wishes(encoding: Encoding, metrics: MetricFilter) -> Wishes {
    Wishes { encoding, metrics, buckets: None, is_compressed: false }
}

fn view(views: &Views, encoding: Encoding) -> Arc<View> {
    views.get(wishes(encoding, MetricFilter::all())).unwrap()
}

/// The payload of a server's frame.
fn message(frame: &[u8]) -> Message {
    let start = match frame[1] {
        126 => 4,
        127 => 10,
        _ => 2,
    };
    Message::parse(&frame[start..]).unwrap()
}

fn history(chunk: &Chunk) -> HistoryChunk {
    match message(&chunk.frame) {
        Message::History(history) => history,
        other => panic!("{other:?}"),
    }
}

fn live_seq(view: &View, seq: u64) -> Option<u64> {
    match view.live(seq) {
        Next::Frame(live) => match message(&live.frame) {
            Message::Sample(sample) => Some(sample.seq),
            other => panic!("{other:?}"),
        },
        Next::NotYet | Next::Dropped { .. } => None,
    }
}

#[test]
fn subscribers_with_the_same_wishes_share_a_view_and_it_goes_with_the_last() {
    let (_, views) = fixture(Duration::MAX);
    let filter = |list| MetricFilter::parse(list).unwrap();
    let one = views.get(wishes(Encoding::Json, filter("system.cpu,hw"))).unwrap();
    let other = views.get(wishes(Encoding::Json, filter("hw,system.cpu"))).unwrap();
    assert!(Arc::ptr_eq(&one, &other));
    assert!(!Arc::ptr_eq(&one, &view(&views, Encoding::Json)));
    drop((one, other));
    assert_eq!(views.count(), 0);
}

#[test]
fn a_sample_is_encoded_once_however_many_want_it_and_never_if_nobody_does() {
    let (hub, views) = fixture(Duration::MAX);
    let schema = schema(1, 2);
    publish(&hub, &schema);
    assert_eq!(views.encodings(), 0);
    let view = view(&views, Encoding::Compact);
    let frames: Vec<Bytes> = (0..100)
        .map(|_| match view.live(1) {
            Next::Frame(live) => live.frame,
            Next::NotYet | Next::Dropped { .. } => panic!("sample 1 is there"),
        })
        .collect();
    assert_eq!(views.encodings(), 1);
    assert!(frames.iter().all(|frame| frame.as_ptr() == frames[0].as_ptr()), "the bytes are shared");
}

#[test]
fn the_same_part_of_history_is_encoded_once_while_someone_reads_it() {
    let (hub, views) = fixture(Duration::MAX);
    let schema = schema(1, 2);
    for _ in 0..100 {
        publish(&hub, &schema);
    }
    let view = view(&views, Encoding::Compact);
    let (one, other) = (view.history(1), view.history(1));
    assert!(Arc::ptr_eq(&one, &other) && one.complete);
    assert_eq!(views.encodings(), 100);
    publish(&hub, &schema);
    assert_eq!(view.history(1).next_seq, 102, "a chunk that is no longer complete is not given out as such");
}

#[test]
fn chunks_are_bounded_whole_and_aligned() {
    for (encoding, alignment) in [(Encoding::Json, 8), (Encoding::Compact, 64)] {
        let (hub, views) = fixture(Duration::MAX);
        let schema = schema(1, 100);
        for _ in 0..500 {
            publish(&hub, &schema);
        }
        let view = view(&views, encoding);
        let mut next = 3;
        loop {
            let chunk = view.history(next);
            let text = history(&chunk);
            assert!(chunk.frame.len() <= MAX_CHUNK_BYTES + 10);
            let seqs: Vec<u64> = text.samples.iter().map(|sample| sample.seq).collect();
            assert_eq!(seqs, (next..chunk.next_seq).collect::<Vec<_>>());
            assert_eq!(text.complete, chunk.complete);
            next = chunk.next_seq;
            if chunk.complete {
                break;
            }
            assert_eq!(next % alignment, 0);
        }
        assert_eq!(next, 501);
    }
}

#[test]
fn those_who_stall_at_different_places_of_history_hold_little_together() {
    const READERS: u64 = 4_000;
    let (hub, views) = fixture(Duration::MAX);
    let schema = schema(1, 20);
    for _ in 0..READERS {
        publish(&hub, &schema);
    }
    let view = view(&views, Encoding::Json);
    let held: Vec<_> = (1..=READERS).map(|seq| view.history(seq)).collect();
    // Pieces of 64 KiB would be 250 MiB.
    let bytes: usize = held.iter().map(|chunk| chunk.frame.len()).sum();
    assert!(bytes <= (16 << 20) + READERS as usize * (4 << 10), "{bytes}");
    for (seq, chunk) in (1..).zip(&held) {
        let seqs: Vec<u64> = history(chunk).samples.iter().map(|sample| sample.seq).collect();
        assert_eq!(seqs, (seq..chunk.next_seq).collect::<Vec<_>>());
        assert!(chunk.next_seq > seq);
    }
    drop(held);
    assert!(view.history(1).frame.len() > 16 << 10, "there is room again");
}

#[test]
fn a_compact_chunk_ends_where_the_schema_changes() {
    let (hub, views) = fixture(Duration::MAX);
    let (old, new) = (schema(1, 2), schema(2, 3));
    for schema in [&old, &old, &new] {
        publish(&hub, schema);
    }
    let compact = view(&views, Encoding::Compact);
    let first = compact.history(1);
    assert_eq!((first.next_seq, first.complete, first.schema.as_ref().unwrap().revision), (3, false, 1));
    let second = compact.history(3);
    assert_eq!((second.next_seq, second.complete, second.schema.as_ref().unwrap().revision), (4, true, 2));
    let WireValues::Positional(values) = &history(&second).samples[0].values else { panic!("compact is positional") };
    assert_eq!(values.len(), 3);

    let json = view(&views, Encoding::Json).history(1);
    assert_eq!((json.next_seq, json.complete), (4, true), "json names its values, so it need not stop");
}

#[test]
fn a_view_hears_only_of_series_that_it_shows() {
    let (_, views) = fixture(Duration::MAX);
    let (old, new) = (schema(1, 2), schema(2, 3));
    let notice = view(&views, Encoding::Json).notice_frame(&old, &new).unwrap();
    let added = vec!["system.cpu.utilization{cpu.logical_number=2}".to_owned()];
    assert_eq!(
        message(&notice),
        Message::Notice(Notice { reason: "series_changed".into(), added, ..Notice::default() })
    );
    let memory = views.get(wishes(Encoding::Json, MetricFilter::parse("system.memory").unwrap())).unwrap();
    assert_eq!(memory.notice_frame(&old, &new), None);
}

#[test]
fn history_that_left_the_ring_while_it_was_read_is_named() {
    let (hub, views) = fixture(Duration::from_millis(10));
    let schema = schema(1, 1);
    for _ in 0..1000 {
        publish(&hub, &schema);
    }
    let chunk = view(&views, Encoding::Json).history(5);
    let first = history(&chunk).samples[0].seq;
    assert_eq!(chunk.lost, Some(5..=first - 1));
}

#[test]
fn an_empty_ring_has_an_empty_complete_history() {
    let (_, views) = fixture(Duration::MAX);
    let chunk = view(&views, Encoding::Json).history(1);
    assert_eq!((history(&chunk).samples.len(), chunk.complete, chunk.next_seq), (0, true, 1));
    assert!(chunk.schema.is_none() && chunk.lost.is_none());
}

#[test]
fn whoever_falls_behind_the_backlog_goes_on_at_the_newest() {
    let (hub, views) = fixture(Duration::MAX);
    let schema = schema(1, 10);
    let view = view(&views, Encoding::Compact);
    publish(&hub, &schema);
    assert_eq!(live_seq(&view, 1), Some(1));
    for _ in 0..10 {
        publish(&hub, &schema);
    }
    assert_eq!(live_seq(&view, 2), Some(2), "ten small frames are within the backlog");
    for _ in 0..1000 {
        let seq = publish(&hub, &schema);
        assert_eq!(live_seq(&view, seq), Some(seq), "whoever keeps up gets every one");
    }
    assert!(matches!(view.live(3), Next::Dropped { resume_at: 1012 }));
    assert!(view.state().live_bytes <= BACKLOG);
    assert!(matches!(view.live(1012), Next::NotYet));
}

#[test]
fn a_view_can_be_left_alone_and_come_back_to() {
    let (hub, views) = fixture(Duration::MAX);
    let schema = schema(1, 10);
    let view = view(&views, Encoding::Compact);
    let seq = publish(&hub, &schema);
    assert_eq!(live_seq(&view, seq), Some(seq));
    for _ in 0..1000 {
        publish(&hub, &schema);
    }
    assert_eq!(live_seq(&view, 1001), Some(1001));
    assert_eq!(live_seq(&view, 999), Some(999), "a little behind the newest, and not in store");
    assert_eq!(live_seq(&view, 1001), Some(1001));
}

#[test]
fn too_many_different_views_are_refused_until_one_goes() {
    let (_, views) = fixture(Duration::MAX);
    let filter = |index: usize| MetricFilter::parse(&format!("system.disk.io{{system.device=sd{index}}}")).unwrap();
    let mut held: Vec<_> =
        (0..MAX_CHOICES).map(|index| views.get(wishes(Encoding::Json, filter(index))).unwrap()).collect();
    assert!(views.get(wishes(Encoding::Json, filter(MAX_CHOICES))).is_err());
    assert_eq!(views.refusals(), 1);
    assert!(views.get(wishes(Encoding::Json, MetricFilter::all())).is_ok(), "everything can always be had");
    held.pop();
    assert!(views.get(wishes(Encoding::Json, filter(MAX_CHOICES))).is_ok());
}

/// A view of buckets of ten samples: `publish` takes one each millisecond.
fn folded(views: &Views, encoding: Encoding) -> Arc<View> {
    let buckets = Some(Buckets::new(Duration::from_millis(10)));
    views.get(Wishes { encoding, metrics: MetricFilter::all(), buckets, is_compressed: false }).unwrap()
}

#[test]
fn live_and_history_are_cut_into_the_same_buckets() {
    let (hub, views) = fixture(Duration::MAX);
    let schema = schema(1, 2);
    for _ in 0..95 {
        publish(&hub, &schema);
    }
    let view = folded(&views, Encoding::Compact);
    let chunk = view.history(view.beginning(&hub.join(Start::All).unwrap()));
    let past = history(&chunk).samples;
    // Sample 10 begins the second bucket: the first has nine. That of 90 to 95 is still open.
    assert_eq!(past.iter().map(|bucket| bucket.seq).collect::<Vec<_>>(), [9, 19, 29, 39, 49, 59, 69, 79, 89]);
    assert_eq!((chunk.complete, chunk.next_seq, past[1].samples), (true, 90, Some(10)));
    assert!(matches!(view.live(90), Next::NotYet));

    for _ in 0..5 {
        publish(&hub, &schema);
    }
    let Next::Frame(live) = view.live(90) else { panic!("sample 100 closes the bucket") };
    let Message::Sample(bucket) = message(&live.frame) else { panic!("a bucket is a sample") };
    assert_eq!((bucket.seq, bucket.time, bucket.samples, live.next_seq), (99, 90, Some(10), 100));
    let numbers = |values: Option<WireValues>| match values {
        Some(WireValues::Positional(values)) => values,
        other => panic!("{other:?}"),
    };
    assert_eq!(numbers(bucket.min), [Some(90.0); 2]);
    assert_eq!(numbers(bucket.max), [Some(99.0); 2]);
    assert_eq!(numbers(Some(bucket.values)), [Some(94.5); 2]);
    let joined = hub.join(Start::Live).unwrap();
    assert_eq!((joined.cursor, view.beginning(&joined)), (101, 100), "whoever joins within a bucket gets it whole");
}

#[test]
fn a_bucket_is_encoded_once_and_not_before_it_is_whole() {
    let (hub, views) = fixture(Duration::MAX);
    let schema = schema(1, 2);
    let view = folded(&views, Encoding::Json);
    let mut cursors = [1; 10];
    for _ in 0..100 {
        publish(&hub, &schema);
        for cursor in &mut cursors {
            if let Next::Frame(live) = view.live(*cursor) {
                *cursor = live.next_seq;
            }
        }
    }
    assert_eq!(cursors, [100; 10]);
    assert_eq!(views.encodings(), 10);
}
