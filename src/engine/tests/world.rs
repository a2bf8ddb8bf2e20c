//! A gateway's inside without its doors: one store, some simulated providers, one clock that stands still unless a
//! test moves it, and an engine that moves only when it is stepped.

mod setup;

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf, sync::Arc, time::Duration};

use crate::{
    engine::{Costed, Driven, Engine, Fleet, Settings, Shared, StoreLedger, TickReport},
    http,
    lifecycle::{Activator, Changes, Interest, Shutdown},
    model::*,
    policy::{Copies, Policy},
    presets::Presets,
    providers::{self, Credential, Endpoint, GatewaySettings, Login, Peers, SecretFile, SecretKind, Source},
    sim::{Fault, Route, Sim},
    store::{
        AcceptPin, Change, EventQuery, EventsFrom, PinRecord, Registered, Registration, SharedStore,
        sqlite::{SqliteSettings, SqliteStore, founded::founded},
    },
    telemetry::{Metrics, Traces},
};

pub(super) use setup::Builder;
use setup::Holds;

pub(super) const SECOND: Duration = Duration::from_secs(1);
pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);
pub(super) const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

const USER: &str = "ada@example.com";
const PASSWORD: &str = "correct-horse-battery";
const REFRESH: &str = "/api/auth/refresh";

const NAMES: [&str; 3] = ["alpha", "beta", "gamma"];
/// Steps at one instant after which nothing may be left to do.
const STEPS_AT_ONCE: u32 = 200;

/// Any number of contents, each with a CID.
pub(super) fn cid(n: u64) -> PinCid {
    let digest = [n.to_be_bytes(); 4].concat();
    let content = Content::from_bytes(&[&[1, 0x55, 0x12, 32][..], &digest].concat()).unwrap();
    PinCid::canonical(content)
}

pub(super) fn content(n: u64) -> Content {
    cid(n).content().clone()
}

impl Builder {
    pub(super) async fn start(self) -> World {
        let clock = Arc::new(ManualClock::at(START));
        let mut sims = Vec::new();
        for (n, name) in NAMES.iter().enumerate().take(self.sims) {
            sims.push((self.quirks)(n, self.sim(name).clock(clock.clone())).start().await);
        }
        let named = NAMES[..self.sims].to_vec();
        let dir = founded();
        let client = http::Client::new(&http::Settings::default());
        let peers = Peers::default();
        let mut world = World { dir, clock, sims, named, setup: self, peers, client, inside: None };
        for (n, name) in NAMES.iter().enumerate() {
            world.put_token(n, name);
        }
        world.start().await;
        world
    }
}

/// What a restart drops and makes again.
pub(super) struct Inside {
    engine: Engine,
    pub(super) store: SharedStore,
    pub(super) interest: Interest,
    shutdown: Shutdown,
    accounts: Vec<AccountId>,
}

pub(super) struct World {
    dir: tempfile::TempDir,
    pub(super) clock: Arc<ManualClock>,
    pub(super) sims: Vec<Sim>,
    /// Providers that the config names now.
    pub(super) named: Vec<&'static str>,
    setup: Builder,
    peers: Peers,
    /// One for all starts: it reads the machine's certificates.
    client: http::Client,
    inside: Option<Inside>,
}

