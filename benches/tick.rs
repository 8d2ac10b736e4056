//! What one tick costs: every default collector, against preads of the same files of `/proc` on kept
//! descriptors.
//!
//! Twice: back to back, which shows the work itself, and at one tick a second, which is how the
//! daemon lives. By then other work has taken the caches, and the same tick costs several times as
//! much. sysinfo refuses to measure CPUs twice within 200 ms, so only the second table has it.

mod measure;

use std::{
    fs::File,
    os::unix::fs::FileExt,
    thread,
    time::{Duration, Instant},
};

use hostcast::{
    clock::boottime,
    collector::{self, Fill, Scheduled},
    config::Config,
};
use measure::{Figures, Row, Table, cpu_micros, setting};

const INTERVAL: Duration = Duration::from_secs(1);
/// Ticks that are not counted: series are listed and buffers grow.
const WARM_UP: usize = 3;

fn main() {
    if !measure::is_wanted() {
        return;
    }
    println!("{}", back_to_back());
    println!("{}", once_a_second(setting("HOSTCAST_BENCH_TICKS", 30)));
}

/// The files that a collector reads at each tick.
fn files_of(collector: &str) -> &'static [&'static str] {
    match collector {
        "cpu" => &["/proc/stat"],
        "load" => &["/proc/loadavg"],
        "memory" => &["/proc/meminfo"],
        "disk" => &["/proc/diskstats"],
        "filesystem" => &["/proc/self/mountinfo"],
        "network" => &["/proc/net/dev"],
        "pressure" => &["/proc/pressure/cpu", "/proc/pressure/memory", "/proc/pressure/io"],
        "process" => &["/proc/self/statm"],
        _ => &[],
    }
}

/// Reads, and does nothing with what it read.
struct Floor {
    files: Vec<File>,
    buffer: Vec<u8>,
}

impl Floor {
    fn new<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        Self { files: paths.into_iter().filter_map(|path| File::open(path).ok()).collect(), buffer: vec![0; 64 << 10] }
    }

    fn read(&mut self) {
        for file in &self.files {
            file.read_at(&mut self.buffer, 0).expect("a file of /proc stays readable");
        }
    }
}

/// One collector beside its own floor.
struct Pair {
    scheduled: Scheduled,
    floor: Floor,
    measured: Figures,
    floored: Figures,
}

impl Pair {
    fn name(&self) -> String {
        let name = self.scheduled.collector.name();
        match self.scheduled.every {
            None => name.to_owned(),
            Some(every) => format!("{name} (due every {} s)", every.as_secs()),
        }
    }

    fn row(&self) -> Row {
        Row::new(self.name(), self.measured.clone()).floor(self.floored.clone())
    }
}

/// The default collectors that this host has a source for.
fn pairs() -> Vec<Pair> {
    let collectors = collector::enabled(&Config::default().collectors, INTERVAL);
    let pair = |mut scheduled: Scheduled| {
        scheduled.collector.collect(&mut Fill::new(boottime(), 0)).ok()?;
        let floor = Floor::new(files_of(scheduled.collector.name()).iter().copied());
        Some(Pair { scheduled, floor, measured: Figures::default(), floored: Figures::default() })
    };
    collectors.into_iter().filter_map(pair).collect()
}

fn tick<'a>(due: impl Iterator<Item = &'a mut Pair>) -> Box<[f64]> {
    let mut fill = Fill::new(boottime(), 64);
    for pair in due {
        // What fails is told by the daemon; here it is only cheaper.
        let _ = pair.scheduled.collector.collect(&mut fill);
    }
    fill.into_values()
}

fn back_to_back() -> Table {
    const ROUNDS: usize = 15;
    const TICKS: u32 = 200;
    let mut pairs = pairs();
    let per_tick = |micros: f64| micros / f64::from(TICKS);
    for round in 0..WARM_UP + ROUNDS {
        for pair in &mut pairs {
            let measured = per_tick(cpu_micros(|| (0..TICKS).for_each(|_| drop(tick([&mut *pair].into_iter())))));
            let floored = per_tick(cpu_micros(|| (0..TICKS).for_each(|_| pair.floor.read())));
            if round >= WARM_UP {
                pair.measured.push(measured);
                pair.floored.push(floored);
            }
        }
    }
    let mut table = Table::new("back to back, us of CPU a reading");
    for pair in &pairs {
        table.add(pair.row());
    }
    table
}

fn once_a_second(ticks: u64) -> Table {
    let mut pairs = pairs();
    let (mut whole, mut whole_floor) = (Figures::default(), Figures::default());
    let every_tick = |pair: &Pair| pair.scheduled.every.is_none();
    let paths: Vec<_> = pairs
        .iter()
        .filter(|pair| every_tick(pair))
        .flat_map(|pair| files_of(pair.scheduled.collector.name()))
        .collect();
    let mut floor = Floor::new(paths.into_iter().copied());

    // The tick and its floor take turns, half an interval apart, each once in an interval.
    let mut next = Instant::now();
    let mut turn = |work: &mut dyn FnMut()| {
        next += INTERVAL / 2;
        let left = next.saturating_duration_since(Instant::now());
        cpu_micros(|| {
            thread::sleep(left);
            work();
        })
    };
    for round in 0..WARM_UP + ticks as usize {
        let measured = turn(&mut || drop(tick(pairs.iter_mut().filter(|pair| every_tick(pair)))));
        let floored = turn(&mut || floor.read());
        if round >= WARM_UP {
            whole.push(measured);
            whole_floor.push(floored);
        }
    }
    let mut table = Table::new("once a second, us of CPU a tick");
    table.add(Row::new("every collector, with its wake-up", whole).floor(whole_floor));

    // Apart from the whole, since reading the clock in between is not free.
    for round in 0..WARM_UP + (ticks / 2) as usize {
        let mut each = Vec::new();
        turn(&mut || {
            for pair in &mut pairs {
                each.push(cpu_micros(|| tick([&mut *pair].into_iter())));
            }
        });
        let mut each_floor = Vec::new();
        turn(&mut || {
            for pair in &mut pairs {
                each_floor.push(cpu_micros(|| pair.floor.read()));
            }
        });
        if round >= WARM_UP {
            for ((pair, measured), floored) in pairs.iter_mut().zip(each).zip(each_floor) {
                pair.measured.push(measured);
                pair.floored.push(floored);
            }
        }
    }
    for pair in &pairs {
        table.add(pair.row());
    }
    table
}
