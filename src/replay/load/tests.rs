//! Which samples are taken out of a recording, and at what moments, whatever was done to its host's clock.

use super::*;

const EPOCH: &str = "00000000000000aa";

/// Samples that were taken a second apart, at these times on the host's clock.
fn recording(lines: impl IntoIterator<Item = String>) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let text: String = lines.into_iter().map(|line| line + "\n").collect();
    std::fs::write(folder.path().join("000001-20261122T235959Z.ndjson"), text).unwrap();
    folder
}

fn sample(seq: u64, time: u64) -> String {
    format!(
        r#"{{"type":"sample","host":"a","epoch":"{EPOCH}","seq":{seq},"time":{time},"elapsed_ms":1000,"values":{{"system.uptime":{seq}}}}}"#
    )
}

fn gap(epoch: &str, from: u64, to: u64) -> String {
    format!(r#"{{"type":"gap","host":"a","epoch":"{epoch}","from_seq":{from},"to_seq":{to},"reason":"slow"}}"#)
}

/// The time, the moment in seconds and the number of samples missing before each.
fn taken(loaded: Loaded) -> Vec<(u64, u64, u64)> {
    let mut entries = loaded.entries;
    let (mut taken, mut first) = (Vec::new(), None);
    while let Some((time, moment)) = entries.next_is_due() {
        let Some(entry) = entries.pop() else { break };
        let since = moment.saturating_sub(*first.get_or_insert(moment));
        taken.push((time, since.as_secs(), entry.holes.iter().map(|hole| hole.samples).sum()));
    }
    taken
}

fn range(from: Option<u64>, to: Option<u64>) -> Range {
    Range { from, to }
}

#[test]
fn a_clock_that_is_set_does_not_stall_what_is_played() {
    let hour = 3_600_000;
    let times = [1_000, 2_000, hour, hour + 1_000, 5_000];
    let folder = recording((1..).zip(times).map(|(seq, time)| sample(seq, time)));
    let loaded = load(folder.path(), Range::default(), usize::MAX, None).unwrap().unwrap();
    assert_eq!(loaded.entries.span(), Duration::from_secs(4));
    let expected: Vec<_> = times.into_iter().zip(0..).map(|(time, second)| (time, second, 0)).collect();
    assert_eq!(taken(loaded), expected);
    // What is missing was not measured.
    let folder = recording([sample(1, 1_000), gap(EPOCH, 2, 9), sample(10, 10_000)]);
    let loaded = load(folder.path(), Range::default(), usize::MAX, None).unwrap().unwrap();
    assert_eq!(taken(loaded), [(1_000, 0, 0), (10_000, 9, 8)]);
}

#[test]
fn a_range_has_no_hole_that_nobody_is_told_of_whatever_was_done_to_the_clock() {
    let times = [1_000, 2_000, 3_000, 9_000, 4_000, 1_000, 5_000];
    let folder = recording((1..).zip(times).map(|(seq, time)| sample(seq, time)));
    let loaded = |from, to| taken(load(folder.path(), range(from, to), usize::MAX, None).unwrap().unwrap());
    let times = |taken: Vec<(u64, u64, u64)>| taken.into_iter().map(|(time, ..)| time).collect::<Vec<_>>();
    assert_eq!(times(loaded(None, Some(6_000))), [1_000, 2_000, 3_000], "it ends where it ends first");
    assert_eq!(times(loaded(Some(4_000), None)), [9_000, 4_000, 1_000, 5_000], "and begins where it begins first");
}

#[test]
fn what_is_played_has_as_much_of_a_past_as_fits_besides_it() {
    let folder = recording((1..=1_000).map(|seq| sample(seq, seq * 1_000)));
    let load = |max_bytes| {
        let past = Some(Duration::from_hours(1));
        load(folder.path(), range(Some(900_000), None), max_bytes, past).unwrap().unwrap()
    };
    let all = load(usize::MAX);
    assert_eq!(all.entries.ends(), Some((1_000, 1_000_000)));
    let bytes = all.entries.bytes();
    let most = load(bytes / 2);
    let Some((first, 1_000_000)) = most.entries.ends() else { panic!("{:?}", most.entries.ends()) };
    assert!((450_000..900_000).contains(&first) && !most.is_cut, "{first}");
    let least = load(bytes / 20);
    let Some((900_000, newest)) = least.entries.ends() else { panic!("{:?}", least.entries.ends()) };
    assert!((930_000..960_000).contains(&newest) && least.is_cut, "{newest}");
}

#[test]
fn numbers_that_a_recording_makes_up_stay_such_that_they_can_be_counted() {
    let mut lines = vec![sample(1, 1_000), gap(EPOCH, 2, u64::MAX)];
    lines.extend((1..=5_000).map(|epoch| gap(&format!("{epoch:016x}"), 1, LARGEST_NUMBER)));
    lines.push(sample(1, 2_000));
    let folder = recording(lines);
    let loaded = load(folder.path(), Range::default(), usize::MAX, None).unwrap().unwrap();
    assert_eq!(loaded.damaged, 1, "the gap without an end");
    let taken = taken(loaded);
    assert_eq!(taken.len(), 2);
    assert!((LARGEST_NUMBER..=LARGEST_NUMBER + 5_001).contains(&taken[1].2), "{}", taken[1].2);
}
