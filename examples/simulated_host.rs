//! A host that does not exist, served by the real daemon: the dashboard's tests and pictures need hosts that nobody has
//! under the desk. An example is a program of its own, so none of this is in `hostcast`.
//!
//! `simulated_host CONFIG CORES [PLUG]`: with as many cores as are asked for, and disks, interfaces, sensors and
//! filesystems to go with them. While the file PLUG exists there is one more disk. The numbers are made up from the
//! clock alone, so that two runs look alike.

use std::{env, f64::consts::TAU, path::PathBuf, process::ExitCode};

use hostcast::{
    collector::{CollectError, Collector, Fill, Scheduled, Shape},
    config::Source,
    daemon::Daemon,
    metric,
    sample::{Host, Series},
    service::{Inherited, ServiceManager},
};

/// The name that the simulated host goes by; a test looks for it in the released program.
const NAME: &str = "simulated-host";
const GIB: f64 = 1024.0 * 1024.0 * 1024.0;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("simulated_host: {problem}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [config, cores, plug @ ..] = &arguments[..] else {
        return Err("usage: simulated_host CONFIG CORES [PLUG]".into());
    };
    let source = Source { file: Some(PathBuf::from(config)), ..Source::default() };
    let loaded = source.load().map_err(|invalid| invalid.to_string())?;
    let cores: usize = cores.parse()?;
    let host = Host {
        name: NAME.into(),
        os: "Linux (simulated)".into(),
        kernel: "6.12.0".into(),
        cpus: cores,
        boot_id: "00000000-0000-4000-8000-000000000000".into(),
    };
    let simulation = Simulation::new(cores, plug.first().map(PathBuf::from));
    let collectors = vec![Scheduled { collector: Box::new(simulation), every: None }];
    tokio::runtime::Runtime::new()?.block_on(async {
        let daemon = Daemon::with_collectors(&loaded.config, Inherited::default(), host, collectors)?;
        for address in daemon.addresses() {
            println!("dashboard at http://{address}/");
        }
        daemon.run(ServiceManager::default(), None, std::future::pending()).await?;
        Ok(())
    })
}

/// A number over time.
type Wave = Box<dyn Fn(f64) -> f64 + Send>;

struct Simulation {
    cores: usize,
    plug: Option<PathBuf>,
    plugged: bool,
    series: Vec<Series>,
    waves: Vec<Wave>,
}

impl Simulation {
    fn new(cores: usize, plug: Option<PathBuf>) -> Self {
        Self { cores, plug, plugged: false, series: Vec::new(), waves: Vec::new() }
    }

