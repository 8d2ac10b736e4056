//! What one sample costs on its way from the sampler to the sockets: publishing it into a full ring,
//! and encoding it, which happens once for each view, however many look at it.
//!
//! The samples are real ones of this host. Allocations are counted by the allocator itself.

mod measure;

use std::{
    alloc::System,
    collections::VecDeque,
    hint::black_box,
    io::Write,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, SystemTime},
};

use hostcast::{
    clock::boottime,
    config::{Config, HistoryConfig},
    hub::Hub,
    protocol::{Encoding, MetricFilter, Projection, SampleText, rounded},
    sample::{Reading, Sample, unix_ms},
};
use measure::{Figures, Row, Table, cpu_micros, host::Host};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const INTERVAL: Duration = Duration::from_secs(1);
const ROUNDS: usize = 31;
/// Repetitions in one round; the figures are for one of them.
const TIMES: usize = 2_000;

fn main() {
    if !measure::is_wanted() {
        return;
    }
    let reading = host_reading();
    println!("A sample of this host has {} values.\n", reading.values.len());
    let mut table = Table::new("one sample, us of CPU");
    let mut allocations = Table::new("one sample, allocations");
    publish(&reading, &mut table, &mut allocations);
    for encoding in [Encoding::Json, Encoding::Compact] {
        encode(&reading, encoding, &mut table, &mut allocations);
    }
    println!("{table}\n{allocations}");
}

/// What a tick of every default collector takes in, the second one: with a baseline, rates have a value.
fn host_reading() -> Reading {
    let mut host = Host::new(&Config::default().collectors, INTERVAL);
    host.read(SystemTime::now(), boottime());
    thread::sleep(INTERVAL);
    host.read(SystemTime::now(), boottime())
}

/// As many readings as a round takes, each a second after the one before.
fn readings(reading: &Reading, round: usize) -> Vec<Reading> {
    let reading = |index: usize| {
        let after = INTERVAL * (round * TIMES + index) as u32;
        Reading { moment: reading.moment + after, time: reading.time + after, ..reading.clone() }
    };
    (0..TIMES).map(reading).collect()
}

/// What one of many took.
fn each(total: f64) -> f64 {
    total / TIMES as f64
}

fn count_allocations<T>(work: impl FnOnce() -> T) -> f64 {
    let region = Region::new(ALLOCATOR);
    let result = work();
    let stats = region.change();
    drop(result);
    (stats.allocations + stats.reallocations) as f64
}

/// Into a ring that lets go of a sample for each that comes, against the same with a bare queue.
fn publish(reading: &Reading, table: &mut Table, allocations: &mut Table) {
    let hub = Hub::new(&HistoryConfig::default());
    let queue = Mutex::new(VecDeque::new());
    let push = |readings: Vec<Reading>| {
        for (seq, reading) in (0..).zip(readings) {
            let mut queue = queue.lock().expect("nobody panics");
            queue.push_back(Arc::new(Sample { seq, reading }));
            if queue.len() > 900 {
                queue.pop_front();
            }
        }
    };
    let publish = |readings: Vec<Reading>| {
        for reading in readings {
            hub.publish(reading);
        }
    };
    let (mut measured, mut floor) = (Figures::default(), Figures::default());
    for round in 0..=ROUNDS {
        let (ours, theirs) = (readings(reading, round), readings(reading, round));
        let published = each(cpu_micros(|| publish(ours)));
        let pushed = each(cpu_micros(|| push(theirs)));
        // The first round fills the ring.
        if round > 0 {
            measured.push(published);
            floor.push(pushed);
        }
    }
    table.add(Row::new("publish into a full ring", measured).floor(floor));

    let (ours, theirs) = (readings(reading, ROUNDS + 1), readings(reading, ROUNDS + 1));
    let count = |total: f64| Figures::from_iter([each(total)]);
    let counted = count(count_allocations(|| publish(ours)));
    allocations.add(Row::new("publish into a full ring", counted).floor(count(count_allocations(|| push(theirs)))));
}

/// Against plainly writing the same values, with the same names before them.
fn encode(reading: &Reading, encoding: Encoding, table: &mut Table, allocations: &mut Table) {
    let sample = Sample { seq: 1_000_000, reading: reading.clone() };
    let projection = Projection::new(encoding, &MetricFilter::all(), &reading.schema);
    let mut text = Vec::new();
    let mut encode = || {
        text.clear();
        SampleText { sample: &sample, projection: &projection }.message(&mut text);
        black_box(&mut text).len()
    };
    let mut plain = Vec::new();
    let mut write = || {
        plain.clear();
        write_plainly(&mut plain, &sample, encoding);
        black_box(&mut plain).len()
    };
    let (length, plain_length) = (encode(), write());
    let name = format!("encode, {} ({length} bytes, plainly {plain_length})", encoding.subprotocol());
    let (mut measured, mut floor) = (Figures::default(), Figures::default());
    for _ in 0..ROUNDS {
        measured.push(each(cpu_micros(|| (0..TIMES).map(|_| encode()).sum::<usize>())));
        floor.push(each(cpu_micros(|| (0..TIMES).map(|_| write()).sum::<usize>())));
    }
    table.add(Row::new(&name, measured).floor(floor));
    let counted = Figures::from_iter([count_allocations(&mut encode)]);
    allocations.add(Row::new(&name, counted).floor(Figures::from_iter([count_allocations(&mut write)])));
}

fn write_plainly(text: &mut Vec<u8>, sample: &Sample, encoding: Encoding) {
    let Reading { time, elapsed, schema, values, .. } = &sample.reading;
    let _ = write!(
        text,
        r#"{{"type":"sample","seq":{},"time":{},"elapsed_ms":{:.1},"values":["#,
        sample.seq,
        unix_ms(*time),
        elapsed.as_secs_f64() * 1e3
    );
    for (value, series) in values.iter().zip(&schema.series) {
        if encoding == Encoding::Json {
            let _ = write!(text, "\"{}\":", series.id);
        }
        let value = rounded(*value, series.metric.unit.decimals());
        // Writing to memory cannot fail.
        let _ = if value.is_nan() { write!(text, "null,") } else { write!(text, "{value},") };
    }
    text.extend_from_slice(b"]}");
}
