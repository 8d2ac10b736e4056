//! The dashboard's files, as the `dashboard` crate has built them in.

use hostcast_dashboard::Asset;
use hyper::{
    HeaderMap, StatusCode,
    header::{
        ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, HeaderValue,
        IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
};
use warp::reply::Response;

use super::page::Page;

/// A file whose name holds its hash never changes.
const FOREVER: &str = "public, max-age=31536000, immutable";
/// The page itself is asked for each time, and mostly answered with 304.
const ASK_AGAIN: &str = "no-cache";

/// The answer to a request for a file.
pub(crate) fn respond(page: &Page, asset: &'static Asset, headers: &HeaderMap, is_signed_in: bool) -> Response {
    let changed = page.changed(is_signed_in).filter(|_| asset.path == "/");
    // It differs with the configuration and with who asks, and is small: it is sent as it is.
    let gzip = changed.is_none() && accepts_gzip(headers);
    let unchanged = changed.is_none()
        && headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()).is_some_and(|known| {
            known.split(',').any(|tag| tag.trim().trim_start_matches("W/") == asset.etag || tag.trim() == "*")
        });
    let mut response = if unchanged {
        let mut response = Response::default();
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let plain = changed.map_or_else(|| asset.identity.into(), |page| page.clone().into());
        Response::new(if gzip { asset.gzip.into() } else { plain })
    };
    let headers = response.headers_mut();
    // Weak, because the same tag stands for the compressed and for the plain bytes.
    if changed.is_none()
        && let Ok(tag) = HeaderValue::from_str(&format!("W/{}", asset.etag))
    {
        headers.insert(ETAG, tag);
    }
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(CACHE_CONTROL, if asset.immutable { FOREVER } else { ASK_AGAIN });
    set(VARY, "accept-encoding");
    set(CONTENT_TYPE, asset.content_type);
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    if !page.may_be_framed {
        set(X_FRAME_OPTIONS, "DENY");
    }
    // With `no-referrer` a browser would sign out from the origin `null`, which is refused.
    set(REFERRER_POLICY, "same-origin");
    if gzip && !unchanged {
        set(CONTENT_ENCODING, "gzip");
    }
    headers.insert(CONTENT_SECURITY_POLICY, page.policy.clone());
    response
}

/// Whether `gzip` is listed and not refused with `q=0`; `*` speaks for it only where it is not
/// listed itself (RFC 9110, section 12.5.3).
fn accepts_gzip(headers: &HeaderMap) -> bool {
    let mut any = false;
    for list in headers.get_all(ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok()) {
        for item in list.split(',') {
            let mut parts = item.split(';').map(str::trim);
            let coding = parts.next().unwrap_or_default();
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok());
            let accepted = weight.is_some_and(|weight| weight > 0.0);
            if coding.eq_ignore_ascii_case("gzip") {
                return accepted;
            }
            any |= accepted && coding == "*";
        }
    }
    any
}
