//! Which page asks: what a browser says about it, and what it is told.

use hyper::{
    HeaderMap, Method, Request, StatusCode,
    header::{
        ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
        ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, HeaderName, HeaderValue,
        ORIGIN, VARY,
    },
    http::uri::Authority,
};
use warp::reply::Response;

use super::{
    super::{problem::Problem, samples::GAP_HEADER},
    caller::Scheme,
};
use crate::config::WebOrigin;

const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// A request that may be answered, and what its answer tells the browser.
#[derive(Debug)]
pub(crate) struct Passed {
    /// The listed origin that asks.
    listed: Option<HeaderValue>,
    /// Whether the answer depends on the origin at all.
    has_listed_origins: bool,
}

/// Only a browser tells which page asks: a request without `Origin` is from a program, unless `Sec-Fetch-Site` says
/// that it is not.
pub(super) fn check<B>(
    request: &Request<B>,
    host: &Authority,
    scheme: Option<Scheme>,
    listed: &[WebOrigin],
) -> Result<Passed, Problem> {
    let headers = request.headers();
    let mut origins = headers.get_all(ORIGIN).iter();
    let passed = |value| Passed { listed: value, has_listed_origins: !listed.is_empty() };
    let Some(origin) = origins.next() else {
        return if is_embedded(headers) { Err(foreign()) } else { Ok(passed(None)) };
    };
    if origins.next().is_some() {
        return Err(foreign());
    }
    // A listed page reads; it signs nobody in or out.
    if request.method() != Method::POST && listed.iter().any(|listed| listed.as_str() == origin) {
        return Ok(passed(Some(origin.clone())));
    }
    if is_same(origin, host, scheme) { Ok(passed(None)) } else { Err(foreign()) }
}

fn foreign() -> Problem {
    let message = "a page of another origin asks: list it in server.allowed_origins if it may read this host's metrics";
    Problem::new(StatusCode::FORBIDDEN, message)
}

/// Whether the page is from the very host and port that the request names, by the same scheme where that is known:
/// behind a proxy that nobody told us of, only the browser knows it.
fn is_same(origin: &HeaderValue, host: &Authority, known: Option<Scheme>) -> bool {
    let Some((scheme, authority)) = origin.to_str().ok().and_then(|origin| origin.split_once("://")) else {
        return false;
    };
    let (scheme, default_port) = match scheme {
        "http" => (Scheme::Http, 80),
        "https" => (Scheme::Https, 443),
        _ => return false,
    };
    if known.is_some_and(|known| known != scheme) {
        return false;
    }
    // No browser sends a user's name there.
    let Some(authority) = authority.parse::<Authority>().ok().filter(|authority| !authority.as_str().contains('@'))
    else {
        return false;
    };
    let port = |authority: &Authority| authority.port_u16().unwrap_or(default_port);
    authority.host().eq_ignore_ascii_case(host.host()) && port(&authority) == port(host)
}

/// Whether another page has the browser fetch this for itself, such as an image or a script: it could not read the
/// answer, but we would have made it. That someone follows a link to here is something else.
fn is_embedded(headers: &HeaderMap) -> bool {
    let says = |name, values: &[&str]| headers.get(name).is_some_and(|value| values.iter().any(|known| value == known));
    says("sec-fetch-site", &["cross-site", "same-site"]) && !says("sec-fetch-mode", &["navigate"])
}

/// Has the browser keep the answer from other pages that only embed it.
pub(super) fn forbid_embedding(response: &mut Response) {
    response.headers_mut().insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
}

impl Passed {
    /// The answer to a browser that asks whether a listed page may ask.
    pub(super) fn preflight(&self, headers: &HeaderMap) -> Option<Response> {
        headers.get(ACCESS_CONTROL_REQUEST_METHOD)?;
        self.listed.as_ref()?;
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NO_CONTENT;
        let answers = response.headers_mut();
        answers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD"));
        answers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("authorization"));
        answers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
        self.mark(&mut response);
        Some(response)
    }

    /// Says in an answer who may read it.
    pub(crate) fn mark(&self, response: &mut Response) {
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return;
        }
        forbid_embedding(response);
        let headers = response.headers_mut();
        if self.has_listed_origins {
            // Added to what is there: an answer that is kept must not be given to another origin.
            headers.append(VARY, HeaderValue::from_static("origin"));
        }
        if let Some(origin) = &self.listed {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, GAP_HEADER.into());
        }
    }
}
