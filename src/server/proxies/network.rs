//! A network by its prefix: `10.0.0.0/8`, or one address.

use std::{fmt, net::IpAddr, str::FromStr};

use thiserror::Error;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NetworkError {
    #[error("not an address or a network")]
    Syntax,
    #[error("a prefix longer than its address")]
    Prefix,
    /// A slip, likely in the prefix.
    #[error("an address within a network, instead of the network's own")]
    Host,
}

impl Network {
    pub fn contains(&self, address: IpAddr) -> bool {
        let (_, own) = bits(self.address);
        let (width, other) = bits(address.to_canonical());
        self.address.is_ipv4() == (width == 32) && ((own ^ other) & !self.host_mask(width)) == 0
    }

    /// The bits that may differ.
    fn host_mask(&self, width: u8) -> u128 {
        let free = u32::from(width - self.prefix);
        u128::MAX.checked_shr(128 - free).unwrap_or(0)
    }
}

fn bits(address: IpAddr) -> (u8, u128) {
    match address {
        IpAddr::V4(address) => (32, address.to_bits().into()),
        IpAddr::V6(address) => (128, address.to_bits()),
    }
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(at, prefix)| (at, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| NetworkError::Syntax)?;
        let (width, own) = bits(address);
        let digits = |prefix: &&str| prefix.bytes().all(|byte| byte.is_ascii_digit());
        let prefix = match prefix {
            None => width,
            Some(prefix) => {
                let prefix = Some(prefix).filter(digits).ok_or(NetworkError::Syntax)?;
                prefix.parse().map_err(|_| NetworkError::Prefix)?
            }
        };
        if prefix > width {
            return Err(NetworkError::Prefix);
        }
        let network = Self { address, prefix };
        if own & network.host_mask(width) != 0 {
            return Err(NetworkError::Host);
        }
        Ok(network)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (width, _) = bits(self.address);
        match self.prefix {
            prefix if prefix == width => self.address.fmt(f),
            prefix => write!(f, "{}/{prefix}", self.address),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        network.parse::<Network>().unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn a_network_holds_what_shares_its_prefix() {
        assert!(contains("10.0.0.0/8", "10.255.0.1") && !contains("10.0.0.0/8", "11.0.0.0"));
        assert!(contains("::1", "::1") && !contains("::1", "::2"));
        assert!(contains("2001:db8::/32", "2001:db8:1::1") && !contains("2001:db8::/32", "2001:db9::"));
        assert!(contains("0.0.0.0/0", "192.0.2.1") && !contains("0.0.0.0/0", "::1"));
        assert!(contains("::/0", "::1") && !contains("::/0", "192.0.2.1"));
        assert!(contains("10.0.0.0/8", "::ffff:10.0.0.1"));
    }

    #[test]
    fn slips_are_told_apart() {
        for (text, error) in [
            ("", NetworkError::Syntax),
            ("10.0.0/8", NetworkError::Syntax),
            ("10.0.0.0/", NetworkError::Prefix),
            ("10.0.0.0/+8", NetworkError::Syntax),
            ("10.0.0.0/33", NetworkError::Prefix),
            ("::/129", NetworkError::Prefix),
            ("::/999", NetworkError::Prefix),
            ("10.0.0.1/8", NetworkError::Host),
        ] {
            assert_eq!(text.parse::<Network>(), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn networks_print_and_parse_back(bits: u32, prefix in 0u8..=32) {
            let own = bits & u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            let network = Network { address: IpAddr::V4(own.into()), prefix };
            prop_assert_eq!(network.to_string().parse(), Ok(network));
            prop_assert!(network.contains(IpAddr::V4(bits.into())));
        }

        #[test]
        fn no_text_panics(text in ".{0,60}") {
            let _read = text.parse::<Network>();
        }
    }
}
