//! The one table of every metric: its OpenTelemetry name, its unit, its Prometheus name and the
//! label that a person reads.
//!
//! Names and units follow the [semantic conventions][otel] for `system.*` and `hw.*`. Where they
//! define a cumulative counter we publish its rate, and the unit says so (`By/s`). What they lack
//! (pressure, the daemon's own cost) is named in the same style.
//!
//! [otel]: https://opentelemetry.io/docs/specs/semconv/system/system-metrics/

use serde::Serialize;

/// What a number counts, in the notation of [UCUM](https://ucum.org/) that OpenTelemetry uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// A share of a whole, 0 to 1.
    Ratio,
    /// Bytes.
    Bytes,
    /// Bytes each second.
    BytesPerSecond,
    /// Disk operations each second.
    OperationsPerSecond,
    /// Network packets each second.
    PacketsPerSecond,
    /// Errors each second.
    ErrorsPerSecond,
    /// Runnable threads, as the load average counts them.
    Threads,
    /// Degrees Celsius.
    Celsius,
    /// Seconds.
    Seconds,
}

impl Unit {
    /// The unit as it is written on the wire.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Ratio => "1",
            Self::Bytes => "By",
            Self::BytesPerSecond => "By/s",
            Self::OperationsPerSecond => "{operation}/s",
            Self::PacketsPerSecond => "{packet}/s",
            Self::ErrorsPerSecond => "{error}/s",
            Self::Threads => "{thread}",
            Self::Celsius => "Cel",
            Self::Seconds => "s",
        }
    }

    /// How many decimals of a value are worth sending.
    ///
    /// Ratios carry 4: the kernel counts in ticks of 10 ms, so a share of one second of one core
    /// has no more than 2, of 100 cores 4. Bytes are whole.
    pub const fn decimals(self) -> u32 {
        match self {
            Self::Ratio => 4,
            Self::Bytes | Self::BytesPerSecond => 0,
            Self::OperationsPerSecond
            | Self::PacketsPerSecond
            | Self::ErrorsPerSecond
            | Self::Threads
            | Self::Seconds => 2,
            Self::Celsius => 1,
        }
    }
}

impl Serialize for Unit {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.symbol())
    }
}

/// One row of the table: a kind of number that hostcast can publish.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Metric {
    /// The OpenTelemetry name, which is also the name on the wire.
    pub name: &'static str,
    /// The unit of every value of this metric.
    pub unit: Unit,
    /// The name under which a Prometheus-compatible store keeps it.
    pub prometheus: &'static str,
    /// What a dashboard calls it.
    pub label: &'static str,
}

/// Every attribute that tells series of one metric apart.
pub const ATTRIBUTES: &[&str] = &[
    "cpu.logical_number",
    "cpu.mode",
    "disk.io.direction",
    "hw.id",
    "hw.name",
    "network.interface.name",
    "network.io.direction",
    "system.device",
    "system.filesystem.mountpoint",
    "system.filesystem.state",
    "system.memory.state",
    "system.paging.state",
    "system.pressure.level",
    "system.pressure.resource",
];

