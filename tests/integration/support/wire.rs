//! Connections that no test waits for forever.

use std::{
    fmt,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    path::PathBuf,
    time::Duration,
};

use rustls::{ClientConnection, StreamOwned};
use socket2::{Domain, SockRef, Socket, Type};

/// Whatever a test waits for comes much sooner, or not at all.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Where a server listens.
#[derive(Clone, Debug)]
pub(crate) enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

/// One connection to it.
#[derive(Debug)]
pub(crate) enum Wire {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Address {
    pub(crate) fn connect(&self) -> Wire {
        self.try_connect().unwrap()
    }

    pub(crate) fn try_connect(&self) -> io::Result<Wire> {
        match self {
            Self::Tcp(address) => TcpStream::connect(address).and_then(Wire::tcp),
            Self::Unix(path) => {
                let stream = UnixStream::connect(path)?;
                stream.set_read_timeout(Some(PATIENCE))?;
                stream.set_write_timeout(Some(PATIENCE))?;
                Ok(Wire::Unix(stream))
            }
        }
    }

    /// A connection that takes as few bytes as the kernel allows before it is read.
    pub(crate) fn connect_with_small_buffer(&self) -> Wire {
        let Self::Tcp(address) = self else { panic!("only TCP has a receive buffer of its own") };
        let socket = Socket::new(Domain::for_address(*address), Type::STREAM, None).unwrap();
        socket.set_recv_buffer_size(4 << 10).unwrap();
        socket.connect(&(*address).into()).unwrap();
        Wire::tcp(socket.into()).unwrap()
    }

    /// A connection from one of this host's own addresses.
    pub(crate) fn connect_from(&self, source: SocketAddr) -> Wire {
        let Self::Tcp(address) = self else { panic!("only TCP has addresses to come from") };
        let socket = Socket::new(Domain::for_address(*address), Type::STREAM, None).unwrap();
        socket.bind(&source.into()).unwrap();
        socket.connect(&(*address).into()).unwrap();
        Wire::tcp(socket.into()).unwrap()
    }

    pub(crate) fn tcp(&self) -> SocketAddr {
        let Self::Tcp(address) = self else { panic!("listens on {self}") };
        *address
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            // What stands in a Host header and a URL then; nobody looks at it.
            Self::Unix(_) => f.write_str("localhost"),
        }
    }
}

impl Wire {
    fn tcp(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self::Tcp(stream))
    }

    /// The same connection, encrypted: the handshake comes with the first bytes.
    pub(crate) fn encrypted(self, connection: ClientConnection) -> Self {
        let Self::Tcp(stream) = self else { panic!("only TCP is encrypted") };
        Self::Tls(Box::new(StreamOwned::new(connection, stream)))
    }

    /// Says that nothing more will come.
    pub(crate) fn shut_down_write(&self) {
        let shut_down = match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Tls(stream) => stream.sock.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
        // The peer may have closed before it had read all of ours; what it has said until then can still be read.
        if let Err(error) = shut_down {
            assert_eq!(error.kind(), io::ErrorKind::NotConnected, "{error}");
        }
    }

    pub(crate) fn set_nonblocking(&self, nonblocking: bool) {
        match self {
            Self::Tcp(stream) => stream.set_nonblocking(nonblocking),
            Self::Tls(stream) => stream.sock.set_nonblocking(nonblocking),
            Self::Unix(stream) => stream.set_nonblocking(nonblocking),
        }
        .unwrap();
    }

    /// Ends the connection without a word of TCP but a reset.
    pub(crate) fn reset(self) {
        self.will_reset();
    }

    /// Has its end be a reset, whenever that is.
    pub(crate) fn will_reset(&self) {
        match self {
            Self::Tcp(stream) => SockRef::from(stream).set_linger(Some(Duration::ZERO)).unwrap(),
            Self::Tls(stream) => SockRef::from(&stream.sock).set_linger(Some(Duration::ZERO)).unwrap(),
            Self::Unix(_) => panic!("only TCP has resets"),
        }
    }

    /// Waits until the peer has closed, whatever it says before that, and returns what it said.
    pub(crate) fn read_until_closed(&mut self) -> Vec<u8> {
        let mut said = Vec::new();
        match self.read_to_end(&mut said) {
            Ok(_) => {}
            // The peer closed before it had read all of ours.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            Err(error) => panic!("the connection is still open: {error}"),
        }
        said
    }
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
            Self::Unix(stream) => stream.read(buffer),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
            Self::Unix(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
