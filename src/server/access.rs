//! Who may ask: what is looked at first in every request, whatever it asks for.
//!
//! A web page can have its reader's browser send requests here. Two checks keep its hands off the answers, and neither
//! is enough alone. The page's origin, which a browser tells, must be ours: no other page may read, or open a stream.
//! And the host that the request names must be ours: else a page could point its own name to this host's address
//! (DNS rebinding), and then its origin and the host would be the same, both its own.

mod auth;
mod credentials;
mod names;
mod origin;
mod sign_in;

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering},
};

use hyper::{
    HeaderMap, Method, Request, StatusCode, Version,
    header::{HOST, ORIGIN},
    http::uri::Authority,
};
use serde::Serialize;
use tracing::debug;
use warp::reply::{Reply, Response};

use self::credentials::Failures;
pub(crate) use self::{origin::Passed, sign_in::PATH as SIGN_IN};
use super::{in_force::Current, problem::Problem};
use crate::{
    config::{AllowedHost, Auth, ServerConfig, WebOrigin, web::parse_ip},
    token::{Proof, Tokens},
};

/// The rules that are in force, and what they kept out.
#[derive(Debug)]
pub(crate) struct Access {
    rules: Current<Rules>,
    failures: Failures,
    wrong_credentials: AtomicU64,
    wrong_hosts: AtomicU64,
    wrong_origins: AtomicU64,
}

#[derive(Debug)]
struct Rules {
    /// What this host is called, by itself.
    own_names: BTreeSet<String>,
    allowed_hosts: Vec<AllowedHost>,
    allowed_origins: Vec<WebOrigin>,
    auth: Auth,
    tokens: Tokens,
}

/// The address of ours that a connection came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entrance {
    Ip(IpAddr),
    /// No browser gets here by itself, and who does is decided by the permissions of the file.
    UnixSocket,
}

/// What was done with a request before anyone read what it asks for.
#[derive(Debug)]
pub(crate) enum Door {
    /// It may go on, for who has proved this.
    Open(Passed, Option<Proof>),
    Answered(Response),
}

/// The gate's part of `/api/v1/status`.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct AccessReport {
    /// Who has to say who they are.
    pub(crate) auth: &'static str,
    /// Requests refused since the start, because what they showed was wrong.
    pub(crate) wrong_credentials: u64,
    /// Requests refused since the start, because they name a host that is not this one.
    pub(crate) wrong_hosts: u64,
    /// Requests refused since the start, because a page of another origin sent them.
    pub(crate) wrong_origins: u64,
}

impl Access {
    pub(crate) fn new(config: &ServerConfig, tokens: Tokens, host_name: &str) -> Self {
        let rules = Current::new(Rules::new(config, tokens, host_name));
        let (failures, wrong_credentials) = (Failures::default(), AtomicU64::new(0));
        Self { rules, failures, wrong_credentials, wrong_hosts: AtomicU64::new(0), wrong_origins: AtomicU64::new(0) }
    }

    /// Puts other rules in force.
    pub(crate) fn apply(&self, config: &ServerConfig, tokens: Tokens, host_name: &str) {
        self.rules.replace(Rules::new(config, tokens, host_name));
    }

    /// The tokens in force.
    pub(crate) fn tokens(&self) -> Tokens {
        self.rules.get().tokens.clone()
    }

    /// Whether one who has proved this, or nothing, may go on reading.
    pub(crate) fn still_allows(&self, proof: Option<Proof>) -> bool {
        self.rules.get().still_allow(proof)
    }

    fn count_wrong_credentials(&self) {
        self.wrong_credentials.fetch_add(1, Ordering::Relaxed);
    }

