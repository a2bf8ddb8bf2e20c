//! A database with accounts, policies and providers in it, and short words for what tests do with them.

use std::time::Duration;

use super::Backend;
use crate::{
    model::*,
    policy::{
        Copies, Policy,
        replica::{CallError, Work},
    },
    store::*,
};

/// Three providers, in every policy's order; two accounts.
pub(in crate::store) const PROVIDERS: [&str; 3] = ["x", "y", "z"];
pub(in crate::store) const ACCOUNTS: [&str; 2] = ["ada", "ben"];
pub(in crate::store) const DAY: i64 = 24 * 3600 * 1000;

pub(in crate::store) const fn t(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

/// Any number of contents, each with a CID.
pub(in crate::store) fn cid(n: u64) -> PinCid {
    let digest = [n.to_be_bytes(); 4].concat();
    let content = Content::from_bytes(&[&[1, 0x55, 0x12, 32][..], &digest].concat()).unwrap();
    PinCid::canonical(content)
}

pub(in crate::store) fn policy(name: &str, min: u16, max: u16, need: u16) -> Policy {
    let providers = PROVIDERS.map(String::from).to_vec();
    Policy::plain(name, Copies { min, max }, need, providers)
}

pub(in crate::store) fn provider(name: &str) -> ProviderDecl {
    ProviderDecl::new(name, Fingerprint::new(name, None))
}

/// Policies by what they ask: `one` copy, `two` of which one will do, `both`, `some` (one, better two).
pub(in crate::store) fn config() -> Registration {
    let account = |name: &str| AccountDecl::new(name, "one");
    Registration {
        accounts: ACCOUNTS.map(account).to_vec(),
        policies: vec![
            policy("one", 1, 1, 1),
            policy("two", 2, 2, 1),
            policy("both", 2, 2, 2),
            policy("some", 1, 2, 1),
        ],
        providers: PROVIDERS.map(provider).to_vec(),
    }
}

pub(in crate::store) struct House<B> {
    pub(in crate::store) backend: B,
    pub(in crate::store) accounts: Vec<AccountId>,
    pub(in crate::store) providers: Vec<ProviderId>,
}

impl<B: Backend> House<B> {
    pub(in crate::store) async fn open() -> Self {
        let mut house = Self { backend: B::open().await, accounts: Vec::new(), providers: Vec::new() };
        house.register(config(), t(0)).await.unwrap();
        house
    }

    pub(in crate::store) async fn register(
        &mut self,
        config: Registration,
        now: Timestamp,
    ) -> Result<Registered, StoreError> {
        let registered = self.store().register(config, now).await?;
        self.accounts = registered.accounts.iter().map(|(_, id)| *id).collect();
        self.providers = registered.providers.iter().map(|provider| provider.id).collect();
        Ok(registered)
    }

    /// A crash, and the start after it.
    pub(in crate::store) async fn crash(&mut self, now: Timestamp) -> Registered {
        self.backend.reopen().await;
        self.register(config(), now).await.unwrap()
    }

    pub(in crate::store) fn store(&self) -> SharedStore {
        self.backend.handles()[0].clone()
    }

    /// The same database, by its other handle.
    pub(in crate::store) fn other(&self) -> SharedStore {
        self.backend.handles()[1].clone()
    }

    pub(in crate::store) fn request(
        &self,
        account: usize,
        policy: &str,
        n: u64,
        now: Timestamp,
    ) -> AcceptPin {
        AcceptPin {
            account: self.accounts[account],
            requestid: RequestId::mint(now),
            spec: PinSpec::bare(cid(n)),
            policy: policy.into(),
            quota: Quota::NONE,
            expires: None,
            by: None,
            now,
        }
    }

    pub(in crate::store) async fn add(
        &self,
        account: usize,
        policy: &str,
        n: u64,
        now: Timestamp,
    ) -> RequestId {
        let request = self.request(account, policy, n, now);
        self.store().accept_pin(request).await.unwrap().requestid
    }

    pub(in crate::store) async fn replace(
        &self,
        old: RequestId,
        policy: &str,
        n: u64,
        now: Timestamp,
    ) -> PinRecord {
        let request = self.request(0, policy, n, now);
        self.store().replace_pin(old, request).await.unwrap().expect("the old pin is there")
    }

    pub(in crate::store) async fn delete(&self, account: usize, pin: RequestId, now: Timestamp) -> bool {
        self.store().delete_pin(self.accounts[account], pin, None, now).await.unwrap()
    }

    pub(in crate::store) async fn find(&self, account: usize, pin: RequestId) -> Option<PinRecord> {
        self.other().get_pin(self.accounts[account], pin).await.unwrap()
    }

    /// A pin of the first account that is there.
    pub(in crate::store) async fn pin(&self, pin: RequestId) -> PinRecord {
        self.find(0, pin).await.expect("the pin is there")
    }

    pub(in crate::store) async fn status(&self, pin: RequestId) -> Status {
        self.pin(pin).await.status
    }

    /// Where a pin has its own copies.
    pub(in crate::store) async fn places(&self, pin: RequestId) -> Vec<String> {
        let mut places: Vec<_> = self.pin(pin).await.copies.into_iter().map(|copy| copy.provider).collect();
        places.sort();
        places
    }

    pub(in crate::store) async fn list(&self, account: usize, statuses: StatusSet) -> PinPage {
        let query = ListQuery { limit: 1000, ..ListQuery::with_statuses(statuses) };
        self.other().list_pins(self.accounts[account], query).await.unwrap()
    }

    pub(in crate::store) fn due(&self, provider: usize, now: Timestamp) -> ClaimRequest {
        ClaimRequest {
            provider: self.providers[provider],
            singles: 1000,
            looks: 1000,
            now,
            lease_until: now.plus(Duration::from_secs(60)),
            doubt_until: now.plus(Duration::from_secs(120)),
            exclusive: true,
            allowance: None,
            max_queued: None,
            introduces: true,
        }
    }

    pub(in crate::store) async fn claim(&self, provider: usize, now: Timestamp) -> Vec<Claim> {
        self.store().claim_due(self.due(provider, now)).await.unwrap().claims
    }

    pub(in crate::store) async fn say(&self, claim: &Claim, word: Word, now: Timestamp) -> Recorded {
        self.store().record_outcomes(vec![Outcome { key: claim.key, word }], now).await.unwrap()
    }

    /// Answers all that is due at a provider, round after round, until nothing more is.
    pub(in crate::store) async fn serve(
        &self,
        provider: usize,
        now: Timestamp,
        answer: impl Fn(&Claim) -> Word,
    ) -> usize {
        let mut served = 0;
        loop {
            let claims = self.claim(provider, now).await;
            if claims.is_empty() {
                return served;
            }
            served += claims.len();
            let outcomes =
                claims.iter().map(|claim| Outcome { key: claim.key, word: answer(claim) }).collect();
            self.store().record_outcomes(outcomes, now).await.unwrap();
        }
    }

    /// Settles all that outcomes left to the background.
    pub(in crate::store) async fn drain(&self, now: Timestamp) {
        while self.store().remerge_step(now).await.unwrap().more {}
    }

    pub(in crate::store) async fn note(&self, provider: usize, health: Health, now: Timestamp) {
        self.store().note_provider(self.providers[provider], health, None, now).await.unwrap();
    }
}

/// The upstream id that a claim's submit gets.
pub(in crate::store) fn upstream(claim: &Claim) -> UpstreamId {
    UpstreamId::new(format!("up-{}-{}", claim.key.replica, claim.key.attempt)).unwrap()
}

pub(in crate::store) fn landed(claim: &Claim, status: Status) -> Word {
    Word::Landed { upstream: upstream(claim), status, delegates: Vec::new(), existed: false }
}

/// A provider that does all at once.
pub(in crate::store) fn well(claim: &Claim) -> Word {
    match &claim.work {
        Work::Submit => landed(claim, Status::Pinned),
        Work::Look => Word::NotFound { asked_at: claim.doubt_until.unwrap_or(claim.due_at) },
        Work::See(_) => Word::Seen { status: Status::Pinned, delegates: Vec::new(), why: None },
        Work::Delete(_) | Work::Forget => Word::Removed,
    }
}

pub(in crate::store) fn error(class: ErrorClass, maybe_done: bool) -> Word {
    let error = CallError { class, text: class.to_string(), maybe_done, settled_by: None, retry_at: None };
    Word::Erred { error, sending: true }
}

/// A provider that refuses all.
pub(in crate::store) fn refusing(_: &Claim) -> Word {
    error(ErrorClass::Rejected, false)
}

/// A provider that fails without having done anything.
pub(in crate::store) fn failing(_: &Claim) -> Word {
    error(ErrorClass::Transient, false)
}
