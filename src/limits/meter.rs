//! What one token has used, beside what all of its account have; and the terms that both go by.

use std::{
    collections::HashMap,
    hash::BuildHasher,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use super::{
    Kind, Over, Settings,
    bucket::{Bucket, Left, Rule},
    limit::{ByClass, Caps, Class, Limit},
    table::{PARTS, part_of},
    ticks::Ticks,
};
use crate::model::AccountId;

/// How the tightest bucket stands, and which limit was met.
pub(super) type Taken = (Option<Left>, Option<Over>);
type Rules = ByClass<Option<Arc<Rule>>>;
type Buckets = ByClass<Option<Bucket>>;
type Shared = ByClass<Option<Arc<Bucket>>>;

/// Which token: its account, and its name there.
pub(super) struct TokenKey {
    account: AccountId,
    name: Arc<str>,
}

impl TokenKey {
    pub(super) fn new(account: AccountId, name: &Arc<str>) -> Self {
        Self { account, name: name.clone() }
    }

    pub(super) fn hash(hasher: &impl BuildHasher, account: AccountId, name: &str) -> u64 {
        hasher.hash_one((account, name))
    }

    pub(super) fn is(&self, account: AccountId, name: &str) -> bool {
        self.account == account && *self.name == *name
    }
}

/// The settings in force, as rules.
pub(super) struct Terms {
    /// Later terms have a higher one.
    serial: u64,
    pub(super) shadow: bool,
    each_token: Rules,
    tokens: HashMap<(AccountId, Arc<str>), Rules>,
    accounts: HashMap<AccountId, Shared>,
    pub(super) failed_logins: Option<Arc<Rule>>,
    /// For tokens that there is no room for: those of one part of the table share one.
    spare: Box<[Shared]>,
    spare_logins: Box<[Option<Arc<Bucket>>]>,
}

/// Counts terms through all of a process, so that none has another's number.
static SERIAL: AtomicU64 = AtomicU64::new(0);

impl Terms {
    /// Where `older` has a limit that stays as it is, its rule and its buckets stay, too.
    pub(super) fn new(settings: &Settings, older: Option<&Self>, ticks: &Ticks) -> Self {
        let mut rules = Known::new(older, ticks);
        let each_token = rules.all(settings.each_token);
        let tokens = settings.tokens.iter().map(|(key, caps)| (key.clone(), rules.all(*caps))).collect();
        let accounts = settings.accounts.iter().map(|(id, caps)| {
            let was = older.and_then(|older| older.accounts.get(id)).cloned().unwrap_or_default();
            (*id, was.zip(rules.all(*caps)).map(|(was, rule)| shared(was, rule.as_ref())))
        });
        let accounts = accounts.collect();
        let failed_logins = settings.failed_logins.map(|limit| rules.one(limit));
        let spare = |part: usize| {
            let was = older.map(|older| older.spare[part].clone()).unwrap_or_default();
            was.zip(each_token.clone()).map(|(was, rule)| shared(was, rule.as_ref()))
        };
        let spare_login = |part: usize| {
            shared(older.and_then(|older| older.spare_logins[part].clone()), failed_logins.as_ref())
        };
        Self {
            serial: SERIAL.fetch_add(1, Ordering::Relaxed),
            shadow: settings.shadow,
            spare: (0..PARTS).map(spare).collect(),
            spare_logins: (0..PARTS).map(spare_login).collect(),
            each_token,
            tokens,
            accounts,
            failed_logins,
        }
    }

    /// All rules in force.
    fn rules(&self) -> impl Iterator<Item = &Arc<Rule>> {
        let tokens =
            self.tokens.values().chain([&self.each_token]).flat_map(|caps| [&caps.read, &caps.write]);
        let accounts = self.accounts.values().flat_map(|buckets| [&buckets.read, &buckets.write]);
        let accounts = accounts.flatten().map(|bucket| bucket.rule());
        tokens.chain([&self.failed_logins]).flatten().chain(accounts)
    }

    fn rules_of(&self, account: AccountId, token: &Arc<str>) -> Rules {
        // Most configs have no token with limits of its own, and then no key is made.
        let own = (!self.tokens.is_empty()).then(|| self.tokens.get(&(account, token.clone()))).flatten();
        own.unwrap_or(&self.each_token).clone()
    }

    fn account(&self, account: AccountId) -> Shared {
        self.accounts.get(&account).cloned().unwrap_or_default()
    }

    /// What stands in for the meter of a token that there is no room for.
    pub(super) fn spare(&self, hash: u64, account: AccountId) -> Spare<'_> {
        Spare { token: &self.spare[part_of(hash)], account: self.account(account) }
    }

    pub(super) fn spare_login(&self, hash: u64, rule: &Arc<Rule>) -> Left {
        match &self.spare_logins[part_of(hash)] {
            Some(bucket) => bucket.take(),
            None => Bucket::new(rule).take(),
        }
    }
}

