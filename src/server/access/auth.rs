//! Whether whoever asks may read that.

use std::{
    net::IpAddr,
    time::{Duration, Instant},
};

use hyper::{
    Method, Request, StatusCode,
    header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE},
};
use tracing::warn;
use warp::reply::{Reply as _, Response};

use super::{
    super::problem::Problem,
    Access, Rules,
    caller::{Caller, Scheme},
    credentials::{Failure, shown},
    sign_in,
};
use crate::{
    config::Auth,
    token::{Proof, Scope, Session, Token},
};

/// Whether nobody is asked for a token there: health says only whether there are samples, and to those who have no
/// secrets, such as load balancers; who signs in has yet to show one, and who signs out need not.
pub(crate) fn is_open(path: &str) -> bool {
    matches!(path, "/healthz" | sign_in::IN | sign_in::OUT)
}

impl Rules {
    /// Whether one who has proved this, or nothing, may still have what was let in for reading.
    pub(super) fn still_allow(&self, proof: Option<Proof>) -> bool {
        self.auth != Auth::Token || proof.is_some_and(|proof| self.tokens.has(proof))
    }
}

impl Access {
    /// Who sends the request, where that has to be known; the error is the answer to one who may not.
    pub(super) fn authenticate<B>(
        &self,
        rules: &Rules,
        request: &Request<B>,
        address: Option<IpAddr>,
    ) -> Result<Option<Proof>, Box<Response>> {
        // The routes overlook a slash at the end, too.
        let path = request.uri().path();
        let needed = match path.strip_suffix('/').unwrap_or(path) {
            _ if rules.auth != Auth::Token || is_open(path) => return Ok(None),
            "/api/v1/status" => Scope::Status,
            _ => Scope::Read,
        };
        let shown = shown(request.headers());
        let Some(token) = shown.and_then(|session| rules.tokens.holder(session)) else {
            let wait = shown.and_then(|_| self.note_failure(address));
            return Err(Box::new(wait.map_or_else(|| unauthorized(request), too_many)));
        };
        if token.scopes().contains(&needed) { Ok(Some(token.proof())) } else { Err(Box::new(forbidden(token, needed))) }
    }

    /// Answers the form of the sign-in page, and whoever asks for it in another way.
    pub(crate) fn sign_in(&self, method: &Method, form: &[u8], caller: Caller) -> Response {
        let rules = self.rules.get();
        if *method != Method::POST || rules.auth != Auth::Token {
            return sign_in::to_dashboard(None);
        }
        let session: Session = sign_in::token_of(form);
        if rules.tokens.holder(session).is_some() {
            return sign_in::to_dashboard(Some(sign_in::cookie(session, caller.scheme == Some(Scheme::Https))));
        }
        match self.note_failure(caller.ip) {
            Some(wait) => {
                let page = sign_in::page(StatusCode::TOO_MANY_REQUESTS, "Too many wrong tokens. Wait a minute.");
                retry_after(wait, page)
            }
            None => sign_in::page(StatusCode::UNAUTHORIZED, "This token is not known here."),
        }
    }

    /// Counts a wrong credential; how long to wait, where there were too many.
    fn note_failure(&self, address: Option<IpAddr>) -> Option<Duration> {
        self.count_wrong_credentials();
        match self.failures.note(address, Instant::now()) {
            Failure::First => warn!(?address, "wrong credentials; more from there in the next minute are only counted"),
            Failure::Another => {}
            Failure::TooMany(wait) => return Some(wait),
        }
        None
    }
}

fn too_many(wait: Duration) -> Response {
    let message = "too many wrong credentials from this address: wait a minute";
    retry_after(wait, Problem::new(StatusCode::TOO_MANY_REQUESTS, message).into_response())
}

fn retry_after(wait: Duration, mut answer: Response) -> Response {
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs() + 1));
    answer
}

/// The same for everyone who has shown nothing, or nothing that is known.
fn unauthorized<B>(request: &Request<B>) -> Response {
    let mut answer = if sign_in::is_wanted(request) {
        sign_in::page(StatusCode::UNAUTHORIZED, "")
    } else {
        let message = "a token is needed: send it as \"Authorization: Bearer …\"; `hostcast token add` makes one";
        Problem::new(StatusCode::UNAUTHORIZED, message).into_response()
    };
    answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"hostcast\""));
    answer
}

fn forbidden(token: &Token, needed: Scope) -> Response {
    let message = format!("the token \"{}\" has not the scope \"{}\"", token.name(), needed.name());
    Problem::new(StatusCode::FORBIDDEN, message).into_response()
}
