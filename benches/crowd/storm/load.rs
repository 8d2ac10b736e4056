//! The storm itself: subscribers that all come within two seconds and want all of history.
//!
//! One thread, one epoll. Each counts its samples and sees to it that their numbers have neither a
//! hole nor a repetition.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::SocketAddr,
    time::{Duration, Instant},
};

use hostcast::clock::process_cpu_time;
use mio::{Events, Interest, Poll, Token, event::Event, net::TcpStream};

use crate::{
    client::{Client, READ_BUFFER_BYTES, check_answer, request, socket},
    follow::Heard,
    measure::Figures,
};

/// Within this time all of them begin to connect.
const ARRIVAL: Duration = Duration::from_secs(2);
/// Whoever is not served by then has failed.
const PATIENCE: Duration = Duration::from_mins(3);
/// An answer to a handshake is far shorter.
const HEAD_BYTES: usize = 1024;
/// So many failures are told of, each on a line.
const TOLD: usize = 3;

enum Visitor {
    Connecting(TcpStream),
    /// Has asked, and has a part of the answer.
    Asking(TcpStream, Vec<u8>),
    Reading(Client, Check),
    Gone,
}

/// What a subscriber has of history so far.
#[derive(Default)]
struct Check {
    next_seq: Option<u64>,
    samples: usize,
    is_live: bool,
    fault: Option<String>,
}

/// Puts the storm on `target`, whose history has `samples`, and prints
/// `connected_s whole_median_s whole_last_s failures bytes cpu_s`, the last being what this took itself.
pub(crate) fn run(target: SocketAddr, path: &str, subprotocol: &str, count: usize, samples: usize) -> io::Result<()> {
    let mut storm = Storm {
        poll: Poll::new()?,
        target,
        request: request(target, path, subprotocol, false),
        samples,
        visitors: Vec::with_capacity(count),
        began: Instant::now(),
        connected: Figures::default(),
        whole: Figures::default(),
        failures: 0,
        bytes: 0,
    };
    storm.rage(count)?;
    let [connected, whole, last] = [storm.connected.range()[1], storm.whole.median(), storm.whole.range()[1]];
    let cpu = process_cpu_time().as_secs_f64();
    println!("{connected} {whole} {last} {} {} {cpu}", storm.failures, storm.bytes);
    Ok(())
}

struct Storm {
    poll: Poll,
    target: SocketAddr,
    request: String,
    samples: usize,
    visitors: Vec<Visitor>,
    began: Instant,
    /// When each had its handshake, in seconds since the beginning.
    connected: Figures,
    /// When each had all of history.
    whole: Figures,
    failures: usize,
    bytes: u64,
}

impl Storm {
    fn rage(&mut self, count: usize) -> io::Result<()> {
        let mut events = Events::with_capacity(4096);
        let mut buffer = vec![0; READ_BUFFER_BYTES];
        while self.whole.len() + self.failures < count {
            let gone = self.began.elapsed();
            if gone > PATIENCE {
                self.failures = count - self.whole.len();
                eprintln!("{} of {count} were not served within {PATIENCE:?}", self.failures);
                return Ok(());
            }
            let due = (count as f64 * gone.as_secs_f64() / ARRIVAL.as_secs_f64()) as usize;
            for index in self.visitors.len()..due.min(count) {
                let visitor = self.come(index)?;
                self.visitors.push(visitor);
            }
            let wait = if self.visitors.len() < count { Duration::from_millis(1) } else { Duration::from_millis(100) };
            match self.poll.poll(&mut events, Some(wait)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                self.react(event, &mut buffer);
            }
        }
        Ok(())
    }

    fn come(&mut self, index: usize) -> io::Result<Visitor> {
        let socket = socket(index)?;
        socket.set_nonblocking(true)?;
        match socket.connect(&self.target.into()) {
            Err(error) if error.raw_os_error() != Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {
                return Err(error);
            }
            _ => {}
        }
        let mut stream = TcpStream::from_std(socket.into());
        self.poll.registry().register(&mut stream, Token(index), Interest::READABLE | Interest::WRITABLE)?;
        Ok(Visitor::Connecting(stream))
    }

    fn react(&mut self, event: &Event, buffer: &mut [u8]) {
        let Token(index) = event.token();
        let visitor = std::mem::replace(&mut self.visitors[index], Visitor::Gone);
        self.visitors[index] = match self.go_on(visitor, event.is_writable(), buffer) {
            Ok(visitor) => visitor,
            Err(error) => {
                self.failures += 1;
                if self.failures <= TOLD {
                    eprintln!("subscriber {index} failed: {error}");
                }
                Visitor::Gone
            }
        };
    }

    fn go_on(&mut self, visitor: Visitor, is_writable: bool, buffer: &mut [u8]) -> io::Result<Visitor> {
        match visitor {
            Visitor::Connecting(mut stream) if is_writable => {
                if let Some(error) = stream.take_error()? {
                    return Err(error);
                }
                // It fits the empty buffer of a new socket.
                stream.write_all(self.request.as_bytes())?;
                // A refusal may be there already, and would not be told of again.
                self.go_on(Visitor::Asking(stream, Vec::new()), false, buffer)
            }
            Visitor::Asking(mut stream, mut head) => {
                let mut part = [0; HEAD_BYTES];
                let read = match stream.read(&mut part) {
                    Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                    Ok(read) => read,
                    Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Visitor::Asking(stream, head)),
                    Err(error) => return Err(error),
                };
                head.extend_from_slice(&part[..read]);
                let Some(end) = head.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
                    return Ok(Visitor::Asking(stream, head));
                };
                check_answer(&head)?;
                self.connected.push(self.began.elapsed().as_secs_f64());
                // What else has come already would not be told of again.
                self.read(Client::new(stream, &head[end + 4..]), Check::default(), buffer)
            }
            Visitor::Reading(client, check) => self.read(client, check, buffer),
            other => Ok(other),
        }
    }

    fn read(&mut self, mut client: Client, mut check: Check, buffer: &mut [u8]) -> io::Result<Visitor> {
        let was_live = check.is_live;
        let read = client.read(buffer, |heard| check.hear(heard, self.samples));
        // Nobody waits for what an already whole one gets.
        if !was_live {
            self.bytes += *read.as_ref().unwrap_or(&0);
            if check.is_live {
                self.whole.push(self.began.elapsed().as_secs_f64());
            }
        }
        if let Some(fault) = check.fault {
            return Err(io::Error::other(fault));
        }
        read?;
        Ok(Visitor::Reading(client, check))
    }
}

impl Check {
    /// `wanted` is how many samples history has, within one: it slides while they come.
    fn hear(&mut self, heard: Heard, wanted: usize) {
        match heard {
            Heard::Sample { seq, .. } => {
                if let Some(next) = self.next_seq.filter(|&next| next != seq) {
                    self.fault = Some(format!("got sample {seq} where {next} was due"));
                }
                self.next_seq = Some(seq + 1);
                self.samples += 1;
            }
            Heard::Complete => {
                self.is_live = true;
                if self.samples + 1 < wanted {
                    self.fault = Some(format!("got {} samples of history where there are {wanted}", self.samples));
                }
            }
            Heard::Bye => self.fault = Some("was sent away".into()),
            Heard::Gap if self.next_seq.is_some() => self.fault = Some("was told of a gap".into()),
            Heard::Gap | Heard::Ping => {}
        }
    }
}
