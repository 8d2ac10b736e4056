//! A storm: the daemon was restarted, and everyone comes back at once and wants all of history, while
//! a few who have caught up already watch how late their samples are.

pub(crate) mod load;

use std::{io, thread, time::Duration};

use crate::{
    daemon::INTERVAL,
    measure::{Figures, Goal, Row, Table, setting, thousands},
    server::Server,
};

/// A quarter of an hour at one second.
const PAST_SAMPLES: usize = 900;
/// Subscribers who were there before, and whose samples must not be late.
const WATCHING: usize = 50;
/// How long they are watched before the storm, to know what is usual.
const CALM: Duration = Duration::from_secs(5);
/// What the daemon may be resident with: a figure for itself, and one for each subscriber.
const GOAL_MIB: f64 = 64.0;
const GOAL_KIB_A_SUBSCRIBER: f64 = 4.0;

/// What each of them asks for.
struct Wish {
    name: &'static str,
    subprotocol: &'static str,
    query: &'static str,
}

const WISHES: [Wish; 3] = [
    Wish { name: "compact, history=all", subprotocol: "hostcast.v1.compact", query: "history=all" },
    Wish {
        name: "compact, since= the epoch before",
        subprotocol: "hostcast.v1.compact",
        query: "since=0000000000000000:9",
    },
    Wish { name: "json, history=all", subprotocol: "hostcast.v1.json", query: "history=all" },
];

#[derive(Default)]
struct Rounds {
    connected_s: Figures,
    whole_median_s: Figures,
    whole_last_s: Figures,
    history_mib: Figures,
    failures: Figures,
    peak_mib: Figures,
    usual_ms: Figures,
    latest_ms: Figures,
    lost: Figures,
    missed_ticks: Figures,
    cpu_s: Figures,
    load_cpu_s: Figures,
}

pub(crate) fn bench() -> io::Result<()> {
    let subscribers = setting("HOSTCAST_BENCH_SUBSCRIBERS", 10_000) as usize;
    let mut rounds = WISHES.map(|_| Rounds::default());
    for round in 1..=setting("HOSTCAST_BENCH_ROUNDS", 3) {
        for (wish, rounds) in WISHES.iter().zip(&mut rounds) {
            rounds.measure(wish, subscribers)?;
            eprintln!("round {round}, {}: done", wish.name);
        }
    }
    for (wish, rounds) in WISHES.iter().zip(rounds) {
        println!("{}", rounds.table(wish.name, subscribers));
    }
    Ok(())
}

impl Rounds {
    fn measure(&mut self, wish: &Wish, subscribers: usize) -> io::Result<()> {
        let server = Server::with_past(PAST_SAMPLES, "/api/v1/stream?history=none")?;
        let mut watching = server.load("hostcast.v1.compact")?;
        watching.ask(&format!("connect {WATCHING}"))?;
        thread::sleep(2 * INTERVAL);
        watching.ask(&format!("begin {WATCHING}"))?;
        thread::sleep(CALM);
        let [.., usual_ms] = watching.ask_figures::<7>("report")?;
        watching.ask(&format!("begin {WATCHING}"))?;
        let held = server.status("/history/samples")?;
        let (missed, cpu_us) = (server.status("/sampler/missed_late")?, server.process.cpu_us()?);

        let mut storm = server.storm(wish.subprotocol, wish.query, subscribers, held as usize)?;
        let [connected, whole_median, whole_last, failures, bytes, load_cpu] = storm.figures()?;
        self.cpu_s.push((server.process.cpu_us()? - cpu_us) / 1e6);
        self.peak_mib.push(server.process.peak_resident_kib()? / 1024.0);
        // What was late at the end has to come, too.
        thread::sleep(2 * INTERVAL);
        let [_, _, _, _, fewest, most, latest_ms] = watching.ask_figures("report")?;
        self.load_cpu_s.push(load_cpu);
        self.connected_s.push(connected);
        self.whole_median_s.push(whole_median);
        self.whole_last_s.push(whole_last);
        self.failures.push(failures);
        self.history_mib.push(bytes / subscribers as f64 / f64::from(1 << 20));
        self.usual_ms.push(usual_ms);
        self.latest_ms.push(latest_ms);
        self.lost.push(most - fewest);
        self.missed_ticks.push(server.status("/sampler/missed_late")? - missed);
        Ok(())
    }

    fn table(self, name: &str, subscribers: usize) -> Table {
        let mut table = Table::of_rounds(format!("{} at once, {name}", thousands(subscribers)));
        let peak = GOAL_MIB + subscribers as f64 * GOAL_KIB_A_SUBSCRIBER / 1024.0;
        let late = INTERVAL.as_secs_f64() * 1e3;
        let rows = [
            ("all connected, s", self.connected_s, None),
            ("half of them have all of history, s", self.whole_median_s, None),
            ("the last one has all of history, s", self.whole_last_s, None),
            ("history of each, MiB", self.history_mib, None),
            ("who failed, or found a hole", self.failures, Some(Goal::Always(0.0))),
            ("most that the daemon was resident with, MiB", self.peak_mib, Some(Goal::Always(peak))),
            ("latest sample of those who watch, ms after it was taken", self.latest_ms, Some(Goal::Always(late))),
            ("the same before the storm", self.usual_ms, None),
            ("samples that one of them got more than another", self.lost, Some(Goal::Always(1.0))),
            ("ticks missed", self.missed_ticks, Some(Goal::Always(0.0))),
            ("CPU of the daemon, s", self.cpu_s, None),
            ("CPU of the load generator, s", self.load_cpu_s, None),
        ];
        for (what, figures, goal) in rows {
            let row = Row::new(what, figures);
            table.add(if let Some(goal) = goal { row.goal(goal) } else { row });
        }
        table
    }
}
