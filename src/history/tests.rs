//! The ring against a plain list of everything that was ever pushed.

use std::time::SystemTime;

use proptest::prelude::*;

use super::*;
use crate::sample::{Schema, Series};

fn reading(moment: Duration, width: usize, schema: &Arc<Schema>) -> Reading {
    Reading {
        time: SystemTime::UNIX_EPOCH + moment,
        moment,
        elapsed: Duration::from_secs(1),
        missed: None,
        schema: Arc::clone(schema),
        values: vec![0.0; width].into(),
    }
}

fn schema(revision: u64) -> Arc<Schema> {
    Arc::new(Schema { revision, series: Vec::new() })
}

fn ring(window_seconds: u64, max_bytes: u64) -> History {
    let config = HistoryConfig { window: Duration::from_secs(window_seconds), max_bytes };
    History::new(Epoch::random(), &config)
}

#[test]
fn an_empty_ring_offers_nothing_and_begins_at_one() {
    let ring = ring(60, 1 << 20);
    assert_eq!((ring.oldest_seq(), ring.next_seq(), ring.size()), (1, 1, (0, 0)));
    assert_eq!(ring.seq_within(Duration::MAX), 1);
    assert!(ring.newest().is_none() && ring.get(0).is_none() && ring.get(1).is_none());
}

#[test]
fn the_newest_sample_is_held_whatever_the_bounds() {
    let mut ring = ring(0, 0);
    let schema = schema(1);
    for second in 0..100 {
        ring.push(reading(Duration::from_secs(second), 50, &schema));
    }
    assert_eq!(ring.newest().map(|newest| newest.seq), Some(100));
    assert_eq!(ring.oldest_seq(), 100);
}

#[test]
fn schemas_count_against_the_bound_once_each() {
    let mut ring = ring(1_000, 10_000);
    let mut each = 0;
    for second in 0..1_000 {
        let schema = Schema { revision: second, series: vec![Series::new(crate::metric::UPTIME, []); 50] };
        each = schema.footprint() + ring.push(reading(Duration::from_secs(second), 50, &Arc::new(schema))).footprint();
    }
    assert_eq!(ring.size(), (10_000 / each, 10_000 / each * each));
    let schema = schema(1);
    let mut ring = self::ring(1_000, 10_000);
    for second in 0..10 {
        ring.push(reading(Duration::from_secs(second), 1, &schema));
    }
    assert_eq!(
        ring.size(),
        (10, schema.footprint() + ring.from(0).map(|(sample, _)| sample.footprint()).sum::<usize>())
    );
}

#[test]
fn a_position_is_read_back_as_it_was_written_and_nothing_else_is() {
    let position = Position { epoch: Epoch::random(), seq: 42 };
    assert_eq!(position.to_string().parse(), Ok(position));
    for text in [
        "",
        ":",
        "0123456789abcdef",
        "0123456789abcdef:",
        "0123456789abcdef:+1",
        "0123456789abcdef:-1",
        "0123456789abcdef: 1",
        "0123456789ABCDEF:1",
        "+123456789abcdef:1",
        "0123456789abcde:1",
        "0123456789abcdef:1:2",
        "0123456789abcdef:18446744073709551616",
    ] {
        assert_eq!(text.parse::<Position>(), Err(ParsePositionError), "{text:?}");
    }
}

