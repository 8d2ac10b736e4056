//! Where connections come from: binding an address, and accepting.

use std::{
    fs, io,
    net::{IpAddr, SocketAddr},
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
    time::Duration,
};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tracing::{debug, warn};

use crate::{config::Listen, service::Inherited};

/// As many handshakes as may wait in the kernel: a restart brings every subscriber back at once.
const BACKLOG: i32 = 4096;
/// After a failed accept (no descriptors left) the next try waits this long: someone has to leave first.
const ACCEPT_AGAIN_AFTER: Duration = Duration::from_millis(100);
/// What the kernel takes for a client that does not read, beyond what is on its way already. Left to itself it takes
/// megabytes, and what lies there is neither dropped nor told of as a gap.
const MAX_UNSENT_BYTES: u32 = 16 << 10;

/// An open listener.
#[derive(Debug)]
pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener, SocketFile),
}

/// An accepted connection.
#[derive(Debug)]
pub(crate) enum Accepted {
    Tcp(TcpStream, Ends),
    Unix(UnixStream),
}

/// The addresses of a TCP connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub(crate) client: IpAddr,
    /// The one of ours that it came to.
    pub(crate) ours: IpAddr,
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
        io::ErrorKind::AddrInUse => match listen {
            Listen::Unix(path) if !is_socket(path) => "a file that is no socket is there",
            _ => "the address is in use: stop what listens there, or set another with --listen",
        },
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
            Listen::Unix(path) => bind_unix(path).map(|(listener, file)| Self::Unix(listener, file)),
        };
        bound.map_err(|cause| BindError { listen: listen.clone(), cause })
    }

    /// Takes over sockets at which somebody listens already. Must be called within a tokio runtime.
    pub(crate) fn inherit(Inherited { tcp, unix }: Inherited) -> io::Result<Vec<Self>> {
        let tcp = tcp.into_iter().map(|listener| {
            prepare(&SockRef::from(&listener))?;
            Ok(Self::Tcp(TcpListener::from_std(listener)?))
        });
        let unix = unix.into_iter().map(|listener| {
            prepare(&SockRef::from(&listener))?;
            let Some(path) = listener.local_addr()?.as_pathname().map(Path::to_owned) else {
                // Nothing would decide who may connect.
                let why = "an abstract Unix socket was handed over: it has no file whose permissions could protect it";
                return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
            };
            // The file is its owner's, who keeps it when we go.
            let file = SocketFile { path, identity: None };
            Ok(Self::Unix(UnixListener::from_std(listener)?, file))
        });
        tcp.chain(unix).collect()
    }

    /// Where it listens: with the port that the kernel chose, where it was asked to.
    pub(crate) fn address(&self) -> io::Result<Listen> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Listen::Tcp),
            Self::Unix(_, file) => Ok(Listen::Unix(file.path.clone())),
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
                    SockRef::from(&stream).set_tcp_notsent_lowat(MAX_UNSENT_BYTES)?;
                    let ours = stream.local_addr()?.ip().to_canonical();
                    Ok(Accepted::Tcp(stream, Ends { client: peer.ip().to_canonical(), ours }))
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

/// The file of a Unix socket, which goes with its listener.
#[derive(Debug)]
pub(crate) struct SocketFile {
    path: PathBuf,
    /// Device and inode: what tells it from another daemon's that has taken its path.
    /// `None` where it is not ours.
    identity: Option<(u64, u64)>,
}

impl SocketFile {
    fn of(path: &Path) -> io::Result<Self> {
        Ok(Self { path: path.into(), identity: Some(identity(path)?) })
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        if self.identity.is_some() && identity(&self.path).ok() == self.identity {
            // Nobody listens there any more. If someone has removed it already, so much the better.
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let file = fs::symlink_metadata(path)?;
    Ok((file.dev(), file.ino()))
}

fn is_about_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, InvalidInput, NotConnected};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | InvalidInput | NotConnected)
}

fn prepare(socket: &SockRef<'_>) -> io::Result<()> {
    if !socket.is_listener()? {
        return Err(io::Error::other("it is connected already: Accept= must be no"));
    }
    socket.set_nonblocking(true)
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

fn bind_unix(path: &Path) -> io::Result<(UnixListener, SocketFile)> {
    let listener = match UnixListener::bind(path) {
        // A socket file that nobody answers on was left behind by a daemon that was killed.
        Err(error) if error.kind() == io::ErrorKind::AddrInUse && is_abandoned(path) => {
            fs::remove_file(path)?;
            UnixListener::bind(path)
        }
        bound => bound,
    }?;
    Ok((listener, SocketFile::of(path)?))
}

fn is_abandoned(path: &Path) -> bool {
    let refused = |error: io::Error| error.kind() == io::ErrorKind::ConnectionRefused;
    // A file that is no socket refuses connections too, and is not ours to remove.
    is_socket(path) && std::os::unix::net::UnixStream::connect(path).err().is_some_and(refused)
}

fn is_socket(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|file| file.file_type().is_socket())
}
