//! Places to listen at, and what was probably meant where one cannot be read.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    str::FromStr,
};

use super::{DEFAULT_PORT, Listen, tree::quoted};

/// The kernel's `sun_path` holds 108 bytes with a zero at the end.
const LONGEST_SOCKET_PATH: usize = 107;

impl FromStr for Listen {
    type Err = String;

    /// Reads `IP:port`, `[IPv6]:port` or `unix:/absolute/path`.
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("unix:") {
            return unix(path).map(Self::Unix);
        }
        text.parse().map(Self::Tcp).map_err(|_| {
            let hint = meant(text).map(|meant| format!("; did you mean \"{meant}\"?")).unwrap_or_default();
            format!("expected an address like \"127.0.0.1:{DEFAULT_PORT}\", found {}{hint}", quoted(text))
        })
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

fn unix(path: &str) -> Result<PathBuf, String> {
    if !path.starts_with('/') || path.ends_with('/') || path.contains(char::is_control) {
        return Err(format!("expected an absolute path like \"unix:/run/hostcast.sock\", found {}", quoted(path)));
    }
    if path.len() > LONGEST_SOCKET_PATH {
        return Err(format!("{} is too long: at most {LONGEST_SOCKET_PATH} bytes", quoted(path)));
    }
    Ok(Path::new(path).to_path_buf())
}

fn meant(text: &str) -> Option<String> {
    if let Ok(address) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Some(SocketAddr::new(address, DEFAULT_PORT).to_string());
    }
    if let Ok(port) = text.parse::<u16>() {
        return Some(format!("127.0.0.1:{port}"));
    }
    if text.starts_with('/') {
        return Some(format!("unix:{text}"));
    }
    let (host, port) = text.rsplit_once(':').unwrap_or((text, ""));
    let port = if port.is_empty() { DEFAULT_PORT } else { port.parse().ok()? };
    match host {
        "localhost" | "" => Some(format!("127.0.0.1:{port}")),
        "*" => Some(format!("0.0.0.0:{port}")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_reads_back() {
        for text in ["127.0.0.1:7117", "[::1]:0", "[fe80::1%3]:7117", "unix:/run/hostcast.sock"] {
            assert_eq!(text.parse::<Listen>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_was_meant_is_suggested() {
        let cases = [
            ("localhost:7000", "127.0.0.1:7000"),
            ("7000", "127.0.0.1:7000"),
            (":7000", "127.0.0.1:7000"),
            ("*:7000", "0.0.0.0:7000"),
            ("10.0.0.1", "10.0.0.1:7117"),
            ("[::1]", "[::1]:7117"),
            ("/run/hostcast.sock", "unix:/run/hostcast.sock"),
        ];
        for (text, meant) in cases {
            let problem = text.parse::<Listen>().unwrap_err();
            assert!(problem.ends_with(&format!("; did you mean \"{meant}\"?")), "{problem}");
        }
        assert!(!"example.com:7117".parse::<Listen>().unwrap_err().contains("did you mean"));
    }

    #[test]
    fn a_socket_path_fits_the_kernel() {
        for wrong in ["unix:", "unix:run/x", "unix:/run/", "unix:/a\0b", &format!("unix:/{}", "x".repeat(107))] {
            assert!(wrong.parse::<Listen>().is_err(), "{wrong}");
        }
    }
}
