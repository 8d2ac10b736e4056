//! The way through a firewall that lets out nothing but HTTP: CONNECT, by a forward proxy.

use std::{env, fmt, net::IpAddr};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};

use super::{
    failure::Lost,
    handshake::{Answer, read_head},
    url::Url,
};

/// A forward proxy.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    url: Url,
    /// What stands in `Proxy-Authorization`.
    credentials: Option<String>,
}

impl Proxy {
    /// The proxy that the environment has for this address: `https_proxy` for `wss://`, `http_proxy` for `ws://`, else
    /// `all_proxy`; unless `no_proxy` has the host. All but `http_proxy` also in capitals, like curl.
    pub fn from_environment(url: &Url) -> Result<Option<Self>, String> {
        Self::among(url, |name| env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn among(url: &Url, variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        let either = |name: &str| variable(name).or_else(|| variable(&name.to_uppercase()));
        if either("no_proxy").is_some_and(|list| list.split(',').any(|entry| covers(entry.trim(), url.host()))) {
            return Ok(None);
        }
        // A web server's CGI programs get a request's `Proxy` header as HTTP_PROXY.
        let own = if url.is_secure() { either("https_proxy") } else { variable("http_proxy") };
        own.or_else(|| either("all_proxy")).map(|text| Self::parse(&text)).transpose()
    }

    fn parse(text: &str) -> Result<Self, String> {
        // The text may hold a password: it is not repeated.
        let wrong = || "the proxy of the environment is not like http://host:port".to_owned();
        let rest = match text.split_once("://") {
            Some(("http", rest)) => rest,
            Some(_) => return Err(wrong()),
            None => text,
        };
        let (credentials, authority) = match rest.rsplit_once('@') {
            Some((credentials, authority)) => (Some(format!("Basic {}", encode(credentials))), authority),
            None => (None, rest),
        };
        let url: Url = format!("ws://{authority}").parse().map_err(|_| wrong())?;
        Ok(Self { url, credentials })
    }

    pub(super) fn host(&self) -> &str {
        self.url.host()
    }

    pub(super) fn port(&self) -> u16 {
        self.url.port()
    }

    /// Asks for a way to the target. What passes from then on is between us and that.
    pub(super) async fn connect(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        target: &Url,
    ) -> Result<(), Lost> {
        let address = target.address();
        let credentials = self.credentials.as_ref();
        let credentials = credentials.map(|text| format!("Proxy-Authorization: {text}\r\n")).unwrap_or_default();
        let request = format!("CONNECT {address} HTTP/1.1\r\nHost: {address}\r\n{credentials}\r\n");
        stream.write_all(request.as_bytes()).await?;
        stream.flush().await?;
        let (head, rest) = read_head(stream).await?;
        match Answer::parse(&head)?.status {
            200..=299 if rest.is_empty() => Ok(()),
            200..=299 => Err(Lost::garbled("the proxy says more than it was asked")),
            status => Err(Lost::Proxy { proxy: self.to_string(), status }),
        }
    }
}

impl fmt::Display for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}", self.url.address())
    }
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proxy({self})")
    }
}

/// `user:password` as it stands in a URL, in the form of a header.
fn encode(credentials: &str) -> String {
    let (mut plain, mut rest) = (Vec::new(), credentials.as_bytes());
    while let [byte, after @ ..] = rest {
        let decoded = after.get(..2).and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        (plain, rest) = match (byte, decoded) {
            (b'%', Some(decoded)) => ([plain, vec![decoded]].concat(), &after[2..]),
            _ => ([plain, vec![*byte]].concat(), after),
        };
    }
    BASE64_STANDARD.encode(plain)
}

/// Whether an entry of `no_proxy` means this host: a name and all below it, an address, a network, or `*`.
fn covers(entry: &str, host: &str) -> bool {
    let address: Option<IpAddr> = host.parse().ok();
    if let (Some(address), Some((network, length))) = (address, entry.split_once('/')) {
        return is_within(address, network, length).unwrap_or(false);
    }
    let name = entry.trim_start_matches("*.").trim_start_matches('.').to_ascii_lowercase();
    let host = host.to_ascii_lowercase();
    entry == "*" || (!name.is_empty() && (host == name || (address.is_none() && host.ends_with(&format!(".{name}")))))
}

fn is_within(address: IpAddr, network: &str, length: &str) -> Option<bool> {
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()) << 96, 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let (network, width) = bits(network.parse().ok()?);
    let (address, own_width) = bits(address);
    let length: u32 = length.parse().ok().filter(|length| *length <= width)?;
    let differing = (network ^ address).leading_zeros();
    Some(width == own_width && differing >= length)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(url: &str, variables: &[(&str, &str)]) -> Option<String> {
        let find =
            |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Proxy::among(&url.parse().unwrap(), find).unwrap().map(|proxy| proxy.to_string())
    }

    #[test]
    fn the_environment_says_which_proxy_leads_where() {
        let variables =
            [("HTTPS_PROXY", "http://proxy:3128"), ("http_proxy", "plain:80"), ("NO_PROXY", "x.org, 10.0.0.0/8")];
        assert_eq!(proxy("wss://web-1", &variables).as_deref(), Some("http://proxy:3128"));
        assert_eq!(proxy("ws://web-1", &variables).as_deref(), Some("http://plain:80"));
        assert_eq!(proxy("wss://a.x.org", &variables), None);
        assert_eq!(proxy("ws://10.2.3.4:7117", &variables), None);
        assert_eq!(proxy("ws://web-1", &[("HTTP_PROXY", "http://evil:1")]), None);
        assert_eq!(proxy("ws://web-1", &[("ALL_PROXY", "http://any:1")]).as_deref(), Some("http://any:1"));
    }

    #[test]
    fn hosts_that_need_no_proxy_are_named_or_lie_below_a_name_or_within_a_network() {
        for (entry, host) in [
            ("*", "web"),
            ("example.org", "example.org"),
            (".example.org", "a.example.org"),
            ("*.example.org", "a.b.Example.org"),
            ("127.0.0.1", "127.0.0.1"),
            ("10.0.0.0/8", "10.255.1.1"),
            ("fe80::/10", "fe80::1"),
            ("0.0.0.0/0", "1.2.3.4"),
        ] {
            assert!(covers(entry, host), "{entry} {host}");
        }
        for (entry, host) in [
            ("", "web"),
            ("ample.org", "example.org"),
            ("1.1.1.1", "11.1.1.1"),
            ("10.0.0.0/8", "11.0.0.1"),
            ("10.0.0.0/33", "10.0.0.1"),
            ("::/0", "1.2.3.4"),
        ] {
            assert!(!covers(entry, host), "{entry} {host}");
        }
    }

    #[test]
    fn credentials_are_decoded_and_never_shown() {
        let proxy = Proxy::parse("http://me:p%40ss%zz@proxy:3128").unwrap();
        assert_eq!(proxy.credentials.as_deref(), Some(&*format!("Basic {}", BASE64_STANDARD.encode("me:p@ss%zz"))));
        assert!(!format!("{proxy} {proxy:?}").contains("me"));
        assert!(!Proxy::parse("socks5://me:secret@proxy").unwrap_err().contains("secret"));
    }
}
