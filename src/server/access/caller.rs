//! Who sends a request, behind whatever proxies stand before us: what is believed of what they say, and of whom.
//!
//! Each proxy adds to `X-Forwarded-For` where it was asked from, on the right. So the list is read from there for as
//! long as whoever has added to it is trusted: what stands further left, the client may have written itself. What cannot
//! be read ends the list, too. `X-Forwarded-Proto` and `X-Forwarded-Host` count as the nearest proxy says them.
//!
//! `Forwarded` (RFC 7239) is not read. Proxies pass on the one of the two that they do not set, as the client sent it,
//! and hardly any sets this one: to believe both is to believe clients.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

use hyper::{HeaderMap, header::HeaderName};

use crate::{config::TrustedProxy, token::Proof};

const FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Who sends a request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Caller {
    /// Where it comes from; `None` is a Unix socket.
    pub(crate) ip: Option<IpAddr>,
    /// What it speaks, if that is known: without TLS a proxy that nobody told us of may be in between.
    pub(crate) scheme: Option<Scheme>,
    /// Who it is, as far as that was proved.
    pub(crate) proof: Option<Proof>,
}

/// The two that a page can come by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Caller {
    /// Who it is that sends these headers over a connection from `peer`.
    pub(super) fn of(headers: &HeaderMap, peer: Option<IpAddr>, is_encrypted: bool, trusted: &[TrustedProxy]) -> Self {
        let told = if believes(trusted, peer) { scheme(headers) } else { None };
        let here = is_encrypted.then_some(Scheme::Https);
        Self { ip: client(headers, peer, trusted), scheme: told.or(here), proof: None }
    }

    /// Whether it is on this machine, as far as its address tells: a proxy is, too.
    pub(crate) fn is_local(self) -> bool {
        self.ip.is_none_or(|ip| ip.is_loopback())
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            Some(ip) => ip.fmt(f),
            None => f.write_str("unix"),
        }
    }
}

impl Scheme {
    pub(super) fn of(name: &str) -> Option<Self> {
        // A load balancer may name what the WebSocket was asked for with.
        let is = |names: [&str; 2]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
        let (http, https) = (is(["http", "ws"]), is(["https", "wss"]));
        http.then_some(Self::Http).or(https.then_some(Self::Https))
    }
}

/// Whether what `peer` says of others is believed.
pub(super) fn believes(trusted: &[TrustedProxy], peer: Option<IpAddr>) -> bool {
    trusted.iter().any(|proxy| proxy.is(peer))
}

/// The host that the client has named to a trusted proxy, where that says so.
pub(super) fn host<'a>(headers: &'a HeaderMap, peer: Option<IpAddr>, trusted: &[TrustedProxy]) -> Option<&'a str> {
    let is_told = headers.contains_key(HOST) && believes(trusted, peer);
    is_told.then(|| items(headers, &HOST).next()).flatten()
}

fn scheme(headers: &HeaderMap) -> Option<Scheme> {
    items(headers, &PROTO).next().and_then(Scheme::of)
}

fn client(headers: &HeaderMap, peer: Option<IpAddr>, trusted: &[TrustedProxy]) -> Option<IpAddr> {
    let mut client = peer;
    for item in items(headers, &FOR) {
        match address(item) {
            Some(before) if believes(trusted, client) => client = Some(before),
            _ => break,
        }
    }
    client
}

/// What the headers of this name list, from the right.
fn items<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> + use<'a> {
    let lines = headers.get_all(name).iter().rev();
    // What is no text is one item that means nothing.
    lines.flat_map(|line| line.to_str().unwrap_or_default().rsplit(',').map(str::trim))
}

/// Some proxies add the port.
fn address(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let ip: IpAddr = text.parse().ok().or_else(with_port).or_else(bracketed)?;
    Some(ip.to_canonical())
}

#[cfg(test)]
mod tests {
    use hyper::header::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn trusted(list: &[&str]) -> Vec<TrustedProxy> {
        list.iter().map(|text| text.parse().unwrap()).collect()
    }

