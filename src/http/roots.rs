//! Whom to trust: the machine's root certificates, and those that are given beside them.

use std::{fmt, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use thiserror::Error;

/// Root certificates beside the machine's own.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Roots(Arc<[CertificateDer<'static>]>);

/// Why a file gives no root certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RootsError {
    #[error("holds no certificate in PEM form")]
    None,
    #[error("holds a certificate that cannot be read")]
    Unfit,
}

impl Roots {
    /// Of a PEM file with one certificate or more.
    ///
    /// # Errors
    /// Where there is none, or one that cannot be used.
    pub fn parse(pem: &[u8]) -> Result<Self, RootsError> {
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
        let found = found.map_err(|_| RootsError::Unfit)?;
        if found.is_empty() {
            return Err(RootsError::None);
        }
        let mut store = RootCertStore::empty();
        for root in &found {
            store.add(root.clone()).map_err(|_| RootsError::Unfit)?;
        }
        Ok(Self(found.into()))
    }

    /// These and others.
    pub fn and(&self, others: &Self) -> Self {
        Self(self.0.iter().chain(others.0.iter()).cloned().collect())
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roots({})", self.0.len())
    }
}

/// Verifies servers by the machine's roots and these.
pub(super) fn tls(roots: &Roots) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    // Holds: ring implements the default protocol versions.
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("ring speaks TLS 1.2 and 1.3");
    let mut store = RootCertStore::empty();
    let machine = rustls_native_certs::load_native_certs();
    store.add_parsable_certificates(machine.certs.into_iter().chain(roots.0.iter().cloned()));
    if store.is_empty() {
        let why: Vec<_> = machine.errors.iter().map(ToString::to_string).collect();
        let why = why.join("; ");
        tracing::warn!(why, "no root certificates on this machine: https providers cannot be reached");
    }
    builder.with_root_certificates(store).with_no_client_auth()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_are_read_from_pem_and_added_up() {
        let pem = |name: &str| rcgen::generate_simple_self_signed([name.to_owned()]).unwrap().cert.pem();
        let one = Roots::parse(pem("one").as_bytes()).unwrap();
        let two = Roots::parse(format!("{}{}", pem("two"), pem("three")).as_bytes()).unwrap();
        assert_eq!(format!("{:?}", one.and(&two)), "Roots(3)");
        assert_eq!(Roots::parse(b"no certificate"), Err(RootsError::None));
        let broken = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
        assert_eq!(Roots::parse(broken.as_bytes()), Err(RootsError::Unfit));
    }
}
