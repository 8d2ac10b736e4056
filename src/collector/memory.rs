//! Memory and swap, from `/proc/meminfo`.
//!
//! As free(1) counts: `cached` is the page cache with the reclaimable part of the slab, `used` is
//! what remains of the total besides `free`, `buffers` and `cached`. So the four add up to the limit.
//!
//! The parser is ours: procfs keeps each of the 50 lines in a map of strings, which costs more than
//! the reading, and insists on lines that containers may leave out.

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
        let info = match Info::parse(self.meminfo.read()?) {
            Ok(info) => info,
            Err(what) => return Err(self.meminfo.odd(&what)),
        };
        for bytes in usage(&info) {
            fill.push(bytes as f64);
        }
        fill.push(info.total as f64);
        fill.push(info.available.map(|bytes| bytes as f64));

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

/// The lines that are published, in bytes.
#[derive(Debug, Default)]
struct Info {
    total: u64,
    free: u64,
    available: Option<u64>,
    buffers: u64,
    cached: u64,
    reclaimable: u64,
    swap_total: u64,
    swap_free: u64,
}

impl Info {
    /// Takes a table apart; the error is a line that is missing or malformed.
    fn parse(table: &[u8]) -> Result<Self, String> {
        let table = str::from_utf8(table).map_err(|error| error.to_string())?;
        let (mut info, mut total, mut free, mut cached) = (Self::default(), None, None, None);
        for line in table.lines() {
            let Some((name, value)) = line.split_once(':') else { continue };
            let slot = match name {
                "MemTotal" => total.insert(0),
                "MemFree" => free.insert(0),
                "MemAvailable" => info.available.insert(0),
                "Buffers" => &mut info.buffers,
                "Cached" => cached.insert(0),
                "SReclaimable" => &mut info.reclaimable,
                "SwapTotal" => &mut info.swap_total,
                "SwapFree" => &mut info.swap_free,
                _ => continue,
            };
            let kibibytes = value.trim().strip_suffix(" kB").and_then(|value| value.parse::<u64>().ok());
            *slot = kibibytes.ok_or_else(|| format!("`{line}`"))? << 10;
        }
        info.total = total.ok_or("no MemTotal")?;
        info.free = free.ok_or("no MemFree")?;
        info.cached = cached.ok_or("no Cached")?;
        Ok(info)
    }
}

/// Bytes used, free, cached and in buffers: together exactly the total.
fn usage(info: &Info) -> [u64; 4] {
    // The kernel does not count these at one moment, so each takes at most what is left.
    let mut left = info.total;
    let mut take = |bytes: u64| {
        let taken = bytes.min(left);
        left -= taken;
        taken
    };
    let free = take(info.free);
    let buffers = take(info.buffers);
    let cached = take(info.cached + info.reclaimable);
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
        let info = Info::parse(MEMINFO.as_bytes()).expect("well-formed");
        assert_eq!(usage(&info).map(|bytes| bytes / 1024), [410, 200, 340, 50]);
        let odd = MEMINFO.replace("Cached: 300", "Cached: 5000");
        let info = Info::parse(odd.as_bytes()).expect("well-formed");
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
        let before = truth();
        let (result, values) = collect(&mut Memory::new());
        result.expect("readable");
        let after = truth();

        assert_eq!(values[4].to_bits(), before("MemTotal").to_bits());
        assert_eq!(values[..4].iter().sum::<f64>().to_bits(), values[4].to_bits());
        // Other programs allocate in the meantime: the truth lies around the two readings.
        let slack = 0.02 * values[4];
        let published: [(usize, &[&str]); 4] =
            [(1, &["MemFree"]), (2, &["Cached", "SReclaimable"]), (3, &["Buffers"]), (5, &["MemAvailable"])];
        for (at, names) in published {
            let sum = |truth: &dyn Fn(&str) -> f64| names.iter().map(|name| truth(name)).sum::<f64>();
            let (a, b) = (sum(&before), sum(&after));
            let value = values[at];
            assert!((a.min(b) - slack..=a.max(b) + slack).contains(&value), "{names:?}: {value} is not {a} to {b}");
        }
    }

    /// Bytes by name, straight from the kernel.
    fn truth() -> impl Fn(&str) -> f64 {
        let text = fs::read_to_string("/proc/meminfo").expect("readable");
        move |name| {
            let line = text.lines().find(|line| line.split(':').next() == Some(name)).expect("a line of that name");
            1024.0 * line.split_whitespace().nth(1).expect("a number").parse::<f64>().expect("a number")
        }
    }
}
