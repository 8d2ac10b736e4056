//! Series that come and go while they are streamed.

use hostcast::protocol::{Message, WireSample, WireValues};
use serde_json::json;

use crate::support::{Feed, Pour, SUBPROTOCOLS, schema};

#[test]
fn a_new_schema_is_told_before_the_first_sample_that_needs_it() {
    let mut pour = Pour::new();
    let mut live = pour.feed("history=none", "hostcast.v1.compact");
    let mut json = pour.feed("history=none", "hostcast.v1.json");
    for feed in [&mut live, &mut json] {
        feed.hello();
        assert_eq!(feed.past(), []);
    }
    let schemas = [schema(1, 2), schema(2, 5), schema(3, 0)];
    for schema in &schemas {
        pour.schema = schema.clone();
        pour.publish(20);
    }
    // Live: the schema, then its samples; and the same for those who come later and read history.
    let mut late = pour.feed("history=all", "hostcast.v1.compact");
    late.hello();
    for feed in [&mut live, &mut late] {
        let mut seqs = Vec::new();
        while seqs.len() < 60 {
            match feed.message() {
                Message::Schema(_) | Message::Notice(_) => {}
                Message::Sample(sample) => seqs.push(checked(feed, sample)),
                Message::History(chunk) => {
                    for sample in chunk.samples {
                        seqs.push(checked(feed, sample));
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(seqs.into_iter().eq(1..=60));
    }
    // In JSON each sample describes itself.
    for seq in 1..=60 {
        let sample = json.live();
        assert_eq!(sample.seq, seq);
        let WireValues::Named(values) = sample.values else { panic!("json has names") };
        let series = &schemas[(seq as usize - 1) / 20].series;
        assert_eq!(values.len(), series.len());
        assert!(series.iter().all(|series| values.contains_key(&*series.id)));
    }
}

/// The number of a compact sample whose values fit the newest schema.
fn checked(feed: &Feed, sample: WireSample) -> u64 {
    let WireValues::Positional(values) = sample.values else { panic!("compact has positions") };
    assert_eq!(values.len(), feed.schema.as_ref().unwrap().series.len(), "sample {}", sample.seq);
    assert_eq!(values[0], Some(sample.seq as f64));
    sample.seq
}

#[test]
fn a_notice_names_the_series_that_came_and_went() {
    for subprotocol in SUBPROTOCOLS {
        let mut pour = Pour::new();
        let mut feed = pour.feed("history=none", subprotocol);
        feed.hello();
        feed.past();
        pour.publish(1);
        feed.live();
        for (revision, cores, notice) in [
            (2, 3, json!({"type": "notice", "reason": "series_changed", "added": [core(2)]})),
            (3, 1, json!({"type": "notice", "reason": "series_changed", "removed": [core(1), core(2)]})),
        ] {
            pour.schema = schema(revision, cores);
            pour.publish(1);
            assert_eq!(feed.json(), notice);
            let is_compact = subprotocol == "hostcast.v1.compact";
            if is_compact {
                let schema = feed.json();
                assert_eq!((&schema["type"], schema["revision"].as_u64()), (&json!("schema"), Some(revision)));
            }
            assert_eq!(feed.json()["type"], "sample");
        }
    }
}

fn core(number: usize) -> String {
    format!("system.cpu.utilization{{cpu.logical_number={number}}}")
}

#[test]
fn a_change_of_series_within_the_history_is_no_news() {
    let mut pour = Pour::new();
    pour.publish(5);
    pour.schema = schema(2, 3);
    pour.publish(5);
    let mut feed = pour.feed("history=all", "hostcast.v1.json");
    feed.hello();
    assert_eq!(feed.past().len(), 10);
    pour.publish(1);
    // A notice would come before it.
    assert_eq!(feed.live().seq, 11);
}
