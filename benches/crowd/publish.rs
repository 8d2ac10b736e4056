//! What publishing costs the sampler, however many subscribers there are: it numbers the reading, puts
//! it into the ring, and wakes one lane, which wakes the next.

use std::{
    io::{self, BufRead as _},
    thread,
    time::{Duration, Instant, SystemTime},
};

use hostcast::{clock::boottime, hub::Hub, sampler::Sampler, vital::OnDeath};
use rustix::time::{ClockId, clock_gettime};

use crate::{
    daemon,
    measure::{Figures, Goal, Row, Table, host::Host, thousands},
    server::Server,
};

/// How many are published for each row.
const TIMES: usize = 30;
const SETTLED: Duration = Duration::from_millis(1500);

/// A daemon that has no sampler: for each line on standard input, a number, this thread publishes so
/// often, and prints how long each took and how much CPU, in microseconds.
pub(crate) fn run(interval: Duration) -> io::Result<()> {
    let config = daemon::config();
    let hub = Hub::new(&config.history);
    let mut host = Host::new(&config.collectors, interval);
    let status = Sampler::prepare(interval, Vec::new()).status();
    let on_death = OnDeath::new(|last_words| panic!("{last_words}"));
    daemon::serve(&config, hub.clone(), status, &on_death, |_| {
        for line in io::stdin().lock().lines() {
            let times: usize = line?.trim().parse().map_err(io::Error::other)?;
            let mut due = Instant::now();
            let mut figures = Vec::new();
            for _ in 0..times {
                due += interval;
                thread::sleep(due.saturating_duration_since(Instant::now()));
                let reading = host.read(SystemTime::now(), boottime());
                let (cpu, started) = (thread_cpu_us(), Instant::now());
                hub.publish(reading);
                let wall = started.elapsed().as_secs_f64() * 1e6;
                figures.extend([wall, thread_cpu_us() - cpu].map(|figure| format!("{figure:.2}")));
            }
            println!("{}", figures.join(" "));
        }
        Ok(())
    })
}

fn thread_cpu_us() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

pub(crate) fn bench() -> io::Result<()> {
    let mut wall = Table::new("publishing a sample, us that it takes");
    let mut cpu = Table::new("publishing a sample, us of CPU");
    for (subscribers, interval_ms) in [(0, 100), (100, 100), (1_000, 100), (10_000, 1_000)] {
        let mut server = Server::publisher(interval_ms)?;
        let mut load = server.load("hostcast.v1.compact")?;
        load.ask(&format!("connect {subscribers}"))?;
        thread::sleep(SETTLED);
        let answer = server.process.ask(&TIMES.to_string())?;
        let figures: Vec<f64> = answer.split(' ').filter_map(|figure| figure.parse().ok()).collect();
        let of = |index: usize| figures.chunks_exact(2).map(|pair| pair[index]).collect::<Figures>();
        let what = format!("to {} subscribers", thousands(subscribers));
        wall.add(Row::new(&what, of(0)).goal(Goal::AtMost(20.0)));
        cpu.add(Row::new(&what, of(1)).goal(Goal::AtMost(20.0)));
    }
    println!("{wall}\n{cpu}");
    Ok(())
}