impl World {
    pub(super) fn inside(&self) -> &Inside {
        self.inside.as_ref().expect("it runs")
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    // ---- starting and stopping

    fn registration(&self) -> Registration {
        let fingerprint = |n: usize| Fingerprint::new(&self.sims[n].url(), None);
        let known = NAMES.iter().enumerate().filter(|(_, name)| self.named.contains(name));
        let account = |name: &str| AccountDecl::new(name, "it");
        let mut policy = Policy::plain(
            "it",
            Copies { min: self.setup.copies, max: self.setup.copies },
            self.setup.need,
            NAMES[..self.sims.len()].iter().map(ToString::to_string).collect(),
        );
        (self.setup.policy)(&mut policy);
        let provider = |n: usize, name: &str| {
            let mut declared = ProviderDecl::new(name, fingerprint(n));
            declared.facts.audit = self.setup.audit;
            declared.facts.proof = self.setup.gateways.then_some(Sampling { every: HOUR, sample: 20 });
            (self.setup.facts)(n, &mut declared.facts);
            declared
        };
        Registration {
            accounts: ["ada", "ben"].map(account).to_vec(),
            policies: vec![policy],
            providers: known.map(|(n, name)| provider(n, name)).collect(),
        }
    }

    pub(super) async fn start(&mut self) -> Registered {
        let (metrics, clock) = (Metrics::new(), self.clock.clone());
        let path = self.dir.path().join("pins.db");
        let opened = SqliteStore::open(&path, &SqliteSettings::default(), Changes::default(), &metrics);
        let store: SharedStore = Arc::new(opened.unwrap());
        let registered = store.register(self.registration(), self.now()).await.unwrap();
        if registered.clock_behind.is_some() {
            store.mend_schedule(self.now()).await.unwrap();
        }
        let shared = Shared {
            store: store.clone(),
            sure: SureClock::new(clock.clone(), registered.time),
            clock,
            activator: Activator::default(),
            interest: Interest::default(),
            shutdown: Shutdown::default(),
            metrics: metrics.clone(),
            traces: Traces::default(),
            settings: Settings::default(),
        };
        let (interest, shutdown) = (shared.interest.clone(), shared.shutdown.clone());
        let ledger = StoreLedger::open(&store, self.clock.clone()).await.unwrap();
        let driven =
            registered.providers.iter().map(|record| self.driven(record, &ledger, &metrics)).collect();
        let absent = registered.absent.iter().map(|(record, _)| record.clone()).collect();
        let engine = Engine::new(shared, driven, absent);
        let accounts = registered.accounts.iter().map(|(_, id)| *id).collect();
        self.inside = Some(Inside { engine, store, interest, shutdown, accounts });
        registered
    }

    /// Makes the store believe that another credential than the provider's was proven last.
    pub(super) async fn proven_by_another(&self, n: usize) {
        let store = &self.inside().store;
        let known = store.providers().await.unwrap();
        let id = known.into_iter().find(|record| record.name == NAMES[n]).unwrap().id;
        store.prove_credential(id, [7; 32]).await.unwrap();
    }

    fn credential(&self, n: usize) -> Credential {
        match self.setup.holds {
            Holds::Tokens => Credential::token(&NAMES[n].into()).unwrap(),
            Holds::Files => {
                let file = SecretFile::open(self.token_file(n), SecretKind::Token).unwrap();
                Credential::Token(Source::File(file))
            }
            Holds::Logins { refresh } => {
                let mut how = Presets::known(self.setup.preset).login.clone().unwrap();
                how.refresh_url = refresh.then(|| REFRESH.into());
                let password = Some(Source::Fixed(PASSWORD.into()));
                Credential::Login(Login { user: USER.into(), password, how })
            }
        }
    }

    fn token_file(&self, n: usize) -> PathBuf {
        self.dir.path().join(format!("{}.token", NAMES[n]))
    }

    /// Puts a token into the file that a provider's may be in, as an operator does.
    pub(super) fn put_token(&self, n: usize, token: &str) {
        let new = self.dir.path().join("new.token");
        fs::write(&new, token).unwrap();
        fs::set_permissions(&new, fs::Permissions::from_mode(0o600)).unwrap();
        fs::rename(new, self.token_file(n)).unwrap();
    }

    fn driven(&self, record: &ProviderRecord, ledger: &Arc<StoreLedger>, metrics: &Metrics) -> Driven {
        let n = NAMES.iter().position(|name| *name == record.name).unwrap();
        let endpoint = Endpoint::parse(&self.sims[n].endpoint()).unwrap();
        let (preset, credential) = (Presets::known(self.setup.preset), self.credential(n));
        let mut settings = providers::Settings::of(preset, NAMES[n], endpoint, credential);
        settings.exclusive = self.setup.exclusive;
        settings.try_timeout = self.setup.try_timeout;
        settings.peers = self.peers.clone();
        settings.gateway = self.setup.gateways.then(|| {
            let base = Endpoint::parse(&self.sims[n].url()).unwrap();
            let gateway = GatewaySettings::new(base, http::Settings::default());
            GatewaySettings { timeout: Duration::from_millis(300), ..gateway }
        });
        // Further tries wait in real time.
        settings.retries = 0;
        (self.setup.budget)(n, &mut settings);
        settings.budget.ledger = Some(ledger.clone());
        Driven {
            provider: providers::connect(
                settings,
                self.client.clone(),
                self.clock.clone(),
                metrics.provider(NAMES[n]),
            ),
            record: record.clone(),
        }
    }

    /// Lets the engine go by itself; returns its first provider, too, to be exchanged for.
    pub(super) async fn set_free(&mut self) -> (Fleet, Driven) {
        let Inside { engine, store, .. } = self.inside.take().expect("it runs");
        let ledger = StoreLedger::open(&store, self.clock.clone()).await.unwrap();
        let record = store.providers().await.unwrap().remove(0);
        (engine.spawn(), self.driven(&record, &ledger, &Metrics::new()))
    }

    /// Drops everything that is in memory, calls under way too.
    pub(super) async fn stop(&mut self) {
        if let Some(Inside { engine, store, shutdown, .. }) = self.inside.take() {
            shutdown.abort();
            shutdown.drained(Duration::ZERO).await;
            drop((engine, store));
        }
    }

    pub(super) async fn restart(&mut self) -> Registered {
        self.stop().await;
        self.start().await
    }

    /// Starts again without audits.
    pub(super) async fn restart_unaudited(&mut self) {
        self.setup.audit = None;
        self.restart().await;
    }

    // ---- what many tests begin with

    pub(super) const PINS: u64 = 30;

    /// [`PINS`](Self::PINS) with two copies each: at the first two of three.
    pub(super) async fn with_two_copies_each() -> (Self, Vec<RequestId>) {
        let mut world = Self::of(3).exclusive().copies(2, 1).start().await;
        let mut pins = Vec::new();
        for n in 0..Self::PINS {
            pins.push(world.add(n).await);
        }
        world.run_for(10 * MINUTE).await;
        assert_eq!((world.held(0), world.held(1), world.held(2)), (30, 30, 0));
        (world, pins)
    }

    // ---- what operators do

    pub(super) async fn provider(&self, n: usize) -> ProviderRecord {
        let providers = self.inside().store.providers().await.unwrap();
        providers.into_iter().find(|provider| provider.name == NAMES[n]).unwrap()
    }

    /// What a change of many pins would come to.
    pub(super) async fn plan(&self, change: Change) -> Costed {
        self.inside().engine.planner().plan(change).await.unwrap()
    }

    /// Takes up a config whose policy says something else besides.
    pub(super) async fn declare(&mut self, policy: fn(&mut Policy)) {
        self.setup.policy = policy;
        self.inside().store.reregister(self.registration(), self.now()).await.unwrap();
    }

    /// Takes up a config that says something else of the providers.
    pub(super) async fn declare_facts(&mut self, facts: fn(usize, &mut Facts)) {
        self.setup.facts = facts;
        self.inside().store.reregister(self.registration(), self.now()).await.unwrap();
    }

    pub(super) async fn audit_by(&self, n: usize, by: AuditBy) -> JobId {
        let terms = serde_json::json!({ "by": by }).to_string();
        self.start_audit(n, terms).await.unwrap()
    }

    pub(super) async fn try_audit(&self, n: usize) -> Result<JobId, crate::store::StoreError> {
        self.start_audit(n, "{}".to_owned()).await
    }

    async fn start_audit(&self, n: usize, terms: String) -> Result<JobId, crate::store::StoreError> {
        let (kind, provider) = (JobKind::Audit, Some(self.provider(n).await.id));
        let job = NewJob { kind, provider, account: None, terms, by: None };
        Ok(self.inside().store.create_job(job, self.now()).await?.id)
    }

    pub(super) async fn audit(&self, n: usize) -> JobId {
        self.try_audit(n).await.unwrap()
    }

    pub(super) async fn job(&self, id: JobId) -> Job {
        self.inside().store.job(id).await.unwrap().expect("the job is on record")
    }

    pub(super) async fn tell(&self, id: JobId, command: JobCommand) {
        self.inside().store.command_job(id, command, None, self.now()).await.unwrap();
    }

    // ---- what clients do

    fn request(&self, account: usize, n: u64) -> AcceptPin {
        AcceptPin {
            account: self.inside().accounts[account],
            requestid: RequestId::mint(self.now()),
            spec: PinSpec::bare(cid(n)),
            policy: "it".into(),
            quota: Quota::NONE,
            expires: None,
            by: None,
            now: self.now(),
        }
    }

    pub(super) fn account(&self, account: usize) -> AccountId {
        self.inside().accounts[account]
    }

    pub(super) async fn add_for(&self, account: usize, n: u64) -> RequestId {
        self.inside().store.accept_pin(self.request(account, n)).await.unwrap().requestid
    }

    pub(super) async fn add_with(&self, n: u64, origins: Origins) -> RequestId {
        let mut request = self.request(0, n);
        request.spec.origins = origins;
        self.inside().store.accept_pin(request).await.unwrap().requestid
    }

    /// Adds a pin of a block that all providers' gateways hand out while they have it pinned.
    pub(super) async fn add_block(&self, n: u64) -> RequestId {
        let mut request = self.request(0, n);
        for sim in &self.sims {
            request.spec.cid = sim.stock(format!("block {n}")).expect("there is room");
        }
        self.inside().store.accept_pin(request).await.unwrap().requestid
    }

    /// Starts again with gateways, or without.
    pub(super) async fn restart_with_gateways(&mut self, gateways: bool) {
        self.setup.gateways = gateways;
        self.restart().await;
    }

    /// Adds a pin that goes away then.
    pub(super) async fn add_until(&self, n: u64, end: Timestamp) -> RequestId {
        let request = AcceptPin { expires: Some(end), ..self.request(0, n) };
        self.inside().store.accept_pin(request).await.unwrap().requestid
    }

    pub(super) async fn add(&self, n: u64) -> RequestId {
        self.add_for(0, n).await
    }

    pub(super) async fn replace(&self, old: RequestId, n: u64) -> RequestId {
        let replaced = self.inside().store.replace_pin(old, self.request(0, n)).await.unwrap();
        replaced.expect("the old pin is there").requestid
    }

    pub(super) async fn delete(&self, pin: RequestId) {
        self.delete_for(0, pin).await;
    }

    pub(super) async fn delete_for(&self, account: usize, pin: RequestId) {
        let inside = self.inside();
        assert!(inside.store.delete_pin(inside.accounts[account], pin, None, self.now()).await.unwrap());
    }

    pub(super) async fn pin(&self, pin: RequestId) -> PinRecord {
        let inside = self.inside();
        inside.store.get_pin(inside.accounts[0], pin).await.unwrap().expect("the pin is there")
    }

    /// How many are kept.
    pub(super) async fn events(&self) -> usize {
        let from = EventsFrom::After(EventId(0));
        let query = EventQuery { from, limit: EventQuery::MAX_LIMIT, account: None, kinds: Vec::new() };
        self.inside().store.events(query).await.unwrap().events.len()
    }

    pub(super) async fn is_there(&self, pin: RequestId) -> bool {
        let inside = self.inside();
        inside.store.get_pin(inside.accounts[0], pin).await.unwrap().is_some()
    }

    pub(super) async fn status(&self, pin: RequestId) -> Status {
        self.pin(pin).await.status
    }

    pub(super) async fn health(&self, n: usize) -> Health {
        let providers = self.inside().store.providers().await.unwrap();
        providers.into_iter().find(|provider| provider.name == NAMES[n]).unwrap().health
    }

    /// Counts the changes of health that are noted after this.
    pub(super) fn healths_from_now_on(&self) -> impl Fn() -> i64 + use<> {
        let database = self.database();
        let noting = "CREATE TABLE noted (health INTEGER);
            CREATE TRIGGER noting AFTER UPDATE OF health ON providers BEGIN INSERT INTO noted VALUES (NEW.health); END";
        database.execute_batch(noting).unwrap();
        move || database.query_row("SELECT count(*) FROM noted", [], |row| row.get(0)).unwrap()
    }

    // ---- what the engine does

    /// What the ledger of calls holds.
    pub(super) fn ledger_rows(&self) -> i64 {
        let database = self.database();
        database.query_row("SELECT count(*) FROM budget_use", [], |row| row.get(0)).unwrap()
    }

    /// One tick at a time at which the store refuses what the trigger `on` names, as on a full disk.
    pub(super) async fn refused_step(&mut self, on: &str) {
        self.refuse(on);
        let now = self.now();
        assert!(self.inside.as_mut().expect("it runs").engine.step(now).await.is_err());
        self.refuse_no_more();
    }

    /// From now on the store fails where it does this.
    pub(super) fn refuse(&self, on: &str) {
        let refuse = format!("CREATE TRIGGER refused BEFORE {on} BEGIN SELECT RAISE(ABORT, 'refused'); END");
        self.database().execute_batch(&refuse).unwrap();
    }

    pub(super) fn refuse_no_more(&self) {
        self.database().execute_batch("DROP TRIGGER refused").unwrap();
    }

    fn database(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.dir.path().join("pins.db")).unwrap()
    }

