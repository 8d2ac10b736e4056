//! Crowds of subscribers: what it costs to bring samples to many of them, and what becomes of those
//! who come all at once, or stop reading.
//!
//! Servers and load generators are processes of their own, each this same program in another role.
//! What is compared takes turns, several rounds, so that a drift of the machine's speed hits all.

#![allow(missing_docs)]

mod client;
mod compression;
mod daemon;
mod fanout;
mod floor;
mod follow;
mod load;
#[path = "../measure/mod.rs"]
mod measure;
mod memory;
mod nchan;
mod plot;
mod process;
mod publish;
mod server;
mod stalled;
mod storm;

use std::{env, io, time::Duration};

/// As the program has it, since some of the daemons that are measured are this one.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> io::Result<()> {
    hostcast::descriptors::raise_limit();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |index: usize| arguments[index].parse::<usize>().expect("our own numbers");
    let address = |index: usize| arguments[index].parse().expect("our own addresses");
    match arguments[..] {
        ["load", _, path, subprotocol] => load::run(address(1), path, subprotocol, false),
        ["load", _, path, subprotocol, "compressed"] => load::run(address(1), path, subprotocol, true),
        ["storm", _, path, subprotocol, _, _] => storm::load::run(address(1), path, subprotocol, number(4), number(5)),
        ["places", _, epoch, subprotocol, _, _] => {
            memory::places::run(address(1), epoch, subprotocol, number(4), number(5))
        }
        ["floor", ..] => floor::run(number(1), Duration::from_millis(number(2) as u64), number(3)),
        ["daemon", _] => daemon::run(number(1)),
        ["publisher", _] => publish::run(Duration::from_millis(number(1) as u64)),
        ["fanout", "--bench"] => {
            publish::bench()?;
            fanout::bench()
        }
        ["compression", "--bench"] => compression::bench(),
        ["storm", "--bench"] => storm::bench(),
        ["stalled", "--bench"] => stalled::bench(),
        ["memory", "--bench"] => memory::bench(),
        // `cargo test` starts every bench once: there is nothing to measure then.
        _ => Ok(()),
    }
}
