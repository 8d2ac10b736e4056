//! Who is connected: places for connections, and for the clients of proxies, who share some.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::sync::Notify;

use super::neighbourhood::neighbourhood;
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
    place: Arc<Place>,
    /// That of the client on whose behalf a proxy has asked.
    _client: Option<Arc<Place>>,
}

struct Place {
    connections: Connections,
    /// Whether it is a connection of its own.
    is_connection: bool,
    /// Whom it counts for, with its neighbours.
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

    /// A place for a connection from `address`. Unix sockets have none, and proxies that are trusted none of their own:
    /// they count only in all.
    pub(crate) fn admit(&self, address: Option<IpAddr>) -> Result<ConnectionSlot, TooMany> {
        self.take(true, address.map(neighbourhood)).map(|place| ConnectionSlot { place, _client: None })
    }

    fn take(&self, is_connection: bool, address: Option<IpAddr>) -> Result<Arc<Place>, TooMany> {
        let mut open = self.open();
        let from_address = address.map_or(0, |address| open.by_address.get(&address).copied().unwrap_or(0));
        let refusal = if is_connection && open.total >= self.0.max_total.load(Ordering::Relaxed) {
            Some(TooMany::InAll)
        } else if address.is_some() && from_address >= self.0.max_per_address.load(Ordering::Relaxed) {
            Some(TooMany::FromAddress)
        } else {
            None
        };
        if let Some(refusal) = refusal {
            open.refused_total += 1;
            return Err(refusal);
        }
        open.total += usize::from(is_connection);
        if let Some(address) = address {
            open.by_address.insert(address, from_address + 1);
        }
        drop(open);
        Ok(Arc::new(Place { connections: self.clone(), is_connection, address }))
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

impl ConnectionSlot {
    /// The same place, which counts for `client` as well if that is another than whoever has made the connection.
    pub(crate) fn for_client(&self, client: Option<IpAddr>) -> Result<Self, TooMany> {
        let client = client.map(neighbourhood).filter(|client| self.place.address != Some(*client));
        let place = client.map(|client| self.place.connections.take(false, Some(client))).transpose()?;
        Ok(Self { place: Arc::clone(&self.place), _client: place })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.connections.open();
        open.total -= usize::from(self.is_connection);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_with_a_network_of_ipv6_to_itself_has_the_places_of_one_address() {
        let limits = Limits { max_connections_per_address: 2, ..Limits::default() };
        let connections = Connections::new(&limits);
        let ip = |text: &str| Some(text.parse().unwrap());
        let first = connections.admit(ip("2001:db8::1")).unwrap();
        let second = connections.admit(ip("2001:db8::2")).unwrap();
        assert_eq!(connections.admit(ip("2001:db8::ffff:3")).unwrap_err(), TooMany::FromAddress);
        assert!(first.for_client(ip("2001:db8::4")).is_ok(), "it is the same that has made the connection");
        let proxy = connections.admit(None).unwrap();
        assert_eq!(proxy.for_client(ip("2001:db8::5")).unwrap_err(), TooMany::FromAddress);
        let other = connections.admit(ip("2001:db8:0:1::1")).unwrap();
        drop(second);
        let third = connections.admit(ip("2001:db8::3")).unwrap();
        drop((first, proxy, other, third));
        assert!(connections.open().by_address.is_empty(), "every place was given back");
    }
}
