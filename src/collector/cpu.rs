//! CPU utilisation: of the host, of each core, and by kind of work.
//!
//! The host's and the cores' come from sysinfo, except for ticks that it cannot measure (see
//! [`Meter`]): those come from `/proc/stat` as procfs reads it, by the same formula. In both, time
//! that the hypervisor stole counts as used (this host could not have used it), and time that waits
//! for I/O as idle. The kinds of work always come from `/proc/stat`; guests count as user.

use std::{array, collections::HashMap, str, time::Duration};

use procfs::{CpuTime, FromBufReadSI, KernelStats};

use self::meter::Meter;
use super::{CollectError, Collector, Fill, Shape, source::KeptFile};
use crate::{config::CpuConfig, metric, sample::Series};

mod meter;

/// The kinds of work, in the order of [`Ticks`].
const MODES: [&str; 7] = ["user", "nice", "system", "idle", "iowait", "interrupt", "steal"];

/// Ticks that a CPU spent on each of [`MODES`].
type Ticks = [u64; MODES.len()];

pub(super) struct Cpu {
    per_core: bool,
    modes: bool,
    stat: KeptFile,
    meter: Option<Meter>,
    total: Option<Ticks>,
    cores: Vec<Core>,
    series: Vec<Series>,
}

struct Core {
    number: u32,
    ticks: Option<Ticks>,
}

impl Cpu {
    /// A collector that is due every `interval`.
    pub(super) fn new(config: &CpuConfig, interval: Duration) -> Self {
        Self {
            per_core: config.per_core,
            modes: config.modes,
            stat: KeptFile::new("/proc/stat"),
            meter: Meter::for_interval(interval),
            total: None,
            cores: Vec::new(),
            series: Vec::new(),
        }
    }

    /// Makes these the cores. Those that stay keep their baseline, new ones have none.
    fn set_cores(&mut self, numbers: &[u32]) -> Shape {
        if self.cores.iter().map(|core| core.number).eq(numbers.iter().copied()) && !self.series.is_empty() {
            return Shape::Same;
        }
        let mut known: HashMap<_, _> = self.cores.drain(..).map(|core| (core.number, core.ticks)).collect();
        let core = |number| Core { number, ticks: known.remove(&number).flatten() };
        self.cores = numbers.iter().copied().map(core).collect();
        self.series = self.list_series();
        // sysinfo knows cores by their position only.
        self.meter = self.meter.take().and_then(|_| Meter::new());
        Shape::Changed
    }

    fn list_series(&self) -> Vec<Series> {
        let mut series = vec![Series::new(metric::CPU_UTILIZATION, [])];
        if self.per_core {
            series.extend(
                self.cores.iter().map(|core| {
                    Series::new(metric::CPU_UTILIZATION, [("cpu.logical_number", &*core.number.to_string())])
                }),
            );
        }
        if self.modes {
            series.extend(MODES.map(|mode| Series::new(metric::CPU_UTILIZATION, [("cpu.mode", mode)])));
        }
        series
    }
}

impl Collector for Cpu {
    fn name(&self) -> &'static str {
        "cpu"
    }

    fn collect(&mut self, fill: &mut Fill) -> Result<Shape, CollectError> {
        let text = self.stat.read()?;
        let numbers: Vec<_> = core_numbers(text).collect();
        let stats = KernelStats::from_buf_read(text, procfs::current_system_info());
        let stats = stats.map_err(|error| self.stat.malformed(&error))?;
        if numbers.len() != stats.cpu_time.len() {
            return Err(self.stat.odd("a core without a number"));
        }

        let shape = self.set_cores(&numbers);
        let measured = self.meter.as_mut().and_then(|meter| meter.measure(numbers.len()));

        let spent = advance(&mut self.total, ticks(&stats.total));
        fill.push(measured.as_ref().map(|measured| measured.total).or_else(|| spent.and_then(busy_share)));
        for (position, (core, time)) in self.cores.iter_mut().zip(&stats.cpu_time).enumerate() {
            let spent = advance(&mut core.ticks, ticks(time));
            if self.per_core {
                let measured = measured.as_ref().map(|measured| measured.cores[position]);
                fill.push(measured.or_else(|| spent.and_then(busy_share)));
            }
        }
        if self.modes {
            for share in shares(spent.unwrap_or_default()) {
                fill.push(share);
            }
        }
        Ok(shape)
    }

    fn series(&self) -> &[Series] {
        &self.series
    }
}

/// The numbers of the cores that are online, in the order of `/proc/stat`. Numbers, since procfs
/// tells positions: with core 1 offline, core 2 is the second.
pub(super) fn core_numbers(stat: &[u8]) -> impl Iterator<Item = u32> {
    stat.split(|byte| *byte == b'\n').map_while(|line| line.strip_prefix(b"cpu")).filter_map(|rest| {
        let digits = rest.split(|byte| *byte == b' ').next()?;
        str::from_utf8(digits).ok()?.parse().ok()
    })
}

fn ticks(time: &CpuTime) -> Ticks {
    let or_none = |ticks: Option<u64>| ticks.unwrap_or(0);
    let interrupt = or_none(time.irq) + or_none(time.softirq);
    [time.user, time.nice, time.system, time.idle, or_none(time.iowait), interrupt, or_none(time.steal)]
}

/// What was spent since the baseline, which `now` becomes. The kernel's idle and iowait may run
/// backwards by a little: that counts as none.
fn advance(baseline: &mut Option<Ticks>, now: Ticks) -> Option<Ticks> {
    let before = baseline.replace(now)?;
    Some(array::from_fn(|mode| now[mode].saturating_sub(before[mode])))
}

/// The share that was neither idle nor waiting for I/O.
fn busy_share(spent: Ticks) -> Option<f64> {
    let [_, _, _, idle, iowait, _, _] = shares(spent);
    Some((1.0 - (idle? + iowait?)).clamp(0.0, 1.0))
}

/// The share of each kind of work; missing if no tick was counted.
fn shares(spent: Ticks) -> [Option<f64>; MODES.len()] {
    let total: u64 = spent.iter().sum();
    spent.map(|ticks| (total > 0).then(|| ticks as f64 / total as f64))
}

#[cfg(test)]
mod tests;
