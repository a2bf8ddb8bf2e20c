//! Where the admin listener may be.

use std::net::SocketAddr;

use thiserror::Error;

/// The address can be reached from other machines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the admin listener cannot be at {0}: it has no tokens, so it is for this machine only; write 127.0.0.1:{port} or [::1]:{port}",
    port = .0.port()
)]
pub struct AdminAddressError(pub SocketAddr);

/// Accepts loopback addresses only.
pub fn check_address(address: SocketAddr) -> Result<(), AdminAddressError> {
    if address.ip().to_canonical().is_loopback() { Ok(()) } else { Err(AdminAddressError(address)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str) -> Result<(), AdminAddressError> {
        check_address(address.parse().unwrap())
    }

    #[test]
    fn loopback_is_accepted_in_every_spelling() {
        for address in ["127.0.0.1:5081", "127.1.2.3:0", "[::1]:5081", "[::ffff:127.0.0.1]:5081"] {
            assert_eq!(check(address), Ok(()), "{address}");
        }
    }

    #[test]
    fn anything_else_is_refused_with_what_to_write() {
        for address in ["0.0.0.0:5081", "[::]:5081", "192.168.1.2:5081", "[::ffff:10.0.0.1]:5081"] {
            let error = check(address).unwrap_err().to_string();
            assert!(error.contains("write 127.0.0.1:5081 or [::1]:5081"), "{error}");
        }
    }
}
