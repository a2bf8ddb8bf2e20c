//! Clients' certificates: what the listener has verified, to whom it stands for. They count where no token is sent.

use std::{collections::HashMap, fmt, sync::Arc};

use http::{HeaderMap, header::ORIGIN};

use super::{Owner, Scopes, Unauthorized, roles::Roles};
use crate::model::{Certificate, Peer};

/// A certificate of the config.
#[derive(Clone, Debug)]
pub struct CertificateDecl {
    /// `None`: an operator's, who has no pins.
    pub owner: Option<Owner>,
    pub name: Arc<str>,
    pub mark: Mark,
    pub scopes: Scopes,
    pub policies: Vec<String>,
}

/// By what a certificate is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Mark {
    /// One of its names, whoever of the authorities signed it and however often it was renewed.
    San(String),
    /// SHA-256 of the certificate itself.
    Sha256([u8; 32]),
}

impl Mark {
    /// DNS names are the same in upper and lower case; addresses and URIs need not be.
    pub fn san(name: &str) -> Self {
        let has_case = name.contains(['@', ':']);
        Self::San(if has_case { name.to_owned() } else { name.to_ascii_lowercase() })
    }
}

/// All certificates of the config.
#[derive(Default)]
pub struct Certificates(HashMap<Mark, Roles>);

impl Certificates {
    /// Of two with one mark the later counts; the config refuses such a pair.
    pub fn new(certificates: impl IntoIterator<Item = CertificateDecl>) -> Self {
        let known = certificates.into_iter().map(|decl| {
            let CertificateDecl { owner, name, mark, scopes, policies } = decl;
            (mark, Roles::new(owner, name, scopes, policies))
        });
        Self(known.collect())
    }

    /// Whom a request without a token is from, if it came with a certificate that is known here.
    ///
    /// Browsers show certificates by themselves, for whatever page asks them to: a request that a page made counts as
    /// one without a certificate.
    pub(super) fn find(&self, headers: &HeaderMap, peer: Option<&Peer>) -> Result<&Roles, Unauthorized> {
        let shown = peer.and_then(|peer| peer.certificate.as_deref());
        let shown = shown.filter(|_| !headers.contains_key(ORIGIN));
        shown.and_then(|certificate| self.known(certificate)).ok_or(Unauthorized::Missing)
    }

    pub(super) fn roles(&self) -> impl Iterator<Item = &Roles> {
        self.0.values()
    }

    /// By the certificate itself, else by the first of its names that is known.
    fn known(&self, certificate: &Certificate) -> Option<&Roles> {
        let by_name = || certificate.names.iter().find_map(|name| self.0.get(&Mark::san(name)));
        self.0.get(&Mark::Sha256(certificate.sha256)).or_else(by_name)
    }
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("known", &self.0.len()).finish()
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderValue, header::AUTHORIZATION};

    use super::*;
    use crate::{
        auth::{Gate, Scope, TokenDecl, TokenHash, Tokens},
        model::{AccountId, ManualClock, Timestamp},
    };

    fn decl(account: Option<i64>, name: &str, mark: Mark) -> CertificateDecl {
        let owner = account.map(|id| Owner { id: AccountId(id), name: format!("account-{id}").into() });
        let scopes = Scopes::NONE.with(if owner.is_some() { Scope::PinsWrite } else { Scope::AdminRead });
        CertificateDecl { owner, name: name.into(), mark, scopes, policies: Vec::new() }
    }

    fn gate() -> Gate {
        let token = TokenDecl::of_account(AccountId(9), "account-9", "laptop", TokenHash::of("secret"));
        let gate = Gate::new(Tokens::new([token]), Arc::new(ManualClock::at(Timestamp::ZERO)));
        gate.declare_certificates(Certificates::new([
            decl(Some(1), "ci", Mark::san("CI.example.org")),
            decl(Some(2), "ada", Mark::san("Ada@example.org")),
            decl(Some(3), "one", Mark::Sha256([7; 32])),
            decl(None, "ops", Mark::san("ops.example.org")),
        ]));
        gate
    }

    fn peer(sha256: u8, names: &[&str]) -> Peer {
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let certificate = Certificate { sha256: [sha256; 32], names };
        Peer { certificate: Some(certificate.into()), ..Peer::at([127, 0, 0, 1].into()) }
    }

    fn ask(headers: &HeaderMap, peer: &Peer) -> Result<i64, Unauthorized> {
        gate().authenticate(headers, Some(peer)).map(|who| who.account.0)
    }

    #[test]
    fn a_certificate_is_known_by_its_names_and_before_them_by_itself() {
        let none = HeaderMap::new();
        assert_eq!(ask(&none, &peer(0, &["other.example.org", "ci.EXAMPLE.org"])), Ok(1));
        assert_eq!(ask(&none, &peer(0, &["Ada@example.org"])), Ok(2));
        assert_eq!(ask(&none, &peer(0, &["ada@example.org"])), Err(Unauthorized::Missing));
        assert_eq!(ask(&none, &peer(7, &["ci.example.org"])), Ok(3));
        assert_eq!(ask(&none, &peer(0, &[])), Err(Unauthorized::Missing));
    }

    #[test]
    fn a_token_that_is_sent_is_what_counts() {
        let bearer =
            |token: &'static str| HeaderMap::from_iter([(AUTHORIZATION, HeaderValue::from_static(token))]);
        let peer = peer(0, &["ci.example.org"]);
        assert_eq!(ask(&bearer("Bearer secret"), &peer), Ok(9));
        assert_eq!(ask(&bearer("Bearer wrong"), &peer), Err(Unauthorized::Unknown));
        assert_eq!(ask(&bearer("Basic x"), &peer), Err(Unauthorized::Malformed));
    }

    #[test]
    fn a_page_in_a_browser_gains_nothing_by_its_visitors_certificate() {
        let of_a_page = HeaderMap::from_iter([(ORIGIN, HeaderValue::from_static("https://evil.example"))]);
        assert_eq!(ask(&of_a_page, &peer(0, &["ci.example.org"])), Err(Unauthorized::Missing));
    }

    #[test]
    fn an_operators_certificate_has_no_pins() {
        let (none, peer) = (HeaderMap::new(), peer(0, &["ops.example.org"]));
        assert_eq!(ask(&none, &peer), Err(Unauthorized::NoAccount));
        let operator = gate().operator(&none, Some(&peer)).unwrap();
        assert_eq!((&*operator.token_name, operator.scopes), ("ops", Scopes::NONE.with(Scope::AdminRead)));
    }
}
