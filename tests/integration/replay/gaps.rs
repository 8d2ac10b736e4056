//! What a recording lacks is told by its replay, everywhere and once.

use hostcast::protocol::{Gap, GapReason};

use super::{Replay, past, told, with_gaps};
use crate::support::{Http, SUBPROTOCOLS};

#[test]
fn whatever_a_recording_lacks_is_told_where_it_lacks_it_and_why() {
    let (folder, expected) = with_gaps();
    let replay = Replay::of(folder.path(), &[]);
    for subprotocol in SUBPROTOCOLS {
        let mut feed = replay.feed("history=all", subprotocol);
        feed.hello();
        let (samples, gaps) = past(&mut feed);
        assert_eq!(samples.len(), 20);
        assert_eq!(gaps.iter().map(|(_, gap)| told(gap)).collect::<Vec<_>>(), expected);
        assert_eq!(gaps.iter().map(|(before, _)| *before).collect::<Vec<_>>(), [4, 8, 8, 12, 16, 16]);
        // With what is missing the numbers have no hole.
        let mut next = 1;
        let mut gaps = gaps.into_iter().map(|(_, gap)| gap).peekable();
        for sample in samples {
            while let Some(gap) = gaps.next_if(|gap| gap.from_seq == next) {
                next = gap.to_seq.unwrap() + 1;
            }
            assert_eq!(sample.seq, next);
            next += 1;
        }
    }
    let document = replay.get("/api/v1/samples?last=all");
    let gaps: Vec<Gap> = serde_json::from_value(document["gaps"].clone()).unwrap();
    assert_eq!(gaps.iter().map(told).collect::<Vec<_>>(), expected);
    assert_eq!(document["samples"].as_array().unwrap().len(), 20);
}

#[test]
fn no_bucket_goes_across_what_is_missing() {
    let (folder, expected) = with_gaps();
    let replay = Replay::of(folder.path(), &[]);
    let document = replay.get("/api/v1/samples?last=all&every=1m");
    let buckets: Vec<_> =
        document["samples"].as_array().unwrap().iter().map(|one| one["samples"].as_u64().unwrap()).collect();
    assert_eq!(buckets, [4, 4, 4, 4], "and the last one is still open");
    assert_eq!(document["gaps"].as_array().unwrap().len(), expected.len());
}

#[test]
fn whoever_resumes_within_a_gap_is_told_of_the_rest_of_it() {
    let (folder, _) = with_gaps();
    let replay = Replay::of(folder.path(), &[]);
    let epoch = replay.feed("history=none", "hostcast.v1.json").hello().epoch;
    let mut feed = replay.feed(&format!("since={epoch}:60"), "hostcast.v1.compact");
    feed.hello();
    let (samples, gaps) = past(&mut feed);
    assert_eq!(gaps.iter().map(|(_, gap)| told(gap)).collect::<Vec<_>>(), [(61, 124, GapReason::Evicted)]);
    assert_eq!(samples.iter().map(|sample| sample.seq).collect::<Vec<_>>(), [125, 126, 127, 128]);
}

#[test]
fn a_gap_right_behind_the_position_is_told_over_http_too() {
    let (folder, expected) = with_gaps();
    let replay = Replay::of(folder.path(), &[]);
    let epoch = replay.feed("history=none", "hostcast.v1.json").hello().epoch;
    let get = |flags: &str| Http::connect(&replay.address).get(&format!("/api/v1/samples?since={epoch}:4{flags}"));
    let document = get("").json();
    let gaps: Vec<Gap> = serde_json::from_value(document["gaps"].clone()).unwrap();
    assert_eq!(gaps.iter().map(told).collect::<Vec<_>>(), expected);
    assert_eq!(document["samples"][0]["seq"], 8);

    let lines = get("&format=ndjson");
    let first: serde_json::Value = serde_json::from_str(lines.text().lines().next().unwrap()).unwrap();
    assert_eq!((&first["type"], &first["from_seq"], &first["to_seq"]), (&"gap".into(), &5.into(), &7.into()));

    let table = get("&format=csv");
    let header: Gap = serde_json::from_str(table.header("hostcast-gap").unwrap()).unwrap();
    assert_eq!(told(&header), expected[0]);
}
