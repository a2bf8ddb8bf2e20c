//! The proxies in front of us that are believed when they say who their client is; nobody else is.

mod network;
pub(super) mod protocol;

use std::net::{IpAddr, SocketAddr};

use ::http::{HeaderMap, HeaderName};

pub use network::{Network, NetworkError};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The most hops of `X-Forwarded-For` that are looked at, from the right.
const MOST_HOPS: usize = 32;

/// Whom to believe, and how they tell.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    pub trusted: Vec<Network>,
    /// They begin each connection with version 2 of the PROXY protocol, and must.
    pub protocol_v2: bool,
    /// They add their client to `X-Forwarded-For`.
    pub forwarded_for: bool,
}

impl Proxies {
    pub fn trusts(&self, address: IpAddr) -> bool {
        self.trusted.iter().any(|network| network.contains(address))
    }

    /// Whether a connection from there must begin with whom it is for.
    pub(super) fn introduces(&self, address: IpAddr) -> bool {
        self.protocol_v2 && self.trusts(address)
    }

    /// The client of one request: of those who handed it on, from the last to the first, the first whom we do not
    /// trust. What stands before a word that is no address is not believed.
    pub(super) fn client(&self, direct: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = direct;
        if !self.forwarded_for {
            return client;
        }
        let values = headers.get_all(FORWARDED_FOR).iter().rev();
        let mut hops = values.flat_map(|value| value.as_bytes().rsplit(|byte| *byte == b',')).take(MOST_HOPS);
        while self.trusts(client) {
            match hops.next().and_then(hop) {
                Some(address) => client = address,
                None => break,
            }
        }
        client
    }
}

/// An address, as some write it with its port.
fn hop(text: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let plain = text.parse::<IpAddr>().ok();
    let address = plain.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<IpAddr>().ok();
    address.or_else(bracketed).map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use ::http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn proxies() -> Proxies {
        let trusted = ["10.0.0.0/8", "::1"].map(|text| text.parse().unwrap()).to_vec();
        Proxies { trusted, protocol_v2: false, forwarded_for: true }
    }

    fn client(direct: &str, values: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(FORWARDED_FOR, HeaderValue::from_str(value).unwrap());
        }
        proxies().client(direct.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn a_stranger_is_not_believed() {
        assert_eq!(client("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
    }

    #[test]
    fn the_last_who_is_not_trusted_is_the_client() {
        assert_eq!(client("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &["203.0.113.9, 198.51.100.7, 10.0.0.2"]), "198.51.100.7");
        assert_eq!(client("10.0.0.1", &["203.0.113.9", "198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("::1", &["::ffff:198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("::1", &["[2001:db8::1]:443"]), "2001:db8::1");
        assert_eq!(client("::1", &["[2001:db8::1]"]), "2001:db8::1");
        assert_eq!(client("::1", &["198.51.100.7:1234"]), "198.51.100.7");
    }

    #[test]
    fn where_nobody_else_is_named_it_is_the_furthest_proxy() {
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
    }

    #[test]
    fn garbage_ends_the_search() {
        assert_eq!(client("10.0.0.1", &["198.51.100.7, unknown"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.7, , 10.0.0.2"]), "10.0.0.2");
        let long = format!("198.51.100.7{}", ", 10.0.0.2".repeat(MOST_HOPS));
        assert_eq!(client("10.0.0.1", &[&long]), "10.0.0.2");
    }

    #[test]
    fn the_header_is_ignored_unless_it_is_to_be_read() {
        let proxies = Proxies { forwarded_for: false, ..proxies() };
        let headers = HeaderMap::from_iter([(FORWARDED_FOR, HeaderValue::from_static("192.0.2.1"))]);
        assert_eq!(proxies.client("10.0.0.1".parse().unwrap(), &headers).to_string(), "10.0.0.1");
    }

    proptest! {
        #[test]
        fn no_header_ever_moves_the_client_of_a_stranger(value in "[ -~]{0,200}") {
            prop_assert_eq!(client("192.0.2.1", &[&value]), "192.0.2.1");
            client("10.0.0.1", &[&value]);
        }
    }
}
