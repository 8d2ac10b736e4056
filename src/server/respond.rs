//! The answers that several routes give in the same form.

use hyper::{
    StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, X_CONTENT_TYPE_OPTIONS},
};
use serde::Serialize;
use warp::reply::Response;

/// A JSON document, ended by a newline so that a terminal shows it well.
pub(crate) fn json(status: StatusCode, document: &impl Serialize) -> Response {
    let mut text = serde_json::to_vec(document).expect("our documents are plain data with string keys");
    text.push(b'\n');
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    describe(&mut response, "application/json");
    response
}

/// Says what the body is, and that it is only true now.
pub(crate) fn describe(response: &mut Response, content_type: &'static str) {
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}
