use super::*;
use std::{collections::HashSet, env, process::Command};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn counter_is_missing_at_first_and_when_it_goes_backwards() {
    let mut counter = Counter::default();
    assert_eq!(counter.rate(SECOND, 10), None);
    assert_eq!(counter.rate(3 * SECOND, 30), Some(10.0));
    assert_eq!(counter.rate(4 * SECOND, 5), None);
    assert_eq!(counter.rate(5 * SECOND, 6), Some(1.0));
    assert_eq!(counter.rate(5 * SECOND, 7), None, "no time passed");
}

#[test]
fn problems_are_one_line_for_each_collector() {
    let mut fill = Fill::new(SECOND, 0);
    assert_eq!(fill.take_problem(), None);
    fill.problem("a is dead".to_owned());
    fill.problem("b is dead".to_owned());
    assert_eq!(fill.take_problem().as_deref(), Some("a is dead; b is dead"));
    assert_eq!(fill.take_problem(), None);
}

#[test]
fn what_is_turned_off_is_absent() {
    let config = CollectorsConfig { cpu: None, process: None, ..Default::default() };
    let names: Vec<_> = enabled(&config, SECOND).iter().map(|scheduled| scheduled.collector.name()).collect();
    assert_eq!(names, ["load", "memory", "disk", "filesystem", "network", "temperature", "pressure"]);
}

#[test]
fn each_collector_fills_the_series_that_it_declares_and_then_keeps_them() {
    let mut ids = HashSet::new();
    for Scheduled { mut collector, .. } in enabled(&CollectorsConfig::default(), SECOND) {
        for (second, shape) in [(1, Shape::Changed), (2, Shape::Same)] {
            let mut fill = Fill::new(second * SECOND, 0);
            let answer = std::iter::repeat_with(|| collector.collect(&mut fill))
                .find(|answer| !matches!(answer, Err(CollectError::Pending)))
                .expect("an endless iterator");
            match answer {
                Ok(found) => assert_eq!(found, shape, "{}", collector.name()),
                Err(CollectError::Unavailable(text)) => println!("{}: {text}", collector.name()),
                Err(error) => panic!("{}: {error}", collector.name()),
            }
            assert_eq!(fill.len(), collector.series().len(), "{}", collector.name());
        }
        for series in collector.series() {
            assert!(ids.insert(series.id.clone()), "{} is there twice", series.id);
        }
    }
}

#[test]
fn the_documentation_names_the_attributes_of_what_this_host_has() {
    let documentation = include_str!("../../docs/metrics.md");
    for Scheduled { mut collector, .. } in enabled(&CollectorsConfig::default(), SECOND) {
        collector.collect(&mut Fill::new(SECOND, 0)).ok();
        for series in collector.series() {
            let row = documentation.lines().find(|line| line.starts_with(&format!("| `{}` ", series.metric.name)));
            for attribute in series.attributes.keys() {
                assert!(row.is_some_and(|row| row.contains(&format!("`{attribute}`"))), "{}", series.id);
            }
        }
        let heading = format!("\n**{}.** ", collector.name());
        assert!(documentation.contains(&heading), "{heading}");
    }
}

/// Runs `body` in a mount namespace of its own, so that no mount is seen outside: runs the test that
/// calls it, `name`, again in another process. Skips where that takes more rights than there are.
pub(super) fn in_mount_namespace(name: &str, body: fn()) {
    const INSIDE: &str = "HOSTCAST_TEST_IN_MOUNT_NAMESPACE";
    if env::var_os(INSIDE).is_some() {
        return body();
    }
    if !rustix::process::geteuid().is_root() {
        println!("skipped: needs root");
        return;
    }
    let this = env::current_exe().expect("this test");
    let mut unshare = Command::new("unshare");
    unshare.arg("--mount").arg(this).args(["--exact", &format!("collector::{name}"), "--nocapture"]);
    let Ok(output) = unshare.env(INSIDE, "1").output() else {
        println!("skipped: no unshare(1)");
        return;
    };
    let text = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    if text.contains("unshare failed") {
        println!("skipped: {text}");
        return;
    }
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
    println!("{text}");
}
