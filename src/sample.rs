//! Plain data: what one tick of the sampler yields. Knows nobody.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::Arc,
    time::{Duration, SystemTime},
};

use serde::Serialize;

use crate::metric::{self, Metric};

/// The machine that the samples are of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Host {
    /// Its name in the network.
    pub name: String,
    /// The distribution with its version.
    pub os: String,
    /// The kernel's release.
    pub kernel: String,
    /// Logical CPUs that are online.
    pub cpus: usize,
    /// The kernel's identifier of this boot: random, and new each time.
    pub boot_id: String,
}

/// One number over time: a metric, with the attributes that tell its siblings apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Series {
    /// Name and attributes in one string, `name{attribute=value,…}`; unique within a schema.
    pub id: Box<str>,
    /// What is measured.
    #[serde(flatten)]
    pub metric: &'static Metric,
    /// What tells this series from the others of its metric, in alphabetical order.
    pub attributes: BTreeMap<&'static str, Box<str>>,
    /// How far apart two readings are, where that is longer than the sampler's interval: the
    /// samples between have no value for this series.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_ms: Option<u64>,
}

impl Series {
    /// A series of `metric`; the attributes may come in any order.
    ///
    /// Control characters, `{`, `}`, `=` and `,` in an attribute's value (a mount point may hold
    /// any of them) are replaced by `_` within the `id` only, so that it can be taken apart again.
    pub fn new<const N: usize>(metric: &'static Metric, attributes: [(&'static str, &str); N]) -> Self {
        debug_assert!(
            attributes.iter().all(|(key, _)| metric::ATTRIBUTES.contains(key)),
            "{attributes:?} are not listed"
        );
        let attributes: BTreeMap<_, Box<str>> =
            attributes.into_iter().map(|(key, value)| (key, value.into())).collect();
        let mut id = String::from(metric.name);
        for (index, (key, value)) in attributes.iter().enumerate() {
            id.push(if index == 0 { '{' } else { ',' });
            // Writing to a String cannot fail.
            let _ = write!(id, "{key}=");
            id.extend(value.chars().map(|c| match c {
                '{' | '}' | '=' | ',' => '_',
                c if c.is_control() => '_',
                c => c,
            }));
        }
        if !attributes.is_empty() {
            id.push('}');
        }
        Self { id: id.into(), metric, attributes, interval_ms: None }
    }

    /// The series that has this id; `None` if its metric or one of its attributes is not known here.
    pub fn from_id(id: &str) -> Option<Self> {
        let (name, attributes) = match id.split_once('{') {
            Some((name, rest)) => (name, rest.strip_suffix('}')?),
            None => (id, ""),
        };
        let metric = metric::ALL.iter().find(|metric| metric.name == name)?;
        let attribute = |text: &str| {
            let (key, value) = text.split_once('=')?;
            Some((*metric::ATTRIBUTES.iter().find(|known| **known == key)?, value.into()))
        };
        let attributes = attributes.split(',').filter(|text| !text.is_empty()).map(attribute).collect::<Option<_>>()?;
        Some(Self { id: id.into(), metric, attributes, interval_ms: None })
    }
}

/// The ordered list of series that the values of a sample stand for.
#[derive(Debug, PartialEq, Eq)]
pub struct Schema {
    /// Grows by one whenever the list changes; starts at 1 with each daemon.
    pub revision: u64,
    /// The series, in the order of a sample's values.
    pub series: Vec<Series>,
}

/// One tick of the sampler: when it was taken, and a value for each series of its schema.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Wall-clock time.
    pub time: SystemTime,
    /// The same moment on `CLOCK_BOOTTIME`, which nobody can set: ages are counted on it.
    pub moment: Duration,
    /// Measured time since the reading before, suspension included. Every rate in this reading is
    /// an average over exactly this span, unless its series has a longer one of its own.
    pub elapsed: Duration,
    /// Ticks before this one that were not taken, if there were any.
    pub missed: Option<Missed>,
    /// What the values stand for.
    pub schema: Arc<Schema>,
    /// One value per series; NaN is "no reading" and is sent as null.
    pub values: Box<[f64]>,
}

/// A reading that has its place in the stream.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Position in the epoch, from 1, one more for each reading published.
    pub seq: u64,
    /// What was read.
    pub reading: Reading,
}

/// Why ticks were not taken, and how many.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
pub struct Missed {
    /// How many ticks of the grid passed without a sample.
    pub ticks: u64,
    /// What kept the sampler from taking them.
    pub reason: MissedReason,
}

/// What kept the sampler from taking a tick.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MissedReason {
    /// The sampler got no processor in time, or its collectors took longer than the interval.
    Late,
    /// The host was suspended.
    Suspended,
}

impl MissedReason {
    /// As JSON and tables have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Late => "late",
            Self::Suspended => "suspended",
        }
    }
}

impl Schema {
    /// About how many bytes it occupies: what it holds, and as much again for what holds that.
    pub fn footprint(&self) -> usize {
        let of_series = |series: &Series| {
            let attributes = series.attributes.values().map(|value| value.len() + size_of::<(&str, Box<str>)>());
            size_of::<Series>() + series.id.len() + attributes.sum::<usize>() * 2
        };
        size_of::<Self>() + self.series.iter().map(of_series).sum::<usize>()
    }
}

impl Sample {
    /// Bytes that this sample occupies in the history, its schema (shared) left out.
    pub fn footprint(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.reading.values)
    }
}

/// Milliseconds since the Unix epoch; 0 for a time before 1970.
pub fn unix_ms(time: SystemTime) -> u64 {
    time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric;

    #[test]
    fn id_lists_attributes_in_alphabetical_order() {
        let series = Series::new(metric::DISK_IO, [("system.device", "vda"), ("disk.io.direction", "read")]);
        assert_eq!(&*series.id, "system.disk.io{disk.io.direction=read,system.device=vda}");
    }

    #[test]
    fn id_without_attributes_is_the_name() {
        assert_eq!(&*Series::new(metric::UPTIME, []).id, "system.uptime");
    }

    #[test]
    fn a_series_is_known_by_its_id() {
        let disk = Series::new(metric::DISK_IO, [("system.device", "vda"), ("disk.io.direction", "read")]);
        for series in [disk, Series::new(metric::UPTIME, [])] {
            assert_eq!(Series::from_id(&series.id), Some(series));
        }
        for unknown in ["", "system.new", "system.uptime{", "system.uptime{new=1}", "system.disk.io{system.device}"] {
            assert_eq!(Series::from_id(unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn id_stays_parseable_whatever_a_mount_point_is_called() {
        let series = Series::new(metric::FILESYSTEM_LIMIT, [("system.filesystem.mountpoint", "/a,b={c}\n")]);
        assert_eq!(&*series.id, "system.filesystem.limit{system.filesystem.mountpoint=/a_b__c__}");
        assert_eq!(&*series.attributes["system.filesystem.mountpoint"], "/a,b={c}\n");
    }
}
