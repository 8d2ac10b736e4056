//! What systemd does with the service when something goes wrong, and what clients notice of it.

use std::{
    io::ErrorKind,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use hostcast::{hub::GapReason, protocol::Message};

use super::machine::{Machine, SERVICE};
use crate::support::{Account, Address, Heard, eventually};

const FAST: &str = "[sampler]\ninterval = \"100ms\"\n";

#[test]
#[ignore = "needs root and a machine: make test-system"]
fn a_wrong_configuration_is_told_in_the_status_and_not_tried_again() {
    let machine = Machine::with_service("[sampler]\ninterval = \"50ms\"\n");
    assert!(!machine.try_sh("systemctl start hostcast").status.success());
    let status = machine.sh("systemctl status --no-pager --full hostcast || true");
    assert!(status.contains("/etc/hostcast/config.toml:2:12: sampler.interval: \"50ms\" is too short"), "{status}");
    assert_eq!(machine.property("ActiveState"), "failed", "{status}");
    assert_eq!(machine.property("NRestarts"), "0", "{status}");

    machine.configure(FAST);
    machine.sh("systemctl start hostcast");
    assert_eq!(machine.http().get("/healthz").status, 200);
}

#[test]
#[ignore = "needs root and a machine: make test-system"]
fn killed_it_is_started_again_and_clients_resume() {
    let machine = Machine::with_service(FAST);
    machine.edit_unit("[Service]\\nRestartSec=100ms\\n");
    machine.sh("systemctl start hostcast");
    let mut feed = machine.feed("history=all");
    let hello = feed.hello();
    let mut account = Account::from(hello.epoch, 1);
    while account.seen < 10 {
        account.message(&feed.message());
    }
    machine.sh("kill -KILL $(pidof hostcast)");
    while !matches!(feed.hear(), Heard::Ended) {}

    eventually("it is up again", || {
        machine.property("NRestarts") == "1" && machine.property("ActiveState") == "active"
    });
    let mut feed = machine.feed(&format!("since={}", account.position()));
    assert_ne!(feed.hello().epoch, hello.epoch);
    let gap = loop {
        match feed.message() {
            Message::Gap(gap) => break gap,
            Message::Schema(_) => {}
            other => panic!("a gap was expected, not {other:?}"),
        }
    };
    assert_eq!((gap.epoch, gap.reason, gap.to_seq), (hello.epoch, GapReason::Restarted, None));
    assert_eq!(feed.past().first().map_or_else(|| feed.live().seq, |first| first.seq), 1);
}

#[test]
#[ignore = "needs root and a machine: make test-system"]
fn the_watchdog_restarts_a_daemon_whose_sampler_hangs() {
    // Not faster, or it would keep the file open that it is to hang at.
    let machine = Machine::with_service("[sampler]\ninterval = \"250ms\"\n");
    machine.edit_unit("[Service]\\nWatchdogSec=3s\\nRestartSec=100ms\\n");
    machine.sh("systemctl start hostcast");
    let hanging = machine.property("MainPID");
    // Opening a pipe that nobody writes to never returns. The mount is the service's alone, and goes with it.
    machine.sh(&format!("mkfifo /run/never && nsenter --target={hanging} --mount mount --bind /run/never /proc/stat"));
    eventually("the watchdog bites, and it is up again", || {
        machine.property("NRestarts") == "1" && machine.property("ActiveState") == "active"
    });
    let log = machine.sh("journalctl --no-pager --unit=hostcast");
    assert!(log.contains("the watchdog is told nothing until that ends"), "{log}");
    assert!(log.contains("Failed with result 'watchdog'"), "{log}");
    assert_eq!(machine.http().get("/healthz").status, 200);
}

#[test]
#[ignore = "needs root and a machine: make test-system"]
fn with_the_socket_a_restart_refuses_no_connection() {
    let machine = Machine::with_service(FAST);
    machine.sh("systemctl enable --now hostcast.socket && systemctl enable --now hostcast");
    let done = AtomicBool::new(false);
    let connected = thread::scope(|scope| {
        let knocking = scope.spawn(|| {
            machine.within(|| {
                let mut connected = 0;
                while !done.load(Ordering::Relaxed) {
                    match Address::Tcp(SERVICE).try_connect() {
                        Ok(_) => connected += 1,
                        Err(error) => assert_ne!(error.kind(), ErrorKind::ConnectionRefused, "after {connected}"),
                    }
                    thread::yield_now();
                }
                connected
            })
        });
        for _ in 0..5 {
            machine.sh("systemctl restart hostcast");
        }
        done.store(true, Ordering::Relaxed);
        knocking.join().unwrap()
    });
    assert!(connected > 100, "{connected}");
}
