//! `every`: fewer messages, and every peak is still seen.

use hostcast::protocol::{Message, WireSample, WireValues};

use crate::support::{Http, Pour, SUBPROTOCOLS, room_for};

/// A `Pour` takes a sample each millisecond, so this is what hundred of them fall into.
const EVERY: &str = "every=100ms";

fn pour() -> Pour {
    Pour::with(|config| config.sampler.interval = std::time::Duration::from_millis(100))
}

/// The number of a sample is its first value, so mean, smallest and largest are known.
fn check(bucket: &WireSample, first: u64) {
    let of = |values: &WireValues| match values {
        WireValues::Positional(values) => values[0].unwrap(),
        WireValues::Named(values) => values["system.uptime"].unwrap(),
    };
    let last = bucket.seq;
    assert_eq!(bucket.samples, Some(last + 1 - first));
    assert_eq!(bucket.time, last / 100 * 100);
    let numbers = [bucket.min.as_ref().unwrap(), bucket.max.as_ref().unwrap(), &bucket.values].map(of);
    assert_eq!(numbers.map(f64::to_bits), [first as f64, last as f64, (first + last) as f64 / 2.0].map(f64::to_bits));
}

#[test]
fn history_and_live_come_in_the_same_buckets_without_a_hole() {
    for subprotocol in SUBPROTOCOLS {
        let pour = pour();
        pour.publish(1_234);
        let mut feed = pour.feed(&format!("history=all&{EVERY}"), subprotocol);
        feed.hello();
        let mut next = 1;
        for bucket in feed.past() {
            check(&bucket, next);
            next = bucket.seq + 1;
        }
        assert_eq!(next, 1_200);
        pour.publish(1_000);
        while next < 2_200 {
            let bucket = feed.live();
            check(&bucket, next);
            next = bucket.seq + 1;
        }
    }
}

#[test]
fn a_resume_gets_no_sample_twice() {
    let pour = pour();
    pour.publish(1_000);
    let epoch = pour.hub.epoch();
    let mut feed = pour.feed(&format!("since={epoch}:150&{EVERY}"), "hostcast.v1.json");
    feed.hello();
    let mut next = 151;
    for bucket in feed.past() {
        check(&bucket, next);
        next = bucket.seq + 1;
    }
    assert_eq!(next, 1_000);
}

#[test]
fn tables_and_documents_are_folded_too() {
    let pour = pour();
    pour.publish(1_000);
    let mut http = Http::connect(&pour.address);
    let path = |format: &str| format!("/api/v1/samples?last=all&{EVERY}&format={format}");
    let lines = http.get(&path("ndjson"));
    let mut next = 1;
    for line in lines.text().lines() {
        let Ok(Message::Sample(bucket)) = Message::parse(line.as_bytes()) else { panic!("{line}") };
        check(&bucket, next);
        next = bucket.seq + 1;
    }
    assert_eq!(next, 1_000, "the last bucket is not whole, and so not there");

    let document = http.get(&path("json")).json();
    assert_eq!(document["samples"].as_array().unwrap().len(), 10);

    let table = http.get(&path("csv"));
    let rows: Vec<Vec<&str>> = table.text().lines().map(|row| row.split(',').take(9).collect()).collect();
    assert_eq!(rows[0][5..], ["samples", "system.uptime", "system.uptime min", "system.uptime max"]);
    assert_eq!(rows[2][5..], ["100", "149.5", "100", "199"]);
    assert_eq!(rows.len(), 11);
}

#[test]
fn a_span_that_cannot_be_is_refused() {
    let pour = pour();
    let mut http = Http::connect(&pour.address);
    for every in ["1", "0s", "99ms", "1d", "x"] {
        let problem = http.get(&format!("/api/v1/samples?every={every}")).problem(400);
        assert_eq!(problem["parameter"], "every");
    }
}

#[test]
fn what_was_named_missing_is_in_no_bucket() {
    let room = room_for(200);
    let pour = Pour::with(|config| {
        config.sampler.interval = std::time::Duration::from_millis(100);
        config.history.max_bytes = room;
    });
    pour.publish(1_050);
    let mut feed = pour.feed(&format!("since=0123456789abcdef:5&{EVERY}"), "hostcast.v1.json");
    feed.hello();
    let gaps = [feed.message(), feed.message()];
    let [Message::Gap(_), Message::Gap(evicted)] = gaps else { panic!("{gaps:?}") };
    check(&feed.past()[0], evicted.to_seq.unwrap() + 1);
}
