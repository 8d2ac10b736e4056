//! The newest reading of each series of one host.

use std::collections::BTreeMap;

use super::trail::Levels;
use crate::protocol::{SchemaMessage, SeriesText, WireSample, WireValues};

/// What was read last.
#[derive(Clone, Debug, Default)]
pub(super) struct Readings {
    series: Vec<SeriesText>,
    values: Vec<Value>,
    roles: Roles,
}

#[derive(Clone, Copy, Debug)]
struct Value {
    /// `None` where it could not be read.
    value: Option<f64>,
    /// When, in the daemon's Unix milliseconds.
    time: u64,
}

/// Which series a row shows.
#[derive(Clone, Debug, Default)]
struct Roles {
    cpu: Vec<usize>,
    memory_used: Vec<usize>,
    memory_limit: Vec<usize>,
    received: Vec<usize>,
    sent: Vec<usize>,
}

/// What a row shows of the newest sample.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Summary {
    /// Busy share.
    pub(super) cpu: Option<f64>,
    /// Used share.
    pub(super) memory: Option<f64>,
    /// Bytes a second.
    pub(super) received: Option<f64>,
    /// Bytes a second.
    pub(super) sent: Option<f64>,
}

impl Summary {
    /// Both directions together.
    pub(super) fn network(&self) -> Option<f64> {
        Some(self.received? + self.sent?)
    }

    /// For the sparklines.
    pub(super) fn levels(&self) -> Levels {
        [self.cpu, self.memory, self.network()].map(|value| value.map_or(f32::NAN, |value| value as f32))
    }
}

/// A packet to a container also crosses a bridge and a veth, and must not count three times.
const VIRTUAL_INTERFACES: [&str; 12] =
    ["veth", "docker", "br-", "virbr", "cni", "flannel", "cali", "tap", "tun", "wg", "dummy", "ifb"];

impl Readings {
    pub(super) fn set_schema(&mut self, schema: SchemaMessage) {
        let mut known: BTreeMap<_, _> =
            self.series.iter().zip(&self.values).map(|(series, value)| (&*series.id, *value)).collect();
        let unread = Value { value: None, time: 0 };
        self.values = schema.series.iter().map(|series| known.remove(&*series.id).unwrap_or(unread)).collect();
        self.roles = Roles::of(&schema.series);
        self.series = schema.series;
    }

    /// Takes a sample, whose values are in the order of the schema.
    pub(super) fn take(&mut self, sample: &WireSample) {
        let WireValues::Positional(values) = &sample.values else { return };
        for ((reading, series), value) in self.values.iter_mut().zip(&self.series).zip(values) {
            // Between two readings of a series that is read less often there is none to show but the one before.
            let is_due = series.interval_ms.is_none_or(|ms| sample.time >= reading.time.saturating_add(ms * 3 / 2));
            if value.is_some() || is_due {
                *reading = Value { value: *value, time: sample.time };
            }
        }
    }

    pub(super) fn summary(&self) -> Summary {
        let sum = |role: &[usize]| role.iter().filter_map(|index| self.values[*index].value).reduce(|a, b| a + b);
        let Roles { cpu, memory_used, memory_limit, received, sent } = &self.roles;
        let limit = sum(memory_limit).filter(|limit| *limit > 0.0);
        Summary {
            cpu: sum(cpu),
            memory: sum(memory_used).zip(limit).map(|(used, limit)| used / limit),
            received: sum(received),
            sent: sum(sent),
        }
    }

    /// Every series with its value.
    pub(super) fn all(&self) -> impl Iterator<Item = (&SeriesText, Option<f64>)> {
        self.series.iter().zip(&self.values).map(|(series, value)| (series, value.value))
    }
}

impl Roles {
    fn of(series: &[SeriesText]) -> Self {
        let which = |name: &str, matches: &dyn Fn(&SeriesText) -> bool| {
            let fits = |(_, series): &(usize, &SeriesText)| series.name == name && matches(series);
            series.iter().enumerate().filter(fits).map(|(index, _)| index).collect::<Vec<_>>()
        };
        let is = |series: &SeriesText, key: &str, value: &str| series.attributes.get(key).is_some_and(|is| is == value);
        let traffic = |direction: &str| {
            let all = which("system.network.io", &|series| is(series, "network.io.direction", direction));
            let is_physical = |index: &usize| {
                let name = series[*index].attributes.get("network.interface.name").map_or("", String::as_str);
                name != "lo" && !VIRTUAL_INTERFACES.iter().any(|prefix| name.starts_with(prefix))
            };
            let physical: Vec<_> = all.iter().copied().filter(is_physical).collect();
            if physical.is_empty() { all } else { physical }
        };
        Self {
            cpu: which("system.cpu.utilization", &|series| series.attributes.is_empty()),
            memory_used: which("system.memory.usage", &|series| is(series, "system.memory.state", "used")),
            memory_limit: which("system.memory.limit", &|_| true),
            received: traffic("receive"),
            sent: traffic("transmit"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::tests::{sample, schema},
        *,
    };

    fn value(readings: &Readings, id: &str) -> Option<f64> {
        readings.all().find(|(series, _)| series.id == id).unwrap().1
    }

    #[test]
    fn a_row_shows_shares_and_the_traffic_of_interfaces_that_are_real() {
        let mut readings = Readings::default();
        readings.set_schema(schema());
        readings.take(&sample(1, &[Some(0.5), Some(300.0), Some(1000.0), Some(10.0), Some(20.0), Some(9.0), None]));
        let expected = Summary { cpu: Some(0.5), memory: Some(0.3), received: Some(10.0), sent: Some(20.0) };
        assert_eq!(readings.summary(), expected);
        readings.take(&sample(2, &[None; 7]));
        assert_eq!(readings.summary(), Summary::default());
        assert!(readings.summary().levels().iter().all(|level| level.is_nan()));
    }

    #[test]
    fn a_series_that_is_read_less_often_keeps_its_reading_until_the_next_one_is_due() {
        let mut readings = Readings::default();
        readings.set_schema(schema());
        let disk = "system.filesystem.limit{system.filesystem.mountpoint=/}";
        let with = |value| [Some(0.5), None, None, None, None, None, value];
        readings.take(&sample(1, &with(Some(7.0))));
        for seq in 2..=15 {
            readings.take(&sample(seq, &with(None)));
            assert_eq!(value(&readings, disk), Some(7.0), "{seq}");
        }
        // Fifteen seconds after the last of every ten.
        readings.take(&sample(16, &with(None)));
        assert_eq!(value(&readings, disk), None);
        assert_eq!(value(&readings, "system.cpu.utilization"), Some(0.5));
    }
}
