//! What crowds leave behind in memory: a daemon that has served one has to become small again.
//!
//! An allocator that gives back nothing keeps for years what one bad minute has needed. So each crowd comes to the same
//! daemon, one after the other, and its memory is read while they are there and some time after they have left.

pub(crate) mod places;

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    thread,
    time::Duration,
};

use crate::{
    measure::{Figures, Goal, Row, Table, setting, thousands},
    server::Server,
};

/// A quarter of an hour at ten a second: enough places for everyone to stop at another one.
const PAST_SAMPLES: usize = 9_000;
const HTTP_READERS: usize = 300;
const STORMS: usize = 2;
/// Allocators give back what was not used for some seconds.
const PEACE: Duration = Duration::from_secs(20);

/// What the daemon is resident with, at most while a crowd is there, and after it has left.
#[derive(Default)]
struct Crowd {
    most_mib: Figures,
    after_mib: Figures,
}

#[derive(Default)]
struct Rounds {
    before_mib: Figures,
    http: Crowd,
    storm: Crowd,
    stalled: Crowd,
    stalled_mib: Figures,
}

pub(crate) fn bench() -> io::Result<()> {
    let subscribers = setting("HOSTCAST_BENCH_SUBSCRIBERS", 10_000) as usize;
    let stalled = subscribers * 3 / 5;
    let mut rounds = Rounds::default();
    for round in 1..=setting("HOSTCAST_BENCH_ROUNDS", 3) {
        rounds.measure(subscribers, stalled)?;
        eprintln!("round {round}: done");
    }
    println!("{}", rounds.table(subscribers, stalled));
    Ok(())
}

impl Rounds {
    fn measure(&mut self, subscribers: usize, stalled: usize) -> io::Result<()> {
        let server = Server::with_past(PAST_SAMPLES, "/api/v1/stream?history=none")?;
        thread::sleep(PEACE);
        self.before_mib.push(server.process.resident_kib()? / 1024.0);
        self.http.measure(&server, || read_over_http(&server))?;
        self.storm.measure(&server, || {
            for _ in 0..STORMS {
                let held = server.status("/history/samples")?;
                let query = "history=15m";
                let mut storm = server.storm("hostcast.v1.compact", query, subscribers, held.min(850.0) as usize)?;
                let [.., failures, _bytes, _cpu] = storm.figures::<6>()?;
                assert!(failures < 0.5, "{failures} did not get their history");
            }
            Ok(())
        })?;
        let mut resident = f64::NAN;
        self.stalled.measure(&server, || {
            let mut places = server.places("hostcast.v1.json", stalled)?;
            places.line()?;
            thread::sleep(Duration::from_secs(2));
            resident = server.process.resident_kib()? / 1024.0;
            Ok(())
        })?;
        self.stalled_mib.push(resident);
        Ok(())
    }

    fn table(self, subscribers: usize, stalled: usize) -> Table {
        let mut table = Table::of_rounds("resident memory, MiB");
        let mut row = |what: String, figures: Figures, goal: Option<Goal>| {
            let row = Row::new(what, figures);
            table.add(if let Some(goal) = goal { row.goal(goal) } else { row });
        };
        row(format!("with {} samples in the ring", thousands(PAST_SAMPLES)), self.before_mib, None);
        let http = format!("{HTTP_READERS} that read 15 minutes over HTTP at once");
        let storm = format!("{} at once that want 15 minutes, twice", thousands(subscribers));
        let stall = format!("{} that stall at different places of history", thousands(stalled));
        for (what, crowd) in [(http, self.http), (storm, self.storm), (stall, self.stalled)] {
            row(format!("{what}: most"), crowd.most_mib, None);
            row(format!("{what}: after"), crowd.after_mib, Some(Goal::Always(32.0)));
        }
        row("while those stall".into(), self.stalled_mib, Some(Goal::Always(64.0)));
        table
    }
}

impl Crowd {
    fn measure(&mut self, server: &Server, come: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        server.process.forget_peak()?;
        come()?;
        self.most_mib.push(server.process.peak_resident_kib()? / 1024.0);
        thread::sleep(PEACE);
        self.after_mib.push(server.process.resident_kib()? / 1024.0);
        Ok(())
    }
}

/// All of them at once.
fn read_over_http(server: &Server) -> io::Result<()> {
    let address = server.address;
    let read = move || -> io::Result<u64> {
        let mut connection = TcpStream::connect(address)?;
        let path = "/api/v1/samples?last=15m";
        write!(connection, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
        let (mut buffer, mut bytes) = (vec![0; 64 << 10], 0);
        loop {
            match connection.read(&mut buffer)? {
                0 => return Ok(bytes),
                count => bytes += count as u64,
            }
        }
    };
    let readers: Vec<_> = (0..HTTP_READERS).map(|_| thread::spawn(read)).collect();
    for reader in readers {
        let bytes = reader.join().expect("a reader does not panic")?;
        assert!(bytes > 1 << 20, "an answer had {bytes} bytes only");
    }
    Ok(())
}
