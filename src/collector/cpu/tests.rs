use super::*;
use std::{
    fmt::Write as _,
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

const TAIL: &str = "intr 5 0 1\nctxt 9\nbtime 1\nprocesses 2\nprocs_running 1\nprocs_blocked 0\nsoftirq 3 1\n";

/// `/proc/stat` with a line for each core; `ticks` are user, idle and steal.
fn stat(cores: impl Iterator<Item = (u32, [u64; 3])>) -> String {
    let (mut lines, mut sum) = (String::new(), [0; 3]);
    for (number, [user, idle, steal]) in cores {
        writeln!(lines, "cpu{number} {user} 0 0 {idle} 0 0 0 {steal} 0 0").expect("a string");
        sum = [sum[0] + user, sum[1] + idle, sum[2] + steal];
    }
    let [user, idle, steal] = sum;
    format!("cpu  {user} 0 0 {idle} 0 0 0 {steal} 0 0\n{lines}{TAIL}")
}

/// Without sysinfo, which reads no fixture.
fn fixture(path: &Path) -> Cpu {
    let mut cpu = Cpu::new(&CpuConfig::default(), Duration::from_millis(100));
    cpu.stat = KeptFile::new(path);
    cpu
}

fn collect(cpu: &mut Cpu) -> Result<(Shape, Box<[f64]>), CollectError> {
    let mut fill = Fill::new(Duration::ZERO, 16);
    let shape = cpu.collect(&mut fill)?;
    assert_eq!(fill.len(), cpu.series().len());
    Ok((shape, fill.into_values()))
}

fn value(cpu: &Cpu, values: &[f64], id: &str) -> f64 {
    let at = cpu.series().iter().position(|series| &*series.id == id).unwrap_or_else(|| panic!("no {id}"));
    values[at]
}

#[test]
fn first_reading_is_missing_then_shares_are_of_the_span() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("stat");
    let mut cpu = fixture(&path);
    fs::write(&path, stat([(0, [1000, 0, 0]), (1, [5, 5, 5])].into_iter())).expect("written");
    let (shape, values) = collect(&mut cpu).expect("well-formed");
    assert_eq!(shape, Shape::Changed);
    assert!(values.iter().all(|value| value.is_nan()));

    fs::write(&path, stat([(0, [1010, 30, 0]), (1, [5, 35, 15])].into_iter())).expect("written");
    let (shape, values) = collect(&mut cpu).expect("well-formed");
    assert_eq!(shape, Shape::Same);
    // Steal counts as used.
    assert_eq!(values[..3], [0.25; 3]);
    assert_eq!(values[3..], [0.125, 0.0, 0.0, 0.75, 0.0, 0.0, 0.125]);

    let (_, values) = collect(&mut cpu).expect("well-formed");
    assert!(values.iter().all(|value| value.is_nan()), "no tick was counted");
}

#[test]
fn a_core_that_goes_and_comes_back_is_missing_until_it_has_a_baseline() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("stat");
    let mut cpu = fixture(&path);
    let core = "system.cpu.utilization{cpu.logical_number=";
    for (tick, online, shape) in [
        (1, vec![0, 1, 2, 3, 10], Shape::Changed),
        (2, vec![0, 1, 2, 10], Shape::Changed),
        (3, vec![0, 1, 2, 3, 10], Shape::Changed),
        (4, vec![0, 1, 2, 3, 10], Shape::Same),
    ] {
        // Core n is busy for n of 20 ticks.
        let lines = online.iter().map(|n| (*n, [tick * u64::from(*n), tick * (20 - u64::from(*n)), 0]));
        fs::write(&path, stat(lines)).expect("written");
        let (found, values) = collect(&mut cpu).expect("well-formed");
        assert_eq!(found, shape, "tick {tick}");
        if tick > 1 {
            assert!((value(&cpu, &values, &format!("{core}10}}")) - 0.5).abs() < 1e-9, "core 10 kept its baseline");
        }
        match tick {
            2 => assert!(cpu.series().iter().all(|series| *series.id != *format!("{core}3}}"))),
            3 => assert!(value(&cpu, &values, &format!("{core}3}}")).is_nan()),
            4 => assert!((value(&cpu, &values, &format!("{core}3}}")) - 0.15).abs() < 1e-9),
            _ => {}
        }
    }
}