    fn headers(lines: &[&str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FOR, HeaderValue::from_bytes(line.as_bytes()).unwrap());
        }
        headers
    }

    fn ip(text: &str) -> Option<IpAddr> {
        (text != "unix").then(|| text.parse().unwrap())
    }

    #[test]
    fn the_client_is_the_rightmost_address_that_no_trusted_proxy_has() {
        let proxies = trusted(&["10.0.0.0/8", "2001:db8::1", "unix"]);
        for (peer, lines, expected) in [
            ("192.0.2.1", &["203.0.113.7"][..], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.7"], "203.0.113.7"),
            ("unix", &["203.0.113.7"], "203.0.113.7"),
            // Behind what the client has made up stands where it was asked from.
            ("10.0.0.1", &["198.51.100.1, 203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", &["10.9.9.9, 203.0.113.7"], "203.0.113.7"),
            ("10.0.0.1", &["' OR 1=1 --, 203.0.113.7"], "203.0.113.7"),
            // Two proxies, the outer one in a line of its own.
            ("10.0.0.1", &["203.0.113.7", "10.0.0.2"], "203.0.113.7"),
            ("10.0.0.1", &["198.51.100.1,203.0.113.7,10.0.0.3 , 10.0.0.2"], "203.0.113.7"),
            // Everyone is a proxy: the leftmost, then.
            ("10.0.0.1", &["10.0.0.3, 10.0.0.2"], "10.0.0.3"),
            // Behind what cannot be read nobody is believed.
            ("10.0.0.1", &["203.0.113.7, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.7, "], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.7, 10.0.0.300, 10.0.0.2"], "10.0.0.2"),
            ("10.0.0.1", &["203.0.113.7, \u{e4}, 10.0.0.2"], "10.0.0.1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
            // With ports, with brackets, and IPv4 in the clothes of IPv6.
            ("10.0.0.1", &["203.0.113.7:4711"], "203.0.113.7"),
            ("2001:db8::1", &["[2001:db8::7]:4711"], "2001:db8::7"),
            ("2001:db8::1", &["[2001:db8::7]"], "2001:db8::7"),
            ("2001:db8::1", &["2001:db8::7"], "2001:db8::7"),
            ("10.0.0.1", &["203.0.113.7, ::ffff:10.0.0.2"], "203.0.113.7"),
        ] {
            let caller = Caller::of(&headers(lines), ip(peer), false, &proxies);
            assert_eq!(caller.ip, ip(expected), "{peer} {lines:?}");
        }
    }

    #[test]
    fn of_two_headers_that_say_the_same_one_is_read() {
        let mut headers = headers(&[]);
        headers.insert("forwarded", HeaderValue::from_static("for=203.0.113.7;proto=https;host=a.example"));
        let caller = Caller::of(&headers, ip("10.0.0.1"), false, &trusted(&["10.0.0.1"]));
        assert_eq!((caller.ip, caller.scheme), (ip("10.0.0.1"), None));
    }

    fn an_item() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<[u8; 2]>().prop_map(|[a, b]| format!("{}.0.0.{b}", 9 + a % 3)),
            any::<u8>().prop_map(|last| format!("[2001:db8::{last:x}]:443")),
            "[ -~]{0,12}",
            Just(String::from("unknown")),
        ]
    }

    proptest! {
        #[test]
        fn whatever_a_client_writes_it_comes_from_where_it_came_from(
            made_up in proptest::collection::vec(an_item(), 0..6),
            real in any::<u8>(),
            proxies in proptest::collection::vec(any::<u8>(), 0..4),
        ) {
            let known = trusted(&["10.0.0.0/24"]);
            let real = format!("203.0.113.{real}");
            let hops = proxies.iter().map(|last| format!("10.0.0.{last}"));
            // What it has written, and behind it what the proxies know.
            let list: Vec<_> = made_up.into_iter().chain([real.clone()]).chain(hops).collect();
            let caller = Caller::of(&headers(&[&list.join(", ")]), ip("10.0.0.1"), false, &known);
            prop_assert_eq!(caller.ip, ip(&real));
            // Where it speaks to us itself, nothing of that counts.
            let caller = Caller::of(&headers(&[&list.join(", ")]), ip(&real), false, &known);
            prop_assert_eq!(caller.ip, ip(&real));
        }

        #[test]
        fn nobody_is_believed_behind_one_who_is_not_trusted(items in proptest::collection::vec(an_item(), 0..8)) {
            let known = trusted(&["10.0.0.0/24"]);
            let caller = Caller::of(&headers(&[&items.join(",")]), ip("10.0.0.1"), false, &known);
            let found = caller.ip.unwrap();
            // It is the proxy itself, or it stands in the list and nothing but trusted proxies to its right.
            let mut right = items.join(",").rsplit(',').map(|item| address(item.trim())).collect::<Vec<_>>().into_iter();
            let mut hop = ip("10.0.0.1");
            while hop != Some(found) {
                prop_assert!(believes(&known, hop));
                hop = right.next().unwrap();
            }
        }
    }
}
