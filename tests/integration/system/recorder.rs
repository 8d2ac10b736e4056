//! `hostcast-record.service`: the recorder as a service, within its own sandbox.

use super::machine::Machine;
use crate::support::eventually;

/// A machine that records itself, as `local`.
fn recording() -> Machine {
    let machine = Machine::with_service("[sampler]\ninterval = \"100ms\"\n");
    machine.sh("systemctl start hostcast");
    machine.sh("systemctl start hostcast-record");
    assert_eq!(property(&machine, "ConditionResult"), "no", "without hosts there is nothing to do");
    machine.sh("printf '[record.hosts]\nlocal = \"ws://127.0.0.1:7117\"\n' > /etc/hostcast/record.toml");
    machine.sh("systemctl enable --now hostcast-record");
    machine
}

fn property(machine: &Machine, name: &str) -> String {
    machine.sh(&format!("systemctl show --value --property={name} hostcast-record.service"))
}

/// How many samples there are. Fails if one is damaged, missing or there twice.
fn recorded(machine: &Machine) -> u64 {
    let report = machine.sh("hostcast verify /var/lib/hostcast-record");
    let row = report.lines().find(|line| line.starts_with("local ")).expect(&report);
    row.split_whitespace().nth(1).unwrap().parse().expect(row)
}

fn records_more(machine: &Machine) {
    eventually("the first samples are recorded", || {
        machine.try_sh("ls /var/lib/hostcast-record/local").status.success()
    });
    let before = recorded(machine);
    eventually("more is recorded", || recorded(machine) > before + 10);
}

#[test]
#[ignore = "needs root and a machine: make test-system"]
fn the_recorder_goes_on_where_it_was_stopped_killed_or_upgraded() {
    let machine = recording();
    records_more(&machine);
    machine.sh("systemctl restart hostcast-record");
    records_more(&machine);

    let killed = property(&machine, "MainPID");
    machine.sh(
        "mkdir -p /etc/systemd/system/hostcast-record.service.d && cd /etc/systemd/system/hostcast-record.service.d && \
        printf '[Service]\nRestartSec=100ms\n' > test.conf && systemctl daemon-reload",
    );
    machine.sh(&format!("kill -KILL {killed}"));
    eventually("it is started again", || {
        property(&machine, "NRestarts") == "1" && property(&machine, "ActiveState") == "active"
    });
    records_more(&machine);

    // The daemon is restarted as well, and its new ring is no damage to the recording, but a gap that is named.
    let before = property(&machine, "MainPID");
    machine.install(2);
    assert_ne!(property(&machine, "MainPID"), before);
    eventually("the gap is recorded", || {
        let report = machine.try_sh("hostcast verify /var/lib/hostcast-record");
        String::from_utf8_lossy(&report.stdout).contains("restarted")
    });
    machine.sh("test -z \"$(find /var/lib/hostcast-record -not -user hostcast)\"");
}

#[test]
#[ignore = "needs root and a machine: make test-system"]
fn the_recorder_may_do_nothing_but_what_it_needs() {
    let machine = recording();
    records_more(&machine);
    let score = machine.sh("systemd-analyze security --no-pager hostcast-record.service | tail -n 1");
    let score: f64 = score.split(": ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok()).expect(&score);
    assert!(score <= 1.5, "{score}");
    let writable = machine.sh(
        "pid=$(systemctl show --value --property=MainPID hostcast-record); \
         for path in /usr /etc/hostcast /var/lib/hostcast /home /root /var /var/log /boot /sys /proc/sys; do \
         nsenter --target=$pid --mount setpriv --reuid=hostcast --regid=hostcast --clear-groups test -w $path && echo $path; \
         done; true",
    );
    assert_eq!(writable, "");
}

#[test]
#[ignore = "needs root and a machine: make test-system"]
fn systemd_has_nothing_to_say_about_the_units() {
    let machine = Machine::boot();
    machine.install(1);
    // A machine this small has no manual pages.
    let said = machine.sh("cd /lib/systemd/system && systemd-analyze verify --man=no hostcast.service hostcast.socket hostcast-record.service 2>&1");
    assert_eq!(said, "");
}