#[test]
fn counters_that_run_backwards_count_as_none() {
    let mut baseline = Some([100, 0, 0, 1000, 500, 0, 0]);
    let spent = advance(&mut baseline, [110, 0, 0, 1030, 490, 0, 0]).expect("a baseline");
    assert_eq!(spent, [10, 0, 0, 30, 0, 0, 0]);
    assert_eq!(busy_share(spent), Some(0.25));
}

#[test]
fn odd_tables_are_understood_or_refused_whole() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("stat");
    let try_text = |text: &str| {
        fs::write(&path, text).expect("written");
        collect(&mut fixture(&path))
    };
    let many = stat((0..256).map(|n| (n, [1, 1, 1])));
    assert_eq!(try_text(&many).expect("256 cores").1.len(), 1 + 256 + MODES.len());
    // Linux 2.4 had four columns; one of the future may have twelve.
    assert!(try_text(&format!("cpu 1 2 3 4\ncpu0 1 2 3 4\n{TAIL}")).is_ok());
    assert!(try_text(&format!("cpu 1 2 3 4 5 6 7 8 9 10 11 12\ncpu0 1 2 3 4 5 6 7 8 9 10 11 12\n{TAIL}")).is_ok());
    for text in ["", "cpu  1 2 3\n", &many[..many.len() / 2], &format!("cpu 1 2 x 4\ncpu0 1 2 3 4\n{TAIL}")] {
        assert!(matches!(try_text(text), Err(CollectError::Failed(text)) if text.contains("stat")), "{text:?}");
    }
}

/// Busy and all ticks, straight from the kernel: the host, then each core.
fn truth() -> Vec<[u64; 2]> {
    let text = fs::read_to_string("/proc/stat").expect("readable");
    let row = |line: &str| {
        let ticks: Vec<u64> = line.split_whitespace().skip(1).map(|word| word.parse().expect("a number")).collect();
        let all: u64 = ticks[..8].iter().sum();
        [all - ticks[3] - ticks[4], all]
    };
    text.lines().take_while(|line| line.starts_with("cpu")).map(row).collect()
}

fn agrees_with_the_kernel(span: Duration) {
    let mut measured = Cpu::new(&CpuConfig::default(), Duration::from_secs(1));
    let mut counted = Cpu::new(&CpuConfig::default(), Duration::from_millis(100));
    let before = truth();
    collect(&mut measured).expect("readable");
    collect(&mut counted).expect("readable");
    thread::sleep(span);
    let (_, by_sysinfo) = collect(&mut measured).expect("readable");
    let (_, by_procfs) = collect(&mut counted).expect("readable");
    let after = truth();
    let share = |at: usize| (after[at][0] - before[at][0]) as f64 / (after[at][1] - before[at][1]) as f64;
    for (name, values) in [("sysinfo", by_sysinfo), ("procfs", by_procfs)] {
        println!("{name}: {:.4}, the kernel: {:.4}", values[0], share(0));
        assert!((values[0] - share(0)).abs() <= 0.02, "{name}: {} against {}", values[0], share(0));
        for core in 1..before.len() {
            // A core counts 10 ms ticks alone: two more or less make 2 points of a second.
            assert!((values[core] - share(core)).abs() <= 0.03, "{name}: {} against {}", values[core], share(core));
        }
    }
}

#[test]
fn agrees_with_the_kernel_as_it_is() {
    agrees_with_the_kernel(Duration::from_secs(1));
}

#[test]
fn agrees_with_the_kernel_under_load() {
    let stop = Arc::new(AtomicBool::new(false));
    let half = thread::available_parallelism().map_or(1, usize::from).div_ceil(2);
    let busy: Vec<_> = (0..half)
        .map(|_| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || while !stop.load(Relaxed) {})
        })
        .collect();
    agrees_with_the_kernel(Duration::from_secs(1));
    stop.store(true, Relaxed);
    for thread in busy {
        thread.join().expect("a busy thread");
    }
}
