//! `/api/v1/samples`: the stream's samples for curl, spreadsheets and scripts.

use std::{
    io::BufRead,
    process::{Command, Stdio},
};

use hostcast::protocol::{Message, WireSample};
use serde_json::{Value, json};

use crate::support::{Account, Http, Pour, SUBPROTOCOLS, TestDaemon, WIDE, room_for, schema};

fn samples(document: &Value) -> Vec<WireSample> {
    serde_json::from_value(document["samples"].clone()).unwrap()
}

fn messages(lines: &str) -> Vec<Message> {
    lines.lines().map(|line| Message::parse(line.as_bytes()).unwrap()).collect()
}

/// The numbers in the first column of a CSV.
fn first_column(table: &str) -> Vec<u64> {
    table.lines().skip(1).map(|row| row.split(',').next().unwrap().parse().unwrap()).collect()
}

#[test]
fn samples_come_as_one_document_as_lines_or_as_a_table() {
    let pour = Pour::new();
    pour.publish(100);
    let mut http = Http::connect(&pour.address);

    let answer = http.get("/api/v1/samples");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let document = answer.json();
    assert_eq!(document["epoch"], pour.hub.epoch().to_string());
    assert_eq!((&document["interval_ms"], &document["gaps"]), (&json!(1_000), &json!([])));
    assert_eq!((&document["oldest_seq"], &document["next_seq"]), (&json!(1), &json!(101)));
    let in_document = samples(&document);
    assert!(in_document.iter().map(|sample| sample.seq).eq(1..=100));
    pour.check(&in_document);

    let answer = http.get("/api/v1/samples?format=ndjson");
    assert_eq!(answer.header("content-type"), Some("application/x-ndjson"));
    let in_lines = messages(answer.text()).into_iter().map(|message| match message {
        Message::Sample(sample) => sample,
        other => panic!("{other:?}"),
    });
    assert!(in_lines.eq(in_document));

    let answer = http.get("/api/v1/samples?format=csv");
    assert_eq!(answer.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    assert_eq!(answer.header("hostcast-gap"), None);
    let table = answer.text();
    assert!(table.starts_with(
        "seq,time,elapsed_ms,missed_ticks,missed_reason,system.uptime,\
         system.cpu.utilization{cpu.logical_number=0},system.cpu.utilization{cpu.logical_number=1}\r\n\
         1,1,1,0,,1,0.0002,0.0003\r\n2,2,1,0,,2,0.0003,0.0004\r\n"
    ));
    assert!(first_column(table).into_iter().eq(1..=100));
}

#[test]
fn samples_are_chosen_by_position_time_age_and_metric() {
    let pour = Pour::new();
    pour.publish(1_000);
    let mut http = Http::connect(&pour.address);
    let epoch = pour.hub.epoch();
    for (query, expected) in [
        ("last=100ms".to_owned(), 900..=1_000),
        ("last=all".to_owned(), 1..=1_000),
        (format!("since={epoch}:990"), 991..=1_000),
        // `Pour` takes its first sample a millisecond after 1970 began, and each next one a millisecond later.
        ("since=1970-01-01T00:00:00.500Z".to_owned(), 500..=1_000),
        ("since=500&until=510".to_owned(), 500..=509),
        ("until=4".to_owned(), 1..=3),
    ] {
        let document = http.get(&format!("/api/v1/samples?{query}")).json();
        let seqs: Vec<_> = samples(&document).iter().map(|sample| sample.seq).collect();
        assert!(seqs.iter().copied().eq(expected), "{query}: {:?}..{:?}", seqs.first(), seqs.last());
    }
    let document = http.get("/api/v1/samples?until=2&metrics=system.uptime").json();
    assert_eq!(document["samples"][0]["values"], json!({"system.uptime": 1}));
    assert_eq!(http.get("/api/v1/samples?last=none").json()["samples"], json!([]));
    let table = http.get("/api/v1/samples?until=2&metrics=system.uptime&format=csv").text().to_owned();
    assert_eq!(table, "seq,time,elapsed_ms,missed_ticks,missed_reason,system.uptime\r\n1,1,1,0,,1\r\n");
}

#[test]
fn a_quoted_column_keeps_its_comma() {
    let daemon = TestDaemon::with("[sampler]\ninterval = \"100ms\"\n[collectors.network]\nexclude = []\n");
    daemon.wait_for(1);
    let answer = daemon.get("/api/v1/samples?format=csv&metrics=system.network.io");
    let head = answer.text().lines().next().unwrap();
    assert!(head.contains(r#","system.network.io{network.interface.name=lo,network.io.direction=receive}""#), "{head}");
}

#[test]
fn what_is_missing_is_named_in_every_format() {
    let room = room_for(50);
    let pour = Pour::with(|config| config.history.max_bytes = room);
    pour.publish(1_000);
    let mut http = Http::connect(&pour.address);
    let epoch = pour.hub.epoch();
    let since = format!("since={epoch}:7");

    let document = http.get(&format!("/api/v1/samples?{since}")).json();
    let gap = &document["gaps"][0];
    let first = samples(&document)[0].seq;
    assert_eq!(*gap, json!({"epoch": epoch, "from_seq": 8, "to_seq": first - 1, "reason": "evicted"}));
    assert!(samples(&document).iter().map(|sample| sample.seq).eq(first..=1_000));

    let lines = http.get(&format!("/api/v1/samples?{since}&format=ndjson"));
    let mut account = Account::from(epoch, 8);
    for message in messages(lines.text()) {
        account.message(&message);
    }
    assert_eq!((account.next, account.missing()), (1_001, first - 8));

    let table = http.get(&format!("/api/v1/samples?{since}&format=csv"));
    let in_head: Value = serde_json::from_str(table.header("hostcast-gap").unwrap()).unwrap();
    assert_eq!(in_head, *gap);
    assert!(first_column(table.text()).into_iter().eq(first..=1_000));

    let restarted = http.get("/api/v1/samples?since=0123456789abcdef:41").json();
    let oldest = samples(&restarted)[0].seq;
    let expected = json!([
        {"epoch": "0123456789abcdef", "from_seq": 42, "to_seq": null, "reason": "restarted"},
        {"epoch": epoch, "from_seq": 1, "to_seq": oldest - 1, "reason": "evicted"},
    ]);
    assert_eq!(restarted["gaps"], expected);
}

#[test]
fn a_follower_gets_the_past_and_then_each_sample() {
    for format in ["ndjson", "csv"] {
        let pour = Pour::new();
        pour.publish(10);
        let mut http = Http::connect(&pour.address);
        let (_, rest) = http.follow(&format!("/api/v1/samples?format={format}&follow=true"));
        let mut lines = rest.lines().map(Result::unwrap).skip(usize::from(format == "csv"));
        let mut next = || match (format, lines.next().unwrap()) {
            ("csv", row) => row.split(',').next().unwrap().parse().unwrap(),
            (_, line) => match Message::parse(line.as_bytes()).unwrap() {
                Message::Sample(sample) => sample.seq,
                other => panic!("{other:?}"),
            },
        };
        assert!((0..10).map(|_| next()).eq(1..=10));
        for seq in 11..=60 {
            pour.publish(1);
            assert_eq!(next(), seq, "{format}");
        }
    }
}

#[test]
fn a_follower_that_does_not_read_is_told_what_it_missed() {
    let mut pour = Pour::with(|config| config.history.max_bytes = 4 << 20);
    pour.schema = schema(1, WIDE);
    pour.publish(1);
    let mut http = Http::over(pour.address.connect_with_small_buffer(), &pour.address);
    let (_, rest) = http.follow("/api/v1/samples?format=ndjson&follow=true&last=all");
    // Some 60 MB as JSON, of which the ring holds a few.
    pour.publish(3_000);
    let mut account = Account::from(pour.hub.epoch(), 1);
    for line in rest.lines() {
        account.message(&Message::parse(line.unwrap().as_bytes()).unwrap());
        if account.next > 3_000 {
            break;
        }
    }
    assert!(account.missing() > 0 && account.seen > 1, "{account:?}");
}

#[test]
fn curl_follows_the_feed() {
    let daemon = TestDaemon::start();
    let url = format!("http://{}/api/v1/samples?format=ndjson&follow=true&last=none", daemon.address);
    let mut command = Command::new("curl");
    let Ok(mut curl) = command.args(["-sN", &url]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn() else {
        crate::support::skipped("curl is not installed");
        return;
    };
    let lines = std::io::BufReader::new(curl.stdout.take().unwrap()).lines();
    let samples = lines.take(5).map(|line| match Message::parse(line.unwrap().as_bytes()).unwrap() {
        Message::Sample(sample) => sample.seq,
        other => panic!("{other:?}"),
    });
    let seqs: Vec<_> = samples.collect();
    assert!(seqs.iter().copied().eq(seqs[0]..seqs[0] + 5), "{seqs:?}");
    curl.kill().unwrap();
    curl.wait().unwrap();
}

#[test]
fn a_long_answer_is_whole() {
    let mut pour = Pour::new();
    pour.schema = schema(1, WIDE);
    pour.publish(300);
    let mut http = Http::connect(&pour.address);
    let answer = http.get("/api/v1/samples?last=all");
    assert!(answer.body.len() > 4 << 20, "{} bytes", answer.body.len());
    let samples = samples(&answer.json());
    assert_eq!(samples.len(), 300);
    pour.check(&samples);
    assert!(first_column(http.get("/api/v1/samples?last=all&format=csv").text()).into_iter().eq(1..=300));
}

#[test]
fn a_follower_and_a_subscriber_see_the_same() {
    let daemon = TestDaemon::start();
    daemon.wait_for(3);
    for subprotocol in SUBPROTOCOLS {
        let mut feed = daemon.feed("history=all", subprotocol);
        let hello = feed.hello();
        let streamed: Vec<_> = feed.past().iter().map(|sample| (sample.seq, sample.time)).collect();
        let last = streamed.last().unwrap().0;
        let document = daemon.get(&format!("/api/v1/samples?since={}:0", hello.epoch)).json();
        let asked = samples(&document).into_iter().map(|sample| (sample.seq, sample.time));
        assert!(asked.take_while(|(seq, _)| *seq <= last).eq(streamed));
    }
}

#[test]
fn a_table_that_is_asked_for_before_the_first_sample_has_every_column() {
    let pour = Pour::new();
    let mut http = Http::connect(&pour.address);
    let (_, mut rest) = http.follow("/api/v1/samples?format=csv&follow=true");
    pour.publish(1);
    let mut header = String::new();
    rest.read_line(&mut header).unwrap();
    assert_eq!(header.trim_end().split(',').nth(5), Some("system.uptime"), "{header}");
}
