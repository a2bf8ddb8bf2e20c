//! Where tokens are made, listed, rotated and revoked, for the admin API and for the command line alike.

use std::{sync::Arc, time::Duration};

use thiserror::Error;

use super::{Gate, Listed, Scopes, Secret, TokenDecl};
use crate::{
    model::{AccountId, Clock, Expiry, Timestamp, TokenId, known},
    store::{NewToken, StoreError, Successor, TokenRecord, TokenStore},
};

/// The longest that a rotated token may live on.
const MAX_OVERLAP: Duration = Duration::from_secs(90 * 24 * 3600);

/// The most policies that a token may name.
const MAX_POLICIES: usize = 64;

/// What a new token is to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenRequest {
    pub name: String,
    /// `None`: for the gateway itself, not for anybody's pins.
    pub account: Option<String>,
    pub scopes: Scopes,
    pub expires: Option<Expiry>,
    pub policies: Vec<String>,
    /// The operator who asks for it, as events tell.
    pub by: Option<Arc<str>>,
}

/// A token that was just made: the only time that its secret is there.
#[derive(Clone, Debug)]
pub struct Issued {
    pub token: TokenRecord,
    pub secret: Secret,
}

/// Why nothing was done; its words say what to do instead.
#[derive(Debug, Error)]
pub enum DeskError {
    #[error("{0:?} is no name for a token: write 1 to 64 of a-z, 0-9, `.`, `_` and `-`")]
    Name(String),
    #[error("a token needs a scope: pins:read, pins:write, admin:read or admin:write")]
    NoScope,
    #[error("the config has no account {name:?}, {}: name one of it, or add it there", known(others))]
    Account { name: String, others: Vec<String> },
    #[error("a token for pins needs an account: say whose")]
    NoAccount,
    #[error("the config has no policy {name:?}, {}: name some of it, or add it there", known(others))]
    Policy { name: String, others: Vec<String> },
    #[error("a token without an account places no pins, so that it has no policies")]
    NoPins,
    #[error("a token may name {MAX_POLICIES} policies at most")]
    Policies,
    #[error("a token that expires at {0} would let nobody in: choose a later time")]
    Past(Timestamp),
    #[error("an overlap is at most {} days", MAX_OVERLAP.as_secs() / 86_400)]
    Overlap,
    #[error(
        "there is a live token {0:?} of that account already: revoke or rotate it, or choose another name"
    )]
    Taken(String),
    #[error("there is no stored token with the id {0}: list them to see which there are")]
    Unknown(String),
    #[error("the token {0} has ended or was rotated already: make a new one instead")]
    Ended(TokenId),
    #[error(
        "the token {0} is the last one that may do everything here: without it no command is obeyed until the gateway is \
         stopped and `pinfold token create --offline` made another; make another with the scope admin:write first, or \
         say --force (over HTTP ?force=true)"
    )]
    LastOperator(TokenId),
    #[error("the account of the token {0} is not in the config: add it there first")]
    NotServed(TokenId),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// All that it takes; clones share it.
#[derive(Clone)]
pub struct Desk {
    store: Arc<dyn TokenStore>,
    gate: Gate,
    clock: Arc<dyn Clock>,
}

impl Desk {
    pub fn new(store: Arc<dyn TokenStore>, gate: Gate, clock: Arc<dyn Clock>) -> Self {
        Self { store, gate, clock }
    }

    /// Makes a token. Once this returns, it is on disk, and the gate lets it in.
    ///
    /// # Errors
    /// Where the request cannot be met as it is.
    pub async fn create(&self, request: TokenRequest) -> Result<Issued, DeskError> {
        let secret = Secret::mint();
        let token = self.adopt(request, &secret).await?;
        Ok(Issued { token, secret })
    }

    /// Makes a token of a secret that somebody holds already.
    ///
    /// # Errors
    /// As [`create`](Self::create); also where the secret was stored before.
    pub async fn adopt(&self, request: TokenRequest, secret: &Secret) -> Result<TokenRecord, DeskError> {
        let now = self.clock.now();
        let (account, expires) = self.check(&request, now)?;
        let TokenRequest { name, scopes, policies, by, .. } = request;
        let (id, hash) = (secret.id(), secret.hash());
        let new = NewToken { id, hash, account, name, scopes, policies, expires, by };
        let token = self.store.create_token(new, now).await.map_err(named)?;
        self.tell_gate().await;
        Ok(token)
    }

    /// Ends a token, at once wherever this gate is asked; with `force` also the last one that may do everything.
    ///
    /// # Errors
    /// Where there is none with this id.
    pub async fn revoke(
        &self,
        id: &str,
        by: Option<Arc<str>>,
        force: bool,
    ) -> Result<TokenRecord, DeskError> {
        let found = self.find(id).await?;
        if !force {
            self.gate.refresh(&*self.store).await?;
            if self.gate.is_last_operator(found.id) {
                return Err(DeskError::LastOperator(found.id));
            }
        }
        let revoked = self.store.revoke_token(found.id, by, self.clock.now()).await?;
        self.tell_gate().await;
        revoked.ok_or_else(|| DeskError::Unknown(id.to_owned()))
    }

