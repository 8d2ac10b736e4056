//! Memory and swap, from `/proc/meminfo`.
//!
//! As free(1) counts: `cached` is the page cache with the reclaimable part of the slab, `used` is
//! what remains of the total besides `free`, `buffers` and `cached`. So the four add up to the limit.

use procfs::Meminfo;

use super::{CollectError, Collector, Fill, Shape, source::KeptFile};
use crate::{metric, sample::Series};

pub(super) struct Memory {
    meminfo: KeptFile,
    series: Vec<Series>,
    swap: bool,
}

impl Memory {
    pub(super) fn new() -> Self {
        Self { meminfo: KeptFile::new("/proc/meminfo"), series: Vec::new(), swap: false }
    }
}

impl Collector for Memory {
    fn name(&self) -> &'static str {
        "memory"
    }

    fn collect(&mut self, fill: &mut Fill) -> Result<Shape, CollectError> {
        let info: Meminfo = self.meminfo.parse()?;
        for bytes in usage(&info) {
            fill.push(bytes as f64);
        }
        fill.push(info.mem_total as f64);
        fill.push(info.mem_available.map(|bytes| bytes as f64));

        // Swap can be turned on later; a host without any has no such series.
        let swap = info.swap_total > 0;
        if swap {
            fill.push(info.swap_total.saturating_sub(info.swap_free) as f64);
            fill.push(info.swap_free as f64);
        }
        if swap == self.swap && !self.series.is_empty() {
            return Ok(Shape::Same);
        }
        self.swap = swap;
        self.series = series(swap);
        Ok(Shape::Changed)
    }

    fn series(&self) -> &[Series] {
        &self.series
    }
}

/// Bytes used, free, cached and in buffers: together exactly the total.
fn usage(info: &Meminfo) -> [u64; 4] {
    // The kernel does not count these at one moment, so each takes at most what is left.
    let mut left = info.mem_total;
    let mut take = |bytes: u64| {
        let taken = bytes.min(left);
        left -= taken;
        taken
    };
    let free = take(info.mem_free);
    let buffers = take(info.buffers);
    let cached = take(info.cached + info.s_reclaimable.unwrap_or(0));
    [left, free, cached, buffers]
}

fn series(swap: bool) -> Vec<Series> {
    let mut series: Vec<_> = ["used", "free", "cached", "buffers"]
        .map(|state| Series::new(metric::MEMORY_USAGE, [("system.memory.state", state)]))
        .into();
    series.push(Series::new(metric::MEMORY_LIMIT, []));
    series.push(Series::new(metric::MEMORY_AVAILABLE, []));
    if swap {
        series
            .extend(["used", "free"].map(|state| Series::new(metric::PAGING_USAGE, [("system.paging.state", state)])));
    }
    series
}

#[cfg(test)]
mod tests {
    use super::*;
    use procfs::FromBufRead;
    use std::{fs, time::Duration};

    const MEMINFO: &str = "MemTotal: 1000 kB\nMemFree: 200 kB\nMemAvailable: 700 kB\nBuffers: 50 kB\nCached: 300 kB\n\
        SwapCached: 0 kB\nActive: 0 kB\nInactive: 0 kB\nSwapTotal: 100 kB\nSwapFree: 60 kB\nDirty: 0 kB\n\
        Writeback: 0 kB\nMapped: 0 kB\nSlab: 90 kB\nSReclaimable: 40 kB\nCommitted_AS: 0 kB\nVmallocTotal: 0 kB\n\
        VmallocUsed: 0 kB\nVmallocChunk: 0 kB\nNewInALaterKernel: 7 kB\nPagesOfSomething: 3\n";

    fn collect(memory: &mut Memory) -> (Result<Shape, CollectError>, Box<[f64]>) {
        let mut fill = Fill::new(Duration::ZERO, 8);
        (memory.collect(&mut fill), fill.into_values())
    }

    #[test]
    fn states_add_up_to_the_limit() {
        let info = Meminfo::from_buf_read(MEMINFO.as_bytes()).expect("well-formed");
        assert_eq!(usage(&info).map(|bytes| bytes / 1024), [410, 200, 340, 50]);
        let odd = MEMINFO.replace("Cached: 300", "Cached: 5000");
        let info = Meminfo::from_buf_read(odd.as_bytes()).expect("well-formed");
        assert_eq!(usage(&info), [0, 200 << 10, 750 << 10, 50 << 10]);
    }

    #[test]
    fn swap_comes_and_goes_with_its_series() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("meminfo");
        let mut memory = Memory { meminfo: KeptFile::new(&path), series: Vec::new(), swap: false };
        for (text, shape, len) in [
            (MEMINFO.replace("SwapTotal: 100", "SwapTotal: 0"), Shape::Changed, 6),
            (MEMINFO.replace("SwapTotal: 100", "SwapTotal: 0"), Shape::Same, 6),
            (MEMINFO.to_owned(), Shape::Changed, 8),
            (MEMINFO.to_owned(), Shape::Same, 8),
        ] {
            fs::write(&path, text).expect("a writable file");
            let (result, values) = collect(&mut memory);
            assert_eq!(result.expect("well-formed"), shape);
            assert_eq!((values.len(), memory.series().len()), (len, len));
        }
    }

    #[test]
    fn a_truncated_table_is_a_failure_of_one_line() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("meminfo");
        fs::write(&path, "MemTotal: 1000 kB\nMemFr").expect("a writable file");
        let mut memory = Memory { meminfo: KeptFile::new(&path), series: Vec::new(), swap: false };
        let (result, values) = collect(&mut memory);
        let error = result.expect_err("truncated").to_string();
        assert!(error.contains("meminfo") && !error.contains('\n'), "{error}");
        assert!(values.is_empty());
    }

    #[test]
    fn agrees_with_the_kernel() {
        let read = || Meminfo::from_buf_read(fs::read("/proc/meminfo").expect("readable").as_slice());
        let before = read().expect("well-formed");
        let (result, values) = collect(&mut Memory::new());
        result.expect("readable");
        let after = read().expect("well-formed");

        assert_eq!(values[4].to_bits(), (before.mem_total as f64).to_bits());
        assert_eq!(values[..4].iter().sum::<f64>().to_bits(), values[4].to_bits());
        // Other programs allocate in the meantime: the truth lies around the two readings.
        let slack = 0.02 * values[4];
        let within = |value: f64, a: u64, b: u64| {
            let (low, high) = (a.min(b) as f64 - slack, a.max(b) as f64 + slack);
            assert!((low..=high).contains(&value), "{value} is not within {low}..{high}");
        };
        within(values[1], before.mem_free, after.mem_free);
        within(values[5], before.mem_available.unwrap_or(0), after.mem_available.unwrap_or(0));
        let used = |info: &Meminfo| usage(info)[0];
        within(values[0], used(&before), used(&after));
    }
}
