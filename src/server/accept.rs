//! Connections: accepting them, counting them, and refusing one too many politely.

use std::{
    collections::HashMap,
    fmt, io,
    net::{IpAddr, SocketAddr},
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::Notify,
    time::timeout,
};
use tracing::{debug, warn};

use crate::config::{Limits, Listen};

/// As many handshakes as may wait in the kernel: a restart brings every subscriber back at once.
const BACKLOG: i32 = 4096;
/// After a failed accept (no descriptors left) the next try waits this long: someone has to leave first.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// An open listener.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
}

/// An accepted connection.
#[derive(Debug)]
pub(crate) enum Accepted {
    Tcp(TcpStream, IpAddr),
    Unix(UnixStream),
}

/// A place to listen at could not be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {listen}: {}", explain(cause, listen))]
pub struct BindError {
    listen: Listen,
    /// Not its `source`: the message tells all there is to tell.
    cause: io::Error,
}

fn explain(error: &io::Error, listen: &Listen) -> String {
    let cure = match error.kind() {
        io::ErrorKind::AddrInUse => "the address is in use: stop what listens there, or set another with --listen",
        io::ErrorKind::AddrNotAvailable => "no interface of this host has that address",
        io::ErrorKind::PermissionDenied => match listen {
            Listen::Tcp(_) => "permission denied: ports below 1024 need CAP_NET_BIND_SERVICE",
            Listen::Unix(_) => "permission denied: the folder must be writable",
        },
        io::ErrorKind::NotFound => "the folder of the socket does not exist",
        _ => return error.to_string(),
    };
    cure.into()
}

impl Listener {
    /// Opens the listener. Must be called within a tokio runtime.
    pub(crate) fn bind(listen: &Listen) -> Result<Self, BindError> {
        let bound = match listen {
            Listen::Tcp(address) => bind_tcp(*address).map(Self::Tcp),
            Listen::Unix(path) => bind_unix(path).map(|listener| Self::Unix(listener, path.clone())),
        };
        bound.map_err(|cause| BindError { listen: listen.clone(), cause })
    }

    /// Where it listens: with the port that the kernel chose, where it was asked to.
    pub(crate) fn address(&self) -> io::Result<Listen> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Listen::Tcp),
            Self::Unix(_, path) => Ok(Listen::Unix(path.clone())),
        }
    }

    /// The next connection. Failures to accept are waited out: what is open stays served.
    pub(crate) async fn accept(&self) -> Accepted {
        let mut told = false;
        loop {
            let accepted = match self {
                Self::Tcp(listener) => listener.accept().await.and_then(|(stream, peer)| {
                    // A sample is one small frame: waiting to fill a packet would only delay it.
                    stream.set_nodelay(true)?;
                    Ok(Accepted::Tcp(stream, peer.ip().to_canonical()))
                }),
                Self::Unix(listener, _) => listener.accept().await.map(|(stream, _)| Accepted::Unix(stream)),
            };
            match accepted {
                Ok(accepted) => return accepted,
                Err(error) if is_about_one_connection(&error) => debug!(%error, "a connection was gone at once"),
                Err(error) => {
                    if !std::mem::replace(&mut told, true) {
                        warn!(%error, "cannot accept connections; trying again until it works");
                    }
                    tokio::time::sleep(ACCEPT_AGAIN_AFTER).await;
                }
            }
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        if let Self::Unix(_, path) = self {
            // Nobody listens there any more. If someone has removed it already, so much the better.
            let _ = std::fs::remove_file(path);
        }
    }
}

fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, InvalidInput, NotConnected};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | InvalidInput | NotConnected)
}

fn bind_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // `[::]` and `0.0.0.0` can both be listed, and each means what it says.
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn bind_unix(path: &Path) -> io::Result<UnixListener> {
    match UnixListener::bind(path) {
        // A socket file that nobody answers on was left behind by a daemon that was killed.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_abandoned(path) => {
            std::fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        bound => bound,
    }
}

fn is_abandoned(path: &Path) -> bool {
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    // A file that is no socket refuses connections too, and is not ours to remove.
    let is_socket = std::fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket());
    is_socket && std::os::unix::net::UnixStream::connect(path).err().is_some_and(refused)
}

/// Every open connection, whoever serves it.
#[derive(Clone, Debug)]
pub(crate) struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    max_total: usize,
    max_per_address: usize,
    open: Mutex<Open>,
    all_gone: Notify,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
    refused_total: u64,
}

/// A connection's place among the open ones; given back when the last clone is dropped.
#[derive(Clone)]
pub(crate) struct ConnectionSlot {
    _place: Arc<Place>,
}

struct Place {
    connections: Connections,
    address: Option<IpAddr>,
}

/// Which limit a connection would exceed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TooMany {
    #[error("too many connections")]
    InAll,
    #[error("too many connections from this address")]
    FromAddress,
}

impl Connections {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self(Arc::new(Shared {
            max_total: limits.max_connections,
            max_per_address: limits.max_connections_per_address,
            open: Mutex::default(),
            all_gone: Notify::new(),
        }))
    }

    /// A place for a connection from `address`; Unix sockets have none and count only in all.
    pub(crate) fn admit(&self, address: Option<IpAddr>) -> Result<ConnectionSlot, TooMany> {
        let mut open = self.open();
        let from_address = address.map_or(0, |address| open.by_address.get(&address).copied().unwrap_or(0));
        let refusal = if open.total >= self.0.max_total {
            Some(TooMany::InAll)
        } else if from_address >= self.0.max_per_address {
            Some(TooMany::FromAddress)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            open.refused_total += 1;
            return Err(refusal);
        }
        open.total += 1;
        if let Some(address) = address {
            open.by_address.insert(address, from_address + 1);
        }
        drop(open);
        Ok(ConnectionSlot { _place: Arc::new(Place { connections: self.clone(), address }) })
    }

    /// Open connections now, and refused ones since the start.
    pub(crate) fn count(&self) -> (usize, u64) {
        let open = self.open();
        (open.total, open.refused_total)
    }

    /// Returns once no connection is open.
    pub(crate) async fn all_gone(&self) {
        loop {
            let gone = self.0.all_gone.notified();
            if self.open().total == 0 {
                return;
            }
            gone.await;
        }
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.connections.open();
        open.total -= 1;
        if let Some(address) = self.address
            && let Some(count) = open.by_address.get_mut(&address)
        {
            *count -= 1;
            if *count == 0 {
                open.by_address.remove(&address);
            }
        }
        let none_left = open.total == 0;
        drop(open);
        if none_left {
            self.connections.0.all_gone.notify_waiters();
        }
    }
}

impl fmt::Debug for ConnectionSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ConnectionSlot")
    }
}

/// Tells a client that it is one too many, and sees to it that it can read that.
pub(crate) async fn refuse(accepted: Accepted, why: TooMany) {
    let told = match accepted {
        Accepted::Tcp(mut stream, _) => timeout(Duration::from_secs(1), tell(&mut stream, why)).await,
        Accepted::Unix(mut stream) => timeout(Duration::from_secs(1), tell(&mut stream, why)).await,
    };
    if !matches!(told, Ok(Ok(()))) {
        debug!("a refused connection did not wait for the reason");
    }
}

async fn tell(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), why: TooMany) -> io::Result<()> {
    let body = format!("{{\"error\":\"{why}\"}}\n");
    let head = "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\n";
    let response = format!("{head}Connection: close\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(response.as_bytes()).await?;
    stream.shutdown().await?;
    // A close with unread data would become a reset, which takes the response with it.
    let mut request = [0; 1024];
    while stream.read(&mut request).await? > 0 {}
    Ok(())
}
