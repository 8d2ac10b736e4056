//! Fan-out: what it costs to bring one sample to many subscribers, held against the floor.
//!
//! Server and load generator are processes of their own. The floor and hostcast take turns, several
//! rounds, so that a drift of the machine's speed hits both.

#![allow(missing_docs)]

mod floor;
mod load;
#[path = "../measure/mod.rs"]
mod measure;
mod target;

use std::{env, io, time::Duration};

use measure::Figures;
use target::{Measured, Target};

/// Rounds of each pair; the table shows medians.
const ROUNDS: usize = 3;
/// How long deliveries are counted in each round.
const SPAN: Duration = Duration::from_secs(8);

struct Scale {
    subscribers: usize,
    interval: Duration,
}

fn main() -> io::Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let number = |index: usize| arguments[index].parse().expect("our own numbers");
    match arguments.first().map(String::as_str) {
        Some("load") => load::run(arguments[1].parse().map_err(io::Error::other)?, number(2), &arguments[3]),
        Some("floor") => floor::run(number(1), Duration::from_millis(number(2) as u64), number(3)),
        Some("--bench") => bench(),
        // `cargo test` starts every bench once: there is nothing to measure then.
        _ => Ok(()),
    }
}

fn bench() -> io::Result<()> {
    let scales = [(1, 100), (10, 100), (100, 100), (1_000, 100), (10_000, 1_000)];
    println!("subscribers  interval  what      us/delivery  p50 us  p99 us  KiB/subscriber  bytes  deliveries");
    for (subscribers, interval_ms) in scales {
        let scale = Scale { subscribers, interval: Duration::from_millis(interval_ms) };
        let mut ours = Vec::new();
        let mut floors = Vec::new();
        for _ in 0..ROUNDS {
            let measured = Target::hostcast(&scale)?.measure(&scale, SPAN)?;
            let frame_bytes = measured.frame_bytes;
            ours.push(measured);
            floors.push(Target::floor(&scale, frame_bytes)?.measure(&scale, SPAN)?);
        }
        for (what, rounds) in [("hostcast", &ours), ("floor", &floors)] {
            print_row(&scale, what, rounds);
        }
        let cost =
            |rounds: &[Measured]| rounds.iter().map(|round| round.cpu_us_per_delivery).collect::<Figures>().median();
        println!("{:>11}  {:>6}ms  ratio     {:>11.3}", subscribers, interval_ms, cost(&ours) / cost(&floors));
    }
    Ok(())
}

fn print_row(scale: &Scale, what: &str, rounds: &[Measured]) {
    let of = |figure: fn(&Measured) -> f64| rounds.iter().map(figure).collect::<Figures>().median();
    println!(
        "{:>11}  {:>6}ms  {what:<8}  {:>11.2}  {:>6.0}  {:>6.0}  {:>14.2}  {:>5.0}  {:>10.0}",
        scale.subscribers,
        scale.interval.as_millis(),
        of(|round| round.cpu_us_per_delivery),
        of(|round| round.p50_us),
        of(|round| round.p99_us),
        of(|round| round.kib_per_subscriber),
        of(|round| round.frame_bytes as f64),
        of(|round| round.deliveries),
    );
}