    fn add<const N: usize>(
        &mut self,
        metric: &'static metric::Metric,
        attributes: [(&'static str, &str); N],
        wave: impl Fn(f64) -> f64 + Send + 'static,
    ) {
        self.series.push(Series::new(metric, attributes));
        self.waves.push(Box::new(wave));
    }

    fn build(&mut self) {
        self.series.clear();
        self.waves.clear();
        self.build_cpu();
        self.build_memory();
        let devices = (self.cores / 8).clamp(2, 25);
        for number in 0..devices {
            self.build_interface(&format!("eth{number}"), number);
            self.build_disk(&format!("nvme{number}n1"), number);
        }
        if self.plugged {
            self.build_disk("usb0", devices);
        }
        for number in 0..devices.min(12) {
            let mountpoint = if number == 0 { "/".into() } else { format!("/srv/data{number}") };
            self.build_filesystem(&mountpoint, number);
            let name = format!("package {number}");
            self.add(metric::TEMPERATURE, [("hw.id", &name), ("hw.name", &name)], move |t| {
                48.0 + 22.0 * busy(number * 7, t)
            });
        }
        self.add(metric::OWN_CPU, [], |_| 0.002);
        self.add(metric::OWN_MEMORY, [], |_| 6.2 * 1024.0 * 1024.0);
    }

    fn build_cpu(&mut self) {
        let cores = self.cores;
        let total = move |t: f64| (0..cores).map(|core| busy(core, t)).sum::<f64>() / cores as f64;
        self.add(metric::CPU_UTILIZATION, [], total);
        for core in 0..cores {
            let number = core.to_string();
            self.add(metric::CPU_UTILIZATION, [("cpu.logical_number", &number)], move |t| busy(core, t));
        }
        for (mode, share) in
            [("user", 0.68), ("nice", 0.04), ("system", 0.2), ("interrupt", 0.05), ("steal", 0.03), ("iowait", 0.06)]
        {
            self.add(metric::CPU_UTILIZATION, [("cpu.mode", mode)], move |t| total(t) * share);
        }
        for (metric, lag) in [(metric::LOAD_1M, 30.0), (metric::LOAD_5M, 150.0), (metric::LOAD_15M, 450.0)] {
            self.add(metric, [], move |t| total(t - lag) * cores as f64 * 1.1);
        }
        self.add(metric::UPTIME, [], |t| t % 1e7);
        for (resource, most) in [("cpu", 0.4_f64), ("memory", 0.06), ("io", 0.22)] {
            for (level, share) in [("some", 1.0), ("full", 0.4)] {
                let attributes = [("system.pressure.resource", resource), ("system.pressure.level", level)];
                self.add(metric::PRESSURE, attributes, move |t| {
                    most * share * busy(most.to_bits() as usize % 97, t).powi(2)
                });
            }
        }
    }

    fn build_memory(&mut self) {
        let limit = self.cores as f64 * 4.0 * GIB;
        self.add(metric::MEMORY_LIMIT, [], move |_| limit);
        self.add(metric::MEMORY_AVAILABLE, [], move |t| limit * (0.6 - 0.15 * slow(3, t)));
        let used = move |t| limit * (0.3 + 0.15 * slow(3, t));
        let cached = move |t| limit * (0.25 + 0.08 * slow(5, t));
        self.add(metric::MEMORY_USAGE, [("system.memory.state", "used")], used);
        self.add(metric::MEMORY_USAGE, [("system.memory.state", "buffers")], move |_| limit * 0.02);
        self.add(metric::MEMORY_USAGE, [("system.memory.state", "cached")], cached);
        self.add(metric::MEMORY_USAGE, [("system.memory.state", "free")], move |t| limit * 0.98 - used(t) - cached(t));
        self.add(metric::PAGING_USAGE, [("system.paging.state", "used")], |t| 0.5 * GIB * (1.0 + slow(9, t)));
        self.add(metric::PAGING_USAGE, [("system.paging.state", "free")], |t| {
            8.0 * GIB - 0.5 * GIB * (1.0 + slow(9, t))
        });
    }

    fn build_interface(&mut self, name: &str, number: usize) {
        for (direction, most) in [("receive", 9e7), ("transmit", 4e7)] {
            let attributes = [("network.interface.name", name), ("network.io.direction", direction)];
            let rate = move |t| most * busy(number * 3 + 11, t).powi(2);
            self.add(metric::NETWORK_IO, attributes, rate);
            self.add(metric::NETWORK_PACKETS, attributes, move |t| rate(t) / 900.0);
        }
    }

    fn build_disk(&mut self, name: &str, number: usize) {
        for (direction, most) in [("read", 3e8), ("write", 1.6e8)] {
            let attributes = [("system.device", name), ("disk.io.direction", direction)];
            let seed = number * 5 + direction.len() * 13;
            let rate = move |t| most * busy(seed, t).powi(3);
            self.add(metric::DISK_IO, attributes, rate);
            self.add(metric::DISK_OPERATIONS, attributes, move |t| rate(t) / 65_536.0);
        }
    }

    fn build_filesystem(&mut self, mountpoint: &str, number: usize) {
        let limit = 500.0 * GIB;
        let device = format!("/dev/nvme{number}n1p1");
        let used =
            move |t: f64| limit * (0.2 + 0.065 * number as f64) + if number == 1 { 4e6 * (t % 3600.0) } else { 0.0 };
        let at = [("system.device", device.as_str()), ("system.filesystem.mountpoint", mountpoint)];
        let state = |state| [at[0], at[1], ("system.filesystem.state", state)];
        self.add(metric::FILESYSTEM_USAGE, state("used"), used);
        self.add(metric::FILESYSTEM_USAGE, state("free"), move |t| limit - used(t));
        self.add(metric::FILESYSTEM_LIMIT, at, move |_| limit);
    }
}

impl Collector for Simulation {
    fn name(&self) -> &'static str {
        NAME
    }

    fn collect(&mut self, fill: &mut Fill) -> Result<Shape, CollectError> {
        let plugged = self.plug.as_ref().is_some_and(|plug| plug.exists());
        let shape = if self.series.is_empty() || plugged != self.plugged { Shape::Changed } else { Shape::Same };
        if shape == Shape::Changed {
            self.plugged = plugged;
            self.build();
        }
        let now = fill.now().as_secs_f64();
        for wave in &self.waves {
            fill.push(wave(now));
        }
        Ok(shape)
    }

    fn series(&self) -> &[Series] {
        &self.series
    }
}

/// Between 0 and 1, like something that works now and then: neighbours differ, and a wave of work passes over all.
fn busy(which: usize, t: f64) -> f64 {
    let phase = (which as f64 * 0.618_034).fract() * TAU;
    let crowd = (t / 47.0 + which as f64 / 40.0).sin();
    let own = (t / 13.0 + phase).sin() * (t / 5.3 + 3.0 * phase).sin();
    let grain = (t * 1.7 + 9.0 * phase).sin() * (t * 2.9 + phase).sin();
    (0.42 + 0.3 * crowd + 0.22 * own + 0.12 * grain).clamp(0.01, 1.0)
}

/// Between 0 and 1, over minutes.
fn slow(which: usize, t: f64) -> f64 {
    0.5 + 0.5 * (t / 130.0 + which as f64).sin()
}
