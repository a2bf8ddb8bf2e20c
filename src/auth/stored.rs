//! The tokens of the store, all in memory: found by hash, kept current by what changed, and how each was last used.

use std::{
    fmt,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use dashmap::{DashMap, mapref::one::Ref};

use super::{
    Owner, Scope, Scopes, TokenDecl, TokenHash, Unauthorized, roles::Roles, tokens::Known, usage::Usage,
};
use crate::{
    model::{AccountId, Timestamp, TokenId},
    store::{StoreError, TokenRecord, TokenStore, TokenUse},
};

#[derive(Default)]
pub(super) struct Stored {
    known: DashMap<[u8; 32], Held>,
    /// Everything up to it has been seen.
    revision: AtomicU64,
}

/// A token as the store has it.
pub(super) struct Held {
    pub(super) known: Known,
    pub(super) account: Option<AccountId>,
    id: TokenId,
    revoked: Option<Timestamp>,
    is_replaced: bool,
    revision: u64,
}

impl Stored {
    /// Takes in what changed since the last time; returns how much that was.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub(super) async fn refresh(&self, store: &dyn TokenStore) -> Result<usize, StoreError> {
        let mut taken = 0;
        loop {
            let changed = store.token_changes(self.revision.load(Ordering::Acquire)).await?;
            let Some(newest) = changed.last().map(|token| token.revision) else { return Ok(taken) };
            taken += changed.len();
            changed.into_iter().for_each(|token| self.take(token));
            // Others may be ahead; what they saw before is not overwritten by what is older.
            self.revision.fetch_max(newest, Ordering::AcqRel);
        }
    }

    fn take(&self, token: TokenRecord) {
        let key = *token.hash.as_bytes();
        match self.known.entry(key) {
            dashmap::Entry::Occupied(mut held) if held.get().revision < token.revision => {
                let usage = held.get().known.usage().clone();
                held.insert(Held::new(token, usage));
            }
            dashmap::Entry::Occupied(_) => {}
            dashmap::Entry::Vacant(free) => {
                free.insert(Held::new(token, Arc::default()));
            }
        }
    }

    pub(super) fn find(
        &self,
        sent: &TokenHash,
        now: Timestamp,
    ) -> Result<Ref<'_, [u8; 32], Held>, Unauthorized> {
        let held = self.known.get(sent.as_bytes()).ok_or(Unauthorized::Unknown)?;
        held.known.admit(sent, now)?;
        if held.revoked.is_some() { Err(Unauthorized::Revoked) } else { Ok(held) }
    }

    /// What `pick` makes of the first live token of which it makes anything.
    pub(super) fn find_live<T>(&self, now: Timestamp, pick: impl Fn(&Roles) -> Option<T>) -> Option<T> {
        let mut live = self.known.iter().filter(|held| held.revoked.is_none() && !held.known.has_ended(now));
        live.find_map(|held| pick(held.known.roles()))
    }

    /// Live tokens that may do everything, of accounts that are served; not those that were rotated.
    pub(super) fn operators(&self, now: Timestamp, is_served: impl Fn(AccountId) -> bool) -> Vec<TokenId> {
        let stays = |held: &Held| held.revoked.is_none() && !held.is_replaced && !held.known.has_ended(now);
        let may =
            |held: &Held| held.known.scopes().allow(Scope::AdminWrite) && held.account.is_none_or(&is_served);
        self.known.iter().filter(|held| stays(held) && may(held)).map(|held| held.id).collect()
    }

    /// The token that has this hash, whether it lets anybody in or not.
    pub(super) fn named(&self, hash: &TokenHash) -> Option<TokenId> {
        self.known.get(hash.as_bytes()).map(|held| held.id)
    }

    /// Whether any, ended or not, has such scopes.
    pub(super) fn any(&self, wanted: impl Fn(Scopes) -> bool) -> bool {
        self.known.iter().any(|held| wanted(held.known.scopes()))
    }

    /// Lets go of what the store [forgets](TokenStore::forget_tokens).
    pub(super) fn forget(&self, ended_before: Timestamp) {
        self.known.retain(|_, held| {
            let is_over = |end: Option<Timestamp>| end.is_some_and(|end| end < ended_before);
            held.known.scopes().allow(Scope::AdminWrite)
                || !(is_over(held.revoked) || is_over(held.known.expires()))
        });
    }

    /// The last use of a token that this process saw.
    pub(super) fn last_use(&self, hash: &TokenHash) -> Option<(Timestamp, IpAddr)> {
        self.known.get(hash.as_bytes())?.known.usage().seen()
    }

    /// Writes down the uses that the store does not know of, a bounded number at a time.
    ///
    /// # Errors
    /// Where the store cannot be written: then the rest is written another time.
    pub(super) async fn flush(&self, store: &dyn TokenStore) -> Result<(), StoreError> {
        let fresh: Vec<_> = self.known.iter().filter_map(|held| held.unflushed()).collect();
        for some in fresh.chunks(512) {
            store.note_token_uses(some.iter().map(|(used, _)| *used).collect()).await?;
            some.iter().for_each(|(used, usage)| usage.flushed(used.at));
        }
        Ok(())
    }
}

impl Held {
    fn new(token: TokenRecord, usage: Arc<Usage>) -> Self {
        let TokenRecord {
            id,
            account,
            name,
            hash,
            scopes,
            policies,
            expires,
            revoked,
            revision,
            replaced_by,
            ..
        } = token;
        let owner = account.map(|(id, name)| Owner { id, name: name.into() });
        let account = owner.as_ref().map(|owner| owner.id);
        let decl = TokenDecl { owner, name: name.into(), sha256: hash, scopes, expires, policies };
        let is_replaced = replaced_by.is_some();
        Self { known: Known::new(decl, usage), account, id, revoked, is_replaced, revision }
    }

    fn unflushed(&self) -> Option<(TokenUse, Arc<Usage>)> {
        let usage = self.known.usage();
        let used = |(at, from)| (TokenUse { id: self.id, at, from }, usage.clone());
        usage.unflushed().map(used)
    }
}

impl fmt::Debug for Stored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stored").field("known", &self.known.len()).finish_non_exhaustive()
    }
}
