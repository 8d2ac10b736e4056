//! Pressure stall information, from `/proc/pressure`.
//!
//! The parser is ours: procfs insists on a `full` line, which `/proc/pressure/cpu` has only since
//! Linux 5.13. There it means nothing for a whole host (the kernel reports 0), so it is left out.

use super::{CollectError, Collector, Counter, Fill, Shape, source::KeptFile};
use crate::{metric, sample::Series};

pub(super) struct Pressure {
    resources: [Resource; 3],
    series: Vec<Series>,
}

struct Resource {
    name: &'static str,
    file: KeptFile,
    levels: &'static [&'static str],
    stalled: [Counter; 2],
}

impl Pressure {
    pub(super) fn new() -> Self {
        let resource = |name: &'static str, levels| Resource {
            name,
            file: KeptFile::new(format!("/proc/pressure/{name}")),
            levels,
            stalled: [Counter::default(); 2],
        };
        let both = &["some", "full"];
        Self {
            resources: [resource("cpu", &["some"]), resource("memory", both), resource("io", both)],
            series: Vec::new(),
        }
    }
}

impl Collector for Pressure {
    fn name(&self) -> &'static str {
        "pressure"
    }

    fn collect(&mut self, fill: &mut Fill) -> Result<Shape, CollectError> {
        let now = fill.now();
        for resource in &mut self.resources {
            let text = resource.file.read()?;
            let totals: Vec<_> = resource.levels.iter().map(|level| stalled_micros(text, level)).collect();
            if totals.iter().all(Option::is_none) {
                return Err(resource.file.odd("no total"));
            }
            for (counter, total) in resource.stalled.iter_mut().zip(totals) {
                // Microseconds of each second; the kernel adds a stall up in bursts, which may
                // exceed the time that passed.
                let rate = total.and_then(|total| counter.rate(now, total));
                fill.push(rate.map(|micros| (micros / 1e6).clamp(0.0, 1.0)));
            }
        }
        if !self.series.is_empty() {
            return Ok(Shape::Same);
        }
        let series = |resource: &Resource| {
            let name = resource.name;
            resource.levels.iter().map(move |level| {
                Series::new(metric::PRESSURE, [("system.pressure.resource", name), ("system.pressure.level", level)])
            })
        };
        self.series = self.resources.iter().flat_map(series).collect();
        Ok(Shape::Changed)
    }

    fn series(&self) -> &[Series] {
        &self.series
    }
}

/// The time in which tasks stood still, since boot: `total` on the line that begins with `level`.
fn stalled_micros(text: &[u8], level: &str) -> Option<u64> {
    let line = std::str::from_utf8(text).ok()?.lines().find_map(|line| line.strip_prefix(level))?;
    line.split_ascii_whitespace().find_map(|word| word.strip_prefix("total="))?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, path::Path, time::Duration};

    const BOTH: &str = "some avg10=4.50 avg60=0.91 avg300=0.00 total=681245\nfull avg10=2.10 avg60=0.12 total=391926\n";

    #[test]
    fn totals_are_read_by_their_level() {
        assert_eq!(stalled_micros(BOTH.as_bytes(), "some"), Some(681_245));
        assert_eq!(stalled_micros(BOTH.as_bytes(), "full"), Some(391_926));
        let more = "some avg10=4.50 avg1000=3 total=5 hence=7\n";
        assert_eq!(stalled_micros(more.as_bytes(), "some"), Some(5));
        assert_eq!(stalled_micros(more.as_bytes(), "full"), None);
        assert_eq!(stalled_micros(b"some avg10=4.50 avg60=0.9", "some"), None);
        assert_eq!(stalled_micros(b"", "some"), None);
    }

    fn write(dir: &Path, total: u64) {
        for name in ["cpu", "memory", "io"] {
            let full = if name == "cpu" { String::new() } else { format!("full avg10=0 total={}\n", total / 2) };
            fs::write(dir.join(name), format!("some avg10=0 total={total}\n{full}")).expect("written");
        }
    }

    #[test]
    fn share_is_of_the_time_that_passed_and_never_over_one() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut pressure = Pressure::new();
        for resource in &mut pressure.resources {
            resource.file = KeptFile::new(dir.path().join(resource.name));
        }
        let mut collect = |second, total| {
            write(dir.path(), total);
            let mut fill = Fill::new(Duration::from_secs(second), 5);
            pressure.collect(&mut fill).expect("readable");
            assert_eq!(pressure.series().len(), fill.len());
            fill.into_values()
        };
        assert!(collect(1, 0).iter().all(|value| value.is_nan()));
        assert_eq!(*collect(3, 1_000_000), [0.5, 0.5, 0.25, 0.5, 0.25]);
        assert_eq!(*collect(4, 9_000_000), [1.0; 5]);
    }

    #[test]
    fn a_kernel_without_it_is_no_failure() {
        let mut pressure = Pressure::new();
        pressure.resources[0].file = KeptFile::new("/proc/no-such-pressure");
        let result = pressure.collect(&mut Fill::new(Duration::ZERO, 5));
        assert!(matches!(result, Err(CollectError::Unavailable(_))));
    }
}
