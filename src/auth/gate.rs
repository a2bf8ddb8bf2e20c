//! The way in, shared by all who serve.

use std::{fmt, net::IpAddr, sync::Arc};

use arc_swap::ArcSwap;
use http::HeaderMap;
use thiserror::Error;

use super::{
    Certificates, Operator, Principal, Scope, Scopes, TokenHash, Tokens, Unauthorized, bearer::bearer,
    roles::Roles, stored::Stored,
};
use crate::{
    model::{Clock, Peer, Timestamp, TokenId},
    store::{StoreError, TokenStore},
};

/// Knows the tokens of the config and those of the store. What it knows can be changed while it is used; clones
/// share it.
#[derive(Clone)]
pub struct Gate {
    declared: Arc<ArcSwap<Tokens>>,
    certificates: Arc<ArcSwap<Certificates>>,
    stored: Arc<Stored>,
    /// By which tokens expire.
    clock: Arc<dyn Clock>,
}

/// A token of the config has the secret of a stored one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "a token of the config has the secret of the stored token {0}, whether that is revoked or not: give the config's a secret of its own, or remove it there"
)]
pub struct SameSecret(pub TokenId);

impl Gate {
    /// Knows the tokens of the config only, until it is [refreshed](Self::refresh).
    pub fn new(declared: Tokens, clock: Arc<dyn Clock>) -> Self {
        Self {
            declared: Arc::new(ArcSwap::from_pointee(declared)),
            certificates: Arc::default(),
            stored: Arc::default(),
            clock,
        }
    }

    /// From now on these are the tokens of the config.
    pub fn declare(&self, tokens: Tokens) {
        let tokens = tokens.after(&self.declared.load());
        self.declared.store(Arc::new(tokens));
    }

    /// From now on these are the certificates of the config.
    pub fn declare_certificates(&self, certificates: Certificates) {
        self.certificates.store(Arc::new(certificates));
    }

    /// The tokens of the config.
    pub(super) fn declared(&self) -> Arc<Tokens> {
        self.declared.load_full()
    }

    /// Whether tokens with these hashes may be [declared](Self::declare).
    ///
    /// # Errors
    /// Where one of them is stored, too.
    pub fn check(&self, hashes: impl IntoIterator<Item = TokenHash>) -> Result<(), SameSecret> {
        let same = hashes.into_iter().find_map(|hash| self.stored.named(&hash));
        same.map_or(Ok(()), |id| Err(SameSecret(id)))
    }

    /// Takes in what changed in the store; a point read where nothing did. Returns how many tokens did.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn refresh(&self, store: &dyn TokenStore) -> Result<usize, StoreError> {
        self.stored.refresh(store).await
    }

    /// Writes down in the store how its tokens were last used.
    ///
    /// # Errors
    /// Where the store cannot be written; nothing is lost by that but time.
    pub async fn flush_uses(&self, store: &dyn TokenStore) -> Result<(), StoreError> {
        self.stored.flush(store).await
    }

    /// Forgets tokens that ended before a time, here and in the store.
    ///
    /// # Errors
    /// Where the store cannot be written.
    pub async fn forget(&self, store: &dyn TokenStore, ended_before: Timestamp) -> Result<(), StoreError> {
        store.forget_tokens(ended_before).await?;
        self.stored.forget(ended_before);
        Ok(())
    }

    /// Whether there is, or ever was, a token that may do everything here.
    pub fn knows_operator(&self) -> bool {
        let is_operator = |scopes: Scopes| scopes.allow(Scope::AdminWrite);
        self.declared.load().all().iter().any(|token| is_operator(token.scopes))
            || self.stored.any(is_operator)
    }

    /// Whether nobody but this stored token may do everything here now. Its predecessors, whose time is running out, do not
    /// count.
    pub(super) fn is_last_operator(&self, id: TokenId) -> bool {
        let (declared, now) = (self.declared.load(), self.clock.now());
        let may = |roles: &Roles| roles.operator().ok().filter(|who| who.scopes.allow(Scope::AdminWrite));
        let is_declared = declared.live(now).any(|roles| may(roles).is_some());
        let is_certified = || self.certificates.load().roles().any(|roles| may(roles).is_some());
        if is_declared || is_certified() {
            return false;
        }
        self.stored.operators(now, |account| declared.has_account(account)) == [id]
    }

    /// When and from where this process last saw a token.
    pub(super) fn last_use(&self, hash: &TokenHash) -> Option<(Timestamp, IpAddr)> {
        self.declared.load().last_use(hash).or_else(|| self.stored.last_use(hash))
    }

    /// Whom a live token or a certificate stands for, by its name in an account.
    pub fn sender(&self, account: &str, name: &str) -> Option<Arc<Principal>> {
        let is_it = |roles: &Roles| {
            let who = roles.principal().ok();
            who.filter(|who| *who.account_name == *account && *who.token_name == *name)
        };
        let now = self.clock.now();
        let declared = self.declared.load().live(now).find_map(is_it);
        let certified = || self.certificates.load().roles().find_map(is_it);
        declared.or_else(certified).or_else(|| self.stored.find_live(now, is_it))
    }

    /// The sender of a request for an account's pins. What they may do is for the caller to see to.
    ///
    /// # Errors
    /// Where nothing that it brings lets it in.
    pub fn authenticate(
        &self,
        headers: &HeaderMap,
        peer: Option<&Peer>,
    ) -> Result<Arc<Principal>, Unauthorized> {
        self.admit(headers, peer, Roles::principal)
    }

    /// The sender of a request about the gateway. What they may do is for the caller to see to.
    ///
    /// # Errors
    /// Where it brings nothing that lets it in.
    pub fn operator(&self, headers: &HeaderMap, peer: Option<&Peer>) -> Result<Arc<Operator>, Unauthorized> {
        self.admit(headers, peer, Roles::operator)
    }

    fn admit<T>(
        &self,
        headers: &HeaderMap,
        peer: Option<&Peer>,
        role: fn(&Roles) -> Result<Arc<T>, Unauthorized>,
    ) -> Result<Arc<T>, Unauthorized> {
        let sent = match bearer(headers) {
            Err(Unauthorized::Missing) => return role(self.certificates.load().find(headers, peer)?),
            sent => TokenHash::of(sent?),
        };
        let (declared, now) = (self.declared.load(), self.clock.now());
        match declared.find(&sent, now) {
            Err(Unauthorized::Unknown) => {
                let held = self.stored.find(&sent, now)?;
                if !held.account.is_none_or(|account| declared.has_account(account)) {
                    return Err(Unauthorized::NotServed);
                }
                held.known.usage().note(now, peer);
                role(held.known.roles())
            }
            found => {
                let known = found?;
                known.usage().note(now, peer);
                role(known.roles())
            }
        }
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { declared, certificates, stored, .. } = self;
        f.debug_struct("Gate")
            .field("declared", &declared.load())
            .field("certificates", &certificates.load())
            .field("stored", stored)
            .finish_non_exhaustive()
    }
}
