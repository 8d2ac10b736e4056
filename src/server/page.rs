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
    /// The page itself, where it is told something that it need not ask for.
    told: Option<Bytes>,
    /// The page for one who is signed in with a cookie, and is told so.
    signed_in: Option<Bytes>,
}

impl Page {
    /// `replayed` is how long the recording is, and the time between its samples, where one is served.
    pub(crate) fn new(config: &DashboardConfig, replayed: Option<(Duration, Duration)>) -> Self {
        let known = attributes(config, replayed);
        Self {
            policy: HeaderValue::from_str(&policy(config)).expect("the configuration has checked each address"),
            may_be_framed: !config.frame_ancestors.is_empty(),
            told: tell(&known),
            signed_in: tell(&(known + " data-signed-in")),
        }
    }

    /// The page itself, where it is not as it was built.
    pub(crate) fn changed(&self, is_signed_in: bool) -> Option<&Bytes> {
        if is_signed_in { self.signed_in.as_ref() } else { self.told.as_ref() }
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

/// The page finds it in its root element: the addresses of the other hosts, and how much of a recording there is.
fn attributes(config: &DashboardConfig, replayed: Option<(Duration, Duration)>) -> String {
    let mut attributes = String::new();
    if !config.hosts.is_empty() {
        write!(attributes, " data-hosts=\"{}\"", config.hosts.join(" "))
            .expect("a string takes all that is written to it");
    }
    if let Some((length, interval)) = replayed {
        let (length, interval) = (length.as_millis(), interval.as_millis());
        write!(attributes, " data-replay-ms=\"{length}\" data-interval-ms=\"{interval}\"")
            .expect("a string takes all that is written to it");
    }
    attributes
}

/// The page with these attributes, if there are any.
fn tell(attributes: &str) -> Option<Bytes> {
    let page = hostcast_dashboard::find("/").filter(|_| !attributes.is_empty())?;
    let text = std::str::from_utf8(page.identity).expect("the page is text");
    Some(text.replacen("<html", &format!("<html{attributes}"), 1).into())
}
