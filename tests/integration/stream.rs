//! The stream: hello, schema, history and then live, without a hole and without a repetition.

use hostcast::protocol::{Message, WireSample, WireValues};
use serde_json::{Value, json};

use crate::support::{Account, Pour, SUBPROTOCOLS, TestDaemon, WIDE, room_for, schema};

fn kind(message: &Value) -> &str {
    message["type"].as_str().unwrap()
}

#[test]
fn a_subscriber_hears_hello_schema_history_and_then_live() {
    let daemon = TestDaemon::start();
    daemon.wait_for(3);
    for subprotocol in SUBPROTOCOLS {
        let mut feed = daemon.feed("history=all", subprotocol);
        let hello = feed.json();
        assert_eq!(kind(&hello), "hello");
        assert_eq!(hello["protocol"], "hostcast.v1");
        assert_eq!(hello["interval_ms"], 100);
        assert_eq!(hello["heartbeat_ms"], 5_000);
        assert_eq!(hello["oldest_seq"], 1);
        assert!(hello["next_seq"].as_u64().unwrap() > 3);
        assert_eq!(kind(&feed.json()), "schema");
        let mut past = Vec::new();
        loop {
            let chunk = feed.json();
            assert_eq!(kind(&chunk), "history");
            past.extend(chunk["samples"].as_array().unwrap().clone());
            if chunk["complete"] == true {
                break;
            }
        }
        let seqs: Vec<_> = past.iter().map(|sample| sample["seq"].as_u64().unwrap()).collect();
        assert!(seqs.iter().copied().eq(1..=seqs.len() as u64), "{seqs:?}");
        for next in 1..=3 {
            let live = feed.json();
            assert_eq!(kind(&live), "sample");
            assert_eq!(live["seq"], seqs.len() as u64 + next);
            let fields: Vec<_> = live.as_object().unwrap().keys().map(String::as_str).collect();
            assert!(
                fields.iter().all(|field| ["type", "seq", "time", "elapsed_ms", "missed", "values"].contains(field))
            );
        }
    }
}

#[test]
fn values_are_keyed_by_id_in_json_and_follow_the_schema_in_compact() {
    let daemon = TestDaemon::start();
    daemon.wait_for(3);
    let [named, positional] = SUBPROTOCOLS.map(|subprotocol| {
        let mut feed = daemon.feed("history=all", subprotocol);
        feed.hello();
        let past = feed.past();
        (past, feed.schema.unwrap())
    });
    let (schema, ids) = (&positional.1, positional.1.series.iter().map(|series| series.id.clone()));
    assert_eq!(schema, &named.1);
    let ids: Vec<_> = ids.collect();
    for (named, positional) in named.0.iter().zip(&positional.0) {
        let (WireValues::Named(by_id), WireValues::Positional(row)) = (&named.values, &positional.values) else {
            panic!("{named:?} {positional:?}")
        };
        assert_eq!((named.seq, named.time, by_id.len()), (positional.seq, positional.time, ids.len()));
        assert!(ids.iter().zip(row).all(|(id, value)| by_id[id] == *value), "{named:?} {positional:?}");
    }
    for series in &schema.series {
        let attributes: Vec<_> = series.attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let id = match &attributes[..] {
            [] => series.name.clone(),
            some => format!("{}{{{}}}", series.name, some.join(",")),
        };
        assert_eq!(series.id, id);
    }
}

#[test]
fn history_is_as_long_as_it_was_asked_for() {
    let pour = Pour::new();
    pour.publish(2_000);
    for (query, first) in [
        ("history=all", 1),
        ("history=500ms", 1_500),
        ("history=1s", 1_000),
        ("history=10m", 1),
        // Samples are a millisecond apart, and a minute is what one gets who does not say.
        ("", 1),
    ] {
        for subprotocol in SUBPROTOCOLS {
            let mut feed = pour.feed(query, subprotocol);
            assert_eq!(feed.hello().next_seq, 2_001);
            let past = feed.past();
            assert!(past.iter().map(|sample| sample.seq).eq(first..=2_000), "{query}: {:?}", past.first());
            pour.check(&past);
        }
    }
}

#[test]
fn without_history_the_stream_begins_with_the_next_sample() {
    let pour = Pour::new();
    pour.publish(10);
    for subprotocol in SUBPROTOCOLS {
        let next = pour.hub.next_seq();
        let mut feed = pour.feed("history=none", subprotocol);
        feed.hello();
        assert_eq!(feed.past(), [], "an empty history is sent too, so that its end is seen");
        pour.publish(1);
        assert_eq!(feed.live().seq, next);
    }
}

#[test]
fn whoever_comes_before_the_first_sample_gets_it_with_its_schema() {
    for subprotocol in SUBPROTOCOLS {
        let pour = Pour::new();
        let mut feed = pour.feed("history=all", subprotocol);
        let hello = feed.hello();
        assert_eq!((hello.oldest_seq, hello.next_seq), (1, 1));
        assert_eq!(feed.past(), []);
        assert_eq!(feed.schema, None);
        pour.publish(2);
        pour.check(&[feed.live()]);
        assert_eq!(feed.schema.as_ref().unwrap().series.len(), pour.schema.series.len());
        pour.check(&[feed.live()]);
    }
}

