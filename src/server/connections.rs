//! Who is connected: counting connections, and refusing one too many politely.

use std::{
    collections::HashMap,
    fmt, io,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    sync::Notify,
    time::timeout,
};
use tracing::debug;

use super::listener::Accepted;
use crate::config::Limits;

/// Every open connection, whoever serves it.
#[derive(Clone, Debug)]
pub(crate) struct Connections(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    max_total: AtomicUsize,
    max_per_address: AtomicUsize,
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
            max_total: AtomicUsize::new(limits.max_connections),
            max_per_address: AtomicUsize::new(limits.max_connections_per_address),
            open: Mutex::default(),
            all_gone: Notify::new(),
        }))
    }

    /// Changes the limits for those who come from now on.
    pub(crate) fn set_limits(&self, limits: &Limits) {
        self.0.max_total.store(limits.max_connections, Ordering::Relaxed);
        self.0.max_per_address.store(limits.max_connections_per_address, Ordering::Relaxed);
    }

    /// A place for a connection from `address`; Unix sockets have none and count only in all.
    pub(crate) fn admit(&self, address: Option<IpAddr>) -> Result<ConnectionSlot, TooMany> {
        let mut open = self.open();
        let from_address = address.map_or(0, |address| open.by_address.get(&address).copied().unwrap_or(0));
        let refusal = if open.total >= self.0.max_total.load(Ordering::Relaxed) {
            Some(TooMany::InAll)
        } else if from_address >= self.0.max_per_address.load(Ordering::Relaxed) {
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
