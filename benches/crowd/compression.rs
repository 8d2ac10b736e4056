//! What compression saves in bytes, and what it costs in CPU: every series of this host, each 100 ms.

use std::{io, thread, time::Duration};

use crate::{
    measure::{Figures, Row, Table, setting, thousands},
    server::Server,
};

const INTERVAL: Duration = Duration::from_millis(100);
const SUBPROTOCOLS: [(&str, &str); 2] = [("json", "hostcast.v1.json"), ("compact", "hostcast.v1.compact")];
const CROWDS: [usize; 2] = [1, 1_000];
const SETTLED: Duration = Duration::from_millis(1500);

/// What the rounds of one way to send showed.
#[derive(Default)]
struct Rounds {
    /// A sample, to all of its subscribers.
    cpu_us: Figures,
    live_bytes: Figures,
}

pub(crate) fn bench() -> io::Result<()> {
    let mut cpu = Table::of_rounds("us of CPU a sample, compressed, beside plain");
    let mut live = Table::of_rounds("bytes of a live sample, compressed, beside plain");
    for (name, subprotocol) in SUBPROTOCOLS {
        for subscribers in CROWDS {
            let [mut plain, mut compressed] = [(); 2].map(|()| Rounds::default());
            for _ in 0..setting("HOSTCAST_BENCH_ROUNDS", 3) {
                plain.measure(subprotocol, subscribers, false)?;
                compressed.measure(subprotocol, subscribers, true)?;
            }
            let what = format!("{name}, to {}", thousands(subscribers));
            cpu.add(Row::new(&what, compressed.cpu_us).floor(plain.cpu_us));
            if subscribers == CROWDS[0] {
                live.add(Row::new(name, compressed.live_bytes).floor(plain.live_bytes));
            }
            eprintln!("{what}: done");
        }
    }
    println!("{cpu}\n{live}");
    Ok(())
}

impl Rounds {
    /// By the daemon's own account of samples and bytes: the load generator only takes them.
    fn measure(&mut self, subprotocol: &str, subscribers: usize, is_compressed: bool) -> io::Result<()> {
        let config = if is_compressed { "server.compression = \"always\"\n" } else { "" };
        let mut server = Server::hostcast(INTERVAL, config)?;
        server.path = "/api/v1/stream?history=none".into();
        let load = |server: &Server| {
            if is_compressed { server.compressed_load(subprotocol) } else { server.load(subprotocol) }
        };
        let mut crowd = load(&server)?;
        crowd.ask(&format!("connect {subscribers}"))?;
        thread::sleep(SETTLED);
        let account = |server: &Server| -> io::Result<(f64, f64)> {
            Ok((server.status("/stream/samples_sent")?, server.status("/stream/bytes_sent")?))
        };
        let (before, spent) = (account(&server)?, server.process.cpu_us()?);
        thread::sleep(Duration::from_secs(setting("HOSTCAST_BENCH_SECONDS", 8)));
        let spent = server.process.cpu_us()? - spent;
        let after = account(&server)?;
        self.cpu_us.push(spent / (after.0 - before.0) * subscribers as f64);
        self.live_bytes.push((after.1 - before.1) / (after.0 - before.0));
        Ok(())
    }
}
