//! Where a daemon is, as people write it.

use std::{fmt, str::FromStr};

/// The port that hostcast listens at, where an address is written without a scheme.
const DEFAULT_PORT: u16 = 7117;

const STREAM_PATH: &str = "/api/v1/stream";

/// The address of a daemon: `ws://host:port`, `wss://host`, or `host` alone.
///
/// `http://` and `https://` mean the same as `ws://` and `wss://`: what the address bar of a browser shows can be
/// pasted. A path is what a reverse proxy has put in front of the daemon's own.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    is_secure: bool,
    host: String,
    port: u16,
    path: String,
}

/// Why a text is no address of a daemon.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no address of a daemon: {why}")]
pub struct InvalidUrl {
    text: String,
    why: &'static str,
}

impl Url {
    /// Whether the connection is encrypted.
    pub fn is_secure(&self) -> bool {
        self.is_secure
    }

    /// The host's name or address; an IPv6 address without its brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Host and port.
    pub(super) fn address(&self) -> String {
        format!("{}:{}", Bracketed(&self.host), self.port)
    }

    /// The path of the stream.
    pub(super) fn stream_path(&self) -> String {
        format!("{}{STREAM_PATH}", self.path)
    }

    /// What stands in `Host`: the port is left out where it is the scheme's own.
    pub(super) fn authority(&self) -> String {
        let host = Bracketed(&self.host);
        if self.port == standard_port(self.is_secure) { host.to_string() } else { format!("{host}:{}", self.port) }
    }
}

fn standard_port(is_secure: bool) -> u16 {
    if is_secure { 443 } else { 80 }
}

struct Bracketed<'a>(&'a str);

impl fmt::Display for Bracketed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.contains(':') { write!(f, "[{}]", self.0) } else { f.write_str(self.0) }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_secure { "wss" } else { "ws" };
        write!(f, "{scheme}://{}:{}{}", Bracketed(&self.host), self.port, self.path)
    }
}

impl FromStr for Url {
    type Err = InvalidUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).map_err(|why| InvalidUrl { text: text.into(), why })
    }
}

fn parse(text: &str) -> Result<Url, &'static str> {
    let (is_secure, default_port, rest) = match text.split_once("://") {
        Some(("ws" | "http", rest)) => (false, standard_port(false), rest),
        Some(("wss" | "https", rest)) => (true, standard_port(true), rest),
        Some(_) => return Err("it begins with ws:// or wss://"),
        None => (false, DEFAULT_PORT, text),
    };
    let (authority, path) = rest.find('/').map_or((rest, ""), |slash| rest.split_at(slash));
    if path.contains(['?', '#']) || authority.contains(['?', '#']) {
        return Err("what is wanted is said by options, not by a query");
    }
    if authority.contains('@') {
        return Err("a password or token belongs in a file, where other users of this host cannot see it");
    }
    let (host, port) = split_port(authority)?;
    if host.is_empty() {
        return Err("there is no host in it");
    }
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}');
    if !host.chars().all(is_plain) || !path.chars().all(is_plain) {
        return Err("it has a character that does not belong there");
    }
    let port = match port {
        None => default_port,
        Some(port) => port.parse().ok().filter(|port| *port != 0).ok_or("a port is a number from 1 to 65535")?,
    };
    let path = path.trim_end_matches('/');
    let path = path.strip_suffix(STREAM_PATH).unwrap_or(path);
    Ok(Url { is_secure, host: host.into(), port, path: path.into() })
}

fn split_port(authority: &str) -> Result<(&str, Option<&str>), &'static str> {
    if let Some(rest) = authority.strip_prefix('[') {
        let (host, after) = rest.split_once(']').ok_or("a bracket is not closed")?;
        if host.parse::<std::net::Ipv6Addr>().is_err() {
            return Err("what stands in brackets is an IPv6 address");
        }
        return match after.strip_prefix(':') {
            Some(port) => Ok((host, Some(port))),
            None if after.is_empty() => Ok((host, None)),
            None => Err("after the bracket comes a port"),
        };
    }
    match authority.split_once(':') {
        Some((_, port)) if port.contains(':') => Err("an IPv6 address stands in brackets"),
        Some((host, port)) => Ok((host, Some(port))),
        None => Ok((authority, None)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn parsed(text: &str) -> String {
        text.parse::<Url>().unwrap().to_string()
    }

    #[test]
    fn an_address_is_read_in_all_its_forms() {
        for (text, meant) in [
            ("ws://web-1:7117", "ws://web-1:7117"),
            ("web-1", "ws://web-1:7117"),
            ("10.0.0.1:80", "ws://10.0.0.1:80"),
            ("wss://metrics.example.org/web-1/", "wss://metrics.example.org:443/web-1"),
            ("http://127.0.0.1:7117/", "ws://127.0.0.1:7117"),
            ("ws://web-1/api/v1/stream", "ws://web-1:80"),
            ("ws://[::1]:7117", "ws://[::1]:7117"),
            ("[fe80::1]", "ws://[fe80::1]:7117"),
        ] {
            assert_eq!(parsed(text), meant);
            assert_eq!(parsed(meant), meant);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_a_reason() {
        for (text, why) in [
            ("ftp://x", "ws://"),
            ("", "no host"),
            ("ws://:7117", "no host"),
            ("ws://x:0", "65535"),
            ("ws://x:70000", "65535"),
            ("::1", "brackets"),
            ("ws://[::1", "closed"),
            ("ws://[web]", "IPv6"),
            ("ws://x?history=all", "options"),
            ("ws://me:secret@x", "file"),
            ("ws://x y", "character"),
            ("ws://x/\r\nEvil: 1", "character"),
        ] {
            let error = text.parse::<Url>().unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn the_host_header_leaves_out_the_port_of_the_scheme() {
        let authority = |text: &str| text.parse::<Url>().unwrap().authority();
        assert_eq!(authority("ws://x"), "x");
        assert_eq!(authority("wss://x"), "x");
        assert_eq!(authority("ws://[::1]:443"), "[::1]:443");
    }

    proptest! {
        #[test]
        fn no_text_panics_and_what_is_read_reads_back(text in "(wss?://)?[\\PC\\[\\]:/@.]{0,20}") {
            if let Ok(url) = text.parse::<Url>() {
                prop_assert_eq!(url.to_string().parse::<Url>(), Ok(url));
            }
        }
    }
}
