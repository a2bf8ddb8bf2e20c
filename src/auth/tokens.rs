//! A fixed set of tokens, found by the hash of what a request brings.

use std::{
    collections::{HashMap, HashSet},
    fmt,
    net::IpAddr,
    sync::Arc,
};

use super::{Operator, Scope, Scopes, TokenHash, Unauthorized, roles::Roles, usage::Usage};
use crate::model::{AccountId, Timestamp};

/// The account that a token stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    pub id: AccountId,
    pub name: Arc<str>,
}

/// A token of the config.
#[derive(Clone, Debug)]
pub struct TokenDecl {
    /// `None`: for the gateway itself, not for anybody's pins.
    pub owner: Option<Owner>,
    pub name: Arc<str>,
    pub sha256: TokenHash,
    pub scopes: Scopes,
    /// From then on (by the gate's clock) it lets nobody in.
    pub expires: Option<Timestamp>,
    pub policies: Vec<String>,
}

impl TokenDecl {
    /// A token for all that may be done with an account's pins, for ever.
    pub fn of_account(id: AccountId, account: &str, name: &str, sha256: TokenHash) -> Self {
        Self {
            owner: Some(Owner { id, name: account.into() }),
            name: name.into(),
            sha256,
            scopes: Scopes::NONE.with(Scope::PinsWrite),
            expires: None,
            policies: Vec::new(),
        }
    }
}

/// All tokens of the config, and what else of it tokens may name.
#[derive(Default)]
pub struct Tokens {
    known: HashMap<[u8; 32], Known>,
    accounts: HashMap<String, AccountId>,
    ids: HashSet<AccountId>,
    policies: Vec<String>,
}

/// A token, and whom it stands for.
pub(super) struct Known {
    hash: TokenHash,
    expires: Option<Timestamp>,
    roles: Roles,
    usage: Arc<Usage>,
}

impl Known {
    pub(super) fn new(token: TokenDecl, usage: Arc<Usage>) -> Self {
        let TokenDecl { owner, name, sha256, scopes, expires, policies } = token;
        Self { hash: sha256, expires, roles: Roles::new(owner, name, scopes, policies), usage }
    }

    /// The last word on whether this is the token that was sent: by a comparison in constant time.
    pub(super) fn admit(&self, sent: &TokenHash, now: Timestamp) -> Result<(), Unauthorized> {
        if self.hash != *sent {
            return Err(Unauthorized::Unknown);
        }
        if self.has_ended(now) { Err(Unauthorized::Expired) } else { Ok(()) }
    }

    pub(super) fn has_ended(&self, now: Timestamp) -> bool {
        self.expires.is_some_and(|expires| now >= expires)
    }

    pub(super) fn roles(&self) -> &Roles {
        &self.roles
    }

    pub(super) fn scopes(&self) -> Scopes {
        self.roles.both().1.scopes
    }

    pub(super) fn expires(&self) -> Option<Timestamp> {
        self.expires
    }

    pub(super) fn usage(&self) -> &Arc<Usage> {
        &self.usage
    }

    /// Its own words for itself.
    pub(super) fn decl(&self) -> TokenDecl {
        let (principal, Operator { token_name, scopes }) = self.roles.both();
        TokenDecl {
            owner: principal.map(|who| Owner { id: who.account, name: who.account_name.clone() }),
            name: token_name.clone(),
            sha256: self.hash,
            scopes: *scopes,
            expires: self.expires,
            policies: principal.map(|who| who.policies.clone()).unwrap_or_default(),
        }
    }
}

impl Tokens {
    /// Of two tokens with one hash the later counts; the config refuses such a pair.
    pub fn new(tokens: impl IntoIterator<Item = TokenDecl>) -> Self {
        let known =
            tokens.into_iter().map(|token| (*token.sha256.as_bytes(), Known::new(token, Arc::default())));
        Self { known: known.collect(), ..Self::default() }
    }

    /// The accounts and policies that stored tokens may be for; none, unless it is said here.
    #[must_use]
    pub fn among(mut self, accounts: &[(String, AccountId)], policies: Vec<String>) -> Self {
        self.accounts = accounts.iter().cloned().collect();
        self.ids = self.accounts.values().copied().collect();
        self.policies = policies;
        self
    }

    /// Those that were there before were last used as they were.
    #[must_use]
    pub(super) fn after(mut self, before: &Self) -> Self {
        for (hash, known) in &mut self.known {
            if let Some(same) = before.known.get(hash) {
                known.usage = same.usage.clone();
            }
        }
        self
    }

    pub(super) fn last_use(&self, hash: &TokenHash) -> Option<(Timestamp, IpAddr)> {
        self.known.get(hash.as_bytes())?.usage.seen()
    }

    pub(super) fn has_account(&self, account: AccountId) -> bool {
        self.ids.contains(&account)
    }

    pub(super) fn account(&self, name: &str) -> Option<AccountId> {
        self.accounts.get(name).copied()
    }

    pub(super) fn accounts(&self) -> Vec<String> {
        let mut names: Vec<_> = self.accounts.keys().map(ToString::to_string).collect();
        names.sort_unstable();
        names
    }

    pub(super) fn policies(&self) -> &[String] {
        &self.policies
    }

    pub(super) fn has_policy(&self, name: &str) -> bool {
        self.policies.iter().any(|known| known == name)
    }

    /// Whom those that have not ended stand for.
    pub(super) fn live(&self, now: Timestamp) -> impl Iterator<Item = &Roles> {
        self.known.values().filter(move |known| !known.has_ended(now)).map(Known::roles)
    }

    /// Those of the config, by account and name.
    pub(super) fn all(&self) -> Vec<TokenDecl> {
        let mut all: Vec<_> = self.known.values().map(Known::decl).collect();
        let key =
            |token: &TokenDecl| (token.owner.as_ref().map(|owner| owner.name.clone()), token.name.clone());
        all.sort_by_key(key);
        all
    }

    /// The map sees a hash, which tells a guesser nothing of the secret by its timing.
    pub(super) fn find(&self, sent: &TokenHash, now: Timestamp) -> Result<&Known, Unauthorized> {
        let known = self.known.get(sent.as_bytes()).ok_or(Unauthorized::Unknown)?;
        known.admit(sent, now).map(|()| known)
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens").field("known", &self.known.len()).finish()
    }
}
