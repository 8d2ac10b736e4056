//! Subscribers that stop reading: what the others notice of them, and what they cost.
//!
//! In each round the same subscribers are watched alone, beside more that read, beside as many that
//! have stopped, and while those are sent away. The second is what they would cost if they behaved,
//! the first if they were gone.

use std::{io, thread, time::Duration};

use crate::{
    measure::{Figures, Goal, Row, Table, setting, thousands},
    process::{self, Process},
    server::Server,
};

const INTERVAL: Duration = Duration::from_secs(1);
/// Of the kernel, for each that will stop: the less it holds, the sooner the daemon feels it.
const RECEIVE_BUFFER_BYTES: usize = 4096;
/// Long enough that nobody is gone while they are watched, and short enough to be waited for: whoever
/// has stalled so long is told goodbye, and is dropped when it has not read that for as long again.
const CONFIG: &str = "server.limits.stall_timeout = \"20s\"\n";

/// What the watched ones saw in one phase, round by round.
#[derive(Default)]
struct Phase {
    p50_ms: Figures,
    p99_ms: Figures,
    unfairness: Figures,
    cpu_us: Figures,
    resident_mib: Figures,
}

pub(crate) fn bench() -> io::Result<()> {
    let all = setting("HOSTCAST_BENCH_SUBSCRIBERS", 5_000) as usize;
    let stalling = all / 5;
    let watched = all - stalling;
    let mut server = Server::hostcast(INTERVAL, CONFIG)?;
    // Every series, in the larger encoding: three KiB a sample fill the buffers of who stalls in seconds.
    server.path = "/api/v1/stream?history=none".into();
    let mut load = server.load("hostcast.v1.json")?;
    load.ask(&format!("connect {watched}"))?;
    let [mut alone, mut beside_readers, mut beside_stalled, mut beside_leaving] = [(); 4].map(|()| Phase::default());
    let a_while = |_: &Server| {
        thread::sleep(INTERVAL * setting("HOSTCAST_BENCH_SECONDS", 12) as u32);
        Ok(())
    };
    let (mut stuck_kib, mut own_kib) = (Figures::default(), Figures::default());
    for _ in 0..setting("HOSTCAST_BENCH_ROUNDS", 3) {
        alone.measure(&server, &mut load, watched, a_while)?;
        load.ask(&format!("connect {stalling} {RECEIVE_BUFFER_BYTES}"))?;
        beside_readers.measure(&server, &mut load, watched, a_while)?;
        load.ask(&format!("stall {stalling}"))?;
        let before = server.process.resident_kib()?;
        let bytes = wait_until_stuck(&server, stalling)?;
        beside_stalled.measure(&server, &mut load, watched, a_while)?;
        let left = all as f64 - server.status("/stream/subscribers")?;
        assert!(left < 0.5, "{left} were dropped before the phase was over: choose a shorter one");
        stuck_kib.push(bytes / 1024.0 / stalling as f64);
        own_kib.push((server.process.resident_kib()? - before) / stalling as f64);
        beside_leaving.measure(&server, &mut load, watched, |server| wait_until_gone(server, watched))?;
        load.ask(&format!("leave {stalling}"))?;
    }

    let (watched, stalling) = (thousands(watched), thousands(stalling));
    let phases = [
        (format!("{watched} alone"), &alone),
        (format!("{watched} beside {stalling} that read"), &beside_readers),
        (format!("{watched} beside {stalling} that stalled"), &beside_stalled),
        (format!("{watched} while those are sent away"), &beside_leaving),
    ];
    let table = |title: &str, of: fn(&Phase) -> &Figures, goal: Option<Goal>| {
        let mut table = Table::of_rounds(title);
        for (what, phase) in &phases {
            let row = Row::new(what, of(phase).clone()).floor(of(&alone).clone());
            table.add(if let Some(goal) = goal { row.goal(goal) } else { row });
        }
        table
    };
    println!("The floor is the same without the others.\n");
    println!("{}", table("p99 of delivery, ms", |phase| &phase.p99_ms, Some(Goal::TimesFloor(1.1))));
    println!("{}", table("median of delivery, ms", |phase| &phase.p50_ms, None));
    println!("{}", table("CPU of the daemon, ms a sample", |phase| &phase.cpu_us, None));
    println!("{}", table("daemon resident, MiB", |phase| &phase.resident_mib, None));
    let mut table = Table::of_rounds("fairness and memory");
    for (what, phase) in &phases {
        let what = format!("samples that the luckiest got more than the unluckiest, {what}");
        table.add(Row::new(what, phase.unfairness.clone()).goal(Goal::Always(2.0)));
    }
    table.add(Row::new("KiB more resident for each that stalls", own_kib).goal(Goal::AtMost(256.0)));
    table.add(Row::new("KiB stuck in the kernel for each that stalls", stuck_kib));
    println!("{table}");
    Ok(())
}

impl Phase {
    /// Counts until `wait` returns.
    fn measure(
        &mut self,
        server: &Server,
        load: &mut Process,
        watched: usize,
        wait: impl FnOnce(&Server) -> io::Result<()>,
    ) -> io::Result<()> {
        thread::sleep(2 * INTERVAL);
        let spent = server.process.cpu_us()?;
        load.ask(&format!("begin {watched}"))?;
        wait(server)?;
        let spent = server.process.cpu_us()? - spent;
        let [deliveries, p50_us, p99_us, _bytes, fewest, most, _oldest] = load.ask_figures("report")?;
        self.p50_ms.push(p50_us / 1e3);
        self.p99_ms.push(p99_us / 1e3);
        self.unfairness.push(most - fewest);
        self.cpu_us.push(spent / (deliveries / watched as f64) / 1e3);
        self.resident_mib.push(server.process.resident_kib()? / 1024.0);
        Ok(())
    }
}

/// Returns how many bytes are stuck once that does not grow any more.
fn wait_until_stuck(server: &Server, stalling: usize) -> io::Result<f64> {
    let mut before = 0;
    loop {
        thread::sleep(2 * INTERVAL);
        let (connections, bytes) = process::unsent(server.address)?;
        // Those who read may have a little on its way at this moment.
        if connections >= stalling && bytes <= before + before / 100 {
            return Ok(bytes as f64);
        }
        before = bytes;
    }
}

fn wait_until_gone(server: &Server, watched: usize) -> io::Result<()> {
    while server.status("/stream/subscribers")? > watched as f64 {
        thread::sleep(INTERVAL);
    }
    Ok(())
}
