//! Which addresses are counted as one.

use std::net::{IpAddr, Ipv6Addr};

/// One subscriber line has a whole /64 of IPv6 to itself, and may come from any address of it.
pub(crate) fn neighbourhood(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        address @ IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
    }
}