/// The bucket of a rule: the old one where it follows that, else a new one.
fn shared(was: Option<Arc<Bucket>>, rule: Option<&Arc<Rule>>) -> Option<Arc<Bucket>> {
    let rule = rule?;
    was.filter(|was| was.follows(rule)).or_else(|| Some(Arc::new(Bucket::new(rule))))
}

/// One rule for each limit.
struct Known<'a> {
    rules: HashMap<Limit, Arc<Rule>>,
    ticks: &'a Ticks,
}

impl<'a> Known<'a> {
    fn new(older: Option<&Terms>, ticks: &'a Ticks) -> Self {
        let rules = older.into_iter().flat_map(Terms::rules).map(|rule| (rule.limit(), rule.clone()));
        Self { rules: rules.collect(), ticks }
    }

    fn one(&mut self, limit: Limit) -> Arc<Rule> {
        self.rules.entry(limit).or_insert_with(|| Arc::new(Rule::new(limit, self.ticks))).clone()
    }

    fn all(&mut self, caps: Caps) -> Rules {
        caps.map(|limit| limit.map(|limit| self.one(limit)))
    }
}

/// One token's buckets, and its account's.
pub(super) struct Meter {
    serial: u64,
    token: Buckets,
    account: Shared,
}

impl Meter {
    /// A meter by these terms; what `was` used of rules that are still in force stays used.
    pub(super) fn new(terms: &Terms, account: AccountId, token: &Arc<str>, was: Option<Self>) -> Self {
        let was = was.map(|was| was.token).unwrap_or_default();
        let rules = terms.rules_of(account, token);
        let token = was.zip(rules).map(|(was, rule)| {
            let rule = rule?;
            was.filter(|was| was.follows(&rule)).or_else(|| Some(Bucket::new(&rule)))
        });
        Self { serial: terms.serial, token, account: terms.account(account) }
    }

    /// Whether it is by these terms, or by later ones that the caller has not seen yet.
    pub(super) fn follows(&self, terms: &Terms) -> bool {
        self.serial >= terms.serial
    }

    pub(super) fn take(&self, class: Class) -> Taken {
        take(self.token.get(class).as_ref(), self.account.get(class).as_deref(), class)
    }

    pub(super) fn is_idle(&self, now: std::time::Duration) -> bool {
        let full = |bucket: &Option<Bucket>| bucket.as_ref().is_none_or(|bucket| bucket.is_full(now));
        full(&self.token.read) && full(&self.token.write)
    }
}

/// A token's share of what is left for those that there is no room for.
pub(super) struct Spare<'a> {
    token: &'a Shared,
    account: Shared,
}

impl Spare<'_> {
    pub(super) fn take(&self, class: Class) -> Taken {
        take(self.token.get(class).as_deref(), self.account.get(class).as_deref(), class)
    }
}

/// Takes from the token's bucket and then the account's, so that a token over its own limit uses up nothing of others.
fn take(token: Option<&Bucket>, account: Option<&Bucket>, class: Class) -> Taken {
    let token = token.map(|bucket| told(bucket.take(), Kind::Token, class));
    if let Some((left, over @ Some(_))) = token {
        return (Some(left), over);
    }
    let account = account.map(|bucket| told(bucket.take(), Kind::Account, class));
    match (token, account) {
        (Some((token, _)), Some((account, None))) if token.remaining < account.remaining => {
            (Some(token), None)
        }
        (_, Some((account, over))) => (Some(account), over),
        (Some((token, _)), None) => (Some(token), None),
        (None, None) => (None, None),
    }
}

/// What was met, if anything.
pub(super) fn told(left: Left, kind: Kind, class: Class) -> (Left, Option<Over>) {
    (left, left.retry_in.map(|retry_in| Over { kind, class, limit: left.limit, retry_in }))
}
