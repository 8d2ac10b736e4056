//! The sockets that a lane owns: TCP, plain or encrypted, or Unix, told apart nowhere else.

use std::{
    io::{self, Read, Write},
    net::Shutdown,
};

use mio::{
    Interest, Registry, Token,
    event::Source,
    net::{TcpStream, UnixStream},
};
use rustls::ServerConnection;

use super::tls::TlsSocket;

/// A non-blocking connection, taken over from the HTTP server.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(TcpStream),
    Tls(Box<TlsSocket>),
    Unix(UnixStream),
}

impl Socket {
    /// Takes over a connection that tokio drove so far.
    pub(crate) fn from_tcp(stream: tokio::net::TcpStream) -> io::Result<Self> {
        Ok(Self::Tcp(TcpStream::from_std(stream.into_std()?)))
    }

    /// Takes over a connection that tokio drove so far, with its keys.
    pub(crate) fn from_tls(stream: tokio::net::TcpStream, connection: ServerConnection) -> io::Result<Self> {
        Ok(Self::Tls(Box::new(TlsSocket::new(TcpStream::from_std(stream.into_std()?), connection))))
    }

    /// Takes over a connection that tokio drove so far.
    pub(crate) fn from_unix(stream: tokio::net::UnixStream) -> io::Result<Self> {
        Ok(Self::Unix(UnixStream::from_std(stream.into_std()?)))
    }

    /// Tells the peer that nothing more will come.
    pub(super) fn shut_down_write(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Tls(socket) => socket.shut_down_write(),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }

    fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Tcp(stream) => stream,
            Self::Tls(socket) => &mut socket.stream,
            Self::Unix(stream) => stream,
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Tls(socket) => socket.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Tls(socket) => socket.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tls(socket) => socket.flush(),
            Self::Tcp(_) | Self::Unix(_) => Ok(()),
        }
    }
}

impl Source for Socket {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.source().register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.source().reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.source().deregister(registry)
    }
}
