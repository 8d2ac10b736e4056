//! How a browser signs in and out: a page that asks for a token, and a cookie that stands for it from then on.
//!
//! The cookie has no `Path`: a browser then keeps it for the folder that the page is in, whatever a proxy has put before
//! that.

use hyper::{
    HeaderMap, Method, Request, StatusCode,
    header::{
        ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, LOCATION, REFERRER_POLICY,
        SET_COOKIE, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
};
use warp::reply::Response;

use super::credentials::COOKIE_NAME;
use crate::token::Session;

/// Where the page sends the token.
pub(crate) const IN: &str = "/sign-in";
/// Where the dashboard asks for the end of that.
pub(crate) const OUT: &str = "/sign-out";

const PAGE: &str = include_str!("sign_in.html");
/// The page has a style, a form, and nothing else.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// A month, so that a screen on the wall is not signed in every day.
const COOKIE_SECONDS: u32 = 30 * 24 * 60 * 60;

/// Whether a person asks for the dashboard, in a browser.
pub(super) fn is_wanted<B>(request: &Request<B>) -> bool {
    let accepts = |headers: &HeaderMap| {
        headers.get_all(ACCEPT).iter().any(|value| value.to_str().is_ok_and(|list| list.contains("text/html")))
    };
    matches!(*request.method(), Method::GET | Method::HEAD) && request.uri().path() == "/" && accepts(request.headers())
}

/// The page, with what went wrong before.
pub(super) fn page(status: StatusCode, problem: &'static str) -> Response {
    let mut response = Response::new(PAGE.replace("<!--problem-->", problem).into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let mut set = |name, value| headers.insert(name, HeaderValue::from_static(value));
    set(CONTENT_TYPE, "text/html; charset=utf-8");
    set(CACHE_CONTROL, "no-store");
    set(CONTENT_SECURITY_POLICY, POLICY);
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(X_FRAME_OPTIONS, "DENY");
    // With `no-referrer` a browser would send the form from the origin `null`, which is refused.
    set(REFERRER_POLICY, "same-origin");
    response
}

/// On to the dashboard, signed in or to be asked for a token.
pub(super) fn to_dashboard(cookie: Option<HeaderValue>) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::SEE_OTHER;
    let headers = response.headers_mut();
    headers.insert(LOCATION, HeaderValue::from_static("./"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(cookie) = cookie {
        headers.insert(SET_COOKIE, cookie);
    }
    response
}

/// What a browser keeps that is signed in. What was given over TLS is not to be sent without.
pub(super) fn cookie(session: Session, is_secure: bool) -> HeaderValue {
    let secure = if is_secure { "; Secure" } else { "" };
    let text = format!("{COOKIE_NAME}={session}; Max-Age={COOKIE_SECONDS}; HttpOnly; SameSite=Strict{secure}");
    let mut cookie = HeaderValue::try_from(text).expect("a session is written as hexadecimal digits");
    cookie.set_sensitive(true);
    cookie
}

/// Answers the dashboard's way out: the browser forgets its cookie. Streams that are open stay so, but their page goes.
pub(crate) fn sign_out(method: &Method) -> Response {
    let no_cookie = || {
        let text = format!("{COOKIE_NAME}=; Max-Age=0; HttpOnly; SameSite=Strict");
        HeaderValue::try_from(text).expect("there is only ASCII in it")
    };
    // A link or an image must not do it.
    to_dashboard((*method == Method::POST).then(no_cookie))
}

/// The token in a form that was sent.
pub(super) fn token_of(form: &[u8]) -> Session {
    let token = form_urlencoded::parse(form).find(|(name, _)| name == "token").map(|(_, token)| token);
    Session::of_token(token.as_deref().unwrap_or_default().trim())
}