    /// Gives a token a new secret; the old one lets in for `overlap` more. Without `expires` the new one gets as long
    /// a life as the old one was given.
    ///
    /// # Errors
    /// Where there is no live token with this id that was not rotated already.
    pub async fn rotate(
        &self,
        id: &str,
        overlap: Duration,
        expires: Option<Expiry>,
        by: Option<Arc<str>>,
    ) -> Result<Issued, DeskError> {
        if overlap > MAX_OVERLAP {
            return Err(DeskError::Overlap);
        }
        let now = self.clock.now();
        let old = self.find(id).await?;
        let inherited = old.expires.map(|end| now.plus(end.since(old.created)));
        let expires = expires.map(|expires| expires.after(now)).or(inherited);
        check_end(expires, now)?;
        let secret = Secret::mint();
        let overlap_until = now.plus(overlap);
        let successor = Successor { id: secret.id(), hash: secret.hash(), expires, overlap_until, by };
        let rotated = self.store.rotate_token(old.id, successor, now).await.map_err(|error| match error {
            StoreError::Unknown { .. } => DeskError::NotServed(old.id),
            error => named(error),
        })?;
        self.tell_gate().await;
        let token = rotated.ok_or(DeskError::Ended(old.id))?;
        Ok(Issued { token, secret })
    }

    /// The tokens of the config.
    pub fn declared(&self) -> Vec<Listed> {
        let now = self.clock.now();
        let seen = |token: &TokenDecl| self.gate.last_use(&token.sha256);
        let all = self.gate.declared().all();
        all.into_iter().map(|token| Listed::declared(seen(&token), token, now)).collect()
    }

    /// Stored tokens by id, ended ones included.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub async fn stored(&self, after: Option<TokenId>, limit: u32) -> Result<Vec<Listed>, StoreError> {
        let now = self.clock.now();
        let page = self.store.tokens(after, limit).await?;
        let seen = |token: &TokenRecord| self.gate.last_use(&token.hash);
        Ok(page.into_iter().map(|token| Listed::stored(seen(&token), token, now)).collect())
    }

    /// A stored token as operators see it.
    pub fn show(&self, token: TokenRecord) -> Listed {
        Listed::stored(self.gate.last_use(&token.hash), token, self.clock.now())
    }

    async fn find(&self, id: &str) -> Result<TokenRecord, DeskError> {
        let unknown = || DeskError::Unknown(id.to_owned());
        let found = TokenId::parse(id).ok_or_else(unknown)?;
        self.store.token(found).await?.ok_or_else(unknown)
    }

    fn check(
        &self,
        request: &TokenRequest,
        now: Timestamp,
    ) -> Result<(Option<AccountId>, Option<Timestamp>), DeskError> {
        let TokenRequest { name, account, scopes, expires, policies, .. } = request;
        let declared = self.gate.declared();
        if !is_name(name) {
            return Err(DeskError::Name(name.chars().take(64).collect()));
        }
        if scopes.is_empty() {
            return Err(DeskError::NoScope);
        }
        if account.is_none() && scopes.reach_pins() {
            return Err(DeskError::NoAccount);
        }
        if account.is_none() && !policies.is_empty() {
            return Err(DeskError::NoPins);
        }
        if policies.len() > MAX_POLICIES {
            return Err(DeskError::Policies);
        }
        if let Some(unknown) = policies.iter().find(|policy| !declared.has_policy(policy)) {
            return Err(DeskError::Policy { name: unknown.clone(), others: declared.policies().to_vec() });
        }
        let is_same = |token: &TokenDecl| {
            *token.name == **name && token.owner.as_ref().map(|owner| &*owner.name) == account.as_deref()
        };
        if declared.all().iter().any(is_same) {
            return Err(DeskError::Taken(name.clone()));
        }
        let unknown =
            |account: &String| DeskError::Account { name: account.clone(), others: declared.accounts() };
        let id = account
            .as_ref()
            .map(|account| declared.account(account).ok_or_else(|| unknown(account)))
            .transpose()?;
        let expires = expires.map(|expires| expires.after(now));
        check_end(expires, now)?;
        Ok((id, expires))
    }

    /// Lets the gate know at once. Should that fail, its next look at the store does, within a second.
    async fn tell_gate(&self) {
        if let Err(error) = self.gate.refresh(&*self.store).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "the changed tokens could not be read yet"
            );
        }
    }
}

fn check_end(expires: Option<Timestamp>, now: Timestamp) -> Result<(), DeskError> {
    match expires {
        Some(end) if end <= now => Err(DeskError::Past(end)),
        _ => Ok(()),
    }
}

/// What the config takes for a name.
fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

fn named(error: StoreError) -> DeskError {
    match error {
        StoreError::Taken { name, .. } => DeskError::Taken(name),
        error => DeskError::Store(error),
    }
}

#[cfg(test)]
mod tests;
