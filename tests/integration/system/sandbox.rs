//! The sandbox of the unit: it keeps nothing from the daemon that it has to see.

use std::{
    collections::BTreeMap,
    fs,
    net::{SocketAddr, UdpSocket},
};

use serde_json::Value;

use super::machine::{Machine, SERVICE};
use crate::support::{Address, Http, eventually};

/// What must be above zero on a machine that works, writes and sends: the beginnings of series.
const BUSY: [&str; 7] = [
    "system.cpu.utilization",
    "system.memory.usage{system.memory.state=used}",
    "system.disk.io{disk.io.direction=write,",
    "system.filesystem.usage{system.device=/dev/",
    "system.network.io{network.interface.name=wire0,network.io.direction=transmit}",
    "system.network.io{network.interface.name=wire1,network.io.direction=receive}",
    "hostcast.process.memory.usage",
];

#[test]
#[ignore = "needs root and a machine: make test-system"]
fn the_sandbox_hides_no_series_and_no_number() {
    let machine =
        Machine::with_service("[sampler]\ninterval = \"100ms\"\n[collectors]\nfilesystem = { every = \"100ms\" }\n");
    for arguments in [
        "link add wire0 type veth peer name wire1",
        "address add 192.0.2.1/24 dev wire0",
        "link set wire1 up",
        "link set wire0 up",
    ] {
        machine.on_network(&[&["ip"], arguments.split(' ').collect::<Vec<_>>().as_slice()].concat());
    }
    machine.sh("systemctl start hostcast");
    // The same program as root, without any sandbox.
    let bare = "127.0.0.1:7118".parse().unwrap();
    machine.sh(&format!("systemd-run --quiet hostcast serve --listen {bare}"));
    machine.within(|| eventually("the other one serves", || Address::Tcp(bare).try_connect().is_ok()));

    let (mut within, mut without) = (BTreeMap::new(), BTreeMap::new());
    let is_busy = |values: &BTreeMap<String, f64>| {
        BUSY.iter().all(|wanted| values.iter().any(|(name, value)| name.starts_with(wanted) && *value > 0.0))
    };
    eventually("both see the machine at work", || {
        fs::write(machine.disk().join("written"), vec![1; 1 << 16]).unwrap();
        rustix::fs::sync();
        machine.within(|| UdpSocket::bind("192.0.2.1:0").unwrap().send_to(b"anyone?", "192.0.2.2:9").unwrap());
        (within, without) = (numbers(&machine, SERVICE), numbers(&machine, bare));
        within.keys().eq(without.keys()) && is_busy(&within) && is_busy(&without)
    });
}

#[test]
#[ignore = "needs root and a machine: make test-system"]
fn a_filesystem_that_is_mounted_later_is_seen_through_the_sandbox() {
    let machine = Machine::with_service(
        "[sampler]\ninterval = \"100ms\"\n[collectors.filesystem]\nevery = \"100ms\"\nexclude_types = [\"proc\"]\n",
    );
    machine.sh("systemctl start hostcast && mkdir /home/data");
    let sizes = || -> Vec<_> {
        let limit = "system.filesystem.limit{";
        numbers(&machine, SERVICE).into_iter().filter(|(name, _)| name.starts_with(limit)).collect()
    };
    assert!(sizes().iter().all(|(name, _)| !name.contains("/home/data")));
    machine.sh("mount -t tmpfs -o size=3m none /home/data");
    eventually("it has a size", || {
        sizes().iter().any(|(name, size)| name.contains("=/home/data") && *size as u64 == 3 << 20)
    });
}

#[test]
#[ignore = "needs root and a machine: make test-system"]
fn what_a_drop_in_hides_is_told_at_the_start_and_in_the_status() {
    let machine = Machine::with_service("[sampler]\ninterval = \"100ms\"\n");
    machine.on_network(&["ip", "link", "add", "wire0", "type", "veth", "peer", "name", "wire1"]);
    machine.sh("systemctl start hostcast");
    let hidden = || machine.http().get("/api/v1/status").json()["hidden"].clone();
    assert_eq!(hidden(), serde_json::json!([]));

    machine.edit_unit("[Service]\\nProtectHome=yes\\nProcSubset=pid\\n");
    machine.sh("systemctl restart hostcast");
    let told = hidden().to_string();
    assert!(told.contains("at /home") && told.contains("ProcSubset=pid"), "{told}");
    let log = machine.sh("journalctl --no-pager --unit=hostcast");
    assert!(log.contains("WARN filesystems at /home and below cannot be seen"), "{log}");

    machine.edit_unit("[Service]\\nPrivateNetwork=yes\\n");
    machine.sh("systemctl restart hostcast");
    let log = machine.sh("journalctl --no-pager --unit=hostcast");
    assert!(log.contains("WARN no network interface can be seen but the loopback"), "{log}");
}

/// The series that had a number within the last two seconds, with the newest one.
fn numbers(machine: &Machine, address: SocketAddr) -> BTreeMap<String, f64> {
    let mut http = Http::over(machine.connect(address), &Address::Tcp(address));
    let answer = http.get("/api/v1/samples?last=2s").json();
    let samples = answer["samples"].as_array().unwrap();
    let values = samples.iter().flat_map(|sample| sample["values"].as_object().unwrap());
    values.filter_map(|(name, value)| Some((name.clone(), Value::as_f64(value)?))).collect()
}

#[test]
#[ignore = "needs root and a machine: make test-system"]
fn the_service_may_do_nothing_but_what_it_needs() {
    let machine = Machine::with_service("");
    machine.sh("systemctl start hostcast");
    let status = machine.sh("cat /proc/$(pidof hostcast)/status");
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).expect(name).trim();
    assert_eq!(field("CapBnd:"), "0000000000000000");
    assert_eq!(field("NoNewPrivs:"), "1");
    assert_eq!(field("Seccomp:"), "2");
    assert_ne!(field("Uid:").split('\t').next(), Some("0"));
    let writable = machine.sh(
        "pid=$(pidof hostcast); for path in /usr /etc/hostcast /home /root /var /var/log /boot /sys /proc/sys; do \
         nsenter --target=$pid --mount setpriv --reuid=hostcast --regid=hostcast --clear-groups test -w $path && echo $path; done; true",
    );
    assert_eq!(writable, "");
    let score = machine.sh("systemd-analyze security --no-pager hostcast.service | tail -n 1");
    let score: f64 = score.split(": ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok()).expect(&score);
    assert!(score <= 1.5, "{score}");
}
