//! The stream: hello, schema, history and then live, without a hole and without a repetition.

use std::io::Write as _;

use hostcast::protocol::{Message, WireSample, WireValues};
use serde_json::{Value, json};

use crate::support::{Account, Feed, Http, Pour, Raw, SUBPROTOCOLS, TestDaemon, WIDE, room_for, schema};

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
fn the_server_speaks_the_subprotocol_that_it_echoes() {
    let pour = Pour::new();
    pour.publish(1);
    for (offered, chosen) in [
        (&[][..], None),
        (&["hostcast.v1.json"], Some("hostcast.v1.json")),
        (&["hostcast.v1.compact"], Some("hostcast.v1.compact")),
        (&["hostcast.v1.compact", "hostcast.v1.json"], Some("hostcast.v1.compact")),
        (&["chat", "hostcast.v1.json"], Some("hostcast.v1.json")),
    ] {
        let mut feed = Feed::open(&pour.address, "history=all", offered);
        assert_eq!(feed.subprotocol.as_deref(), chosen, "{offered:?}");
        feed.hello();
        let values = &feed.past()[0].values;
        let is_compact = chosen == Some("hostcast.v1.compact");
        assert_eq!(matches!(values, WireValues::Positional(_)), is_compact, "{offered:?}");
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

#[test]
fn a_handshake_that_cannot_be_is_refused_with_the_reason() {
    let pour = Pour::new();
    pour.publish(5);
    let epoch = pour.hub.epoch();
    let upgrade = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "AQIDBAUGBwgJCgsMDQ4PEA=="),
    ];
    let mut http = Http::connect(&pour.address);
    for (query, parameter) in [
        ("since=nonsense".to_owned(), "since"),
        (format!("since={epoch}"), "since"),
        (format!("since={epoch}:-1"), "since"),
        (format!("since={epoch}:6"), "since"),
        (format!("since={epoch}:5&history=1m"), "history"),
        ("history=yesterday".to_owned(), "history"),
        ("metrics=system.cpu.utilisation".to_owned(), "metrics"),
        ("histroy=1m".to_owned(), "histroy"),
        ("history=1m&history=2m".to_owned(), "history"),
    ] {
        let problem = http.request("GET", &format!("/api/v1/stream?{query}"), &upgrade).problem(400);
        assert_eq!(problem["parameter"], parameter, "{query}: {problem}");
    }
    let with = |name, value| upgrade.into_iter().filter(move |(known, _)| *known != name).chain([(name, value)]);
    let unknown: Vec<_> = with("Sec-WebSocket-Protocol", "chat, hostcast.v2.json").collect();
    let problem = http.request("GET", "/api/v1/stream", &unknown).problem(400);
    assert!(problem["error"].as_str().unwrap().contains("hostcast.v1.compact"), "names what is known: {problem}");
    let short_key: Vec<_> = with("Sec-WebSocket-Key", "AQID").collect();
    http.request("GET", "/api/v1/stream", &short_key).problem(400);
    for wrong in [("Sec-WebSocket-Version", "8"), ("Upgrade", "h2c"), ("Connection", "keep-alive")] {
        let headers: Vec<_> = with(wrong.0, wrong.1).collect();
        let response = http.request("GET", "/api/v1/stream", &headers);
        response.problem(426);
        assert_eq!(
            (response.header("upgrade"), response.header("sec-websocket-version")),
            (Some("websocket"), Some("13"))
        );
    }
    http.get("/api/v1/stream").problem(426);
    // A body could be taken for frames.
    for lines in ["Content-Length: 4\r\n", "Transfer-Encoding: chunked\r\n"] {
        let mut wire = pour.address.connect();
        wire.write_all(&Raw::request_with(&pour.address, "history=none", lines)).unwrap();
        wire.write_all(b"0\r\n\r\n").unwrap();
        wire.shut_down_write();
        assert!(wire.read_until_closed().starts_with(b"HTTP/1.1 400 "), "{lines}");
    }
}

#[test]
fn a_header_list_may_name_the_subprotocols_in_any_form() {
    let pour = Pour::new();
    let request = String::from_utf8(Raw::request(&pour.address, "history=none")).unwrap();
    for list in [
        "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: hostcast.v1.compact\r\n\r\n",
        "sec-websocket-protocol:chat,hostcast.v1.compact ,x\r\n\r\n",
    ] {
        let request = request.strip_suffix("\r\n").unwrap().to_owned() + list;
        let mut raw = Raw::open_with(pour.address.connect(), request.as_bytes());
        let (_, hello) = raw.read();
        assert!(matches!(Message::parse(&hello), Ok(Message::Hello(_))));
    }
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
                assert_eq!((kind(&schema), schema["revision"].as_u64()), ("schema", Some(revision)));
            }
            assert_eq!(kind(&feed.json()), "sample");
        }
    }
}

fn core(number: usize) -> String {
    format!("system.cpu.utilization{{cpu.logical_number={number}}}")
}

/// The number of a compact sample whose values fit the newest schema.
fn checked(feed: &Feed, sample: WireSample) -> u64 {
    let WireValues::Positional(values) = sample.values else { panic!("compact has positions") };
    assert_eq!(values.len(), feed.schema.as_ref().unwrap().series.len(), "sample {}", sample.seq);
    assert_eq!(values[0], Some(sample.seq as f64));
    sample.seq
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
