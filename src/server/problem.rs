//! What a client is told when something is wrong with its request: one line of JSON.

use hyper::{StatusCode, header};
use serde::Serialize;
use warp::{
    Rejection,
    reject::MethodNotAllowed,
    reply::{Reply, Response},
};

use super::respond;
use crate::config::BasePath;

/// An answer that is not what was asked for.
#[derive(Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    /// The parameter of the query that is wrong, if it is one.
    parameter: Option<String>,
    message: String,
}

#[derive(Serialize)]
struct Body<'a> {
    error: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    parameter: Option<&'a str>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self { status, parameter: None, message: message.into() }
    }

    /// The parameter `name` is wrong, and why.
    pub(crate) fn parameter(name: &str, why: impl std::fmt::Display) -> Self {
        let message = format!("{name}: {why}");
        Self { status: StatusCode::BAD_REQUEST, parameter: Some(name.into()), message }
    }
}

impl Reply for Problem {
    fn into_response(self) -> Response {
        let body = Body { error: &self.message, parameter: self.parameter.as_deref() };
        let mut response = respond::json(self.status, &body);
        let headers = response.headers_mut();
        match self.status {
            StatusCode::METHOD_NOT_ALLOWED => {
                headers.insert(header::ALLOW, header::HeaderValue::from_static("GET, HEAD"));
            }
            StatusCode::UPGRADE_REQUIRED => {
                headers.insert(header::UPGRADE, header::HeaderValue::from_static("websocket"));
                headers.insert(header::SEC_WEBSOCKET_VERSION, header::HeaderValue::from_static("13"));
            }
            _ => {}
        }
        response
    }
}

/// The answer to a request whose body did not come.
pub(crate) fn took_too_long() -> Response {
    last(Problem::new(StatusCode::REQUEST_TIMEOUT, "the request took too long to arrive"))
}

/// The answer to a request whose body comes in chunks. The only one that is taken is a short form, whose length a browser
/// knows; and of chunks, a proxy and we could disagree where they end (request smuggling).
pub(crate) fn chunked() -> Response {
    let message = "Transfer-Encoding: a request is taken only with a Content-Length, or without a body";
    last(Problem::new(StatusCode::BAD_REQUEST, message))
}

/// Nothing is read behind what this answers.
fn last(problem: Problem) -> Response {
    let mut answer = problem.into_response();
    answer.headers_mut().insert(header::CONNECTION, header::HeaderValue::from_static("close"));
    answer
}

/// The answer to a request that no route took.
pub(crate) fn unmatched(rejection: &Rejection, base: &BasePath) -> Response {
    let problem = if rejection.find::<MethodNotAllowed>().is_some() {
        Problem::new(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD are understood here")
    } else {
        let message = format!("nothing is here: see {base}/ for the dashboard and {base}/api/v1/status for the daemon");
        Problem::new(StatusCode::NOT_FOUND, message)
    };
    problem.into_response()
}
