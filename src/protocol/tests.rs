//! What is written is what is read: the sampler's side and the client's side of each message.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, SystemTime},
};

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;
use crate::{
    history::Epoch,
    hub::{Gap, GapReason},
    metric,
    sample::{Host, Missed, MissedReason, Reading, Sample, Schema, Series},
};

fn schema() -> Schema {
    let series = metric::ALL.iter().map(|metric| Series::new(metric, [("system.device", "vda")])).collect();
    Schema { revision: 1, series }
}

fn value() -> impl Strategy<Value = f64> {
    prop_oneof![Just(f64::NAN), Just(0.0), 0.0..1.0, -1e3..1e3, 0.0..1e16, 0.0..1e300]
}

fn missed() -> impl Strategy<Value = Option<Missed>> {
    let reason = prop_oneof![Just(MissedReason::Late), Just(MissedReason::Suspended)];
    prop::option::of((1_u64..1000, reason).prop_map(|(ticks, reason)| Missed { ticks, reason }))
}

prop_compose! {
    fn sample()(
        seq in 1_u64..u64::MAX, millis in 0_u64..1 << 50, elapsed in 0_u64..1 << 40, missed in missed(),
        values in prop::collection::vec(value(), metric::ALL.len()),
    ) -> Sample {
        Sample {
            seq,
            reading: Reading {
                time: SystemTime::UNIX_EPOCH + Duration::from_millis(millis),
                moment: Duration::ZERO,
                elapsed: Duration::from_micros(elapsed),
                missed,
                schema: Arc::new(schema()),
                values: values.into(),
            },
        }
    }
}

/// The value as it should arrive.
fn cut(value: f64, unit: metric::Unit) -> Option<f64> {
    (!value.is_nan()).then(|| rounded(value, unit.decimals()))
}

fn read(sample: &Sample, encoding: Encoding) -> WireSample {
    let projection = Projection::new(encoding, &MetricFilter::all(), &sample.reading.schema);
    let mut text = Vec::new();
    SampleText { sample, projection: &projection }.message(&mut text);
    match Message::parse(&text) {
        Ok(Message::Sample(read)) => read,
        other => panic!("{other:?} from {}", String::from_utf8_lossy(&text)),
    }
}

proptest! {
    #[test]
    fn a_sample_arrives_as_it_was_taken(sample in sample()) {
        let reading = &sample.reading;
        let expected: Vec<Option<f64>> =
            reading.schema.series.iter().zip(&reading.values).map(|(series, &value)| cut(value, series.metric.unit)).collect();

        let compact = read(&sample, Encoding::Compact);
        prop_assert_eq!(compact.seq, sample.seq);
        prop_assert_eq!(SystemTime::UNIX_EPOCH + Duration::from_millis(compact.time), reading.time);
        prop_assert!((compact.elapsed_ms - reading.elapsed.as_secs_f64() * 1e3).abs() <= 0.051);
        prop_assert_eq!(compact.missed, reading.missed);
        prop_assert_eq!(&compact.values, &WireValues::Positional(expected.clone()));

        let WireValues::Named(named) = read(&sample, Encoding::Json).values else { panic!("json names its values") };
        for (series, value) in reading.schema.series.iter().zip(expected) {
            prop_assert_eq!(named[&*series.id], value);
        }
    }

    #[test]
    fn cutting_keeps_within_half_of_the_last_decimal(value in -1e9..1e9, decimals in 0_u32..5) {
        prop_assert!((rounded(value, decimals) - value).abs() <= 0.500_001 / f64::from(10_u32.pow(decimals)));
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Message::parse(&text);
    }
}

#[test]
fn every_other_message_is_read_back_as_it_was_written() {
    let epoch = Epoch::random();
    let (protocol, server) = Hello::protocol_and_server();
    let host =
        HelloHost { host: Host { name: "web-1 \"\u{7}".into(), cpus: 4, ..Host::default() }, ..HelloHost::default() };
    let hello = Hello {
        protocol,
        server,
        host,
        epoch,
        interval_ms: 1000,
        oldest_seq: 1,
        next_seq: 9,
        heartbeat_ms: 5000,
        replay: None,
    };
    let projection = Projection::new(Encoding::Compact, &MetricFilter::all(), &schema());
    for message in [
        Message::Hello(hello),
        projection.schema_message(&schema()),
        Message::Gap(Gap { epoch, from_seq: 3, to_seq: None, reason: GapReason::Restarted }),
        Message::Gap(Gap { epoch, from_seq: 3, to_seq: Some(7), reason: GapReason::Slow }),
        Message::History(HistoryChunk { samples: Vec::new(), complete: true }),
        Message::Heartbeat(Heartbeat { seq: 7, time: 1 }),
        Message::Notice(Notice {
            reason: "series_changed".into(),
            added: vec!["system.uptime".into()],
            ..Notice::default()
        }),
        Message::Notice(Notice {
            reason: "config_reloaded".into(),
            changed: vec!["sampler.interval".into()],
            interval_ms: Some(100),
            heartbeat_ms: Some(5_000),
            labels: Some([("site".into(), "fra1".into())].into()),
            ..Notice::default()
        }),
        Message::Bye(Bye { reason: "shutting_down".into(), retry_ms: Some(1000) }),
    ] {
        assert_eq!(Message::parse(&message.to_text()).unwrap(), message);
    }
}

#[test]
fn a_type_that_is_not_known_is_an_error_that_names_it() {
    let error = Message::parse(br#"{"type":"surprise"}"#).unwrap_err();
    assert!(error.to_string().contains("surprise"), "{error}");
}

#[test]
fn the_documentation_shows_every_message_with_its_fields() {
    let documentation = include_str!("../../docs/protocol.md");
    let examples = documentation.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let mut shown = BTreeSet::new();
    for example in examples {
        let message = Message::parse(example.as_bytes()).unwrap();
        let written: Json = serde_json::from_str(example).unwrap();
        let ours: Json = serde_json::from_slice(&message.to_text()).unwrap();
        assert_eq!(paths(&written), paths(&ours), "{example}");
        shown.insert(written["type"].as_str().unwrap().to_owned());
    }
    let all = ["bye", "gap", "heartbeat", "hello", "history", "notice", "sample", "schema"];
    assert_eq!(shown, all.map(str::to_owned).into());
}

/// Every place in a document where something stands.
fn paths(document: &Json) -> BTreeSet<String> {
    let below = |key: &str, value: &Json| {
        let within = paths(value).into_iter().map(|path| format!("{key}.{path}"));
        within.chain([key.to_owned()]).collect::<Vec<_>>()
    };
    match document {
        Json::Object(fields) => fields.iter().flat_map(|(key, value)| below(key, value)).collect(),
        Json::Array(items) => items.iter().zip(0_u32..).flat_map(|(item, at)| below(&at.to_string(), item)).collect(),
        _ => BTreeSet::new(),
    }
}
