//! Whom failed log-ins are put down to: an IPv4 address, or an IPv6 network of 64 bits, which one client has whole.

use std::{hash::BuildHasher, net::IpAddr};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Network {
    V4(u32),
    V6(u64),
}

impl Network {
    pub(super) fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Self::V4(address.to_bits()),
            IpAddr::V6(address) => {
                let [a, b, c, d, e, f, g, h, ..] = address.octets();
                Self::V6(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
            }
        }
    }

    pub(super) fn hash(self, hasher: &impl BuildHasher) -> u64 {
        hasher.hash_one(self)
    }
}
