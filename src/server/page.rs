//! What the configuration changes about the dashboard's files: made once each time it is read.

use std::{fmt::Write as _, time::Duration};

use bytes::Bytes;
use hostcast_dashboard::Asset;
use hyper::header::HeaderValue;

use crate::config::DashboardConfig;

/// The dashboard as this daemon serves it.
#[derive(Debug)]
pub(crate) struct Page {
    /// Its `Content-Security-Policy`.
    pub(crate) policy: HeaderValue,
    /// Whether other pages may show it in a frame.
    pub(crate) may_be_framed: bool,
    /// The page itself, where it is told something that it need not ask for.
    pub(crate) told: Option<Bytes>,
}

impl Page {
    /// `replayed` is how long the recording is, and the time between its samples, where one is served.
    pub(crate) fn new(config: &DashboardConfig, replayed: Option<(Duration, Duration)>) -> Self {
        Self {
            policy: HeaderValue::from_str(&policy(config)).expect("the configuration has checked each address"),
            may_be_framed: !config.frame_ancestors.is_empty(),
            told: hostcast_dashboard::find("/")
                .filter(|_| !config.hosts.is_empty() || replayed.is_some())
                .map(|page| tell(page, config, replayed)),
        }
    }
}

/// Everything comes from here, the stream included, but for the streams of hosts that the configuration names.
fn policy(config: &DashboardConfig) -> String {
    let mut policy = String::from("default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors ");
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
}
