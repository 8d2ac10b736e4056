use serde_json::json;

use super::{super::progress::Progress, *};
use crate::{client::Lost, protocol::SchemaMessage};

fn lines() -> Lines {
    lines_of(Form::default())
}

fn lines_of(form: Form) -> Lines {
    let (budget, turns) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(1)));
    let shared = Shared { budget, turns, names: Arc::default(), form };
    Lines::new(0, FolderName::new("web-1").unwrap(), BTreeMap::new(), shared)
}

fn hello(site: &str) -> Event {
    let text = format!(
        r#"{{"protocol":"hostcast.v1","server":"hostcast/0.1.0","host":{{"name":"web-1","os":"Linux","kernel":"6.1",
        "cpus":2,"boot_id":"","labels":{{"site":{site:?}}}}},"epoch":"00000000000000ff","interval_ms":1000,
        "oldest_seq":1,"next_seq":1,"heartbeat_ms":5000}}"#
    );
    Event::Hello(Box::new(serde_json::from_str(&text).unwrap()))
}

fn sample(seq: u64) -> Event {
    let text = format!(r#"{{"seq":{seq},"time":{seq},"elapsed_ms":1000,"values":[]}}"#);
    Event::Sample(serde_json::from_str(&text).unwrap())
}

#[test]
fn who_loses_its_connection_while_it_waits_for_its_turn_has_it_when_it_is_back() {
    let mut lines = lines();
    let permit = Arc::clone(&lines.turns).try_acquire_owned().ok();
    let has_permit = |lines: &Lines| matches!(lines.turn, Turn::Had { permit: Some(_), .. });
    lines.turn = Turn::Had { permit, until: Instant::now(), is_over: false };
    let progress = Progress::new(vec![lines.name.clone()]);
    let lost = || Event::Lost { why: Lost::Silent(Duration::ZERO), retry_in: Duration::ZERO };
    for event in [lost(), hello("fra1")] {
        let mut batch = lines.batch();
        lines.take(event, &mut batch, &progress.hosts[0]);
        assert!(has_permit(&lines));
    }
    for event in [Event::Live, lost()] {
        let mut batch = lines.batch();
        lines.take(event, &mut batch, &progress.hosts[0]);
    }
    assert_eq!((has_permit(&lines), lines.turns.available_permits()), (false, 1));
}

#[test]
fn what_a_notice_tells_of_labels_holds_for_what_follows_it_below_those_of_the_recorder() {
    let mut lines = lines();
    let mut batch = lines.batch();
    lines.labels = BTreeMap::from([("rack".into(), "7".into())]);
    let progress = Progress::new(vec![lines.name.clone()]);
    let notice = |fields: serde_json::Value| Event::Notice(serde_json::from_value(fields).unwrap());
    let labels = |site: &str| notice(json!({"reason": "config_reloaded", "labels": {"site": site, "rack": "1"}}));
    let other = || notice(json!({"reason": "config_reloaded", "changed": ["log.level"], "interval_ms": 1000}));
    let faster = || notice(json!({"reason": "config_reloaded", "interval_ms": 100}));
    for event in [
        hello("fra1"),
        sample(1),
        other(),
        sample(2),
        labels("ams1"),
        labels("nbg1"),
        sample(3),
        labels("nbg1"),
        sample(4),
        faster(),
        sample(5),
    ] {
        lines.take(event, &mut batch, &progress.hosts[0]);
    }
    let told = batch.lines().map(|(_, line)| serde_json::from_slice::<serde_json::Value>(line).unwrap());
    let told: Vec<_> = told
        .map(|line| match &line["hello"] {
            serde_json::Value::Null => line["seq"].clone(),
            hello => {
                json!([hello["host"]["labels"]["site"], hello["host"]["labels"]["rack"], hello["interval_ms"]])
            }
        })
        .collect();
    let [fra, nbg, faster] = [("fra1", 1000), ("nbg1", 1000), ("nbg1", 100)].map(|(site, ms)| json!([site, "7", ms]));
    assert_eq!(told, [fra, json!(1), json!(2), nbg, json!(3), json!(4), faster, json!(5)]);
    let head: serde_json::Value = serde_json::from_slice(&lines.hello_line).unwrap();
    assert_eq!(head["hello"]["host"]["labels"]["site"], "nbg1", "a new part begins with it");
}

#[test]
fn labels_that_a_daemon_has_now_hold_for_what_follows_them() {
    let mut lines = lines();
    let mut batch = lines.batch();
    let progress = Progress::new(vec![lines.name.clone()]);
    for event in [hello("fra1"), sample(1), hello("fra1"), sample(2), hello("ams1"), sample(3)] {
        lines.take(event, &mut batch, &progress.hosts[0]);
    }
    let told: Vec<_> = batch
        .lines()
        .map(|(record, line)| match record {
            Record::Hello { .. } if String::from_utf8_lossy(line).contains(r#""site":"ams1""#) => "ams1",
            Record::Hello { .. } => "fra1",
            _ => "sample",
        })
        .collect();
    assert_eq!(told, ["fra1", "sample", "sample", "ams1", "sample"]);
}

fn labels(site: &str) -> Event {
    let notice = json!({"reason": "config_reloaded", "labels": {"site": site}});
    Event::Notice(serde_json::from_value(notice).unwrap())
}

fn gap(epoch: &str, from_seq: u64, to_seq: Option<u64>) -> Event {
    let reason = if to_seq.is_some() { GapReason::Slow } else { GapReason::Restarted };
    Event::Gap(Gap { epoch: epoch.parse().unwrap(), from_seq, to_seq, reason })
}

fn schema() -> SchemaMessage {
    let series = json!({"id": "system.uptime", "name": "system.uptime", "unit": "s", "attributes": {}});
    serde_json::from_value(json!({"revision": 1, "series": [series]})).unwrap()
}

fn lost() -> Event {
    Event::Lost { why: Lost::Silent(Duration::ZERO), retry_in: Duration::ZERO }
}

/// What came of these events: of each line what it is, and of samples and gaps the number.
fn told(lines: &mut Lines, batch: &mut Batch, events: impl IntoIterator<Item = Event>) -> Vec<String> {
    let progress = Progress::new(vec![lines.name.clone()]);
    for event in events {
        lines.take(event, batch, &progress.hosts[0]);
    }
    let name = |record| match record {
        Record::Hello { .. } => "hello".to_owned(),
        Record::Gap(gap) => format!("gap {}", gap.from_seq),
        Record::Sample { seq, .. } => format!("sample {seq}"),
    };
    batch.lines().map(|(record, _)| name(record)).collect()
}

#[test]
fn a_new_part_begins_with_the_hello_of_its_first_line() {
    for form in [Form::Ndjson, Form::Csv] {
        let mut lines = lines_of(form);
        let mut batches: [Batch; 4] = std::array::from_fn(|_| lines.batch());
        for (batch, events) in batches.iter_mut().zip([
            vec![hello("fra1"), Event::Schema(schema()), sample(1)],
            vec![sample(2), labels("ams1"), sample(3)],
            vec![sample(4)],
            vec![labels("nbg1"), sample(5), labels("hel1"), sample(6)],
        ]) {
            told(&mut lines, batch, events);
        }
        for (batch, site) in batches.iter().zip(["fra1", "fra1", "ams1", "nbg1"]) {
            let hello = String::from_utf8_lossy(batch.head().hello);
            assert!(hello.contains(site), "{hello}");
            assert_eq!(batch.head().columns, &Columns::new(form, &schema()));
        }
        for batch in [&batches[0], &batches[3]] {
            assert!(batch.text.starts_with(batch.head().hello), "it does not stand there twice");
        }
    }
}

#[test]
fn gaps_before_the_first_schema_are_told_under_its_header() {
    let mut lines = lines_of(Form::Csv);
    let mut batch = lines.batch();
    let gaps = [hello("fra1"), gap("00000000000000fe", 5, None), gap("00000000000000ff", 1, Some(3))];
    assert!(told(&mut lines, &mut batch, gaps).is_empty());
    let events = [Event::Schema(schema()), Event::Live, sample(4), gap("00000000000000ff", 5, Some(5))];
    assert_eq!(told(&mut lines, &mut batch, events), ["gap 5", "hello", "gap 1", "sample 4", "gap 5"]);
    assert_eq!(batch.head().columns, &Columns::new(Form::Csv, &schema()));
}

#[test]
fn gaps_before_a_schema_that_does_not_come_are_told_all_the_same() {
    // The client does not tell them again.
    let mut lines = lines_of(Form::Csv);
    let mut batch = lines.batch();
    let events = [hello("fra1"), gap("00000000000000fe", 5, None), lost(), hello("fra1")];
    assert_eq!(told(&mut lines, &mut batch, events), ["gap 5", "hello"]);
    assert_eq!(told(&mut lines, &mut batch, [gap("00000000000000ff", 1, Some(3))]).len(), 2);
    // It has lines under another header already.
    told(&mut lines, &mut batch, [Event::Schema(schema())]);
    let mut next = lines.batch();
    lines.begin(&mut next);
    assert_eq!(told(&mut lines, &mut next, [sample(4)]), ["gap 1", "sample 4"]);
    assert_eq!(next.head().columns, &Columns::new(Form::Csv, &schema()));
    // And of a daemon that tells of gaps without end.
    let mut lines = lines_of(Form::Csv);
    let mut batch = lines.batch();
    told(&mut lines, &mut batch, [hello("fra1")]);
    for seq in 1..100 {
        told(&mut lines, &mut batch, [gap("00000000000000ff", seq, Some(seq))]);
    }
    assert!(batch.lines().count() > 50 && batch.lines().count() <= 100);
}

#[test]
fn gaps_that_the_next_client_tells_again_are_not_told_twice() {
    let mut lines = lines_of(Form::Csv);
    let events = || [hello("fra1"), gap("00000000000000fe", 5, None)];
    let mut batch = lines.batch();
    told(&mut lines, &mut batch, events());
    lines.disconnect();
    let mut batch = lines.batch();
    let events = events().into_iter().chain([Event::Schema(schema()), sample(1)]);
    assert_eq!(told(&mut lines, &mut batch, events), ["gap 5", "hello", "sample 1"]);
}

#[test]
fn a_hello_that_there_was_no_room_for_is_told_again() {
    let mut lines = lines();
    let mut batch = lines.batch();
    told(&mut lines, &mut batch, [hello("fra1"), sample(1)]);
    let mut dropped = lines.batch();
    assert_eq!(told(&mut lines, &mut dropped, [labels("ams1"), sample(2)]), ["hello", "sample 2"]);
    lines.take_back(&dropped);
    lines.disconnect();
    let mut batch = lines.batch();
    assert_eq!(told(&mut lines, &mut batch, [hello("ams1"), sample(2)]), ["hello", "sample 2"]);
    assert!(String::from_utf8_lossy(&batch.text).contains("ams1"));
    // And one that was written is not.
    let mut dropped = lines.batch();
    told(&mut lines, &mut dropped, [sample(3)]);
    lines.take_back(&dropped);
    let mut batch = lines.batch();
    assert_eq!(told(&mut lines, &mut batch, [hello("ams1"), sample(3)]), ["sample 3"]);
}
