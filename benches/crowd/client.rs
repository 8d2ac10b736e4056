//! One subscriber of a load generator: how it connects, and what it reads.

use std::{
    io::{self, ErrorKind, Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
};

use mio::net::TcpStream;
use socket2::{Domain, Socket, Type};

use crate::follow::{Follower, Heard};

/// Connections from one loopback address, so that neither ports nor per-address limits run out.
const PER_ADDRESS: usize = 1_000;
/// A pong without payload; the mask is of zeros, which is allowed.
const PONG: [u8; 6] = [0x8a, 0x80, 0, 0, 0, 0];
pub(crate) const READ_BUFFER_BYTES: usize = 256 << 10;

/// A connection after its handshake.
pub(crate) struct Client {
    pub(crate) stream: TcpStream,
    follower: Follower,
    /// What was read and has to be looked at again with what follows: a few bytes.
    carry: Vec<u8>,
}

impl Client {
    /// `early` is what came right behind the handshake.
    pub(crate) fn new(stream: TcpStream, early: &[u8]) -> Self {
        Self { stream, follower: Follower::default(), carry: early.to_vec() }
    }

    /// Connects and makes the handshake, blocking. Where `receive_buffer_bytes` is given, the kernel
    /// holds no more than about that for it.
    pub(crate) fn connect(
        target: SocketAddr,
        index: usize,
        request: &str,
        receive_buffer_bytes: Option<usize>,
    ) -> io::Result<Self> {
        let socket = socket(index)?;
        if let Some(bytes) = receive_buffer_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        socket.connect(&target.into())?;
        let mut stream = std::net::TcpStream::from(socket);
        stream.write_all(request.as_bytes())?;
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte)?;
            head.push(byte[0]);
        }
        check_answer(&head)?;
        stream.set_nonblocking(true)?;
        Ok(Self::new(TcpStream::from_std(stream), &[]))
    }

    /// Reads all that is there, answers pings, and returns how many bytes it was. `buffer` is lent.
    pub(crate) fn read(&mut self, buffer: &mut [u8], mut tell: impl FnMut(Heard)) -> io::Result<u64> {
        let mut read = 0;
        loop {
            let begin = self.carry.len();
            buffer[..begin].copy_from_slice(&self.carry);
            let count = match self.stream.read(&mut buffer[begin..]) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(read),
                Err(error) => return Err(error),
            };
            read += count as u64;
            let bytes = &buffer[..begin + count];
            let mut is_pinged = false;
            let used = self.follower.follow(bytes, |heard| {
                is_pinged |= heard == Heard::Ping;
                tell(heard);
            });
            self.carry.clear();
            self.carry.extend_from_slice(&bytes[used..]);
            if is_pinged {
                // Six bytes fit the socket of one who sends nothing else.
                self.stream.write_all(&PONG)?;
            }
            // A short read has emptied the socket; epoll tells of what comes later.
            if begin + count < buffer.len() {
                return Ok(read);
            }
        }
    }
}

/// A socket that will connect from the address that is the turn of the `index`th.
pub(crate) fn socket(index: usize) -> io::Result<Socket> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let source = Ipv4Addr::new(127, 0, 1, u8::try_from(1 + index / PER_ADDRESS).map_err(io::Error::other)?);
    socket.bind(&SocketAddr::V4(SocketAddrV4::new(source, 0)).into())?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}

/// What a client says to become a subscriber.
pub(crate) fn request(target: SocketAddr, path: &str, subprotocol: &str, offers_compression: bool) -> String {
    let offer = if offers_compression { "Sec-WebSocket-Extensions: permessage-deflate\r\n" } else { "" };
    format!(
        "GET {path} HTTP/1.1\r\nHost: {target}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
         Sec-WebSocket-Protocol: {subprotocol}\r\n{offer}\r\n"
    )
}

pub(crate) fn check_answer(head: &[u8]) -> io::Result<()> {
    if head.starts_with(b"HTTP/1.1 101") {
        Ok(())
    } else {
        Err(io::Error::other(String::from_utf8_lossy(head).into_owned()))
    }
}
