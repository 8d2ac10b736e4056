//! Real samples of this host: on time whatever happens, and true. Time is the subject here.

use std::{
    fs,
    path::Path,
    process::Command,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use hostcast::{
    protocol::{Message, WireSample, WireValues},
    sample::MissedReason,
};
use rustix::process::{Signal, getuid};

use crate::support::{Clock, Feed, Http, TestDaemon, program};

fn number(sample: &WireSample, id: &str) -> f64 {
    let WireValues::Named(values) = &sample.values else { panic!("json has names") };
    values.get(id).unwrap_or_else(|| panic!("no {id} in {values:?}")).unwrap_or_else(|| panic!("{id} is missing"))
}

/// A live subscriber behind its history.
fn live(daemon: &TestDaemon) -> Feed {
    let mut feed = daemon.feed("history=none", "hostcast.v1.json");
    feed.hello();
    feed.past();
    feed
}

#[test]
fn a_stopped_daemon_says_how_many_ticks_it_missed_and_does_not_make_them_up() {
    let daemon = TestDaemon::start();
    let mut feed = live(&daemon);
    let before = feed.live();
    daemon.signal(Signal::STOP);
    thread::sleep(Duration::from_millis(1_500));
    daemon.signal(Signal::CONT);
    let mut samples = vec![before];
    while samples.len() < 40 && samples.iter().all(|sample| sample.missed.is_none_or(|missed| missed.ticks < 10)) {
        samples.push(feed.live());
    }
    let late = samples.last().unwrap().clone();
    let missed = late.missed.expect("ticks were missed");
    assert_eq!(missed.reason, MissedReason::Late);
    assert!((13..=30).contains(&missed.ticks), "{missed:?}");
    // What was slept through is in the time that passed, tick for tick.
    assert!((late.elapsed_ms / 100.0 - (missed.ticks + 1) as f64).abs() < 1.5, "{late:?}");
    for _ in 0..10 {
        samples.push(feed.live());
    }
    for pair in samples.windows(2) {
        assert_eq!(pair[1].seq, pair[0].seq + 1, "seq has a hole");
    }
    // Back on the grid, without a burst.
    let after = &samples[samples.len() - 10..];
    let span = after.last().unwrap().time - late.time;
    let taken: u64 = after.iter().map(|sample| 1 + sample.missed.map_or(0, |missed| missed.ticks)).sum();
    assert!((span as f64 / 100.0 - taken as f64).abs() < 1.5, "{span} ms for {taken} ticks");
    let on_time = after.iter().skip(1).filter(|sample| (80.0..120.0).contains(&sample.elapsed_ms)).count();
    assert!(on_time >= 5, "{:?}", after.iter().map(|sample| sample.elapsed_ms).collect::<Vec<_>>());
}

#[test]
fn ten_samples_a_second_means_ten() {
    let daemon = TestDaemon::start();
    let mut feed = live(&daemon);
    let first = feed.live();
    let started = Instant::now();
    let mut ticks = 0;
    let mut measured = 0.0;
    for _ in 0..30 {
        let sample = feed.live();
        ticks += 1 + sample.missed.map_or(0, |missed| missed.ticks);
        measured += sample.elapsed_ms;
    }
    let real = started.elapsed().as_secs_f64() * 1e3;
    assert!((real / 100.0 - ticks as f64).abs() < 2.0, "{ticks} ticks in {real} ms");
    assert!((measured - real).abs() < 200.0, "{measured} ms measured of {real} ms");
    assert!(first.elapsed_ms > 0.0);
}

#[test]
fn a_step_of_the_wall_clock_disturbs_neither_cadence_nor_seq() {
    let clock_folder = tempfile::tempdir().unwrap();
    let Some(clock) = Clock::in_folder(clock_folder.path()) else { return };
    let config = "[sampler]\ninterval = \"100ms\"\n[history]\nwindow = \"15m\"\n";
    let wrap = |_: &Path| {
        let mut command = Command::new(program());
        clock.govern(&mut command);
        command
    };
    let daemon = TestDaemon::launch(config, wrap, "127.0.0.1:0");
    let mut feed = live(&daemon);
    let mut samples: Vec<_> = (0..5).map(|_| feed.live()).collect();
    for step in ["+1h", "-1h", "+0"] {
        clock.set(step);
        let before = samples.last().unwrap().time;
        let hour_away = |sample: &WireSample| sample.time.abs_diff(before) > 3_000_000;
        while !hour_away(samples.last().unwrap()) {
            samples.push(feed.live());
        }
        samples.extend((0..5).map(|_| feed.live()));
    }
    for pair in samples.windows(2) {
        let [before, after] = pair else { unreachable!("windows of two") };
        assert_eq!(after.seq, before.seq + 1);
        let ticks = 1 + after.missed.map_or(0, |missed| missed.ticks);
        assert!((after.elapsed_ms / 100.0 - ticks as f64).abs() < 1.0, "{after:?}");
        assert!(after.missed.is_none_or(|missed| missed.reason == MissedReason::Late), "{after:?}");
    }
    // Nothing was thrown away for being an hour old.
    assert_eq!(daemon.status()["history"]["oldest_seq"], 1);
}

/// Busy and total ticks of the host since it booted.
fn proc_stat() -> (f64, f64) {
    let stat = fs::read_to_string("/proc/stat").unwrap();
    let ticks: Vec<f64> =
        stat.lines().next().unwrap().split_ascii_whitespace().skip(1).map(|tick| tick.parse().unwrap()).collect();
    // Guests are in user already.
    let total: f64 = ticks[..8].iter().sum();
    (total - ticks[3] - ticks[4], total)
}

/// Compares what the daemon says with the kernel's own count over the same span.
fn cpu_agrees(daemon: &TestDaemon, load: &str) {
    let mut feed = live(daemon);
    feed.live();
    let (busy_before, before) = proc_stat();
    let (mut busy, mut span) = (0.0, 0.0);
    while span < 3_000.0 {
        let sample = feed.live();
        busy += number(&sample, "system.cpu.utilization") * sample.elapsed_ms;
        span += sample.elapsed_ms;
    }
    let (busy_after, after) = proc_stat();
    let (told, real) = (busy / span, (busy_after - busy_before) / (after - before));
    assert!((told - real).abs() < 0.02, "{load}: {told:.4} was told, and {real:.4} is true");
}

/// Threads that do nothing but work, until this is dropped.
struct Load {
    done: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    fn of(threads: usize) -> Self {
        let done = Arc::new(AtomicBool::new(false));
        let work = |_| {
            let done = Arc::clone(&done);
            thread::spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        };
        Self { threads: (0..threads).map(work).collect(), done }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.done.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // It cannot have panicked.
            let _ = thread.join();
        }
    }
}

