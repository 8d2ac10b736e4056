//! Encryption of what comes over TCP: the certificate in force, and the opening handshake.

mod files;

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tracing::debug;

pub use self::files::TlsError;
use self::files::Versions;
use super::{Context, in_force::Current, refusal, serve::Line};
use crate::config::TlsConfig;

/// A certificate and its key, ready to be used; clones are the same.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    files: TlsConfig,
    acceptor: Current<TlsAcceptor>,
    seen: Mutex<Seen>,
}

/// What came of looking at the files.
struct Seen {
    /// `None`: they could not be read, and may be readable the next time without having changed.
    versions: Option<Versions>,
    /// Why those are not in force.
    problem: Option<String>,
}

impl Seen {
    /// Reads them, if they are not those that were read last. What is wrong is told once.
    fn look<T>(
        &mut self,
        versions: Versions,
        read: impl FnOnce() -> Result<T, TlsError>,
    ) -> Option<Result<T, TlsError>> {
        if self.versions == Some(versions) {
            return None;
        }
        let read = read();
        let is_readable = !matches!(read, Err(TlsError::Unreadable { .. }));
        let problem = read.as_ref().err().map(ToString::to_string);
        let is_told = !is_readable && problem == self.problem;
        *self = Self { versions: is_readable.then_some(versions), problem };
        (!is_told).then_some(read)
    }
}

impl Tls {
    /// Reads the files that the configuration names.
    pub fn read(files: &TlsConfig) -> Result<Self, TlsError> {
        // Before they are read: one that changes meanwhile is another one the next time.
        let versions = Versions::of(files);
        let acceptor = Current::new(TlsAcceptor::from(Arc::new(files::read(files)?)));
        let seen = Mutex::new(Seen { versions: Some(versions), problem: None });
        Ok(Self(Arc::new(Inner { files: files.clone(), acceptor, seen })))
    }

    /// Reads the files again if they are not those that were read last, and puts them in force if they can be used. A
    /// pair of which one half was renewed cannot; then the old one stays, and this is told once. `None`: there is nothing
    /// new to tell.
    pub fn renew(&self) -> Option<Result<(), TlsError>> {
        let versions = Versions::of(&self.0.files);
        let mut seen = self.0.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let read = seen.look(versions, || files::read(&self.0.files))?;
        Some(read.map(|config| self.0.acceptor.replace(TlsAcceptor::from(Arc::new(config)))))
    }

    /// Why the files that are there are not in force.
    pub(super) fn problem(&self) -> Option<String> {
        self.0.seen.lock().unwrap_or_else(PoisonError::into_inner).problem.clone()
    }

    /// The opening handshake; `None` where the client did not make one in the time that it has for a request's head.
    pub(super) async fn handshake(&self, io: TcpStream, context: &Context, line: Line) -> Option<TlsStream<TcpStream>> {
        let mut stopping = context.stopping.subscribe();
        let handshake = timeout(context.in_force.get().header_timeout, self.shake(io));
        let shaken = tokio::select! {
            shaken = handshake => shaken.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
            _ = stopping.wait_for(|stopping| *stopping) => return None,
        };
        shaken.inspect_err(|error| debug!(peer = %line, %error, "a TLS handshake failed")).ok()
    }

    async fn shake(&self, io: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let mut first = [0];
        io.peek(&mut first).await?;
        if first[0].is_ascii_uppercase() {
            // A method of HTTP begins so. What rustls would say to that, no client shows to anyone.
            refusal::tell(io, "400 Bad Request", "this port speaks TLS: use https:// or wss://").await;
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it speaks HTTP without TLS"));
        }
        let acceptor = self.0.acceptor.get();
        acceptor.accept(io).await
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_read_is_tried_again_without_having_changed_and_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let certificate = folder.path().join("certificate.pem");
        let files = TlsConfig { key: certificate.clone(), certificate: certificate.clone(), client_ca: None };
        let before = Versions::of(&files);
        std::fs::write(&certificate, "renewed").unwrap();
        let renewed = Versions::of(&files);
        let unreadable = || {
            let why = "Too many open files (os error 24)".to_owned();
            Err::<(), _>(TlsError::Unreadable { key: "key", path: "key.pem".to_owned(), why })
        };
        let mut seen = Seen { versions: Some(before), problem: None };
        assert!(matches!(seen.look(renewed, unreadable), Some(Err(_))));
        for _ in 0..2 {
            assert!(seen.look(renewed, unreadable).is_none(), "told");
            assert!(seen.problem.is_some(), "and not over");
        }
        assert!(matches!(seen.look(renewed, || Ok(())), Some(Ok(()))));
        assert_eq!(seen.problem, None);
        assert!(seen.look(renewed, || -> Result<(), TlsError> { unreachable!("nothing has changed") }).is_none());
    }
}
