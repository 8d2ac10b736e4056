//! Follows a daemon and prints a line for each sample: `cargo run --example follow -- ws://127.0.0.1:7117`
//!
//! The client resumes by itself; what could not be had any more comes as a gap.

use hostcast::{
    client::{Client, Event, History},
    protocol::{WireSample, WireValues},
};

const METRIC: &str = "system.cpu.utilization";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).unwrap_or("ws://127.0.0.1:7117".into()).parse()?;
    let mut client = Client::builder(url).history(History::All).metrics(METRIC).build();
    let mut column = None;
    loop {
        match client.next().await? {
            Event::Schema(schema) => column = schema.series.iter().position(|series| series.id == METRIC),
            Event::Sample(sample) => println!("{} {:?}", sample.seq, value(&sample, column)),
            Event::Gap(gap) => println!("missing: {gap:?}"),
            Event::Lost { why, retry_in } => eprintln!("{why}; again in {retry_in:?}"),
            _ => {}
        }
    }
}

fn value(sample: &WireSample, column: Option<usize>) -> Option<f64> {
    let WireValues::Positional(values) = &sample.values else { return None };
    values.get(column?).copied().flatten()
}
