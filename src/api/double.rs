//! For tests of the API: a store that keeps pins in a map, does what it is told, and notes what it was asked; and
//! the whole API on top of it.

mod audits;
mod plans;
mod proofs;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use axum::{Router, body::Body};
use http::{HeaderMap, Method, Request, StatusCode, header};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::{Account, Agent, Api, Served, Settings};
use crate::{
    auth::{Gate, Scope, Scopes, TokenDecl, TokenHash, Tokens},
    lifecycle::{Activator, Changes, Interest},
    limits::{self, Limits, ManualTicks, Ticks},
    model::{
        AccountId, Ask, BudgetClass, Content, ContentId, Granted, Health, InstanceId, Job, JobCommand, JobId,
        KeptTime, Lesson, ListQuery, ManualClock, Mode, NewEvent, NewJob, PinId, ProviderDecl, ProviderId,
        ProviderRecord, Quota, ReplicaId, RequestId, Status, Timestamp, TokenId, UpstreamId,
    },
    store::*,
    telemetry::{Metrics, Traces},
};

/// What the store does when it is asked.
#[derive(Clone, Copy, Default)]
pub enum Script {
    #[default]
    Work,
    Fail(fn() -> StoreError),
    Panic,
    Hang,
}

/// What the store was asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    Accept(RequestId),
    Replace(RequestId, RequestId),
    Delete(RequestId),
    Get(RequestId),
    List(ListQuery),
}

/// A store of pins without copies.
#[derive(Default)]
pub struct ScriptedStore {
    pub script: Mutex<Script>,
    /// What to make of a pin that is accepted.
    pub on_accept: Mutex<Option<fn(&mut PinRecord)>>,
    pub pins: Mutex<BTreeMap<(AccountId, RequestId), PinRecord>>,
    pub asked: Mutex<Vec<Asked>>,
    /// Pins that it was to record.
    pub accepted: Mutex<Vec<AcceptPin>>,
    /// Pins that match a list and are beyond its page.
    pub hidden: Mutex<u64>,
}

impl ScriptedStore {
    async fn play(&self, asked: Asked) -> Result<(), StoreError> {
        self.asked.lock().unwrap().push(asked);
        let script = *self.script.lock().unwrap();
        match script {
            Script::Work => Ok(()),
            Script::Fail(error) => Err(error()),
            Script::Panic => panic!("the store was told to panic"),
            Script::Hang => std::future::pending().await,
        }
    }

    fn keep(&self, request: AcceptPin) -> PinRecord {
        self.accepted.lock().unwrap().push(request.clone());
        let mut pin = PinRecord {
            requestid: request.requestid,
            status: Status::Queued,
            created: request.now,
            cid: request.spec.cid.as_str().to_owned(),
            name: request.spec.name,
            meta: request.spec.meta.map(|meta| meta.to_json()),
            origins: request.spec.origins.to_json(),
            have: 0,
            want: 2,
            need: 1,
            copies: Vec::new(),
            unfit: None,
            answered: false,
            delegates: Arc::default(),
            expires: request.expires,
            adopted: None,
        };
        if let Some(change) = *self.on_accept.lock().unwrap() {
            change(&mut pin);
        }
        self.pins.lock().unwrap().insert((request.account, pin.requestid), pin.clone());
        pin
    }

    /// Changes a pin behind the API's back, as the engine would.
    pub fn change(&self, id: RequestId, change: impl FnOnce(&mut PinRecord)) {
        let mut pins = self.pins.lock().unwrap();
        change(pins.values_mut().find(|pin| pin.requestid == id).unwrap());
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn follow(&self, script: Script) {
        *self.script.lock().unwrap() = script;
    }
}

const NOT_ASKED: &str = "the API does not ask this";

#[async_trait]
impl Store for ScriptedStore {
    async fn accept_pin(&self, request: AcceptPin) -> Result<PinRecord, StoreError> {
        self.play(Asked::Accept(request.requestid)).await?;
        Ok(self.keep(request))
    }

