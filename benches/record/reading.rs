//! How fast a recording is read, beside what only decompresses it and counts its lines.

use std::{io, path::Path};

use tempfile::TempDir;

use crate::{
    long::Long,
    measure::{Figures, Row, Table, thousands},
    programs::{PROGRAM, cost, on_one_core, script, sum, verify},
};

const SAMPLES: u64 = 200_000;
const ROUNDS: usize = 3;
/// Into a pipe each, whose other end counts lines.
const FLOOR: &str = "{ find . -name '*.zst' -exec zstd -dcq {} + ; find . -name '*.ndjson' -exec cat {} + ; } | wc -l";

/// Thousand samples a second: of CPU, and of time.
#[derive(Default)]
struct Speeds {
    of_cpu: Figures,
    of_time: Figures,
}

/// What each of them reached, in their order. They take turns, so that a drift of the machine's speed hits all.
fn compare(scripts: &[String], folder: &Path, samples: f64) -> io::Result<Vec<Speeds>> {
    let mut all: Vec<_> = scripts.iter().map(|_| Speeds::default()).collect();
    for _ in 0..ROUNDS {
        for (text, speeds) in scripts.iter().zip(&mut all) {
            let cost = cost(&mut script(text, folder))?;
            speeds.of_cpu.push(samples / cost.cpu_seconds / 1e3);
            speeds.of_time.push(samples / cost.seconds / 1e3);
        }
    }
    Ok(all)
}

/// Of one host, which everything reads on one thread; and of many, which `verify` reads on as many as there are processors.
pub(crate) fn bench(long: &mut Long, all: &TempDir, hosts: usize) -> io::Result<()> {
    long.extend_to(SAMPLES)?;
    let samples = long.count() as f64;
    let tasks = ["export .", "export --format csv ."].map(|task| format!("{PROGRAM} {task} | wc -l"));
    let scripts = [vec![FLOOR.to_owned(), format!("{PROGRAM} verify .")], tasks.into()].concat();
    let names = [
        "hostcast verify: 1 thread",
        "hostcast export, as lines, into wc -l: 1 thread and 1 process",
        "hostcast export --format csv, into wc -l: 1 thread and 1 process",
    ];
    // Where each end of a pipe has a core of its own, moving the text from one to the other costs as much as all else.
    let speeds = on_one_core(|| compare(&scripts, long.folder(), samples))?;
    let mut of_cpu = Table::of_rounds("reading one host, thousand samples a second of CPU");
    let mut of_time = Table::of_rounds("the same, a second of time, on one core");
    for (name, task) in names.into_iter().zip(&speeds[1..]) {
        of_cpu.add(Row::new(name, task.of_cpu.clone()).floor(speeds[0].of_cpu.clone()));
        of_time.add(Row::new(name, task.of_time.clone()).floor(speeds[0].of_time.clone()));
    }
    println!("{} samples of one host:\n\n{of_cpu}\n{of_time}", thousands(samples as usize));
    println!(
        "The floor is zstd -dc of the archives, and cat of what is none yet, into wc -l: 2 processes. CPU is that of all that run, and all of them have one core together.\n"
    );

    let samples = sum(&verify(all.path())?, "samples");
    // Gaps are no failure to be fast.
    let ours = format!("{PROGRAM} verify . > verdict || test $? = 3");
    let speeds = compare(&[FLOOR.to_owned(), ours], all.path(), samples)?;
    let [floor, ours] = [0, 1].map(|index| &speeds[index]);
    let threads = std::thread::available_parallelism()?;
    let mut table = Table::of_rounds(format!(
        "hostcast verify of {} samples of {} hosts, thousands a second",
        thousands(samples as usize),
        thousands(hosts)
    ));
    table.add(Row::new("of CPU", ours.of_cpu.clone()).floor(floor.of_cpu.clone()));
    table.add(Row::new(format!("of time, on {threads} threads"), ours.of_time.clone()).floor(floor.of_time.clone()));
    println!("{table}");
    Ok(())
}
