//! A TCP socket whose bytes are encrypted. Every subscriber has keys of its own, so that frames are shared up to here
//! and no further.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::Shutdown,
};

use mio::net::TcpStream;
use rustls::ServerConnection;

/// What is encrypted at a time. As much may wait for a socket that is full, beyond the frame that it belongs to.
const PIECE: usize = 16 << 10;

/// See the module.
#[derive(Debug)]
pub(crate) struct TlsSocket {
    pub(super) stream: TcpStream,
    connection: ServerConnection,
}

impl TlsSocket {
    pub(super) fn new(stream: TcpStream, connection: ServerConnection) -> Self {
        Self { stream, connection }
    }

    /// Has the socket take what is encrypted already.
    fn send(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut self.stream) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Tells the peer that nothing more will come.
    pub(super) fn shut_down_write(&mut self) -> io::Result<()> {
        self.connection.send_close_notify();
        match self.send() {
            // The end of the connection says the same.
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => self.stream.shutdown(Shutdown::Write),
        }
    }
}

impl Drop for TlsSocket {
    fn drop(&mut self) {
        // The peer can tell our end from a line that was cut. If it takes nothing more, it is its own loss.
        self.connection.send_close_notify();
        let _ = self.send();
    }
}

impl Read for TlsSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.connection.reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                // That the peer just closes, without saying so, cuts nothing off: frames have lengths.
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(0),
                done => return done,
            }
            if self.connection.read_tls(&mut self.stream)? == 0 {
                // The reader knows then whether the peer had said so.
                continue;
            }
            let processed = self.connection.process_new_packets();
            // What is wrong is told the peer, if it still listens; so are changes of keys.
            match self.send() {
                Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                _ => {}
            }
            processed.map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        }
    }
}

impl Write for TlsSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // First what is encrypted already, so that there is never more of it than one piece.
        self.send()?;
        let taken = self.connection.writer().write(&bytes[..bytes.len().min(PIECE)])?;
        match self.send() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => Err(error),
            _ => Ok(taken),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.send()
    }
}
