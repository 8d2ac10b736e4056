//! A recording that is played comes as it came.

use hostcast::protocol::{Message, WireValues};

use super::{BEGINNING, EPOCH, Replay, Script, past, told, with_gaps};

#[test]
fn what_is_played_comes_when_its_time_has_come_and_has_a_past() {
    let mut script = Script::new();
    script.samples(EPOCH, 1..=200, 0);
    let folder = tempfile::tempdir().unwrap();
    script.write(folder.path(), "db-1");
    let from = (BEGINNING + 100_000).to_string();
    let played = |speed: &str| {
        let replay = Replay::of(folder.path(), &["--from", &from, "--speed", speed]);
        let mut feed = replay.feed("history=all", "hostcast.v1.compact");
        let hello = feed.hello();
        assert_eq!(hello.replay.map(|replay| (replay.from, replay.to)), Some((BEGINNING, BEGINNING + 199_000)));
        let seqs: Vec<_> = past(&mut feed).0.iter().map(|sample| sample.seq).collect();
        (replay, feed, seqs)
    };
    let (_, _, seqs) = played("0.1");
    assert!((100..200).contains(&seqs.len()), "{}", seqs.len());
    let (replay, mut feed, mut seqs) = played("100");
    while seqs.len() < 200 {
        seqs.push(feed.live().seq);
    }
    assert_eq!(seqs, (1..=200).collect::<Vec<_>>());
    assert_eq!(replay.get("/api/v1/status")["replay"]["time"], BEGINNING + 199_000, "then it stands");
}

#[test]
fn a_gap_is_told_of_live_when_its_recording_is_played() {
    let (folder, expected) = with_gaps();
    let replay = Replay::of(folder.path(), &["--speed", "200"]);
    let mut feed = replay.feed("history=all", "hostcast.v1.json");
    feed.hello();
    let (mut samples, mut gaps) = (0, Vec::new());
    while samples < 20 {
        match feed.message() {
            Message::History(chunk) => samples += chunk.samples.len(),
            Message::Sample(sample) => {
                assert!(matches!(sample.values, WireValues::Named(_)));
                samples += 1;
            }
            Message::Gap(gap) => gaps.push(told(&gap)),
            _ => {}
        }
    }
    assert_eq!(gaps, expected);
}
