//! Multiaddrs that are passed on: which are valid, dialable from the public internet, and name a peer.

use std::net::{Ipv4Addr, Ipv6Addr};

use multiaddr::{Multiaddr, Protocol};

/// The most delegates that a PinStatus may carry (the spec's `maxItems`).
pub const MAX: usize = 20;

/// Whether a text is a multiaddr that we know how to read.
pub fn parses(address: &str) -> bool {
    address.parse::<Multiaddr>().is_ok_and(|parsed| !parsed.is_empty())
}

/// Whether an address can be dialed from the public internet: no loopback, private or link-local host. Names
/// (`/dns*`) count as public, except `localhost`.
pub fn is_public(address: &str) -> bool {
    let Ok(parsed) = address.parse::<Multiaddr>() else { return false };
    match parsed.iter().next() {
        Some(Protocol::Ip4(ip)) => is_public_v4(ip),
        Some(Protocol::Ip6(ip)) => is_public_v6(ip),
        Some(Protocol::Dns(name) | Protocol::Dns4(name) | Protocol::Dns6(name) | Protocol::Dnsaddr(name)) => {
            name != "localhost" && !name.ends_with(".local") && !name.ends_with(".localhost")
        }
        _ => false,
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let shared = ip.octets()[0] == 100 && (64..128).contains(&ip.octets()[1]);
    let local = ip.is_private() || ip.is_loopback() || ip.is_link_local();
    let nobody = ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast();
    !(shared || local || nobody)
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    if let Some(v4) = ip.to_ipv4_mapped() {
        return is_public_v4(v4);
    }
    let local = ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local();
    let nobody = ip.is_unspecified() || ip.is_multicast();
    !(local || nobody)
}

/// Whether an address ends in `/p2p/ID` and says where to dial: Kubo aborts `pin remote add` on any that does
/// not (kubo core/commands/pin/remotepin.go).
pub fn names_a_peer(address: &str) -> bool {
    address.parse::<Multiaddr>().is_ok_and(|parsed| {
        let parts = parsed.iter().count();
        parts > 1 && matches!(parsed.iter().last(), Some(Protocol::P2p(_)))
    })
}

/// What may be passed on of the delegates that a provider sent: valid, ending in `/p2p/ID`, without doubles,
/// private hosts dropped unless `allow_private` (loopback providers in a lab), at most [`MAX`].
pub fn keep_usable<'a>(addresses: impl IntoIterator<Item = &'a str>, allow_private: bool) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for address in addresses {
        let usable = address.len() <= 1024
            && names_a_peer(address)
            && (allow_private || is_public(address))
            && !kept.iter().any(|known| known == address);
        if usable {
            kept.push(address.to_owned());
        }
        if kept.len() == MAX {
            break;
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

    #[test]
    fn only_dialable_addresses_of_peers_are_kept() {
        let sent = [
            format!("/dnsaddr/node.example.org{PEER}"),
            format!("/ip4/127.0.0.1/tcp/4001{PEER}"),
            format!("/ip4/10.0.0.227/tcp/4001{PEER}"),
            format!("/ip6/fe80::1/tcp/4001{PEER}"),
            "/ip4/8.8.8.8/tcp/4001".to_owned(),
            PEER.to_owned(),
            "/p2p/QmPlaceholder".to_owned(),
            format!("/dnsaddr/node.example.org{PEER}"),
        ];
        let sent = || sent.iter().map(String::as_str);
        assert_eq!(keep_usable(sent(), false), [format!("/dnsaddr/node.example.org{PEER}")]);
        assert_eq!(keep_usable(sent(), true).len(), 4);
    }

    #[test]
    fn no_more_than_twenty_are_kept() {
        let many: Vec<String> = (1..60).map(|n| format!("/ip4/8.8.8.8/tcp/{n}{PEER}")).collect();
        assert_eq!(keep_usable(many.iter().map(String::as_str), false).len(), MAX);
    }
}