proptest! {
    #[test]
    fn holes_are_told_of_right_before_the_sample_behind_them(
        steps in prop::collection::vec(prop::collection::vec(0_u64..4, 0..3), 1..200), window in 1_u64..300, asked in 0_u64..600,
    ) {
        let mut ring = ring(window, u64::MAX);
        let schema = schema(1);
        let mut all = Vec::new();
        for (holes, second) in steps.iter().zip(0..) {
            let holes: Vec<_> = holes.iter().map(|&samples| Hole { samples, reason: GapReason::Down }).collect();
            let sample = ring.push_behind(&holes, reading(Duration::from_secs(second), 1, &schema));
            all.push((sample.seq, holes.iter().map(|hole| hole.samples).sum::<u64>()));
        }
        let held: Vec<_> = all.iter().filter(|(seq, _)| *seq >= ring.oldest_held()).collect();
        prop_assert_eq!(ring.next_seq(), all.iter().map(|(_, missing)| 1 + missing).sum::<u64>() + 1);
        prop_assert_eq!(ring.get(asked).map(|sample| sample.seq), held.iter().map(|(seq, _)| *seq).find(|seq| *seq == asked));
        let mut next = None;
        let mut expected = held.into_iter().filter(|(seq, _)| *seq >= asked);
        for (sample, gaps) in ring.from(asked) {
            prop_assert_eq!(expected.next().map(|(seq, _)| *seq), Some(sample.seq));
            for gap in gaps {
                prop_assert_eq!(gap.from_seq, next.unwrap_or(gap.from_seq));
                next = gap.to_seq.map(|to_seq| to_seq + 1);
            }
            prop_assert_eq!(sample.seq, next.unwrap_or(sample.seq));
            next = Some(sample.seq + 1);
        }
        prop_assert!(expected.next().is_none());
    }

    #[test]
    fn the_ring_holds_a_whole_recent_past_within_its_bounds(
        steps in prop::collection::vec((0_u64..5, 0_usize..40), 1..300),
        window in 0_u64..60,
        max_bytes in 0_u64..20_000,
    ) {
        let (mut ring, schema) = (ring(window, max_bytes), schema(1));
        let mut pushed = Vec::new();
        let mut now = Duration::ZERO;
        for (seconds, width) in steps {
            now += Duration::from_secs(seconds);
            pushed.push(ring.push(reading(now, width, &schema)));

            prop_assert_eq!(ring.next_seq(), pushed.len() as u64 + 1);
            let held: Vec<u64> = ring.from(0).map(|(sample, _)| sample.seq).collect();
            let expected: Vec<u64> = (ring.oldest_held()..ring.next_seq()).collect();
            prop_assert_eq!(held, expected, "held samples have no hole");

            let offered = &pushed[ring.oldest_seq() as usize - 1..];
            let with_first = if ring.oldest_seq() == 1 { schema.footprint() } else { 0 };
            let bytes = with_first + offered.iter().map(|sample| sample.footprint()).sum::<usize>();
            prop_assert_eq!(ring.size(), (offered.len(), bytes));
            if offered.len() > 1 {
                prop_assert!(bytes as u64 <= max_bytes);
                prop_assert!(now.saturating_sub(offered[0].reading.moment) <= Duration::from_secs(window));
            }
            if ring.oldest_seq() > 1 {
                // Nothing is let go of before its time.
                let before = &pushed[ring.oldest_seq() as usize - 2];
                let is_old = now.saturating_sub(before.reading.moment) > Duration::from_secs(window);
                let before = before.footprint() + if before.seq == 1 { schema.footprint() } else { 0 };
                prop_assert!(is_old || (bytes + before) as u64 > max_bytes || offered.len() == 1);
            }
            prop_assert!(ring.oldest_seq() - ring.oldest_held() <= 8 + ring.samples.len() as u64 / 16);
        }
    }

    #[test]
    fn a_span_begins_at_the_first_sample_that_lies_in_it(
        steps in prop::collection::vec(0_u64..5, 1..100), span in 0_u64..200,
    ) {
        let (mut ring, schema) = (ring(100, 1 << 20), schema(1));
        let mut now = Duration::ZERO;
        for seconds in steps {
            now += Duration::from_secs(seconds);
            ring.push(reading(now, 1, &schema));
        }
        let start = now.saturating_sub(Duration::from_secs(span));
        let expected = ring.from(ring.oldest_seq()).map(|(sample, _)| sample).find(|sample| sample.reading.moment >= start).map(|sample| sample.seq);
        prop_assert_eq!(Some(ring.seq_within(Duration::from_secs(span))), expected);
    }
}
