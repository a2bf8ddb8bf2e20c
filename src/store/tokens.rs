//! Tokens as data: made, rotated and revoked by operators.

use std::{net::IpAddr, sync::Arc};

use async_trait::async_trait;

use super::StoreError;
use crate::model::{AccountId, Scopes, Timestamp, TokenHash, TokenId};

/// A token on record. Its secret is nowhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRecord {
    pub id: TokenId,
    /// `None`: for the gateway itself, not for anybody's pins.
    pub account: Option<(AccountId, String)>,
    pub name: String,
    pub hash: TokenHash,
    pub scopes: Scopes,
    /// The policies that it may use; none: the account's own.
    pub policies: Vec<String>,
    pub created: Timestamp,
    /// By the clock of who asks.
    pub expires: Option<Timestamp>,
    pub revoked: Option<Timestamp>,
    /// By a rotation: it lets in until it expires.
    pub replaced_by: Option<TokenId>,
    pub last_use: Option<(Timestamp, IpAddr)>,
    /// Rises with every change but uses; unique.
    pub revision: u64,
}

impl TokenRecord {
    /// From when on it lets nobody in.
    pub fn ends(&self) -> Option<Timestamp> {
        [self.expires, self.revoked].into_iter().flatten().min()
    }

    pub fn is_live(&self, now: Timestamp) -> bool {
        self.ends().is_none_or(|end| now < end)
    }
}

/// A token to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewToken {
    pub id: TokenId,
    pub hash: TokenHash,
    pub account: Option<AccountId>,
    /// Of all live tokens of the account that no other has replaced, only one has it.
    pub name: String,
    pub scopes: Scopes,
    pub policies: Vec<String>,
    pub expires: Option<Timestamp>,
    /// The operator who has it made.
    pub by: Option<Arc<str>>,
}

/// What takes a token's place: the same but for its secret and its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Successor {
    pub id: TokenId,
    pub hash: TokenHash,
    pub expires: Option<Timestamp>,
    /// Until then the old one lets in, too, unless it ends sooner.
    pub overlap_until: Timestamp,
    /// The operator who has it made.
    pub by: Option<Arc<str>>,
}

/// When and from where a token was last seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenUse {
    pub id: TokenId,
    pub at: Timestamp,
    pub from: IpAddr,
}

/// The intentions about tokens; each is atomic and, once it has returned `Ok`, on disk (I1).
#[async_trait]
pub trait TokenStore: Send + Sync + 'static {
    /// The tokens that were changed after a revision, oldest change first, a bounded number at a time. A point read
    /// where there are none.
    async fn token_changes(&self, after: u64) -> Result<Vec<TokenRecord>, StoreError>;

    /// Tokens by their ids, ended ones included.
    async fn tokens(&self, after: Option<TokenId>, limit: u32) -> Result<Vec<TokenRecord>, StoreError>;

    /// One token, ended or not.
    async fn token(&self, id: TokenId) -> Result<Option<TokenRecord>, StoreError>;

    /// Records a token. [`StoreError::Taken`]: its name or secret is another's; [`StoreError::Unknown`]: no such account.
    async fn create_token(&self, token: NewToken, now: Timestamp) -> Result<TokenRecord, StoreError>;

    /// Ends a token at once. `None`: there is none with this id; one that has ended already stays as it is. `by`: the
    /// operator who does it.
    async fn revoke_token(
        &self,
        id: TokenId,
        by: Option<Arc<str>>,
        now: Timestamp,
    ) -> Result<Option<TokenRecord>, StoreError>;

    /// Gives a live token a successor, which is returned. `None`: none with this id is live and without a successor.
    async fn rotate_token(
        &self,
        id: TokenId,
        successor: Successor,
        now: Timestamp,
    ) -> Result<Option<TokenRecord>, StoreError>;

    /// Notes uses; of two of one token the later one stays. Background lane.
    async fn note_token_uses(&self, uses: Vec<TokenUse>) -> Result<(), StoreError>;

    /// Forgets tokens that ended before a time. Operators' stay, so that none of them comes back as the first one.
    async fn forget_tokens(&self, ended_before: Timestamp) -> Result<u64, StoreError>;
}
