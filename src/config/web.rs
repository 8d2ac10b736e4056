//! Names and origins as a browser writes them: whom a request may be addressed to, and which pages may send it.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use super::tree::quoted;

/// A name or an IP address that requests may be addressed to, or every name below a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedHost {
    /// This address, in its canonical form.
    Ip(IpAddr),
    /// This name, in lower case.
    Name(String),
    /// Each name that ends with this, in lower case, which begins with a dot.
    Below(String),
}

/// The origin of pages: `https://example.com`, `http://10.0.0.1:8080`. In lower case, as browsers send it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebOrigin(String);

impl AllowedHost {
    /// Whether this is the host that a request names: an IP address, or a name in lower case without a dot at its end.
    pub fn matches(&self, host: &str) -> bool {
        match self {
            Self::Ip(ip) => parse_ip(host) == Some(*ip),
            Self::Name(name) => name == host,
            Self::Below(domain) => host.len() > domain.len() && host.ends_with(domain.as_str()),
        }
    }
}

impl FromStr for AllowedHost {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        if let Some(ip) = parse_ip(&lower) {
            return Ok(Self::Ip(ip));
        }
        match lower.strip_prefix("*.") {
            Some(domain) if is_name(domain) => Ok(Self::Below(format!(".{domain}"))),
            None if is_name(&lower) => Ok(Self::Name(lower)),
            _ => {
                let hint = if text == "*" { "; every name would let any web page in" } else { "" };
                let expected = "a name like \"monitor.example.com\" or \"*.example.com\", without a port";
                Err(format!("expected {expected}, found {}{hint}", quoted(text)))
            }
        }
    }
}

impl fmt::Display for AllowedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ip(ip) => ip.fmt(f),
            Self::Name(name) => f.write_str(name),
            Self::Below(domain) => write!(f, "*{domain}"),
        }
    }
}

impl WebOrigin {
    /// The origin as a browser sends it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for WebOrigin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected an origin like \"https://example.com\", found {}", quoted(text));
        let lower = text.to_ascii_lowercase();
        let (scheme, authority) = lower.split_once("://").ok_or_else(wrong)?;
        let default_port = match scheme {
            "http" => "80",
            "https" => "443",
            _ => return Err(wrong()),
        };
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let host_fits = match host.strip_prefix('[') {
            Some(ip) => ip.strip_suffix(']').is_some_and(|ip| ip.parse::<Ipv6Addr>().is_ok()),
            None => is_name(host),
        };
        let port_fits = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|number| number.to_string() == port));
        if !host_fits || !port_fits {
            return Err(wrong());
        }
        // Browsers leave out the port that the scheme implies.
        let port = port.filter(|port| *port != default_port).map(|port| format!(":{port}")).unwrap_or_default();
        Ok(Self(format!("{scheme}://{host}{port}")))
    }
}

impl fmt::Display for WebOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An IP address, with or without the brackets that IPv6 has in a URL.
pub(crate) fn parse_ip(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    bare.parse().ok().map(|ip: IpAddr| ip.to_canonical())
}

fn is_name(text: &str) -> bool {
    let is_label =
        |label: &str| !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c));
    text.len() <= 253 && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_read_back_in_lower_case() {
        for (text, written) in [
            ("Monitor.Example.com", "monitor.example.com"),
            ("*.example.com", "*.example.com"),
            ("192.0.2.7", "192.0.2.7"),
            ("[2001:DB8::1]", "2001:db8::1"),
        ] {
            assert_eq!(text.parse::<AllowedHost>().unwrap().to_string(), written);
        }
        for wrong in ["", "*", "*.", "a b", "example.com:7117", "http://example.com", "a..b", "ex*mple.com", "a/b", "."]
        {
            assert!(wrong.parse::<AllowedHost>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_domain_is_no_suffix_of_another() {
        let below: AllowedHost = "*.example.com".parse().unwrap();
        assert!(below.matches("a.example.com") && below.matches("a.b.example.com"));
        assert!(!below.matches("example.com") && !below.matches("evilexample.com") && !below.matches(".example.com"));
        let ip: AllowedHost = "2001:db8::1".parse().unwrap();
        assert!(ip.matches("[2001:db8:0:0::1]") && !ip.matches("2001:db8::2"));
    }

    #[test]
    fn origins_are_written_as_browsers_send_them() {
        for (text, written) in [
            ("HTTPS://Example.com", "https://example.com"),
            ("https://example.com:443", "https://example.com"),
            ("http://example.com:443", "http://example.com:443"),
            ("http://[::1]:8080", "http://[::1]:8080"),
        ] {
            assert_eq!(text.parse::<WebOrigin>().unwrap().as_str(), written);
        }
        for wrong in [
            "null",
            "*",
            "example.com",
            "https://",
            "https://a/b",
            "https://a:b",
            "ftp://a",
            "https://u@a",
            "http://a:080",
        ] {
            assert!(wrong.parse::<WebOrigin>().is_err(), "{wrong}");
        }
    }
}
