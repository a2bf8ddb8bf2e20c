//! What a certificate says, in our words.

use std::time::Duration;

use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};
use x509_parser::{certificate::X509Certificate, extensions::GeneralName, prelude::FromDer};

use crate::model::{Certificate, Timestamp};

/// Of a certificate that was verified. One that only rustls can read has no names.
pub(super) fn identity(der: &CertificateDer<'_>) -> Certificate {
    let parsed = X509Certificate::from_der(der).ok();
    let names = parsed.map(|(_, certificate)| names(&certificate)).unwrap_or_default();
    Certificate { sha256: Sha256::digest(der).into(), names }
}

/// When it expires, where that can be read.
pub(super) fn not_after(der: &CertificateDer<'_>) -> Option<Timestamp> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let seconds = u64::try_from(certificate.validity().not_after.timestamp()).ok()?;
    Some(Timestamp::ZERO.plus(Duration::from_secs(seconds)))
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let alternative = certificate.subject_alternative_name().ok().flatten();
    let alternative: Vec<String> = alternative
        .into_iter()
        .flat_map(|extension| &extension.value.general_names)
        .filter_map(|name| match name {
            GeneralName::DNSName(name) | GeneralName::RFC822Name(name) | GeneralName::URI(name) => {
                Some((*name).to_owned())
            }
            _ => None,
        })
        .collect();
    if !alternative.is_empty() {
        return alternative;
    }
    let common = certificate.subject().iter_common_name().next();
    common.and_then(|name| name.as_str().ok()).map(str::to_owned).into_iter().collect()
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType, date_time_ymd};

    use super::*;

    fn made(change: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, "common");
        change(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
    }

    #[test]
    fn alternative_names_of_three_kinds_count_and_addresses_do_not() {
        let der = made(|params| {
            params.subject_alt_names = vec![
                SanType::DnsName("ci.example.org".try_into().unwrap()),
                SanType::Rfc822Name("ada@example.org".try_into().unwrap()),
                SanType::URI("spiffe://example.org/ci".try_into().unwrap()),
                SanType::IpAddress([127, 0, 0, 1].into()),
            ];
        });
        let found = identity(&der);
        assert_eq!(found.names, ["ci.example.org", "ada@example.org", "spiffe://example.org/ci"]);
        assert_eq!(found.sha256, <[u8; 32]>::from(Sha256::digest(&der)));
    }

    #[test]
    fn the_common_name_counts_only_where_there_is_no_other() {
        assert_eq!(identity(&made(|_| {})).names, ["common"]);
    }

    #[test]
    fn the_end_is_read_to_the_second() {
        let der = made(|params| params.not_after = date_time_ymd(2030, 1, 2));
        assert_eq!(not_after(&der), Some(Timestamp::from_millis(1_893_542_400_000)));
        assert_eq!(not_after(&CertificateDer::from(vec![1, 2, 3])), None);
    }
}
