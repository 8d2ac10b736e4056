//! Processes that are killed: nothing is lost that a daemon still holds, and what is lost has a name.

use std::{thread, time::Duration};

use hostcast::protocol::GapReason;

use crate::support::{
    Pour, Proxy, Random, TestDaemon, eventually,
    recorder::{FORMS, Recorder, accounts_for, report, target},
    room_for,
};

#[test]
fn killed_at_any_moment_and_started_again_it_has_every_sample_once() {
    for forms in [[FORMS[0]; 2], [FORMS[1]; 2], FORMS] {
        let pour = Pour::new();
        pour.publish(100);
        let folder = tempfile::tempdir().unwrap();
        let targets = [target("web-1", &format!("ws://{}", pour.address))];
        let mut random = Random::new(7);
        for life in 0..25 {
            let mut recorder = Recorder::with(folder.path(), &targets, forms[life % 2]);
            let rope = pour.pour(1 + random.below(2_000));
            thread::sleep(Duration::from_millis(random.below(60)));
            recorder.kill();
            drop(rope);
        }
        let recorder = Recorder::with(folder.path(), &targets, forms[1]);
        recorder.wait_for("web-1", pour.newest());
        let report = accounts_for(&folder.path().join("web-1"), &pour);
        assert!(report.is_whole(), "{report:?}");
    }
}

#[test]
fn a_daemon_that_is_killed_costs_a_gap_that_says_restarted() {
    for form in FORMS {
        let mut daemon = TestDaemon::start();
        let proxy = Proxy::healthy(daemon.address.tcp());
        let folder = tempfile::tempdir().unwrap();
        let host = folder.path().join("web-1");
        let recorder = Recorder::with(folder.path(), &[target("web-1", &proxy.url())], form);
        for epochs in 1..=3 {
            eventually("samples of this ring are recorded", || {
                host.is_dir() && {
                    let report = report(&host);
                    report.epochs == epochs && report.samples > epochs * 3
                }
            });
            proxy.set_target(None);
            daemon = daemon.kill_and_restart();
            proxy.set_target(Some(daemon.address.tcp()));
        }
        eventually("the last gap is recorded", || report(&host).gaps.values().any(|gaps| gaps.count == 3));
        drop(recorder);
        let report = report(&host);
        assert!(report.is_sound(), "{report:?}");
        assert!(report.gaps.keys().eq([&GapReason::Restarted]), "{report:?}");
    }
}

#[test]
fn what_the_ring_lost_while_the_recorder_was_down_is_named_down() {
    for form in FORMS {
        let room = room_for(50);
        let pour = Pour::with(|config| config.history.max_bytes = room);
        pour.publish(40);
        let folder = tempfile::tempdir().unwrap();
        let targets = [target("web-1", &format!("ws://{}", pour.address))];
        let mut recorder = Recorder::with(folder.path(), &targets, form);
        recorder.wait_for("web-1", 40);
        recorder.kill();
        pour.publish(500);
        let recorder = Recorder::with(folder.path(), &targets, form);
        recorder.wait_for("web-1", 540);
        let report = accounts_for(&folder.path().join("web-1"), &pour);
        assert!(report.gaps.keys().eq([&GapReason::Down]) && report.gaps[&GapReason::Down].samples > 400, "{report:?}");
    }
}
