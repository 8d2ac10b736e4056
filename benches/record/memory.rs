//! The most memory that an export takes, of a recording that is a hundred times as long.

use std::{io, process::Command};

use crate::{
    hosts::one,
    long::Long,
    measure::{Goal, Row, Table, thousands},
    programs::{PROGRAM, cost},
};

/// Of an export in each format, in MiB.
pub(crate) struct Peaks {
    samples: u64,
    mib: Vec<f64>,
    /// How long each took.
    seconds: Vec<f64>,
}

const FORMATS: [&str; 2] = ["ndjson", "csv"];

impl Peaks {
    /// Has it so many samples first.
    pub(crate) fn of(long: &mut Long, samples: u64) -> io::Result<Self> {
        long.extend_to(samples)?;
        let mut peaks = Self { samples: long.count(), mib: Vec::new(), seconds: Vec::new() };
        for format in FORMATS {
            let cost = cost(Command::new(PROGRAM).arg("export").arg(long.folder()).args(["--format", format]))?;
            peaks.mib.push(cost.peak_kib / 1024.0);
            peaks.seconds.push(cost.seconds);
        }
        Ok(peaks)
    }
}

pub(crate) fn bench(few: &Peaks, long: &mut Long, many: u64) -> io::Result<()> {
    let many = Peaks::of(long, many)?;
    let [fewer, more] = [few.samples, many.samples].map(|samples| thousands(samples as usize));
    let mut table = Table::new(format!("most memory of an export of {more} samples beside {fewer}, MiB"));
    for (format, (most, floor)) in FORMATS.into_iter().zip(many.mib.iter().zip(&few.mib)) {
        table.add(Row::new(format, one(*most)).floor(one(*floor)).goal(Goal::TimesFloor(1.1)));
    }
    println!("{table}");
    for (format, seconds) in FORMATS.into_iter().zip(&many.seconds) {
        println!("{format}: {more} samples in {seconds:.1} s");
    }
    Ok(())
}