    async fn replace_pin(&self, old: RequestId, request: AcceptPin) -> Result<Option<PinRecord>, StoreError> {
        self.play(Asked::Replace(old, request.requestid)).await?;
        let removed = self.pins.lock().unwrap().remove(&(request.account, old));
        Ok(removed.map(|_| self.keep(request)))
    }

    async fn delete_pin(
        &self,
        account: AccountId,
        pin: RequestId,
        _: Option<Arc<str>>,
        _: Timestamp,
    ) -> Result<bool, StoreError> {
        self.play(Asked::Delete(pin)).await?;
        Ok(self.pins.lock().unwrap().remove(&(account, pin)).is_some())
    }

    async fn get_pin(&self, account: AccountId, pin: RequestId) -> Result<Option<PinRecord>, StoreError> {
        self.play(Asked::Get(pin)).await?;
        Ok(self.pins.lock().unwrap().get(&(account, pin)).cloned())
    }

    async fn list_pins(&self, account: AccountId, query: ListQuery) -> Result<PinPage, StoreError> {
        self.play(Asked::List(query)).await?;
        let pins = self.pins.lock().unwrap();
        let of_account = pins.iter().filter(|((owner, _), _)| *owner == account);
        let pins: Vec<PinRecord> = of_account.rev().map(|(_, pin)| pin.clone()).collect();
        Ok(PinPage { count: pins.len() as u64 + *self.hidden.lock().unwrap(), pins })
    }

