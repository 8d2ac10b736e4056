//! Whom to believe what they say of others: the proxies in front.

use std::{fmt, net::IpAddr, str::FromStr};

use super::tree::quoted;

/// A proxy, or a network of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustedProxy {
    /// Whoever may open a Unix socket.
    Unix,
    /// All addresses that begin with the same bits.
    Network {
        /// The first of them.
        first: IpAddr,
        /// How many bits.
        bits: u8,
    },
}

impl TrustedProxy {
    /// Whether this is one of them; `None` is a Unix socket.
    pub fn is(self, peer: Option<IpAddr>) -> bool {
        match (self, peer) {
            (Self::Unix, None) => true,
            (Self::Network { first, bits }, Some(peer)) => {
                first.is_ipv4() == peer.is_ipv4() && first_of(peer, bits) == Some(first)
            }
            _ => false,
        }
    }
}

impl FromStr for TrustedProxy {
    type Err = String;

    /// Reads `192.0.2.1`, `10.0.0.0/8`, `2001:db8::/32` or `unix`.
    fn from_str(text: &str) -> Result<Self, String> {
        if text == "unix" {
            return Ok(Self::Unix);
        }
        let wrong =
            || format!("expected an address like \"192.0.2.1\", \"10.0.0.0/8\" or \"unix\", found {}", quoted(text));
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        if address.to_canonical() != address {
            return Err(format!("{} is IPv4: write it as {}", quoted(text), address.to_canonical()));
        }
        let all = all_bits(address);
        let bits = match bits {
            None => all,
            Some(bits) => bits.parse().ok().filter(|bits| *bits <= all).ok_or_else(wrong)?,
        };
        if bits == 0 {
            return Err(format!("{} is everyone, who could then claim to come from anywhere", quoted(text)));
        }
        match first_of(address, bits) {
            Some(first) if first == address => Ok(Self::Network { first, bits }),
            first => {
                let meant = first.map(|first| format!("; did you mean \"{first}/{bits}\"?")).unwrap_or_default();
                Err(format!("{} has bits behind its first {bits}{meant}", quoted(text)))
            }
        }
    }
}

impl fmt::Display for TrustedProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix => f.write_str("unix"),
            Self::Network { first, bits } if *bits == all_bits(*first) => first.fmt(f),
            Self::Network { first, bits } => write!(f, "{first}/{bits}"),
        }
    }
}

fn all_bits(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The first address that begins with the same bits; `None` where there are not so many.
fn first_of(address: IpAddr, bits: u8) -> Option<IpAddr> {
    let others = u32::from(all_bits(address).checked_sub(bits)?);
    Some(match address {
        IpAddr::V4(address) => {
            let kept = u32::MAX.checked_shl(others).unwrap_or(0);
            IpAddr::V4((address.to_bits() & kept).into())
        }
        IpAddr::V6(address) => {
            let kept = u128::MAX.checked_shl(others).unwrap_or(0);
            IpAddr::V6((address.to_bits() & kept).into())
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_reads_back() {
        for text in ["unix", "192.0.2.1", "10.0.0.0/8", "192.168.0.128/25", "2001:db8::/32", "::1"] {
            assert_eq!(text.parse::<TrustedProxy>().unwrap().to_string(), text);
        }
        assert_eq!("192.0.2.1/32".parse::<TrustedProxy>().unwrap().to_string(), "192.0.2.1");
        for wrong in ["", "proxy", "10.0.0.0/33", "::/129", "10.0.0.0/-1", "10.0.0.0/", "10.0.0.0:80", "[::1]", "Unix"]
        {
            assert!(wrong.parse::<TrustedProxy>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_network_that_cannot_be_meant_is_refused_with_what_could_be() {
        let told = |text: &str| text.parse::<TrustedProxy>().unwrap_err();
        assert_eq!(told("10.0.0.1/8"), "\"10.0.0.1/8\" has bits behind its first 8; did you mean \"10.0.0.0/8\"?");
        assert_eq!(told("0.0.0.0/0"), "\"0.0.0.0/0\" is everyone, who could then claim to come from anywhere");
        assert_eq!(told("::ffff:10.0.0.1"), "\"::ffff:10.0.0.1\" is IPv4: write it as 10.0.0.1");
    }

    #[test]
    fn a_network_holds_what_begins_like_it_and_nothing_else() {
        let holds =
            |network: &str, peer: &str| network.parse::<TrustedProxy>().unwrap().is(Some(peer.parse().unwrap()));
        assert!(holds("10.0.0.0/8", "10.255.255.255") && !holds("10.0.0.0/8", "11.0.0.0"));
        assert!(holds("192.168.0.128/25", "192.168.0.128") && !holds("192.168.0.128/25", "192.168.0.127"));
        assert!(holds("2001:db8::/33", "2001:db8:7fff::1") && !holds("2001:db8::/33", "2001:db8:8000::1"));
        assert!(holds("192.0.2.1", "192.0.2.1") && !holds("192.0.2.1", "192.0.2.2"));
        assert!(!holds("128.0.0.0/1", "8000::"), "an address of the other kind");
        assert!(!TrustedProxy::Unix.is(Some("127.0.0.1".parse().unwrap())) && TrustedProxy::Unix.is(None));
        assert!(!"127.0.0.1".parse::<TrustedProxy>().unwrap().is(None));
    }
}
