//! Who may ask: what is looked at first in every request, whatever it asks for.
//!
//! A web page can have its reader's browser send requests here. Two checks keep its hands off the answers, and neither
//! is enough alone. The page's origin, which a browser tells, must be ours: no other page may read, or open a stream.
//! And the host that the request names must be ours: else a page could point its own name to this host's address
//! (DNS rebinding), and then its origin and the host would be the same, both its own.

mod auth;
mod base_path;
mod caller;
mod credentials;
mod host;
mod names;
mod origin;
mod sign_in;

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering},
};

use hyper::{
    Method, Request,
    header::{HOST, ORIGIN, TRANSFER_ENCODING},
};
use serde::Serialize;
use tracing::debug;
use warp::reply::{Reply, Response};

use self::credentials::Failures;
pub(crate) use self::{
    auth::is_open,
    caller::Caller,
    origin::Passed,
    sign_in::{IN as SIGN_IN, OUT as SIGN_OUT, sign_out},
};
use super::{
    in_force::Current,
    problem::{self, Problem},
    serve::Line,
};
use crate::{
    config::{AllowedHost, Auth, BasePath, ServerConfig, TrustedProxy, WebOrigin},
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
    trusted_proxies: Vec<TrustedProxy>,
    base_path: BasePath,
    auth: Auth,
    tokens: Tokens,
}

/// What was done with a request before anyone read what it asks for.
#[derive(Debug)]
pub(crate) enum Door {
    /// It may go on: this is who sends it.
    Open(Passed, Caller),
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

    /// Whether what `peer` says of others is believed; `None` is a Unix socket.
    pub(crate) fn believes(&self, peer: Option<IpAddr>) -> bool {
        caller::believes(&self.rules.get().trusted_proxies, peer)
    }

    /// What stands before every path.
    pub(crate) fn base_path(&self) -> BasePath {
        self.rules.get().base_path.clone()
    }

    /// Looks at a request that came in over `line`. If it may go on, the base path is taken from it.
    pub(crate) fn look_at<B>(&self, request: &mut Request<B>, line: Line) -> Door {
        let rules = self.rules.get();
        let headers = request.headers();
        if headers.contains_key(TRANSFER_ENCODING) {
            return Door::Answered(problem::chunked());
        }
        let host = match rules.host(request, line) {
            Ok(host) => host,
            Err(problem) => {
                self.wrong_hosts.fetch_add(1, Ordering::Relaxed);
                debug!(host = ?headers.get(HOST), "refused a request: it names another host");
                return Door::refuse(problem);
            }
        };
        let mut caller = Caller::of(headers, line.peer(), line.is_encrypted, &rules.trusted_proxies);
        let passed = match origin::check(request, &host, caller.scheme, &rules.allowed_origins) {
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
        let proved = base_path::enter(request.uri_mut(), &rules.base_path);
        match proved.and_then(|()| self.authenticate(&rules, request, caller.ip)) {
            Ok(proof) => {
                caller.proof = proof;
                Door::Open(passed, caller)
            }
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
            trusted_proxies: config.trusted_proxies.clone(),
            base_path: config.base_path.clone(),
        }
    }
}

#[cfg(test)]
mod tests;