    fn instance(&self) -> InstanceId {
        unreachable!("{NOT_ASKED}")
    }
    async fn register(&self, _: Registration, _: Timestamp) -> Result<Registered, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn reregister(&self, _: Registration, _: Timestamp) -> Result<Registered, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn rebind_provider(
        &self,
        _: ProviderDecl,
        _: Rebind,
        _: Timestamp,
    ) -> Result<RebindReport, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn providers(&self) -> Result<Vec<ProviderRecord>, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn claim_due(&self, _: ClaimRequest) -> Result<Claimed, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn begin_submits(
        &self,
        _: Vec<ClaimKey>,
        _: Timestamp,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<Vec<ReplicaId>, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn record_outcomes(&self, _: Vec<Outcome>, _: Timestamp) -> Result<Recorded, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn claim_surplus(
        &self,
        _: ProviderId,
        _: u32,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<Vec<UpstreamId>, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn record_surplus(&self, _: ProviderId, _: UpstreamId) -> Result<(), StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn remerge_step(&self, _: Timestamp) -> Result<RemergeReport, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn respill(
        &self,
        _: ProviderId,
        _: Respill,
        _: ContentId,
        _: u32,
    ) -> Result<Respilled, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn note_late(&self, _: Timestamp, _: u32) -> Result<LateStep, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn resettle_step(&self, _: u32) -> Result<ResettleStep, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn forget_provider(
        &self,
        _: ProviderId,
        _: Option<String>,
        _: Timestamp,
    ) -> Result<Forgotten, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn resume_polls(&self, _: ProviderId, _: u32, _: Timestamp) -> Result<u64, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn hasten_polls(&self, _: Vec<RequestId>, _: Duration, _: Timestamp) -> Result<u64, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn mend_schedule(&self, _: Timestamp) -> Result<u64, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn expire_pins(&self, _: Timestamp, _: u32) -> Result<Expired, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn expire_held(&self, _: Timestamp) -> Result<u64, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn note_provider(
        &self,
        _: ProviderId,
        _: Health,
        _: Option<Timestamp>,
        _: Timestamp,
    ) -> Result<(), StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn sample_copies(
        &self,
        _: ProviderId,
        _: Vec<u32>,
    ) -> Result<Vec<(Content, UpstreamId)>, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn prove_credential(&self, _: ProviderId, _: [u8; 32]) -> Result<(), StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn reserve_calls(&self, _: Ask) -> Result<Granted, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn note_lesson(&self, _: Arc<str>, _: BudgetClass, _: Lesson) -> Result<(), StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn keep_time(&self, _: KeptTime) -> Result<(), StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn ledger(&self) -> Result<Ledger, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn explain_pin(&self, _: RequestId, _: Timestamp) -> Result<Option<PinStory>, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    fn takes_room(&self) -> bool {
        unreachable!("{NOT_ASKED}")
    }
    async fn settle_missing(&self, _: PinId, _: u32, _: Timestamp) -> Result<Missing, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn set_mode(
        &self,
        _: ProviderId,
        _: Mode,
        _: bool,
        _: Option<String>,
        _: Timestamp,
    ) -> Result<(), StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn stats(&self, _: Timestamp) -> Result<StoreStats, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn ping(&self) -> Result<(), StoreError> {
        unreachable!("{NOT_ASKED}")
    }
}

#[async_trait]
impl JobStore for ScriptedStore {
    async fn create_job(&self, _: NewJob, _: Timestamp) -> Result<Job, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn jobs(&self, _: Option<JobId>, _: bool, _: u32) -> Result<Vec<Job>, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn job(&self, _: JobId) -> Result<Option<Job>, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn checkpoint_job(&self, _: JobId, _: Checkpoint, _: Timestamp) -> Result<bool, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn command_job(
        &self,
        _: JobId,
        _: JobCommand,
        _: Option<String>,
        _: Timestamp,
    ) -> Result<Option<Job>, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn drain(&self, _: JobId, _: bool, _: Timestamp) -> Result<bool, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn forget_jobs(&self, _: Timestamp) -> Result<u64, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
}

#[async_trait]
impl AdoptStore for ScriptedStore {
    async fn stage_pins(&self, _: Adoption, _: Vec<ListedPin>, _: Timestamp) -> Result<u64, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn compare_copies(&self, _: Adoption, _: ContentId, _: u32) -> Result<Compared, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn adopt_pins(&self, _: Adoption, _: u32, _: Timestamp) -> Result<Adopted, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn staged(&self, _: Adoption) -> Result<Staged, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn clear_staged(&self, _: JobId, _: u32) -> Result<u64, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
}

#[async_trait]
impl EventStore for ScriptedStore {
    async fn events(&self, _: EventQuery) -> Result<EventPage, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn note_event(&self, _: NewEvent, _: Timestamp) -> Result<(), StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn trim_events(&self, _: Duration, _: u32, _: Timestamp) -> Result<bool, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
}

#[async_trait]
impl TokenStore for ScriptedStore {
    async fn token_changes(&self, _: u64) -> Result<Vec<TokenRecord>, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn tokens(&self, _: Option<TokenId>, _: u32) -> Result<Vec<TokenRecord>, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn token(&self, _: TokenId) -> Result<Option<TokenRecord>, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn create_token(&self, _: NewToken, _: Timestamp) -> Result<TokenRecord, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn revoke_token(
        &self,
        _: TokenId,
        _: Option<Arc<str>>,
        _: Timestamp,
    ) -> Result<Option<TokenRecord>, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn rotate_token(
        &self,
        _: TokenId,
        _: Successor,
        _: Timestamp,
    ) -> Result<Option<TokenRecord>, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn note_token_uses(&self, _: Vec<TokenUse>) -> Result<(), StoreError> {
        unreachable!("{NOT_ASKED}")
    }
    async fn forget_tokens(&self, _: Timestamp) -> Result<u64, StoreError> {
        unreachable!("{NOT_ASKED}")
    }
}

pub const ACCOUNT: AccountId = AccountId(1);
pub const CID: &str = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n";
/// An id that no test's pin has.
pub const NOBODY: &str = "01941f29-7c00-7aaa-8aaa-aaaaaaaaaaaa";

/// A token of the second account that may use the policies `archive` and `cold`.
pub const CHOOSER: &str = "chooser";

/// The API over a scripted store; two accounts, whose tokens are `one` and `two`; the first has one more,
/// `reader`, that only reads; the clients of the second may choose by meta.
pub struct House {
    pub store: Arc<ScriptedStore>,
    pub changes: Changes,
    pub interest: Interest,
    pub activator: Activator,
    pub limits: Limits,
    /// The time that limits go by.
    pub ticks: ManualTicks,
    pub metrics: Metrics,
    pub router: Router,
    /// For operators.
    pub agent: Agent,
}

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        assert_eq!(self.headers[header::CONTENT_TYPE], "application/json");
        serde_json::from_slice(&self.body).unwrap()
    }

