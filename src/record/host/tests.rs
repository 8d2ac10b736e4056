use serde_json::json;

use super::{super::progress::Progress, *};
use crate::client::Lost;

fn lines() -> Lines {
    let (budget, turns) = (Arc::new(Semaphore::new(1)), Arc::new(Semaphore::new(1)));
    let shared = Shared { budget, turns, names: Arc::default(), form: Form::default() };
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