    /// One tick, and the end of all that it started.
    pub(super) async fn step(&mut self) -> TickReport {
        let now = self.now();
        self.inside.as_mut().expect("it runs").engine.step(now).await.unwrap()
    }

    /// Starts what is due and waits for none of it.
    pub(super) async fn tick(&mut self) -> TickReport {
        let now = self.now();
        self.inside.as_mut().expect("it runs").engine.tick(now).await.unwrap()
    }

    /// Steps until nothing is left to do at this instant; when there is again.
    pub(super) async fn catch_up(&mut self) -> Option<Timestamp> {
        for _ in 0..STEPS_AT_ONCE {
            let report = self.step().await;
            let due_now = report.next.is_some_and(|at| at <= self.now());
            if report.is_idle() && !due_now {
                return report.next;
            }
        }
        panic!("the engine spins at {}", self.now());
    }

    /// Lets this much time pass, and the engine do in it whatever is due.
    pub(super) async fn run_for(&mut self, span: Duration) {
        let end = self.now().plus(span);
        while let Some(next) = self.catch_up().await.filter(|next| *next <= end) {
            self.clock.set(next);
        }
        self.clock.set(end);
        self.catch_up().await;
    }

    /// Enough time for whatever has no trouble.
    pub(super) async fn settle(&mut self) {
        self.run_for(2 * MINUTE).await;
    }

    // ---- what providers saw

    pub(super) fn held(&self, n: usize) -> usize {
        self.sims[n].pins().len()
    }

    pub(super) fn calls(&self, n: usize, route: Route) -> u64 {
        self.sims[n].counts().calls(route)
    }

    pub(super) fn strike(&self, n: usize, times: u32, route: Route, fault: Fault) {
        self.sims[n].faults().next(times, route, fault);
    }

    /// What holds at the end of every test: nothing was made twice (I7) and nothing is stuck, as it would be where a
    /// task had panicked.
    pub(super) async fn end(mut self) {
        for (n, sim) in self.sims.iter().enumerate() {
            assert!(sim.pins().made_twice().is_empty(), "made twice at {}", NAMES[n]);
        }
        let registered = self.restart().await;
        assert_eq!(registered.recovered, 0, "claims that nobody works on");
        self.stop().await;
    }
}