    pub fn requestid(&self) -> RequestId {
        RequestId::parse(self.json()["requestid"].as_str().unwrap()).unwrap()
    }

    /// Asserts that this is a Failure and nothing more, and returns its details.
    pub fn failure(&self, status: u16, reason: &str) -> String {
        let json = self.json();
        assert_eq!(
            (self.status.as_u16(), json["error"]["reason"].as_str()),
            (status, Some(reason)),
            "{json}"
        );
        let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(keys(&json), ["error"]);
        assert_eq!(keys(&json["error"]), ["details", "reason"]);
        let details = json["error"]["details"].as_str().unwrap();
        assert!(!details.is_empty());
        details.to_owned()
    }
}

impl House {
    /// With no wait for copies.
    pub fn new() -> Self {
        Self::with(Settings { accept_wait: Duration::ZERO, ..Settings::default() })
    }

    pub fn with(settings: Settings) -> Self {
        Self::limited(settings, &limits::Settings::default())
    }

    /// With no wait for copies, and these limits, whose time stands still.
    pub fn with_limits(limits: &limits::Settings) -> Self {
        Self::limited(Settings { accept_wait: Duration::ZERO, ..Settings::default() }, limits)
    }

    fn limited(settings: Settings, limits: &limits::Settings) -> Self {
        let ticks = ManualTicks::default();
        let limits = Limits::with_ticks(limits, Ticks::manual(&ticks));
        let store = Arc::new(ScriptedStore::default());
        let (changes, interest, activator) = <(Changes, Interest, Activator)>::default();
        let metrics = Metrics::new();
        let names = [(ACCOUNT, "one"), (AccountId(2), "two")];
        let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
        let token = |(account, name): (AccountId, &str)| {
            TokenDecl::of_account(account, name, "laptop", TokenHash::of(name))
        };
        let reader = TokenDecl {
            scopes: Scopes::NONE.with(Scope::PinsRead),
            ..TokenDecl::of_account(ACCOUNT, "one", "reader", TokenHash::of("reader"))
        };
        let chooser = TokenDecl {
            policies: vec!["archive".into(), "cold".into()],
            ..TokenDecl::of_account(AccountId(2), "two", CHOOSER, TokenHash::of(CHOOSER))
        };
        let tokens = Tokens::new(names.map(token).into_iter().chain([reader, chooser]));
        let account = |(id, name): (AccountId, &str)| Account {
            id,
            name: name.into(),
            policy: "default".into(),
            meta_controls: name == "two",
            quota: Quota::NONE,
        };
        let (router, agent) = super::open(Api {
            store: store.clone(),
            gate: Gate::new(tokens, clock.clone()),
            served: Served::new(&names.map(account), settings, &metrics),
            limits: limits.clone(),
            changes: changes.clone(),
            interest: interest.clone(),
            activator: activator.clone(),
            clock,
            metrics: metrics.clone(),
            traces: Traces::default(),
        });
        Self { store, changes, interest, activator, limits, ticks, metrics, router, agent }
    }

    /// Sends a request as it is.
    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: head.status, headers: head.headers, body }
    }

    /// Sends a request with the first account's token.
    pub async fn ask(&self, method: Method, uri: &str, body: &str) -> Answer {
        self.send(request(method, uri, "one", body)).await
    }

    pub async fn get(&self, uri: &str) -> Answer {
        self.ask(Method::GET, uri, "").await
    }

    /// Adds a pin and returns its id.
    pub async fn add(&self) -> RequestId {
        let answer = self.ask(Method::POST, "/pins", &format!(r#"{{"cid":"{CID}"}}"#)).await;
        assert_eq!(answer.status, 202);
        answer.requestid()
    }
}

pub fn request(method: Method, uri: &str, token: &str, body: &str) -> Request<Body> {
    let request =
        Request::builder().method(method).uri(uri).header("authorization", format!("Bearer {token}"));
    let request = if body.is_empty() { request } else { request.header("content-type", "application/json") };
    request.body(Body::from(body.to_owned())).unwrap()
}