#[test]
fn a_filter_leaves_only_what_was_asked_for() {
    let pour = Pour::new();
    pour.publish(3);
    let query = "history=all&metrics=system.cpu.utilization{cpu.logical_number=1},system.uptime";
    let uptime_and_core_1 = ["system.uptime", "system.cpu.utilization{cpu.logical_number=1}"];
    for subprotocol in SUBPROTOCOLS {
        let mut feed = pour.feed(&query.replace('{', "%7B").replace('}', "%7D"), subprotocol);
        feed.hello();
        let samples: Vec<WireSample> = feed.past();
        let ids: Vec<_> = feed.schema.as_ref().unwrap().series.iter().map(|series| &*series.id).collect();
        assert_eq!(ids, uptime_and_core_1);
        for sample in samples {
            let seq = sample.seq as f64;
            match sample.values {
                WireValues::Positional(values) => assert_eq!(values, [Some(seq), Some((seq + 2.0) / 1e4)]),
                WireValues::Named(values) => assert!(values.keys().eq([uptime_and_core_1[1], uptime_and_core_1[0]])),
            }
        }
    }
}

#[test]
fn a_filter_that_fits_nothing_here_still_gives_a_heartbeat_of_samples() {
    let pour = Pour::new();
    pour.publish(1);
    let mut feed = pour.feed("history=all&metrics=hw.temperature", "hostcast.v1.compact");
    feed.hello();
    assert_eq!(feed.past()[0].values, WireValues::Positional(Vec::new()));
}

/// The promise of the whole project: history and live are one sequence.
#[test]
fn joining_while_samples_pour_in_leaves_no_hole_and_no_repetition() {
    const HELD: usize = 4_000;
    // Within the sixteenth that the ring keeps for those who still read what has just left it.
    const SLACK: u64 = 200;
    let pour = Pour::with(|config| {
        config.history.max_bytes = room_for(HELD);
        config.server.limits.max_backlog_bytes = 1 << 30;
    });
    pour.publish(HELD as u64 + 500);
    let rope = pour.pour(SLACK);
    let mut while_joining = 0;
    for round in 0..500 {
        let before = pour.newest();
        let query = match round % 50 {
            0 => "history=all".to_owned(),
            turn if turn % 4 == 0 => "history=none".to_owned(),
            turn if turn % 4 == 1 => "history=300ms".to_owned(),
            turn if turn % 4 == 2 => "history=50ms".to_owned(),
            _ => format!("since={}:{before}", pour.hub.epoch()),
        };
        rope.seen(before);
        let mut feed = pour.feed(&query, SUBPROTOCOLS[round % 2]);
        let hello = feed.hello();
        while_joining += hello.next_seq - 1 - before;
        rope.seen(hello.next_seq);
        let mut account: Option<Account> = None;
        let target = hello.next_seq + 50;
        loop {
            let message = feed.message();
            let samples = match &message {
                Message::History(chunk) => &chunk.samples[..],
                Message::Sample(sample) => std::slice::from_ref(sample),
                _ => continue,
            };
            let Some(first) = samples.first() else { continue };
            let account = account.get_or_insert_with(|| Account::from(hello.epoch, first.seq));
            pour.check(samples);
            for sample in samples {
                account.sample(sample);
            }
            rope.seen(account.next - 1);
            if account.next > target {
                break;
            }
        }
        let account = account.unwrap();
        let first = account.next - account.seen;
        match round % 50 {
            0 => assert_eq!(first, hello.oldest_seq),
            turn if turn % 4 == 0 => assert_eq!(first, hello.next_seq),
            turn if turn % 4 == 1 => assert_eq!(first, hello.next_seq - 1 - 300),
            turn if turn % 4 == 2 => assert_eq!(first, hello.next_seq - 1 - 50),
            _ => assert_eq!(first, before + 1),
        }
    }
    assert!(while_joining > 0, "nothing was published while someone joined, so nothing was proved");
}

#[test]
fn a_long_history_comes_in_pieces_of_64_kib() {
    let mut pour = Pour::new();
    pour.schema = schema(1, WIDE);
    pour.publish(200);
    for subprotocol in SUBPROTOCOLS {
        let mut feed = pour.feed("history=all", subprotocol);
        feed.hello();
        let (mut pieces, mut next) = (0, 1);
        loop {
            let text = feed.text();
            match Message::parse(text.as_bytes()).unwrap() {
                Message::Schema(_) => {}
                Message::History(chunk) => {
                    assert!(text.len() <= 64 << 10, "{} bytes", text.len());
                    pieces += 1;
                    pour.check(&chunk.samples);
                    for sample in &chunk.samples {
                        assert_eq!(sample.seq, next);
                        next += 1;
                    }
                    if chunk.complete {
                        break;
                    }
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(pieces > 2 && next == 201, "{pieces} pieces up to {next}");
    }
}

#[test]
fn values_are_cut_to_what_they_mean_and_missing_ones_are_null() {
    let pour = Pour::new();
    let mut feed = pour.feed("history=none", "hostcast.v1.json");
    feed.hello();
    feed.past();
    let values = [12.345_6, f64::NAN, 0.123_456_789];
    let reading = hostcast::sample::Reading {
        time: std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_millis(1_700_000_000_123),
        moment: std::time::Duration::from_secs(1),
        elapsed: std::time::Duration::from_micros(100_049),
        missed: Some(hostcast::sample::Missed { ticks: 3, reason: hostcast::sample::MissedReason::Suspended }),
        schema: pour.schema.clone(),
        values: values.into(),
    };
    pour.hub.publish(reading);
    assert_eq!(feed.json()["type"], "schema");
    assert_eq!(
        feed.json(),
        json!({
            "type": "sample",
            "seq": 1,
            "time": 1_700_000_000_123_u64,
            "elapsed_ms": 100,
            "missed": {"ticks": 3, "reason": "suspended"},
            "values": {
                "system.uptime": 12.35,
                "system.cpu.utilization{cpu.logical_number=0}": null,
                "system.cpu.utilization{cpu.logical_number=1}": 0.1235,
            },
        })
    );
}
