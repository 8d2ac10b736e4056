//! Which part of a recording is served, and of whom.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use super::{BEGINNING, EPOCH, Replay, Script, command, refused, with_gaps};

#[test]
fn a_range_is_served_by_times_with_any_offset() {
    let (folder, _) = with_gaps();
    // 1795392000 is midnight in UTC.
    let replay =
        Replay::of(folder.path(), &["--from", "2026-11-23T01:00:02+01:00", "--to", "2026-11-22T19:00:08-05:00"]);
    let document = replay.get("/api/v1/samples?last=all");
    let seconds: Vec<_> = document["samples"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["time"].as_u64().unwrap() - BEGINNING) / 1000)
        .collect();
    assert_eq!(seconds, [2, 3, 7]);
    assert_eq!(document["gaps"].as_array().unwrap().len(), 1, "and none before the first");

    let (code, why) = refused(folder.path(), &["--from", "2027-01-01T00:00:00Z"]);
    assert_eq!(code, Some(1));
    assert!(why.contains("the recording has 2026-11-23T00:00:00Z to 2026-11-23T00:03:23Z"), "{why}");
}

#[test]
fn of_a_recording_that_does_not_fit_the_last_part_is_served() {
    let mut script = Script::new();
    script.samples(EPOCH, 1..=500, 0);
    let folder = tempfile::tempdir().unwrap();
    script.write(folder.path(), "db-1");
    let replay = Replay::of(folder.path(), &["--memory", "64KiB"]);
    let document = replay.get("/api/v1/samples?last=all");
    let times: Vec<_> =
        document["samples"].as_array().unwrap().iter().map(|one| one["time"].as_u64().unwrap()).collect();
    assert!((50..400).contains(&times.len()), "{}", times.len());
    assert_eq!(times.last(), Some(&(BEGINNING + 499_000)));
    assert!(times.windows(2).all(|pair| pair[1] == pair[0] + 1000), "a whole part");

    // One with gaps that are dropped takes no more, and leaves no less: a gap ahead of every other sample.
    let mut script = Script::new();
    for pair in 0..1_000 {
        script.sample(EPOCH, 2 * pair + 1, 2 * pair);
        script.gap(EPOCH, 2 * pair + 2, Some(2 * pair + 2), "slow");
    }
    script.write(folder.path(), "db-1");
    let replay = Replay::of(folder.path(), &["--memory", "64KiB"]);
    let count = |document: serde_json::Value| document["samples"].as_array().unwrap().len();
    let with_gaps = count(replay.get("/api/v1/samples?last=all"));
    assert!((20..times.len()).contains(&with_gaps), "{with_gaps} of {}", times.len());
}

#[test]
fn of_several_hosts_one_must_be_chosen() {
    let folder = tempfile::tempdir().unwrap();
    let mut script = Script::new();
    script.samples(EPOCH, 1..=3, 0);
    for host in ["db-1", "web-1"] {
        script.write(folder.path(), host);
    }
    let (code, why) = refused(folder.path(), &[]);
    assert_eq!(code, Some(2));
    assert!(why.contains("--host: db-1, web-1"), "{why}");
    let (code, why) = refused(folder.path(), &["--host", "web-2"]);
    assert_eq!(code, Some(2));
    assert!(why.contains("no host \"web-2\" in it, but: db-1, web-1"), "{why}");
    let replay = Replay::of(folder.path(), &["--host", "web-1"]);
    assert_eq!(replay.get("/api/v1/samples?last=all")["samples"].as_array().unwrap().len(), 3);
    drop(replay);
    Replay::of(&folder.path().join("db-1"), &[]);
}

#[test]
fn what_this_version_does_not_know_is_left_out_and_named() {
    let mut script = Script::new();
    script.samples(EPOCH, 1..=3, 0);
    for line in &mut script.0 {
        *line = line.replace("\"values\":{", "\"values\":{\"system.from.the.future\":1,");
    }
    let folder = tempfile::tempdir().unwrap();
    script.write(folder.path(), "db-1");
    let mut child = command(folder.path(), &[]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.any(|line| {
        line.unwrap().contains("1 series are left out, which this version does not know: system.from.the.future")
    }));
    child.kill().unwrap();
    child.wait().unwrap();
    let replay = Replay::of(folder.path(), &[]);
    let document = replay.get("/api/v1/samples?last=all");
    assert_eq!(document["samples"][2]["values"]["system.uptime"], 2);
    assert_eq!(document["samples"][2]["values"].as_object().unwrap().len(), 2);
}
