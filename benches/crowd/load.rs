//! The load generator: one thread, one epoll, as many subscribers as asked for.
//!
//! It counts what arrives and notes how long after the first arrival of a sample each other
//! subscriber got the same sample. It does what it is told on standard input, a line at a time, and
//! answers each line on standard output:
//!
//! - `connect COUNT [RECEIVE_BUFFER_BYTES]`: so many more subscribers
//! - `stall COUNT`: the last so many stop reading
//! - `leave COUNT`: the last so many are gone
//! - `begin COUNT`: from now on what the first so many get is counted
//! - `report`: what that was, see [`Arrivals::report`]

use std::{
    collections::HashMap,
    io::{self, BufRead as _, ErrorKind},
    net::SocketAddr,
    sync::mpsc,
    thread,
    time::{Instant, SystemTime},
};

use hostcast::sample::unix_ms;
use mio::{Events, Interest, Poll, Token, Waker};

use crate::{
    client::{Client, READ_BUFFER_BYTES, request},
    follow::Heard,
};

const COMMAND: Token = Token(usize::MAX);

/// Serves as a load generator until standard input ends.
pub(crate) fn run(target: SocketAddr, path: &str, subprotocol: &str, offers_compression: bool) -> io::Result<()> {
    let poll = Poll::new()?;
    let (said, commands) = mpsc::channel();
    let waker = Waker::new(poll.registry(), COMMAND)?;
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            if said.send(line).is_err() {
                return;
            }
            // Its counter cannot be full.
            let _ = waker.wake();
        }
        drop(said);
        let _ = waker.wake();
    });
    let request = request(target, path, subprotocol, offers_compression);
    let load = Load { poll, target, request, clients: Vec::new(), arrivals: Arrivals::default() };
    load.run(&commands)
}

struct Load {
    poll: Poll,
    target: SocketAddr,
    request: String,
    clients: Vec<Client>,
    arrivals: Arrivals,
}

impl Load {
    fn run(mut self, commands: &mpsc::Receiver<String>) -> io::Result<()> {
        let mut events = Events::with_capacity(4096);
        let mut buffer = vec![0; READ_BUFFER_BYTES];
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                if let Token(index) = event.token()
                    && event.token() != COMMAND
                {
                    self.read(index, &mut buffer)?;
                }
            }
            loop {
                match commands.try_recv() {
                    Ok(line) => println!("{}", self.obey(&line)?),
                    Err(mpsc::TryRecvError::Empty) => break,
                    Err(mpsc::TryRecvError::Disconnected) => return Ok(()),
                }
            }
        }
    }

    fn read(&mut self, index: usize, buffer: &mut [u8]) -> io::Result<()> {
        // One that has left in this very turn.
        let Some(client) = self.clients.get_mut(index) else { return Ok(()) };
        let arrivals = &mut self.arrivals;
        let now = (Instant::now(), unix_ms(SystemTime::now()));
        let read = client.read(buffer, |heard| {
            if let Heard::Sample { seq, time_ms, is_live: true } = heard {
                arrivals.note(index, seq, time_ms, now);
            }
        });
        match read {
            Ok(bytes) => {
                arrivals.count_bytes(index, bytes);
                Ok(())
            }
            Err(error) => Err(io::Error::other(format!("subscriber {index} was lost: {error}"))),
        }
    }

    fn obey(&mut self, line: &str) -> io::Result<String> {
        let mut words = line.split(' ');
        let command = words.next().unwrap_or_default();
        let mut number = || words.next().and_then(|word| word.parse::<usize>().ok());
        let count = number().unwrap_or_default();
        match command {
            "connect" => self.connect(count, number())?,
            "stall" => {
                let reading = self.clients.len().saturating_sub(count);
                for client in &mut self.clients[reading..] {
                    self.poll.registry().deregister(&mut client.stream)?;
                }
            }
            "leave" => self.clients.truncate(self.clients.len().saturating_sub(count)),
            "begin" => self.arrivals.begin(count),
            "report" => return Ok(self.arrivals.report()),
            _ => return Err(io::Error::other(format!("no command: {line:?}"))),
        }
        Ok("done".into())
    }

    fn connect(&mut self, count: usize, receive_buffer_bytes: Option<usize>) -> io::Result<()> {
        for index in self.clients.len()..self.clients.len() + count {
            let mut client = Client::connect(self.target, index, &self.request, receive_buffer_bytes)?;
            self.poll.registry().register(&mut client.stream, Token(index), Interest::READABLE)?;
            self.clients.push(client);
        }
        Ok(())
    }
}

#[derive(Default)]
struct Arrivals {
    /// When each sample first came to anyone.
    first: HashMap<u64, Instant>,
    delays_us: Vec<u32>,
    oldest_ms: u64,
    bytes: u64,
    /// Samples that came to each of those who are counted.
    counts: Vec<u32>,
}

impl Arrivals {
    fn begin(&mut self, group: usize) {
        let first = std::mem::take(&mut self.first);
        *self = Self { first, counts: vec![0; group], ..Self::default() };
    }

    fn note(&mut self, index: usize, seq: u64, time_ms: u64, (now, now_ms): (Instant, u64)) {
        let first = *self.first.entry(seq).or_insert(now);
        let Some(count) = self.counts.get_mut(index) else { return };
        *count += 1;
        self.delays_us.push(now.saturating_duration_since(first).as_micros() as u32);
        self.oldest_ms = self.oldest_ms.max(now_ms.saturating_sub(time_ms));
    }

    fn count_bytes(&mut self, index: usize, bytes: u64) {
        if index < self.counts.len() {
            self.bytes += bytes;
        }
    }

    /// `deliveries p50_us p99_us bytes fewest most oldest_ms`: what was delivered, how long after the
    /// first arrival, how many samples the unluckiest and the luckiest got, and how long after it was
    /// taken the latest one came.
    fn report(&mut self) -> String {
        self.delays_us.sort_unstable();
        let count = self.delays_us.len();
        let at = |share: f64| self.delays_us.get(((count as f64 * share) as usize).min(count.saturating_sub(1)));
        let [p50, p99] = [0.5, 0.99].map(|share| at(share).copied().unwrap_or(0));
        let (fewest, most) = (self.counts.iter().min().unwrap_or(&0), self.counts.iter().max().unwrap_or(&0));
        format!("{count} {p50} {p99} {} {fewest} {most} {}", self.bytes, self.oldest_ms)
    }
}
