//! What the tests stand on: a daemon, a server without a sampler, and clients for both.

use std::io::Write as _;

mod account;
mod authority;
mod clock;
mod daemon;
mod feed;
mod http;
mod pour;
mod proxy;
mod random;
mod raw;
pub(crate) mod recorder;
mod scene;
mod terminal;
mod wire;

pub(crate) use self::{
    account::Account,
    authority::Authority,
    clock::Clock,
    daemon::{TestDaemon, program},
    feed::{Feed, Heard},
    http::{Http, Response},
    pour::{Pour, WIDE, reading, room_for, schema},
    proxy::{Fault, Proxy},
    random::Random,
    raw::{Raw, opcode},
    scene::Scene,
    terminal::Terminal,
    wire::{Address, PATIENCE, Wire},
};

/// Both subprotocols.
pub(crate) const SUBPROTOCOLS: [&str; 2] = ["hostcast.v1.json", "hostcast.v1.compact"];

/// Tries again until it holds. Only for what the other side does on its own and tells nobody.
pub(crate) fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let started = std::time::Instant::now();
    while !holds() {
        assert!(started.elapsed() < PATIENCE, "did not happen: {what}");
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}

/// Says that a test cannot run here, and why.
pub(crate) fn skipped(why: &str) {
    // Not `println`, which the runner swallows where a test passes.
    let _ = writeln!(std::io::stderr(), "skipped: {why}");
}
