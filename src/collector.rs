//! Where the numbers come from: one file per source, one trait, one line of registration.
//!
//! sysinfo and procfs are used here and nowhere else. Nothing here runs external commands or needs
//! root.

use std::time::Duration;

use crate::{config::CollectorsConfig, sample::Series};

mod background;
mod cpu;
mod devices;
mod disk;
mod filesystem;
mod host;
mod load;
mod memory;
mod network;
mod pressure;
mod process;
mod sight;
mod source;
mod temperature;

pub use self::{host::read_host, process::own_resident_bytes, sight::hidden};

/// One source of host metrics.
pub trait Collector: Send {
    /// The name in the configuration, in the status and in the log.
    fn name(&self) -> &'static str;

    /// Reads the source once and pushes one value for each of [`series`](Self::series), in order.
    ///
    /// What has no reading yet (a rate without a baseline) is pushed as missing. A series may come
    /// or go here (a disk was plugged in): the answer is then [`Shape::Changed`], and the values
    /// already follow the new list.
    ///
    /// With an error, whatever was pushed is void. After [`CollectError::Unavailable`] there are no
    /// series; after [`CollectError::Failed`] they are those of the last time.
    fn collect(&mut self, fill: &mut Fill) -> Result<Shape, CollectError>;

    /// The series that the last [`collect`](Self::collect) filled.
    fn series(&self) -> &[Series];
}

/// Whether the list of series is the one of the last time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// As before.
    Same,
    /// Series came or went.
    Changed,
}

/// Why a collector has no values this time.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// This host has no such source. Not an error: the series are absent.
    #[error("{0}")]
    Unavailable(String),
    /// The source is being read and takes its time: the values are missing in this sample, and it is
    /// asked again at the next tick.
    #[error("not answered yet")]
    Pending,
    /// The source is there but could not be read: the values are missing in this sample.
    #[error("{0}")]
    Failed(String),
}

/// Where a collector puts its values, and the moment they are read for.
#[derive(Debug)]
pub struct Fill {
    now: Duration,
    values: Vec<f64>,
    problem: Option<String>,
}

impl Fill {
    /// An empty row for a reading at `now` on `CLOCK_BOOTTIME`.
    pub fn new(now: Duration, capacity: usize) -> Self {
        Self { now, values: Vec::with_capacity(capacity), problem: None }
    }

    /// The moment of this tick on `CLOCK_BOOTTIME`: monotonic, suspension included.
    pub fn now(&self) -> Duration {
        self.now
    }

    /// The next value; `None` for a reading that is missing.
    pub fn push(&mut self, value: impl Into<Option<f64>>) {
        self.values.push(value.into().filter(|value| value.is_finite()).unwrap_or(f64::NAN));
    }

    /// Reports, in one line, why some values are missing while the others are there.
    pub fn problem(&mut self, text: String) {
        match &mut self.problem {
            Some(problems) => {
                problems.push_str("; ");
                problems.push_str(&text);
            }
            none => *none = Some(text),
        }
    }

    /// The problems that were reported since the last call, in one line: to be taken after each
    /// collector, for its status.
    pub fn take_problem(&mut self) -> Option<String> {
        self.problem.take()
    }

    /// How many values were pushed.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether nothing was pushed yet.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Cuts or pads (with missing values) to `len`.
    pub fn resize(&mut self, len: usize) {
        self.values.resize(len, f64::NAN);
    }

    /// The row, complete.
    pub fn into_values(self) -> Box<[f64]> {
        self.values.into_boxed_slice()
    }
}

/// A cumulative counter of the kernel, seen as a rate.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counter(Option<(Duration, u64)>);

impl Counter {
    /// The rate per second since the last reading; `None` for the first one, and for a counter that
    /// went backwards (the device was replaced, or its driver reset it).
    pub fn rate(&mut self, now: Duration, count: u64) -> Option<f64> {
        let (then, before) = self.0.replace((now, count))?;
        let seconds = now.checked_sub(then)?.as_secs_f64();
        let grown = count.checked_sub(before)?;
        (seconds > 0.0).then(|| grown as f64 / seconds)
    }
}

/// A collector with the period it is due at; `None` is each tick.
pub struct Scheduled {
    /// The source.
    pub collector: Box<dyn Collector>,
    /// The time between two readings, where that is longer than the sampler's interval.
    pub every: Option<Duration>,
}

/// Every collector that the configuration turns on, in the order of the schema.
pub fn enabled(config: &CollectorsConfig, interval: Duration) -> Vec<Scheduled> {
    let CollectorsConfig { cpu, load, memory, disk, filesystem, network, temperature, pressure, process } = config;
    let mut enabled: Vec<Scheduled> = Vec::new();
    let mut add = |every: Option<Duration>, collector: Box<dyn Collector>| {
        enabled.push(Scheduled { collector, every });
    };
    if let Some(config) = cpu {
        let interval = config.every.unwrap_or(interval);
        add(config.every, Box::new(cpu::Cpu::new(config, interval)));
    }
    if let Some(config) = load {
        add(config.every, Box::new(load::Load::new()));
    }
    if let Some(config) = memory {
        add(config.every, Box::new(memory::Memory::new()));
    }
    if let Some(config) = disk {
        add(config.every, Box::new(disk::Disk::new(config)));
    }
    if let Some(config) = filesystem {
        add(config.every, Box::new(filesystem::Filesystem::new(config)));
    }
    if let Some(config) = network {
        add(config.every, Box::new(network::Network::new(config)));
    }
    if let Some(config) = temperature {
        add(config.every, Box::new(temperature::Temperature::new()));
    }
    if let Some(config) = pressure {
        add(config.every, Box::new(pressure::Pressure::new()));
    }
    if let Some(config) = process {
        add(config.every, Box::new(process::Process::new()));
    }
    enabled
}

#[cfg(test)]
mod tests;
