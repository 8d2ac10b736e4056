//! What a value takes on disk, in each format: one real host at 1 Hz, for as long as everything else is measured.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use serde_json::Value;
use tempfile::TempDir;

use crate::{
    hosts::one,
    measure::{Goal, Row, Table, thousands},
    process::Process,
    programs::{self, PROGRAM, name, recorder, said, sum, verify},
};

/// A daemon with the defaults, and a recorder for each format that the program knows.
pub(crate) struct Beside {
    address: SocketAddr,
    /// Started before the recorders, and needed to the end.
    _daemon: Process,
    folder: TempDir,
    recorders: Vec<(Format, Process)>,
}

/// Its name, and the flags that it is recorded with.
#[derive(Clone, Copy)]
struct Format(&'static str, &'static [&'static str]);

const LINES: Format = Format("lines of JSON", &[]);
const CSV: Format = Format("CSV", &["--format", "csv"]);
/// So long a few samples more are recorded, so that what was recorded before them is a part that is finished.
const LAST_SAMPLES: Duration = Duration::from_secs(4);

/// A recording in frames, in each format.
pub(crate) struct Recorded {
    folder: TempDir,
    formats: Vec<Format>,
}

impl Beside {
    pub(crate) fn start() -> io::Result<Self> {
        let mut command = Command::new(PROGRAM);
        command.args(["serve", "--listen", "127.0.0.1:0", "--interval", "1s", "--log-level", "error"]);
        let (mut daemon, folder) = (Process::start(command)?, tempfile::tempdir()?);
        let address = programs::address(&mut daemon)?;
        let help = Command::new(PROGRAM).args(["record", "--help"]).output()?;
        let knows_csv = String::from_utf8_lossy(&help.stdout).contains("--format");
        let formats = std::iter::once(LINES).chain(knows_csv.then_some(CSV));
        let start = |format: Format| Ok((format, recorder(&[address], &folder.path().join(format.0), 1, format.1)?));
        let recorders = formats.map(start).collect::<io::Result<_>>()?;
        Ok(Self { address, _daemon: daemon, folder, recorders })
    }

    /// Ends them, and has all that they have kept made into frames.
    pub(crate) fn finish(self) -> io::Result<Recorded> {
        let folder = tempfile::tempdir()?;
        let mut formats = Vec::new();
        for (format, recorder_until_now) in self.recorders {
            drop(recorder_until_now);
            let recorded = self.folder.path().join(format.0);
            let last = recorder(&[self.address], &recorded, 1, &[format.1, &["--rotate-every", "1s"]].concat())?;
            thread::sleep(LAST_SAMPLES);
            drop(last);
            // The first part is all but those last seconds.
            let first = folder.path().join(format.0).join(name(0));
            fs::create_dir_all(&first)?;
            for file in fs::read_dir(recorded.join(name(0)))? {
                let file = file?;
                if file.file_name().to_string_lossy().starts_with("000001-") {
                    fs::copy(file.path(), first.join(file.file_name()))?;
                }
            }
            formats.push(format);
        }
        Ok(Recorded { folder, formats })
    }
}

impl Recorded {
    /// The recording of its one host, as lines.
    pub(crate) fn lines(&self) -> PathBuf {
        self.folder.path().join(LINES.0).join(name(0))
    }

    pub(crate) fn table(&self) -> io::Result<Table> {
        let mut table = Table::new("bytes on disk a value, compressed");
        let floor = bytes_by_columns(&self.lines())?;
        for Format(format, _) in &self.formats {
            let report = verify(&self.folder.path().join(format))?;
            let (samples, values) = (sum(&report, "samples"), sum(&report, "values"));
            println!(
                "{format}: {} samples of {:.0} values, {:.2} bytes a value before they were compressed",
                thousands(samples as usize),
                values / samples,
                sum(&report, "bytes_of_lines") / values,
            );
            let row = Row::new(*format, one(sum(&report, "bytes") / values));
            table.add(row.floor(one(floor)).goal(Goal::AtMost(1.0)));
        }
        println!("The floor is what a value takes where each series is compressed by itself, as text, by zstd -19.\n");
        Ok(table)
    }
}

/// What a value of this host takes where the values of each series stand together, compressed as well as zstd can.
fn bytes_by_columns(host: &Path) -> io::Result<f64> {
    let lines = said("zstd -dcq *.zst", host)?;
    let (mut columns, mut count) = (BTreeMap::<String, String>::new(), 0);
    for line in lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let Some(values) = line["values"].as_object() else { continue };
        count += values.len();
        let head = ["time", "elapsed_ms"].map(|field| (field.to_owned(), &line[field]));
        for (series, value) in head.into_iter().chain(values.iter().map(|(id, value)| (id.clone(), value))) {
            let _ = write!(columns.entry(series).or_default(), "{value},");
        }
    }
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("columns"), columns.into_values().collect::<String>())?;
    let bytes: f64 = said("zstd -19 -qc columns | wc -c", folder.path())?.parse().map_err(io::Error::other)?;
    Ok(bytes / count as f64)
}
