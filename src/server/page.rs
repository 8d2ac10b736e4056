//! What the configuration changes about the dashboard's files: made once each time it is read.

use std::{fmt::Write as _, time::Duration};

use bytes::Bytes;
use hyper::header::HeaderValue;

use crate::config::DashboardConfig;

/// The dashboard as this daemon serves it.
#[derive(Debug)]
pub(crate) struct Page {
    /// Its `Content-Security-Policy`.
    pub(crate) policy: HeaderValue,
    /// Whether other pages may show it in a frame.
    pub(crate) may_be_framed: bool,
<<<<<<< HEAD
    /// The page itself, where it is not as it was built.
    plain: Option<Bytes>,
    /// The page for one who is signed in with a cookie, and may sign out.
    signed_in: Option<Bytes>,
=======
    /// The page itself, where it is told something that it need not ask for.
    pub(crate) told: Option<Bytes>,
>>>>>>> main
}

impl Page {
    /// `replayed` is how long the recording is, and the time between its samples, where one is served.
    pub(crate) fn new(config: &DashboardConfig, replayed: Option<(Duration, Duration)>) -> Self {
        Self {
            policy: HeaderValue::from_str(&policy(config)).expect("the configuration has checked each address"),
            may_be_framed: !config.frame_ancestors.is_empty(),
<<<<<<< HEAD
            plain: (!config.hosts.is_empty()).then(|| with_attributes(&hosts(config))).flatten(),
            signed_in: with_attributes(&(hosts(config) + " data-signed-in")),
=======
            told: hostcast_dashboard::find("/")
                .filter(|_| !config.hosts.is_empty() || replayed.is_some())
                .map(|page| tell(page, config, replayed)),
>>>>>>> main
        }
    }

    /// The page itself, where it is not as it was built.
    pub(crate) fn changed(&self, is_signed_in: bool) -> Option<&Bytes> {
        if is_signed_in { self.signed_in.as_ref() } else { self.plain.as_ref() }
    }
}

/// Everything comes from here, the stream included, but for the streams of hosts that the configuration names.
fn policy(config: &DashboardConfig) -> String {
    let mut policy = String::from("default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors ");
    if config.frame_ancestors.is_empty() {
        policy.push_str("'none'");
    } else {
        policy.push_str(&config.frame_ancestors.join(" "));
    }
    if !config.hosts.is_empty() {
        policy.push_str("; connect-src 'self'");
    }
    for host in &config.hosts {
        let (scheme, rest) = host.split_once("://").expect("the configuration has checked each address");
        let authority = rest.split('/').next().unwrap_or(rest);
        let socket = if scheme == "https" { "wss" } else { "ws" };
        write!(policy, " {scheme}://{authority} {socket}://{authority}")
            .expect("a string takes all that is written to it");
    }
    policy
}

<<<<<<< HEAD
/// The page finds the addresses in its root element: it need not ask for them.
fn hosts(config: &DashboardConfig) -> String {
    if config.hosts.is_empty() { String::new() } else { format!(" data-hosts=\"{}\"", config.hosts.join(" ")) }
}

fn with_attributes(attributes: &str) -> Option<Bytes> {
    let page = hostcast_dashboard::find("/")?;
    let text = std::str::from_utf8(page.identity).expect("the page is text");
    Some(text.replacen("<html", &format!("<html{attributes}"), 1).into())
=======
/// The page finds it in its root element: the addresses of the other hosts, and how much of a recording there is.
fn tell(page: &Asset, config: &DashboardConfig, replayed: Option<(Duration, Duration)>) -> Bytes {
    let text = std::str::from_utf8(page.identity).expect("the page is text");
    let mut root = String::from("<html");
    if !config.hosts.is_empty() {
        write!(root, " data-hosts=\"{}\"", config.hosts.join(" ")).expect("a string takes all that is written to it");
    }
    if let Some((length, interval)) = replayed {
        let (length, interval) = (length.as_millis(), interval.as_millis());
        write!(root, " data-replay-ms=\"{length}\" data-interval-ms=\"{interval}\"")
            .expect("a string takes all that is written to it");
    }
    text.replacen("<html", &root, 1).into()
>>>>>>> main
}
