//! The base path of a request: looked at here, and nowhere behind.

use hyper::{
    StatusCode, Uri,
    header::{CACHE_CONTROL, HeaderValue, LOCATION},
};
use warp::reply::{Reply as _, Response};

use super::super::problem::Problem;
use crate::config::{BasePath, Place};

/// Takes the base path from the address of a request; the error is the answer to one that lies elsewhere.
pub(super) fn enter(uri: &mut Uri, base: &BasePath) -> Result<(), Box<Response>> {
    if base.as_str().is_empty() {
        return Ok(());
    }
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let below = match base.place(uri.path()) {
        Place::Below(rest) => with_path(uri, &format!("{rest}{query}")),
        // What the page asks for lies below it only with the slash.
        Place::Itself => return Err(Box::new(to_folder(&format!("{base}/{query}")))),
        Place::Elsewhere => None,
    };
    let Some(below) = below else {
        let message = format!("nothing is here: the dashboard is at {base}/ (server.base_path)");
        return Err(Box::new(Problem::new(StatusCode::NOT_FOUND, message).into_response()));
    };
    *uri = below;
    Ok(())
}

fn with_path(uri: &Uri, path_and_query: &str) -> Option<Uri> {
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path_and_query.parse().ok()?);
    Uri::from_parts(parts).ok()
}

fn to_folder(place: &str) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::PERMANENT_REDIRECT;
    if let Ok(place) = HeaderValue::try_from(place) {
        response.headers_mut().insert(LOCATION, place);
    }
    // Another daemon may be there tomorrow, or this one at another path.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
