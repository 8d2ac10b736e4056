//! The service manager: what it is told, and what it hands over, as systemd's daemon(7) describes it. Without one, all
//! of this does nothing.

use std::{
    env,
    ffi::OsStr,
    fmt, io,
    net::TcpListener,
    os::{
        linux::net::SocketAddrExt as _,
        unix::{
            ffi::OsStrExt as _,
            net::{SocketAddr, UnixDatagram, UnixListener},
        },
    },
    path::Path,
    process,
    str::FromStr,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use listenfd::ListenFd;
use tracing::warn;

use crate::clock::Now;

/// Whom the daemon tells how it fares.
#[derive(Debug, Default)]
pub struct ServiceManager {
    socket: Option<UnixDatagram>,
    watchdog: Option<Duration>,
    has_failed: AtomicBool,
}

/// What can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News<'a> {
    /// Connections are accepted, and there is something to serve.
    Ready,
    /// The configuration is being read again; [`Ready`](Self::Ready) ends that.
    Reloading,
    /// The end has begun.
    Stopping,
    /// The daemon makes progress.
    Alive,
    /// One line for people.
    Status(&'a str),
}

impl ServiceManager {
    /// The one that started this process, if there is one.
    pub fn from_environment() -> Self {
        let Some(name) = env::var_os("NOTIFY_SOCKET") else { return Self::default() };
        // A child may inherit what is meant for its parent.
        let is_ours = number("WATCHDOG_PID").is_none_or(|pid: u32| pid == process::id());
        let watchdog = number("WATCHDOG_USEC").filter(|micros| is_ours && *micros > 0).map(Duration::from_micros);
        Self::at(&name, watchdog).unwrap_or_else(|error| {
            warn!(socket = ?name, %error, "cannot tell the service manager anything");
            Self::default()
        })
    }

    /// The one that listens on this socket, with its watchdog's patience: a path, or a name in the abstract namespace
    /// after an `@`.
    pub fn at(name: &OsStr, watchdog: Option<Duration>) -> io::Result<Self> {
        let address = match name.as_bytes() {
            [b'@', name @ ..] => SocketAddr::from_abstract_name(name),
            _ => SocketAddr::from_pathname(Path::new(name)),
        }?;
        let socket = UnixDatagram::unbound()?;
        socket.connect_addr(&address)?;
        // A manager that does not listen must not keep us from our work.
        socket.set_nonblocking(true)?;
        Ok(Self { socket: Some(socket), watchdog, has_failed: AtomicBool::new(false) })
    }

    /// Within which time it wants to be told [`News::Alive`].
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Tells several things at once.
    pub fn tell(&self, news: &[News<'_>]) {
        let Some(socket) = &self.socket else { return };
        let message = news.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
        if let Err(error) = socket.send(message.as_bytes())
            && !self.has_failed.swap(true, Ordering::Relaxed)
        {
            warn!(%error, "cannot tell the service manager everything");
        }
    }
}

impl fmt::Display for News<'_> {
    /// An assignment, as `sd_notify(3)` lists them.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("READY=1"),
            Self::Reloading => write!(f, "RELOADING=1\nMONOTONIC_USEC={}", Now::read().monotonic.as_micros()),
            Self::Stopping => f.write_str("STOPPING=1"),
            Self::Alive => f.write_str("WATCHDOG=1"),
            // What follows a line's end would be taken for an assignment.
            Self::Status(text) => write!(f, "STATUS={}", text.replace(char::is_control, " ")),
        }
    }
}

/// Sockets that someone else has opened for us to accept at.
#[derive(Debug, Default)]
pub struct Inherited {
    /// Those of TCP.
    pub tcp: Vec<TcpListener>,
    /// Those in the file system.
    pub unix: Vec<UnixListener>,
}

/// What was handed over cannot be used.
#[derive(Debug, thiserror::Error)]
#[error(
    "LISTEN_FDS: socket {number} is none that can be listened at (ListenStream= with TCP or a Unix socket): {cause}"
)]
pub struct WrongSocket {
    number: usize,
    cause: io::Error,
}

impl Inherited {
    /// Takes the sockets that the environment names, and clears it. To be called before there are threads.
    pub fn take() -> Result<Self, WrongSocket> {
        let mut handed = ListenFd::from_env();
        let mut inherited = Self::default();
        for index in 0..handed.len() {
            let wrong = |cause| WrongSocket { number: index + 1, cause };
            if let Ok(Some(listener)) = handed.take_tcp_listener(index) {
                inherited.tcp.push(listener);
            } else if let Some(listener) = handed.take_unix_listener(index).map_err(wrong)? {
                inherited.unix.push(listener);
            }
        }
        Ok(inherited)
    }

    /// Whether nothing was handed over.
    pub fn is_empty(&self) -> bool {
        self.tcp.is_empty() && self.unix.is_empty()
    }
}

fn number<T: FromStr>(variable: &str) -> Option<T> {
    env::var(variable).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(manager: &UnixDatagram) -> String {
        let mut message = [0; 4096];
        let length = manager.recv(&mut message).unwrap();
        String::from_utf8(message[..length].to_vec()).unwrap()
    }

    #[test]
    fn news_arrive_at_a_path_and_at_an_abstract_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let at_path = UnixDatagram::bind(&path).unwrap();
        ServiceManager::at(path.as_os_str(), None).unwrap().tell(&[News::Ready, News::Status("a\nWATCHDOG=1\u{1b}")]);
        assert_eq!(told(&at_path), "READY=1\nSTATUS=a WATCHDOG=1 ");

        let name = format!("hostcast-test-{}", process::id());
        let abstractly = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        ServiceManager::at(format!("@{name}").as_ref(), None).unwrap().tell(&[News::Reloading]);
        let message = told(&abstractly);
        let micros: u128 = message.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().parse().unwrap();
        assert!(Now::read().monotonic.as_micros() - micros < 60_000_000);
    }

    #[test]
    fn a_manager_that_does_not_listen_stops_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let deaf = UnixDatagram::bind(&path).unwrap();
        let manager = ServiceManager::at(path.as_os_str(), None).unwrap();
        for _ in 0..10_000 {
            manager.tell(&[News::Alive]);
        }
        drop(deaf);
        manager.tell(&[News::Alive]);
        assert!(ServiceManager::at(folder.path().join("none").as_os_str(), None).is_err());
    }
}