macro_rules! metrics {
    ($($(#[$doc:meta])* $id:ident = $name:literal, $unit:ident, $prometheus:literal, $label:literal;)*) => {
        $($(#[$doc])* pub const $id: &Metric = &Metric {
            name: $name, unit: Unit::$unit, prometheus: $prometheus, label: $label,
        };)*

        /// Every metric that hostcast knows, in the order of the documentation.
        pub const ALL: &[&Metric] = &[$($id),*];
    };
}

metrics! {
    /// Busy share of the CPUs: the whole host, or one core (`cpu.logical_number`), or one kind of
    /// work (`cpu.mode`).
    CPU_UTILIZATION = "system.cpu.utilization", Ratio, "system_cpu_utilization_ratio", "CPU";
    /// Load average over one minute.
    LOAD_1M = "system.cpu.load_average.1m", Threads, "system_cpu_load_average_1m", "Load 1 min";
    /// Load average over five minutes.
    LOAD_5M = "system.cpu.load_average.5m", Threads, "system_cpu_load_average_5m", "Load 5 min";
    /// Load average over fifteen minutes.
    LOAD_15M = "system.cpu.load_average.15m", Threads, "system_cpu_load_average_15m", "Load 15 min";
    /// Memory by `system.memory.state`; the states add up to the limit.
    MEMORY_USAGE = "system.memory.usage", Bytes, "system_memory_usage_bytes", "Memory";
    /// All memory that the kernel can hand out.
    MEMORY_LIMIT = "system.memory.limit", Bytes, "system_memory_limit_bytes", "Memory in all";
    /// Memory that programs could still get without swapping, as the kernel estimates it.
    MEMORY_AVAILABLE = "system.linux.memory.available", Bytes, "system_linux_memory_available_bytes", "Memory available";
    /// Swap by `system.paging.state`.
    PAGING_USAGE = "system.paging.usage", Bytes, "system_paging_usage_bytes", "Swap";
    /// Bytes read from and written to a disk.
    DISK_IO = "system.disk.io", BytesPerSecond, "system_disk_io_bytes_per_second", "Disk";
    /// Operations that a disk completed.
    DISK_OPERATIONS = "system.disk.operations", OperationsPerSecond, "system_disk_operations_per_second", "Disk operations";
    /// A filesystem's space by `system.filesystem.state`.
    FILESYSTEM_USAGE = "system.filesystem.usage", Bytes, "system_filesystem_usage_bytes", "Filesystem";
    /// A filesystem's size.
    FILESYSTEM_LIMIT = "system.filesystem.limit", Bytes, "system_filesystem_limit_bytes", "Filesystem size";
    /// Bytes through a network interface.
    NETWORK_IO = "system.network.io", BytesPerSecond, "system_network_io_bytes_per_second", "Network";
    /// Packets through a network interface.
    NETWORK_PACKETS = "system.network.packet.count", PacketsPerSecond, "system_network_packets_per_second", "Packets";
    /// Packets that an interface dropped.
    NETWORK_DROPPED = "system.network.packet.dropped", PacketsPerSecond, "system_network_packets_dropped_per_second", "Packets dropped";
    /// Errors that an interface counted.
    NETWORK_ERRORS = "system.network.errors", ErrorsPerSecond, "system_network_errors_per_second", "Network errors";
    /// A temperature sensor.
    TEMPERATURE = "hw.temperature", Celsius, "hw_temperature_celsius", "Temperature";
    /// Share of the time in which tasks stood still for want of a resource (pressure stall information).
    PRESSURE = "system.linux.pressure", Ratio, "system_linux_pressure_ratio", "Pressure";
    /// Time since the host booted, suspension included.
    UPTIME = "system.uptime", Seconds, "system_uptime_seconds", "Uptime";
    /// The daemon's own share of one core.
    OWN_CPU = "hostcast.process.cpu.utilization", Ratio, "hostcast_process_cpu_utilization_ratio", "hostcast CPU";
    /// The daemon's own resident memory.
    OWN_MEMORY = "hostcast.process.memory.usage", Bytes, "hostcast_process_memory_usage_bytes", "hostcast memory";
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn names_are_unique_in_every_vocabulary() {
        for name in [|m: &Metric| m.name, |m: &Metric| m.prometheus, |m: &Metric| m.label] {
            let names: HashSet<_> = ALL.iter().map(|metric| name(metric)).collect();
            assert_eq!(names.len(), ALL.len());
        }
    }

    #[test]
    fn prometheus_names_are_valid() {
        for metric in ALL {
            let valid = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            assert!(metric.prometheus.chars().all(valid), "{}", metric.prometheus);
        }
    }

    #[test]
    fn the_documentation_has_the_same_table() {
        let documented: Vec<[&str; 4]> = include_str!("../docs/metrics.md")
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |"))
            .map(|row| row.split(" | ").map(|cell| cell.trim_matches(['`', ' ', '|'])).collect::<Vec<_>>())
            .filter_map(|row| match row[..] {
                [name, unit, .., prometheus, label] => Some([name, unit, prometheus, label]),
                _ => None,
            })
            .collect();
        let known = ALL.iter().map(|metric| [metric.name, metric.unit.symbol(), metric.prometheus, metric.label]);
        assert_eq!(documented, known.collect::<Vec<_>>());
        for unit in ALL.iter().map(|metric| metric.unit) {
            let is_its_row = |line: &str| {
                let symbol = format!("`{}`", unit.symbol());
                line.contains(&symbol) && line.ends_with(&format!(" | {} |", unit.decimals()))
            };
            assert!(include_str!("../docs/metrics.md").lines().any(is_its_row), "{unit:?}");
        }
    }
}
