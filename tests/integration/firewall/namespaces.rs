//! Two hosts with a network of their own between them, made of network namespaces: a recorder behind a firewall that lets
//! nothing in, and a daemon elsewhere.

use std::{
    io::Write as _,
    path::Path,
    process::{self, Command, Stdio},
};

use serde_json::Value;

use crate::support::{
    Address, TestDaemon, eventually, program,
    recorder::{Recorder, position, report, samples, target},
    skipped,
};

/// A host of its own as far as networks go, until it is dropped.
struct Namespace(String);

impl Namespace {
    fn new(role: &str) -> Option<Self> {
        let namespace = Self(format!("hostcast-{role}-{}", process::id()));
        succeeds(Command::new("ip").args(["netns", "add", &namespace.0])).then_some(namespace)
    }

    /// A program that runs there.
    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0]).arg(program);
        command
    }

    /// Runs each line there; whether all went well.
    fn run(&self, lines: &str) -> bool {
        lines.lines().map(str::split_whitespace).all(|mut words| {
            let program = words.next().unwrap_or("true");
            succeeds(self.command(program.as_ref()).args(words))
        })
    }

    /// Lets in no connection, and loses a packet in twenty of those that it does let in.
    fn shut(&self) -> bool {
        let rules = "table inet firewall {
            chain input {
                type filter hook input priority 0; policy drop;
                iif lo accept
                numgen random mod 20 0 drop
                ct state established accept
            }
        }";
        let Ok(mut nft) = self.command("nft".as_ref()).args(["-f", "-"]).stdin(Stdio::piped()).spawn() else {
            return false;
        };
        let written = nft.stdin.take().is_some_and(|mut stdin| stdin.write_all(rules.as_bytes()).is_ok());
        written && nft.wait().is_ok_and(|status| status.success())
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        succeeds(Command::new("ip").args(["netns", "delete", &self.0]));
    }
}

fn succeeds(command: &mut Command) -> bool {
    command.output().is_ok_and(|output| output.status.success())
}

/// The recorder's side and the daemon's, with a line between them; `None` where it cannot be had.
fn firewalled() -> Option<(Namespace, Namespace)> {
    if !rustix::process::geteuid().is_root() {
        skipped("only root can make network namespaces");
        return None;
    }
    let (Some(inside), Some(outside)) = (Namespace::new("inside"), Namespace::new("outside")) else {
        skipped("no network namespaces here");
        return None;
    };
    let made = Command::new("ip")
        .args(["link", "add", "line", "netns", &inside.0, "type", "veth", "peer", "name", "line", "netns", &outside.0])
        .output()
        .is_ok_and(|output| output.status.success())
        && inside.run("ip link set lo up\nip address add 198.18.0.10/24 dev line\nip link set line up")
        && outside.run("ip link set lo up\nip address add 198.18.0.2/24 dev line\nip link set line up");
    if !(made && inside.shut()) {
        skipped("no virtual Ethernet or no nftables here");
        return None;
    }
    if !outside.run("tc qdisc add dev line root netem delay 40ms 10ms loss 2%") {
        // What is sent waits for what was sent before, instead.
        skipped("the delay of netem, which this kernel does not have; the line is a slow one of 1 Mbit/s");
        assert!(outside.run("tc qdisc add dev line root tbf rate 1mbit burst 4kb latency 1s"));
    }
    Some((inside, outside))
}

/// What the daemon itself says that it took.
fn taken(outside: &Namespace, address: &Address) -> Vec<Value> {
    let url = format!("http://{address}/api/v1/samples?format=ndjson");
    let output = outside.command("curl".as_ref()).args(["--silent", "--fail", &url]).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn behind_a_firewall_with_loss_and_a_change_of_address_nothing_is_lost() {
    let Some((inside, outside)) = firewalled() else { return };
    let config = "[sampler]\ninterval = \"100ms\"\n[server]\nauth = \"none\"\nheartbeat = \"1s\"\n";
    let daemon = TestDaemon::launch(config, |_| outside.command(&program()), "198.18.0.2:0");
    let unreachable = TestDaemon::launch(config, |_| inside.command(&program()), "198.18.0.10:0");
    // Someone does listen inside, and nobody outside gets there.
    let health = format!("curl --silent --fail --max-time 2 http://{}/api/v1/status", unreachable.address);
    assert!(inside.run(&health) && !outside.run(&health));
    drop(unreachable);

    let folder = tempfile::tempdir().unwrap();
    let mut command = inside.command(&program());
    command.args(["record", &target("web-1", &format!("ws://{}", daemon.address)), "--output"]).arg(folder.path());
    let mut recorder = Recorder::run(&mut command, folder.path());
    recorder.wait_for("web-1", 30);
    // Nobody tells either side that what they have is over.
    assert!(inside.run("ip address delete 198.18.0.10/24 dev line\nip address add 198.18.0.11/24 dev line"));
    eventually("the recorder notices", || recorder.log().contains("heard nothing for 2s"));
    let host = folder.path().join("web-1");
    let noticed = position(&host).unwrap().seq;
    recorder.wait_for("web-1", noticed + 40);
    assert_eq!(recorder.stop(), Some(0));

    let report = report(&host);
    assert!(report.is_whole() && report.epochs == 1, "{report:?}");
    let (kept, taken) = (samples(&host), taken(&outside, &daemon.address));
    assert!(kept.len() as u64 >= noticed + 40 && taken.len() >= kept.len());
    for (kept, taken) in kept.iter().zip(&taken) {
        for field in ["seq", "time", "elapsed_ms", "values"] {
            assert_eq!(kept.json[field], taken[field]);
        }
    }
}
