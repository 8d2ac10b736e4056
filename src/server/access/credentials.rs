//! What a request shows of who sends it, and how often an address may be wrong about that.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use hyper::{
    HeaderMap,
    header::{AUTHORIZATION, COOKIE},
};

use crate::{server::neighbourhood::neighbourhood, token::Session};

/// The cookie of a browser that is signed in.
pub(super) const COOKIE_NAME: &str = "hostcast_session";
/// Wrong credentials in one span, of one address, that are answered like the first.
const MOST_FAILURES: u32 = 10;
const SPAN: Duration = Duration::from_mins(1);
/// Addresses that are remembered.
const MOST_ADDRESSES: usize = 4096;

/// What the request shows; `None` is nothing, and nothing is no failure. What cannot be read is as wrong as what is not
/// known. In a URL it would end up in logs, so nothing is looked for there.
pub(super) fn shown(headers: &HeaderMap) -> Option<Session> {
    let mut authorizations = headers.get_all(AUTHORIZATION).iter();
    if let Some(authorization) = authorizations.next() {
        let bearer = authorization.to_str().ok().and_then(|value| value.split_once(' '));
        let token = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
        let is_only = authorizations.next().is_none();
        return Some(Session::of_token(token.filter(|_| is_only).unwrap_or_default()));
    }
    let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut ours = cookies.flat_map(|list| list.split(';')).filter_map(|cookie| {
        let (name, value) = cookie.trim().split_once('=')?;
        (name == COOKIE_NAME).then(|| Session::of_cookie(value))
    });
    ours.next()
}

/// Who was wrong lately, and how often.
#[derive(Debug, Default)]
pub(super) struct Failures(Mutex<HashMap<IpAddr, Burst>>);

#[derive(Clone, Copy, Debug)]
struct Burst {
    began: Instant,
    count: u32,
}

/// What is to be done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// The first of a burst: it is worth a line in the log.
    First,
    /// One more.
    Another,
    /// One too many: the burst ends then.
    TooMany(Duration),
}

impl Failures {
    pub(super) fn note(&self, address: Option<IpAddr>, now: Instant) -> Failure {
        let mut bursts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if bursts.len() >= MOST_ADDRESSES {
            bursts.retain(|_, burst| now.saturating_duration_since(burst.began) < SPAN);
            if bursts.len() >= MOST_ADDRESSES {
                bursts.clear();
            }
        }
        // Whoever comes over Unix sockets is counted together.
        let neighbour = address.map_or(Ipv4Addr::UNSPECIFIED.into(), neighbourhood);
        let burst = bursts.entry(neighbour).or_insert(Burst { began: now, count: 0 });
        if now.saturating_duration_since(burst.began) >= SPAN {
            *burst = Burst { began: now, count: 0 };
        }
        burst.count = burst.count.saturating_add(1);
        match burst.count {
            1 => Failure::First,
            count if count <= MOST_FAILURES => Failure::Another,
            _ => Failure::TooMany(SPAN.saturating_sub(now.saturating_duration_since(burst.began))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_wrong_ten_times_a_minute_and_disturbs_no_other() {
        let failures = Failures::default();
        let start = Instant::now();
        let guess = |address: &str, after: u64| {
            failures.note(Some(address.parse().unwrap()), start + Duration::from_secs(after))
        };
        assert_eq!(guess("192.0.2.1", 0), Failure::First);
        for _ in 1..10 {
            assert_eq!(guess("192.0.2.1", 1), Failure::Another);
        }
        assert_eq!(guess("192.0.2.1", 20), Failure::TooMany(Duration::from_secs(40)));
        assert_eq!(guess("192.0.2.2", 20), Failure::First);
        assert_eq!(guess("192.0.2.1", 60), Failure::First, "a new burst");
        assert_eq!(guess("2001:db8::1", 0), Failure::First);
        assert_eq!(guess("2001:db8::2", 0), Failure::Another, "of the same line");
        assert_eq!(guess("2001:db8:0:1::1", 0), Failure::First);
    }

    #[test]
    fn many_addresses_take_no_more_room_than_some() {
        let failures = Failures::default();
        let now = Instant::now();
        for address in 0..3 * MOST_ADDRESSES as u32 {
            failures.note(Some(Ipv4Addr::from_bits(address).into()), now);
        }
        assert!(failures.0.lock().unwrap().len() <= MOST_ADDRESSES);
    }
}
