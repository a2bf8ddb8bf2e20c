//! Who is at the other end of a connection.

use std::{fmt, net::IpAddr, sync::Arc};

/// The other end of a connection, as far as this end has checked it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The client's address: never a mapped one, and behind a trusted proxy what that says.
    pub address: IpAddr,
    /// The client's certificate, which one of the listener's authorities signed.
    pub certificate: Option<Arc<Certificate>>,
}

impl Peer {
    pub fn at(address: IpAddr) -> Self {
        Self { address: address.to_canonical(), certificate: None }
    }
}

/// What a client's certificate says of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    /// SHA-256 of the whole certificate, DER encoded.
    pub sha256: [u8; 32],
    /// Its subject alternative names (DNS names, e-mail addresses, URIs), else the common name.
    pub names: Vec<String>,
}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate").field("names", &self.names).finish_non_exhaustive()
    }
}
