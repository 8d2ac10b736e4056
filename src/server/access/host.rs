//! Which host a request names, and whether that is this one.

use std::net::IpAddr;

use hyper::{HeaderMap, Request, StatusCode, Version, header::HOST, http::uri::Authority};

use super::{
    super::{problem::Problem, serve::Line},
    Rules, caller,
};
use crate::config::{AllowedHost, web::parse_ip};

impl Rules {
    /// The host that the request names, if it is ours. Wherever it names one, that has to be ours.
    pub(super) fn host<B>(&self, request: &Request<B>, line: Line) -> Result<Authority, Problem> {
        let headers = request.headers();
        let named = named_host(headers, request.version())?;
        // A request may also name it in its first line, and then that counts (RFC 9112, section 3.2.2).
        let in_line = request.uri().authority().cloned();
        // A proxy that has asked us by another name may say what it was asked by itself.
        let forwarded = match caller::host(headers, line.peer(), &self.trusted_proxies) {
            Some(host) => Some(authority(host.as_bytes()).ok_or_else(|| wrong("X-Forwarded-Host"))?),
            None => None,
        };
        for authority in [Some(&named), in_line.as_ref(), forwarded.as_ref()].into_iter().flatten() {
            let host = authority.host().to_ascii_lowercase();
            let host = host.strip_suffix('.').unwrap_or(&host);
            if !self.is_ours(host, line.ends.map(|ends| ends.ours)) {
                return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, misdirected(host)));
            }
        }
        Ok(forwarded.or(in_line).unwrap_or(named))
    }

    fn is_ours(&self, host: &str, entrance: Option<IpAddr>) -> bool {
        // No browser gets to a Unix socket by itself, and who does is decided by the permissions of the file. A proxy that
        // is listed there brings browsers, by whatever name they have asked it.
        if entrance.is_none() && !caller::believes(&self.trusted_proxies, None) {
            return true;
        }
        // The port is not looked at: one that is forwarded to ours is as good, and a page cannot choose it.
        // To connect to 0.0.0.0 is to connect to this host.
        parse_ip(host).is_some_and(|ip| Some(ip) == entrance || ip.is_loopback() || ip.is_unspecified())
            || self.own_names.contains(host)
            || self.allowed_hosts.iter().any(|allowed| allowed.matches(host))
    }
}

fn misdirected(host: &str) -> String {
    // A name that is no name is not repeated; hyper has taken only visible ASCII.
    let name =
        host.parse::<AllowedHost>().map_or("it".to_owned(), |_| format!("\"{}\"", host.trim_matches(['[', ']'])));
    format!("the request names a host that this one is not known to be; if it is, list {name} in server.allowed_hosts")
}

fn named_host(headers: &HeaderMap, version: Version) -> Result<Authority, Problem> {
    let bad = |message| Problem::new(StatusCode::BAD_REQUEST, message);
    let mut hosts = headers.get_all(HOST).iter();
    let host = match hosts.next() {
        Some(host) => host.as_bytes(),
        // The older version has no such header, and no browser speaks it.
        None if version == Version::HTTP_10 => b"localhost",
        None => return Err(bad("Host: missing")),
    };
    if hosts.next().is_some() {
        return Err(bad("Host: there are two"));
    }
    authority(host).ok_or_else(|| wrong("Host"))
}

fn wrong(header: &str) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, format!("{header}: not a host with or without a port"))
}

/// A host with or without a port, and nothing else.
fn authority(text: &[u8]) -> Option<Authority> {
    Authority::try_from(text).ok().filter(|authority| {
        let text = authority.as_str();
        let port = &text[authority.host().len().min(text.len())..];
        !text.contains('@') && (port.is_empty() || port == ":" || authority.port_u16().is_some())
    })
}