#[test]
fn cpu_utilization_is_the_kernels_idle_and_busy() {
    // Two ways to read it: sysinfo cannot measure spans as short as the first.
    for interval in ["100ms", "500ms"] {
        let daemon = TestDaemon::with(&format!("[sampler]\ninterval = \"{interval}\"\n"));
        cpu_agrees(&daemon, "as it is");
        let _load = Load::of(1);
        cpu_agrees(&daemon, "with a busy thread");
    }
}

#[test]
fn the_first_sample_is_of_now_and_not_since_boot() {
    let (busy, total) = proc_stat();
    // With every core busy, now differs from what was since boot.
    let _load = Load::of(thread::available_parallelism().unwrap().get());
    let daemon = TestDaemon::with("[sampler]\ninterval = \"500ms\"\n");
    let mut feed = daemon.feed("history=all", "hostcast.v1.json");
    feed.hello();
    let first = feed.past().into_iter().next().unwrap_or_else(|| feed.live());
    assert_eq!(first.seq, 1);
    let WireValues::Named(values) = &first.values else { panic!("json has names") };
    // A filesystem is asked on a thread of its own, which may get no processor in time here.
    let expected = values.iter().filter(|(id, _)| !id.starts_with("system.filesystem."));
    let missing: Vec<_> = expected.filter(|(_, value)| value.is_none()).map(|(id, _)| id).collect();
    assert_eq!(missing, [""; 0], "rates have a baseline");
    let told = number(&first, "system.cpu.utilization");
    assert!(told > 0.9, "{told} with every core busy, and {} since boot", busy / total);
}

/// A line of `/proc/meminfo`, in bytes.
fn meminfo(name: &str) -> f64 {
    let text = fs::read_to_string("/proc/meminfo").unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<f64>().unwrap() * 1024.0
}

#[test]
fn memory_is_the_kernels() {
    let daemon = TestDaemon::start();
    let mut feed = live(&daemon);
    feed.live();
    let (before, sample, after) = (meminfo("MemAvailable"), feed.live(), meminfo("MemAvailable"));
    let total = meminfo("MemTotal");
    assert!((number(&sample, "system.memory.limit") - total).abs() < total * 0.001);
    let available = number(&sample, "system.linux.memory.available");
    let tolerance = total * 0.02;
    assert!((before.min(after) - tolerance..before.max(after) + tolerance).contains(&available), "{available}");
    let WireValues::Named(values) = &sample.values else { panic!("json has names") };
    let states =
        values.iter().filter(|(id, _)| id.starts_with("system.memory.usage{")).map(|(_, value)| value.unwrap());
    assert!((states.sum::<f64>() - total).abs() < total * 0.001, "the states add up to the limit");
}

