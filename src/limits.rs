//! How much clients may ask: token buckets for tokens, accounts, and failed log-ins from one network.
//!
//! A request that is let in costs one look-up and a few atomic operations: what a token has used stands beside its
//! rules and its account's bucket in one record (`meter.rs`), records stand in a table of many small parts with a lock
//! each (`table.rs`), and governor decides (`bucket.rs`). Tables are bounded, and shed records that are idle.

mod bucket;
mod limit;
mod meter;
mod network;
mod table;
#[cfg(test)]
mod tests;
mod ticks;

use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;

pub use governor::clock::FakeRelativeClock as ManualTicks;
pub use limit::{ByClass, Caps, Class, Limit, LimitError};
pub use ticks::Ticks;

use bucket::{Bucket, Left};
use meter::{Meter, Terms, TokenKey};
use network::Network;
use table::Table;

use crate::model::AccountId;

/// Tokens that are told apart at once; a table's parts are not filled evenly, so that 100,000 find room.
const MAX_TOKENS: usize = 1 << 17;
/// Networks of failed log-ins that are told apart at once.
const MAX_NETWORKS: usize = 1 << 16;

/// Who may ask how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Count what is over a limit, and let it in.
    pub shadow: bool,
    /// For each token that has no limits of its own.
    pub each_token: Caps,
    /// For all tokens of an account together; accounts that are not named have no limit of their own.
    pub accounts: HashMap<AccountId, Caps>,
    /// Tokens with limits of their own, by account and name.
    pub tokens: HashMap<(AccountId, Arc<str>), Caps>,
    /// For requests from one network that nobody could be found behind.
    pub failed_logins: Option<Limit>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            shadow: false,
            each_token: Caps { read: Some(Limit::READ), write: Some(Limit::WRITE) },
            accounts: HashMap::new(),
            tokens: HashMap::new(),
            failed_logins: Some(Limit::FAILED_LOGINS),
        }
    }
}

/// What a limit is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Token,
    Account,
    Login,
}

/// How much is left of the tightest limit of a request, after that was counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// How many may come at once.
    pub limit: u32,
    pub remaining: u32,
    /// When as many as `limit` may come at once again.
    pub full_in: Duration,
}

/// A limit that a request was over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Over {
    pub kind: Kind,
    pub class: Class,
    pub limit: Limit,
    /// When the next request is let in, if no other comes before it.
    pub retry_in: Duration,
}

impl Over {
    /// `retry_in` in whole seconds, rounded up: nobody is let in sooner, and a wait of 0 would invite a loop.
    pub fn retry_after(&self) -> u64 {
        let begun = u64::from(self.retry_in.subsec_nanos() > 0);
        self.retry_in.as_secs().saturating_add(begun).max(1)
    }
}

/// What became of a request at its limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// `None`: it has no limit.
    pub standing: Option<Standing>,
    pub over: Option<Over>,
    /// Whether what is over a limit is let in all the same.
    pub shadow: bool,
}

impl Admission {
    /// Why the request is not to be served, if so.
    pub fn refusal(&self) -> Option<Over> {
        self.over.filter(|_| !self.shadow)
    }
}

/// All limits, shared by all who serve; they can be changed while they are used. Clones share them.
#[derive(Clone)]
pub struct Limits(Arc<Inner>);

struct Inner {
    ticks: Ticks,
    terms: ArcSwap<Terms>,
    tokens: Table<TokenKey, Meter>,
    networks: Table<Network, Bucket>,
}

impl Limits {
    pub fn new(settings: &Settings) -> Self {
        Self::with_ticks(settings, Ticks::machine())
    }

    pub fn with_ticks(settings: &Settings, ticks: Ticks) -> Self {
        Self::bounded(settings, ticks, MAX_TOKENS, MAX_NETWORKS)
    }

    fn bounded(settings: &Settings, ticks: Ticks, tokens: usize, networks: usize) -> Self {
        Self(Arc::new(Inner {
            terms: ArcSwap::from_pointee(Terms::new(settings, None, &ticks)),
            tokens: Table::new(tokens),
            networks: Table::new(networks),
            ticks,
        }))
    }

    /// From now on these are the limits. What was used up of a limit that stays as it was stays used up.
    pub fn replace(&self, settings: &Settings) {
        let Inner { terms, ticks, .. } = &*self.0;
        let newer = Terms::new(settings, Some(&terms.load()), ticks);
        terms.store(Arc::new(newer));
    }

    /// Counts a request of a token, by the token's limit and then its account's.
    pub fn admit(&self, account: AccountId, token: &Arc<str>, class: Class) -> Admission {
        let Inner { terms, tokens, .. } = &*self.0;
        let terms = terms.load();
        let key = TokenKey::hash(tokens.hasher(), account, token);
        let known = tokens.read(
            key,
            |known| known.is(account, token),
            |meter| meter.follows(&terms).then(|| meter.take(class)),
        );
        let (left, over) = known.unwrap_or_else(|| self.admit_new(&terms, key, account, token, class));
        Admission { standing: left.map(Standing::from), over, shadow: terms.shadow }
    }

    /// A token that is not known yet, or by other terms only.
    fn admit_new(
        &self,
        terms: &Terms,
        key: u64,
        account: AccountId,
        token: &Arc<str>,
        class: Class,
    ) -> meter::Taken {
        let now = self.0.ticks.elapsed();
        let put = self.0.tokens.put(
            key,
            |known| known.is(account, token),
            |was| (TokenKey::new(account, token), Meter::new(terms, account, token, was)),
            |meter| meter.is_idle(now),
            |meter| meter.take(class),
        );
        put.unwrap_or_else(|| terms.spare(key, account).take(class))
    }

    /// Counts a request that nobody was found behind. Its `over` has the kind [`Kind::Login`].
    pub fn failed_login(&self, from: IpAddr, class: Class) -> Admission {
        let Inner { terms, networks, ticks, .. } = &*self.0;
        let terms = terms.load();
        let Some(rule) = &terms.failed_logins else {
            return Admission { standing: None, over: None, shadow: terms.shadow };
        };
        let network = Network::of(from);
        let key = network.hash(networks.hasher());
        let now = ticks.elapsed();
        let put = networks.put(
            key,
            |known| *known == network,
            |was| (network, was.filter(|was| was.follows(rule)).unwrap_or_else(|| Bucket::new(rule))),
            |bucket| bucket.is_full(now),
            Bucket::take,
        );
        let (left, over) =
            meter::told(put.unwrap_or_else(|| terms.spare_login(key, rule)), Kind::Login, class);
        Admission { standing: Some(left.into()), over, shadow: terms.shadow }
    }

    /// Tokens and networks that are told apart now.
    pub fn known(&self) -> (usize, usize) {
        (self.0.tokens.len(), self.0.networks.len())
    }
}

impl From<Left> for Standing {
    fn from(left: Left) -> Self {
        let Left { limit, remaining, full_in, .. } = left;
        Self { limit: limit.burst(), remaining, full_in }
    }
}

impl std::fmt::Debug for Limits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Limits")
    }
}
