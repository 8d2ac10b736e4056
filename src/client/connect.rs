//! The way to a host: its addresses, and the first of them that answers.

use std::{collections::VecDeque, io, net::SocketAddr, time::Duration};

use tokio::{
    net::{TcpStream, lookup_host},
    task::JoinSet,
    time::timeout,
};

use super::failure::Lost;

/// How long one address has before the next is tried beside it (RFC 8305).
const HEAD_START: Duration = Duration::from_millis(250);

/// A connection to the host, by whichever of its addresses answers first.
pub(super) async fn tcp(host: &str, port: u16) -> Result<TcpStream, Lost> {
    let found = lookup_host((host, port)).await.map_err(|error| Lost::Resolve { host: host.into(), error })?;
    let mut addresses = interleaved(found.collect());
    let nowhere = || Lost::Resolve { host: host.into(), error: io::ErrorKind::NotFound.into() };
    let mut attempts = JoinSet::new();
    let mut last_error = None;
    loop {
        if let Some(address) = addresses.pop_front() {
            attempts.spawn(async move { (address, TcpStream::connect(address).await) });
        }
        let patience = if addresses.is_empty() { Duration::MAX } else { HEAD_START };
        match timeout(patience, attempts.join_next()).await {
            Ok(Some(Ok((_, Ok(stream))))) => {
                // Pongs are all that is sent, and nobody waits for them.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Some(Ok((address, Err(error))))) => {
                last_error = Some(Lost::Connect { address: address.to_string(), error });
            }
            Ok(None) if addresses.is_empty() => return Err(last_error.unwrap_or_else(nowhere)),
            // It is slow: the next one gets its chance, and this one goes on.
            Err(_) | Ok(Some(Err(_)) | None) => {}
        }
    }
}

/// IPv6 and IPv4 in turns, in the resolver's order, so that a family that leads nowhere costs one head start.
fn interleaved(addresses: Vec<SocketAddr>) -> VecDeque<SocketAddr> {
    let first_is_v6 = addresses.first().is_some_and(SocketAddr::is_ipv6);
    let (mut first, mut second): (VecDeque<_>, VecDeque<_>) =
        addresses.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let mut all = VecDeque::with_capacity(first.len() + second.len());
    while !(first.is_empty() && second.is_empty()) {
        all.extend(first.pop_front());
        all.extend(second.pop_front());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block_on<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    #[test]
    fn both_families_get_their_turn() {
        let addresses = ["[::1]:1", "[::2]:1", "[::3]:1", "1.1.1.1:1"].map(|text| text.parse().unwrap());
        let order: Vec<_> = interleaved(addresses.into()).iter().map(ToString::to_string).collect();
        assert_eq!(order, ["[::1]:1", "1.1.1.1:1", "[::2]:1", "[::3]:1"]);
    }

    #[test]
    fn an_address_that_refuses_is_named() {
        // Bound, and so nobody else's, but not listening.
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let port = socket.local_addr().unwrap().as_socket().unwrap().port();
        let error = block_on(tcp("127.0.0.1", port)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot connect to 127.0.0.1:{port}: Connection refused")), "{error}");
    }

    #[test]
    fn localhost_is_reached_whichever_family_listens() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let Ok(listener) = std::net::TcpListener::bind(address) else { continue };
            let port = listener.local_addr().unwrap().port();
            // Where /etc/hosts has but one family for it, only that one can be asked for.
            let found: Vec<_> = block_on(async { lookup_host(("localhost", port)).await.unwrap().collect() });
            if found.contains(&listener.local_addr().unwrap()) {
                block_on(tcp("localhost", port)).unwrap();
            }
        }
    }
}
