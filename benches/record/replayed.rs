//! How soon a recording is served, and whether it comes as fast as it is to be played.

use std::{
    io::{self, BufRead as _, BufReader, Write as _},
    net::{SocketAddr, TcpStream},
    process::Command,
    time::{Duration, Instant},
};

use crate::{
    long::Long,
    measure::{Figures, Row, Table, thousands},
    process::Process,
    programs::{self, PROGRAM},
};

const ROUNDS: usize = 3;
/// The fastest that there is: so many times a sample each second.
const SPEED: u32 = 1_000;
const LISTENED: Duration = Duration::from_secs(5);

pub(crate) fn bench(long: &Long) -> io::Result<()> {
    let samples = long.count() as f64;
    let (mut of_cpu, mut of_time) = (Figures::default(), Figures::default());
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let (replay, _) = replay(long, &[])?;
        of_time.push(samples / started.elapsed().as_secs_f64() / 1e3);
        of_cpu.push(samples / replay.cpu_us()? * 1e3);
    }
    let mut table =
        Table::of_rounds(format!("hostcast replay until {} samples are served", thousands(samples as usize)));
    table.add(Row::new("thousand samples a second of CPU", of_cpu));
    table.add(Row::new("of time, on 1 thread", of_time));
    println!("{table}");

    let (replay, address) = replay(long, &["--speed", &SPEED.to_string()])?;
    let (cpu, started) = (replay.cpu_us()?, Instant::now());
    let samples = samples_within(address, LISTENED)?;
    let seconds = started.elapsed().as_secs_f64();
    let mut table = Table::of_rounds(format!("hostcast replay --speed {SPEED}, to one reader over HTTP"));
    let due = [f64::from(SPEED)].into_iter().collect();
    table.add(Row::new("samples a second", [samples as f64 / seconds].into_iter().collect()).floor(due));
    let cpu = (replay.cpu_us()? - cpu) / seconds / 1e4;
    table.add(Row::new("CPU, % of one core", [cpu].into_iter().collect()));
    println!("{table}\nThe floor of samples are those that are due.\n");
    Ok(())
}

/// Returns when it serves.
fn replay(long: &Long, flags: &[&str]) -> io::Result<(Process, SocketAddr)> {
    let mut command = Command::new(PROGRAM);
    command.arg("replay").arg(long.path()).args(["--memory", "4GiB", "--listen", "127.0.0.1:0"]).args(flags);
    command.stderr(std::process::Stdio::null());
    let mut replay = Process::start(command)?;
    let address = programs::address(&mut replay)?;
    Ok((replay, address))
}

fn samples_within(address: SocketAddr, time: Duration) -> io::Result<u64> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET /api/v1/samples?last=none&format=ndjson&follow=true HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
    let (mut reader, mut line, started, mut samples) = (BufReader::new(stream), Vec::new(), Instant::now(), 0);
    while started.elapsed() < time {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Err(io::Error::other("the replay has ended before its time"));
        }
        // The lines between are those of HTTP, and end otherwise.
        samples += u64::from(line.ends_with(b"}\n"));
    }
    Ok(samples)
}
