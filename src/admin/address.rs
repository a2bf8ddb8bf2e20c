//! Where the admin listener may be.

use std::net::SocketAddr;

use thiserror::Error;

use super::Exposure;

/// The address can be reached from other machines, and nothing would tell friend from foe there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error(
    "the admin listener cannot be at {0}, where others can reach it: write 127.0.0.1:{port} or [::1]:{port}, or name its operators by admin.tokens, or by admin.certificates with admin.tls.client_ca",
    port = .0.port()
)]
pub struct AdminAddressError(pub SocketAddr);

/// Who can reach an address. One that others can reach is accepted only if the config says how to know operators
/// (`knows_operators`): a token that was made up at the first start is not meant to be shown to a network.
pub fn check_address(address: SocketAddr, knows_operators: bool) -> Result<Exposure, AdminAddressError> {
    if address.ip().to_canonical().is_loopback() {
        return Ok(Exposure::Loopback);
    }
    if knows_operators { Ok(Exposure::Network) } else { Err(AdminAddressError(address)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, knows_operators: bool) -> Result<Exposure, AdminAddressError> {
        check_address(address.parse().unwrap(), knows_operators)
    }

    #[test]
    fn loopback_is_accepted_in_every_spelling() {
        for address in ["127.0.0.1:5081", "127.1.2.3:0", "[::1]:5081", "[::ffff:127.0.0.1]:5081"] {
            assert_eq!(check(address, false), Ok(Exposure::Loopback), "{address}");
        }
    }

    #[test]
    fn anything_else_needs_to_know_its_operators_or_is_refused_with_what_to_write() {
        for address in ["0.0.0.0:5081", "[::]:5081", "192.168.1.2:5081", "[::ffff:10.0.0.1]:5081"] {
            let error = check(address, false).unwrap_err().to_string();
            assert!(error.contains("write 127.0.0.1:5081 or [::1]:5081"), "{error}");
            assert_eq!(check(address, true), Ok(Exposure::Network), "{address}");
        }
    }
}
