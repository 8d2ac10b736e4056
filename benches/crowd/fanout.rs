//! Fan-out: what it costs to bring one sample to many subscribers, held against the floor, and beside
//! it nchan where that is installed.

use std::{fmt, io, thread, time::Duration};

use crate::{
    measure::{Figures, Goal, Row, Table, setting, thousands},
    nchan,
    plot::{self, Line, Panel, Point},
    server::Server,
};

const SCALES: [Scale; 6] = [
    Scale { subscribers: 1, interval: Duration::from_millis(100) },
    Scale { subscribers: 10, interval: Duration::from_millis(100) },
    Scale { subscribers: 100, interval: Duration::from_millis(100) },
    Scale { subscribers: 1_000, interval: Duration::from_millis(100) },
    Scale { subscribers: 3_000, interval: Duration::from_secs(1) },
    Scale { subscribers: 10_000, interval: Duration::from_secs(1) },
];
const SETTLED: Duration = Duration::from_millis(1500);
/// With fewer subscribers, what the first one makes resident of the program is most of a share.
const ENOUGH_FOR_A_SHARE: usize = 1_000;

#[derive(Clone, Copy)]
struct Scale {
    subscribers: usize,
    interval: Duration,
}

impl fmt::Display for Scale {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (subscribers, milliseconds) = (thousands(self.subscribers), self.interval.as_millis());
        match milliseconds {
            1_000.. => write!(f, "{subscribers} at {} s", milliseconds / 1_000),
            _ => write!(f, "{subscribers} at {milliseconds} ms"),
        }
    }
}

/// What the rounds of one server showed at one scale.
#[derive(Default)]
struct Rounds {
    cpu_us: Figures,
    p99_ms: Figures,
    resident_mib: Figures,
    kib_a_subscriber: Figures,
}

pub(crate) fn bench() -> io::Result<()> {
    let rounds = setting("HOSTCAST_BENCH_ROUNDS", 3);
    let has_nchan = nchan::is_installed();
    if !has_nchan {
        println!("nginx with nchan is not installed here, and left out.\n");
    }
    let mut measured = Vec::new();
    for scale in SCALES {
        let [mut hostcast, mut floor, mut nchan] = [(); 3].map(|()| Rounds::default());
        for _ in 0..rounds {
            let payload_bytes = hostcast.measure(&Server::hostcast(scale.interval, "")?, scale)?;
            floor.measure(&Server::floor(scale.subscribers, scale.interval, payload_bytes)?, scale)?;
            if has_nchan {
                nchan.measure(&Server::nchan(scale.interval, payload_bytes)?, scale)?;
            }
        }
        eprintln!("{scale}: done");
        measured.push((scale, [hostcast, nchan, floor]));
    }
    print_tables(&measured, has_nchan);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/fanout.svg");
    std::fs::write(path, plot(&measured, has_nchan))
}

impl Rounds {
    /// Puts the load on a server, and returns how large one of its samples is, without its head.
    fn measure(&mut self, server: &Server, scale: Scale) -> io::Result<usize> {
        const HEAD_BYTES: f64 = 4.0;
        let span = Duration::from_secs(setting("HOSTCAST_BENCH_SECONDS", 8));
        let before = server.process.resident_kib()?;
        let mut load = server.load("hostcast.v1.compact")?;
        load.ask(&format!("connect {}", scale.subscribers))?;
        thread::sleep(SETTLED);
        let spent = server.process.cpu_us()?;
        load.ask(&format!("begin {}", scale.subscribers))?;
        thread::sleep(span);
        let spent = server.process.cpu_us()? - spent;
        let [deliveries, _median, p99_us, bytes, _fewest, _most, _oldest] = load.ask_figures("report")?;
        let resident = server.process.resident_kib()?;
        self.cpu_us.push(spent / deliveries);
        self.p99_ms.push(p99_us / 1e3);
        self.resident_mib.push(resident / 1024.0);
        self.kib_a_subscriber.push((resident - before) / scale.subscribers as f64);
        Ok((bytes / deliveries - HEAD_BYTES) as usize)
    }
}

fn print_tables(measured: &[(Scale, [Rounds; 3])], has_nchan: bool) {
    let mut cpu = Table::of_rounds("us of CPU a delivery");
    let mut p99 = Table::of_rounds("p99 of delivery, ms");
    let mut memory = Table::of_rounds("KiB of memory a subscriber");
    for (scale, [hostcast, nchan, floor]) in measured {
        let is_large = scale.subscribers >= ENOUGH_FOR_A_SHARE;
        let with_goal = |row: Row, goal| if is_large { row.goal(goal) } else { row };
        let mut rows = |name: &str, rounds: &Rounds, has_goals: bool| {
            let what = format!("{name}, {scale}");
            let with_goal = |row: Row, goal| if has_goals { with_goal(row, goal) } else { row };
            let row = Row::new(&what, rounds.cpu_us.clone()).floor(floor.cpu_us.clone());
            cpu.add(with_goal(row, Goal::TimesFloor(1.1)));
            if scale.subscribers > 1 {
                let row = Row::new(&what, rounds.p99_ms.clone()).floor(floor.p99_ms.clone());
                p99.add(with_goal(row, Goal::TimesFloor(1.0)));
            }
            if is_large {
                memory.add(with_goal(Row::new(&what, rounds.kib_a_subscriber.clone()), Goal::AtMost(4.0)));
            }
        };
        rows("hostcast", hostcast, true);
        if has_nchan {
            rows("nchan", nchan, false);
        }
    }
    println!("{cpu}\n{p99}\n{memory}");
}

fn plot(measured: &[(Scale, [Rounds; 3])], has_nchan: bool) -> String {
    let line = |index: usize, of: fn(&Rounds) -> &Figures| -> Line {
        let name = ["hostcast", "nchan", "floor"][index];
        let points = measured.iter().map(|(scale, servers)| {
            let figures = of(&servers[index]);
            let [low, high] = figures.range();
            Point { x: scale.subscribers as f64, low, middle: figures.median(), high }
        });
        Line { name, points: points.collect() }
    };
    // What is drawn last is on top.
    let panel = |title, of: fn(&Rounds) -> &Figures| Panel {
        title,
        lines: [2, 1, 0].into_iter().filter(|&index| has_nchan || index != 1).map(|index| line(index, of)).collect(),
    };
    plot::svg(
        &[
            panel("CPU a delivery, µs", |rounds| &rounds.cpu_us),
            panel("memory resident, MiB", |rounds| &rounds.resident_mib),
        ],
        (1_000.0, 3_000.0),
        ["every 100 ms", "every 1 s"],
    )
}
