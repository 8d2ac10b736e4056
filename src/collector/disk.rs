//! Throughput and operations of whole disks, from `/proc/diskstats`.

use std::path::Path;

use procfs::DiskStat;

use super::{
    CollectError, Collector, Counter, Fill, Shape,
    devices::{Roster, Selection, natural_order},
    source::KeptFile,
};
use crate::{config::DiskConfig, metric, sample::Series};

/// The kernel counts in these, whatever the disk's own sectors are.
const SECTOR: u64 = 512;

pub(super) struct Disk {
    diskstats: KeptFile,
    selection: Selection,
    /// Bytes read and written, operations read and written.
    disks: Roster<[Counter; 4]>,
    series: Option<Vec<Series>>,
}

impl Disk {
    pub(super) fn new(config: &DiskConfig) -> Self {
        let exclude = config.exclude.clone();
        let selection = Selection::new(move |name| !exclude.matches(name) && is_whole_disk(name));
        Self { diskstats: KeptFile::new("/proc/diskstats"), selection, disks: Roster::new(), series: None }
    }
}

impl Collector for Disk {
    fn name(&self) -> &'static str {
        "disk"
    }

    fn collect(&mut self, fill: &mut Fill) -> Result<Shape, CollectError> {
        let Ok(text) = str::from_utf8(self.diskstats.read()?) else {
            return Err(self.diskstats.odd("it is not UTF-8"));
        };
        let mut disks = Vec::new();
        // Only the lines of wanted disks are worth parsing: hosts have dozens of loop devices.
        for line in text.lines() {
            if line.split_ascii_whitespace().nth(2).is_none_or(|name| self.selection.wants(name)) {
                match DiskStat::from_line(line) {
                    Ok(disk) => disks.push(disk),
                    Err(error) => return Err(self.diskstats.malformed(&error)),
                }
            }
        }
        disks.sort_by(|a, b| natural_order(&a.name, &b.name));

        let changed = self.disks.set(disks.iter().map(|disk| &*disk.name)) || self.series.is_none();
        let now = fill.now();
        for (disk, counters) in disks.iter().zip(self.disks.states()) {
            let counts = [disk.sectors_read * SECTOR, disk.sectors_written * SECTOR, disk.reads, disk.writes];
            for (counter, count) in counters.iter_mut().zip(counts) {
                fill.push(counter.rate(now, count));
            }
        }
        if !changed {
            return Ok(Shape::Same);
        }
        self.series = Some(self.disks.names().flat_map(series).collect());
        Ok(Shape::Changed)
    }

    fn series(&self) -> &[Series] {
        self.series.as_deref().unwrap_or_default()
    }
}

fn series(name: &str) -> [Series; 4] {
    [
        (metric::DISK_IO, "read"),
        (metric::DISK_IO, "write"),
        (metric::DISK_OPERATIONS, "read"),
        (metric::DISK_OPERATIONS, "write"),
    ]
    .map(|(metric, direction)| Series::new(metric, [("disk.io.direction", direction), ("system.device", name)]))
}