    /// Looks at a request that came in by `entrance`, from `address`.
    pub(crate) fn look_at<B>(&self, request: &Request<B>, entrance: Entrance, address: Option<IpAddr>) -> Door {
        let rules = self.rules.get();
        let host = match rules.host(request, entrance) {
            Ok(host) => host,
            Err(problem) => {
                self.wrong_hosts.fetch_add(1, Ordering::Relaxed);
                debug!(host = ?request.headers().get(HOST), "refused a request: it names another host");
                return Door::refuse(problem);
            }
        };
        let headers = request.headers();
        let passed = match origin::check(headers, &host, &rules.allowed_origins) {
            Ok(passed) => passed,
            Err(problem) => {
                self.wrong_origins.fetch_add(1, Ordering::Relaxed);
                debug!(origin = ?headers.get(ORIGIN), "refused a request: a page of another origin sent it");
                return Door::refuse(problem);
            }
        };
        if request.method() == Method::OPTIONS
            && let Some(answer) = passed.preflight(headers)
        {
            return Door::Answered(answer);
        }
        match self.authenticate(&rules, request, address) {
            Ok(proof) => Door::Open(passed, proof),
            Err(mut answer) => {
                passed.mark(&mut answer);
                Door::Answered(*answer)
            }
        }
    }

    pub(crate) fn report(&self) -> AccessReport {
        AccessReport {
            auth: self.rules.get().auth.name(),
            wrong_credentials: self.wrong_credentials.load(Ordering::Relaxed),
            wrong_hosts: self.wrong_hosts.load(Ordering::Relaxed),
            wrong_origins: self.wrong_origins.load(Ordering::Relaxed),
        }
    }
}

impl Door {
    fn refuse(problem: Problem) -> Self {
        let mut answer = problem.into_response();
        origin::forbid_embedding(&mut answer);
        Self::Answered(answer)
    }
}

impl Rules {
    fn new(config: &ServerConfig, tokens: Tokens, host_name: &str) -> Self {
        Self {
            auth: config.auth,
            tokens,
            own_names: names::of_host(host_name),
            allowed_hosts: config.allowed_hosts.clone(),
            allowed_origins: config.allowed_origins.clone(),
        }
    }

    /// The host that the request names, if it is ours.
    fn host<B>(&self, request: &Request<B>, entrance: Entrance) -> Result<Authority, Problem> {
        let named = named_host(request.headers(), request.version())?;
        // A request may also name it in its first line, and then that counts (RFC 9112, section 3.2.2).
        for authority in [Some(&named), request.uri().authority()].into_iter().flatten() {
            let host = authority.host().to_ascii_lowercase();
            let host = host.strip_suffix('.').unwrap_or(&host);
            if !self.is_ours(host, entrance) {
                return Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, misdirected(host)));
            }
        }
        Ok(request.uri().authority().cloned().unwrap_or(named))
    }

    fn is_ours(&self, host: &str, entrance: Entrance) -> bool {
        let Entrance::Ip(entrance) = entrance else { return true };
        // The port is not looked at: one that is forwarded to ours is as good, and a page cannot choose it.
        // To connect to 0.0.0.0 is to connect to this host.
        parse_ip(host).is_some_and(|ip| ip == entrance || ip.is_loopback() || ip.is_unspecified())
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
    let wrong = |message| Problem::new(StatusCode::BAD_REQUEST, message);
    let mut hosts = headers.get_all(HOST).iter();
    let host = match hosts.next() {
        Some(host) => host.as_bytes(),
        // The older version has no such header, and no browser speaks it.
        None if version == Version::HTTP_10 => b"localhost",
        None => return Err(wrong("Host: missing")),
    };
    if hosts.next().is_some() {
        return Err(wrong("Host: there are two"));
    }
    let authority = Authority::try_from(host).ok();
    let is_plain = |authority: &Authority| {
        let text = authority.as_str();
        let port = &text[authority.host().len().min(text.len())..];
        !text.contains('@') && (port.is_empty() || port == ":" || authority.port_u16().is_some())
    };
    authority.filter(is_plain).ok_or_else(|| wrong("Host: not a host with or without a port"))
}

#[cfg(test)]
mod tests;