/// Bytes that came in through the loopback interface.
fn loopback_bytes() -> f64 {
    fs::read_to_string("/sys/class/net/lo/statistics/rx_bytes").unwrap().trim().parse().unwrap()
}

#[test]
fn network_traffic_is_the_kernels() {
    let daemon = TestDaemon::with("[sampler]\ninterval = \"200ms\"\n[collectors.network]\nexclude = []\n");
    let mut feed = live(&daemon);
    feed.live();
    let before = loopback_bytes();
    let mut told = 0.0;
    let mut http = Http::connect(&daemon.address);
    for _ in 0..10 {
        // Something to be seen: the dashboard's page a few times.
        for _ in 0..20 {
            http.get("/");
        }
        let sample = feed.live();
        let id = "system.network.io{network.interface.name=lo,network.io.direction=receive}";
        told += number(&sample, id) * sample.elapsed_ms / 1e3;
    }
    let real = loopback_bytes() - before;
    // Others use the loopback too, and the ends of the two spans are a few milliseconds apart.
    assert!(told > 100_000.0 && (told / real - 1.0).abs() < 0.3, "{told} were told of {real}");
}

/// Runs a command in the daemon's network.
fn in_its_network(daemon: &TestDaemon, arguments: &[&str]) {
    let mut command = Command::new("nsenter");
    command.args(["-t", &daemon.pid().as_raw_nonzero().to_string(), "-n", "ip"]).args(arguments);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Whether this user may make networks, with an interface pair in them.
fn may_make_networks() -> bool {
    let mut command = Command::new("unshare");
    command.args(["-n", "ip", "link", "add", "left", "type", "veth", "peer", "name", "right"]);
    getuid().is_root() && command.output().is_ok_and(|output| output.status.success())
}

#[test]
fn series_come_and_go_with_their_interface() {
    if !may_make_networks() {
        crate::support::skipped("needs root, unshare and ip, and a kernel with veth");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let listen = format!("unix:{}", folder.path().join("hostcast.sock").display());
    let config = "[sampler]\ninterval = \"100ms\"\n[collectors.network]\nexclude = [\"lo\"]\n";
    let wrap = |_: &Path| {
        let mut command = Command::new("unshare");
        command.arg("-n").arg(program());
        command
    };
    let daemon = TestDaemon::launch_in(folder, config, wrap, &listen);
    let mut json = daemon.feed("history=all&metrics=system.network", "hostcast.v1.json");
    let mut compact = daemon.feed("history=all&metrics=system.network", "hostcast.v1.compact");
    for feed in [&mut json, &mut compact] {
        feed.hello();
        assert!(!feed.past().is_empty() || feed.live().seq > 0);
        assert_eq!(feed.schema.as_ref().unwrap().series, []);
    }
    let first_revision = compact.schema.as_ref().unwrap().revision;
    let both_ends = 16;
    for (arguments, series) in [
        (&["link", "add", "left", "type", "veth", "peer", "name", "right"][..], both_ends),
        (&["link", "del", "left"], 0),
    ] {
        in_its_network(&daemon, arguments);
        let notice = loop {
            match json.message() {
                Message::Notice(notice) => break notice,
                Message::Sample(_) => {}
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(notice.reason, "series_changed");
        assert_eq!(notice.added.len() + notice.removed.len(), both_ends);
        let WireValues::Named(values) = json.live().values else { panic!("json has names") };
        assert_eq!(values.len(), series);
        while compact.live().values != WireValues::Positional(vec![None; series])
            && compact.schema.as_ref().unwrap().series.len() != series
        {}
    }
    assert!(compact.schema.as_ref().unwrap().revision >= first_revision + 2);
    // Whoever comes later reads the old samples by the schema of their time.
    let mut late = daemon.feed("history=all&metrics=system.network", "hostcast.v1.compact");
    late.hello();
    let (mut widths, mut next) = (Vec::new(), 1);
    loop {
        match late.message() {
            Message::Schema(schema) => widths.push(schema.series.len()),
            Message::History(chunk) => {
                for sample in chunk.samples {
                    let WireValues::Positional(values) = sample.values else { panic!("compact has positions") };
                    assert_eq!((sample.seq, values.len()), (next, *widths.last().unwrap()));
                    next += 1;
                }
                if chunk.complete {
                    break;
                }
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(widths.first() == Some(&0) && widths.contains(&both_ends) && widths.last() == Some(&0), "{widths:?}");
}