/// Partitions are absent from `/sys/block`, where a `/` in a name is written as `!`.
fn is_whole_disk(name: &str) -> bool {
    Path::new("/sys/block").join(name.replace('/', "!")).exists()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{collections::BTreeMap, fs, io::Write, time::Duration};

    fn fixture(path: &Path) -> Disk {
        Disk {
            diskstats: KeptFile::new(path),
            selection: Selection::new(|name| !name.contains('p')),
            disks: Roster::new(),
            series: None,
        }
    }

    fn collect(disk: &mut Disk, second: u64) -> (Shape, Box<[f64]>) {
        let mut fill = Fill::new(Duration::from_secs(second), 8);
        let shape = disk.collect(&mut fill).expect("readable");
        assert_eq!(fill.len(), disk.series().len());
        (shape, fill.into_values())
    }

    #[test]
    fn rates_are_of_bytes_and_operations_and_a_new_disk_has_none_yet() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("diskstats");
        let mut disk = fixture(&path);
        // As of Linux 2.6, of 5.5 (with discards and flushes), and with a column of the future.
        fs::write(&path, " 8 0 nvme10n1 1 0 8 0 2 0 16 0 0 0 0\n 8 1 nvme10n1p1 1 0 8 0 2 0 16 0 0 0 0\n")
            .expect("written");
        assert_eq!(collect(&mut disk, 1).0, Shape::Changed);
        fs::write(&path, " 8 0 nvme10n1 3 0 28 0 2 0 16 0 0 0 0 1 2 3 4 5 6 7\n 8 9 nvme2n1 1 0 8 0 2 0 16 0 0 0 0\n")
            .expect("written");
        let (shape, values) = collect(&mut disk, 3);
        assert_eq!(shape, Shape::Changed);
        assert_eq!(&*disk.series()[0].attributes["system.device"], "nvme2n1");
        assert!(values[..4].iter().all(|value| value.is_nan()));
        assert_eq!(values[4..], [5120.0, 0.0, 1.0, 0.0]);
        // Replaced by another disk of the same name.
        fs::write(&path, " 8 0 nvme10n1 1 0 8 0 2 0 16 0 0 0 0\n").expect("written");
        let (shape, values) = collect(&mut disk, 4);
        assert_eq!(shape, Shape::Changed);
        assert!(values[0].is_nan() && values[2].is_nan());
        assert_eq!(values[1].to_bits(), 0f64.to_bits());
    }

    #[test]
    fn a_truncated_table_fails() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("diskstats");
        fs::write(&path, " 8 0 sda 1 0 8 0 2").expect("written");
        let result = fixture(&path).collect(&mut Fill::new(Duration::ZERO, 4));
        assert!(matches!(result, Err(CollectError::Failed(text)) if text.contains("diskstats")));
    }

    #[test]
    fn a_host_without_disks_has_no_series() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let path = dir.path().join("diskstats");
        fs::write(&path, "").expect("written");
        let mut disk = fixture(&path);
        assert_eq!(collect(&mut disk, 1).0, Shape::Changed);
        assert_eq!(collect(&mut disk, 2).0, Shape::Same);
    }

    /// Bytes read and written of each whole disk, straight from the kernel.
    fn truth() -> BTreeMap<String, [u64; 2]> {
        let text = fs::read_to_string("/proc/diskstats").expect("readable");
        let row = |line: &str| {
            let words: Vec<_> = line.split_whitespace().collect();
            let bytes = |column: usize| 512 * words[column].parse::<u64>().expect("a number");
            (words[2].to_owned(), [bytes(5), bytes(9)])
        };
        text.lines().map(row).collect()
    }

    #[test]
    fn agrees_with_the_kernel_while_a_file_is_written() {
        let mut disk = Disk::new(&DiskConfig::default());
        let t0 = truth();
        collect(&mut disk, 1);
        let t1 = truth();
        let beside_the_build = std::env::current_exe().expect("this test").parent().map(Path::to_path_buf);
        let mut file = tempfile::tempfile_in(beside_the_build.expect("a directory")).expect("a temporary file");
        file.write_all(&vec![7; 4 << 20]).expect("written");
        file.sync_all().expect("on disk");
        let t2 = truth();
        let (_, values) = collect(&mut disk, 2);
        let t3 = truth();

        for (index, series) in disk.series().iter().enumerate().filter(|(_, series)| series.metric == metric::DISK_IO) {
            let (name, way) = (&*series.attributes["system.device"], index % 2);
            let (least, most) = (t2[name][way] - t1[name][way], t3[name][way] - t0[name][way]);
            assert!((least as f64..=most as f64).contains(&values[index]), "{name}: {least} {} {most}", values[index]);
        }
        if values.iter().sum::<f64>() < f64::from(4 << 20) {
            println!("skipped in part: the build directory is on no disk that is published");
        }
    }
}
