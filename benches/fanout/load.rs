//! The load generator: one thread, one epoll, as many subscribers as asked for.
//!
//! It counts what arrives and notes how long after the first arrival of a sample each other
//! subscriber got the same sample.

use std::{
    collections::HashMap,
    io::{self, BufRead as _, ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    time::{Duration, Instant},
};

use mio::{Events, Interest, Poll, Token, net::TcpStream};
use socket2::{Domain, Socket, Type};

/// Connections from one loopback address, so that neither ports nor per-address limits run out.
const PER_ADDRESS: usize = 1_000;

struct Client {
    stream: TcpStream,
    /// Bytes of a frame that is not complete yet.
    partial: Vec<u8>,
}

/// Connects `count` subscribers to `target` with `request`, says `ready` on standard output, and for
/// each line on standard input (a number of seconds) measures that long and prints
/// `deliveries p50_us p99_us max_us bytes`.
pub(crate) fn run(target: SocketAddr, count: usize, path: &str) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let mut clients = Vec::with_capacity(count);
    for index in 0..count {
        let mut stream = connect(target, index, path)?;
        poll.registry().register(&mut stream, Token(index), Interest::READABLE)?;
        clients.push(Client { stream, partial: Vec::new() });
    }
    let mut load = Load { clients, buffer: vec![0; 256 << 10], arrivals: Arrivals::default() };
    let mut events = Events::with_capacity(4096);
    load.run_for(&mut poll, &mut events, Duration::from_millis(1500))?;
    println!("ready");
    for line in io::stdin().lock().lines() {
        let seconds: f64 = line?.trim().parse().unwrap_or(0.0);
        load.arrivals = Arrivals::default();
        load.run_for(&mut poll, &mut events, Duration::from_secs_f64(seconds))?;
        load.arrivals.report();
    }
    Ok(())
}

struct Load {
    clients: Vec<Client>,
    buffer: Vec<u8>,
    arrivals: Arrivals,
}

impl Load {
    fn run_for(&mut self, poll: &mut Poll, events: &mut Events, span: Duration) -> io::Result<()> {
        let end = Instant::now() + span;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(());
            }
            poll.poll(events, Some(left))?;
            for event in &*events {
                self.read(event.token().0)?;
            }
        }
    }

    fn read(&mut self, index: usize) -> io::Result<()> {
        let client = &mut self.clients[index];
        loop {
            match client.stream.read(&mut self.buffer) {
                Ok(0) => return Err(io::Error::other(format!("subscriber {index} was disconnected"))),
                Ok(count) => {
                    let now = Instant::now();
                    self.arrivals.bytes += count as u64;
                    if client.partial.is_empty() {
                        let used = self.arrivals.frames(&self.buffer[..count], now);
                        client.partial.extend_from_slice(&self.buffer[used..count]);
                    } else {
                        client.partial.extend_from_slice(&self.buffer[..count]);
                        let used = self.arrivals.frames(&client.partial, now);
                        client.partial.drain(..used);
                    }
                    // A short read has emptied the socket; epoll tells of what comes later.
                    if count < self.buffer.len() {
                        return Ok(());
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

#[derive(Default)]
struct Arrivals {
    first: HashMap<u64, Instant>,
    delays_us: Vec<u32>,
    bytes: u64,
}

impl Arrivals {
    /// Takes whole frames off the front and returns how many bytes they had.
    fn frames(&mut self, bytes: &[u8], now: Instant) -> usize {
        let mut used = 0;
        while let Some((start, end)) = frame(&bytes[used..]) {
            let payload = &bytes[used + start..used + end];
            if let Some(seq) = live_seq(payload) {
                let first = *self.first.entry(seq).or_insert(now);
                self.delays_us.push(now.saturating_duration_since(first).as_micros() as u32);
            }
            used += end;
        }
        used
    }

    fn report(&mut self) {
        self.delays_us.sort_unstable();
        let count = self.delays_us.len();
        let at = |share: f64| self.delays_us.get(((count as f64 * share) as usize).min(count.saturating_sub(1)));
        let [p50, p99, max] = [0.5, 0.99, 1.0].map(|share| at(share).copied().unwrap_or(0));
        println!("{count} {p50} {p99} {max} {}", self.bytes);
    }
}

/// Where the payload of the first frame begins and ends, if the frame is complete.
fn frame(bytes: &[u8]) -> Option<(usize, usize)> {
    let short = usize::from(*bytes.get(1)?);
    let (start, length) = match short {
        126 => (4, usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?))),
        127 => (10, usize::try_from(u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?)).ok()?),
        length => (2, length),
    };
    let end = start + length;
    (bytes.len() >= end).then_some((start, end))
}

fn live_seq(payload: &[u8]) -> Option<u64> {
    let digits = payload.strip_prefix(br#"{"type":"sample","seq":"#)?;
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

/// Connects and makes the handshake, blocking.
fn connect(target: SocketAddr, index: usize, path: &str) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let source = Ipv4Addr::new(127, 0, 1, u8::try_from(1 + index / PER_ADDRESS).map_err(io::Error::other)?);
    socket.bind(&SocketAddr::V4(SocketAddrV4::new(source, 0)).into())?;
    socket.connect(&target.into())?;
    socket.set_tcp_nodelay(true)?;
    let mut stream = std::net::TcpStream::from(socket);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {target}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: hostcast.v1.compact\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    if !head.starts_with(b"HTTP/1.1 101") {
        return Err(io::Error::other(String::from_utf8_lossy(&head).into_owned()));
    }
    stream.set_nonblocking(true)?;
    Ok(TcpStream::from_std(stream))
}
