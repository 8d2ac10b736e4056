//! What the daemon itself costs.

use rustix::param::page_size;

use super::{CollectError, Collector, Counter, Fill, Shape, source::KeptFile};
use crate::{clock::process_cpu_time, metric, sample::Series};

pub(super) struct Process {
    statm: KeptFile,
    cpu_nanos: Counter,
    series: Vec<Series>,
}

impl Process {
    pub(super) fn new() -> Self {
        Self { statm: KeptFile::new("/proc/self/statm"), cpu_nanos: Counter::default(), series: Vec::new() }
    }
}

impl Collector for Process {
    fn name(&self) -> &'static str {
        "process"
    }

    fn collect(&mut self, fill: &mut Fill) -> Result<Shape, CollectError> {
        let pages = resident_pages(self.statm.read()?);
        let pages = pages.ok_or_else(|| self.statm.odd("no resident pages"))?;
        let nanos = self.cpu_nanos.rate(fill.now(), process_cpu_time().as_nanos() as u64);
        fill.push(nanos.map(|nanos| nanos / 1e9));
        fill.push((pages * page_size() as u64) as f64);
        if !self.series.is_empty() {
            return Ok(Shape::Same);
        }
        self.series = [metric::OWN_CPU, metric::OWN_MEMORY].map(|metric| Series::new(metric, [])).into();
        Ok(Shape::Changed)
    }

    fn series(&self) -> &[Series] {
        &self.series
    }
}

/// The daemon's resident memory right now, in bytes.
pub fn own_resident_bytes() -> Option<u64> {
    let pages = resident_pages(KeptFile::new("/proc/self/statm").read().ok()?)?;
    Some(pages * page_size() as u64)
}

fn resident_pages(statm: &[u8]) -> Option<u64> {
    std::str::from_utf8(statm).ok()?.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        fs, hint,
        time::{Duration, Instant},
    };

    #[test]
    fn resident_pages_are_the_second_column() {
        assert_eq!(resident_pages(b"900 321 5 1 0 7 0\n"), Some(321));
        assert_eq!(resident_pages(b"900"), None);
    }

    #[test]
    fn own_cpu_shows_the_work_of_this_process() {
        let mut process = Process::new();
        let start = Instant::now();
        let mut fill = Fill::new(Duration::ZERO, 2);
        process.collect(&mut fill).expect("readable");
        assert!(fill.into_values()[0].is_nan());
        let enough = process_cpu_time() + Duration::from_millis(50);
        while process_cpu_time() < enough {
            hint::spin_loop();
        }
        let wall = start.elapsed();
        let mut fill = Fill::new(wall, 2);
        process.collect(&mut fill).expect("readable");
        let values = fill.into_values();
        assert!(values[0] * wall.as_secs_f64() >= 0.05, "{} over {wall:?}", values[0]);

        let status = fs::read_to_string("/proc/self/status").expect("readable");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a resident size");
        let truth: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        // Other tests of this process allocate in the meantime.
        assert!((values[1] / 1024.0 - truth).abs() < 16_384.0, "{} against {truth} kB", values[1] / 1024.0);
    }
}
