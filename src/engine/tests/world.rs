//! A gateway without its doors: store, engine and simulated providers on one clock that stands still until turned.

use std::{path::PathBuf, sync::Arc, time::Duration};

use sha2::{Digest, Sha256};

use crate::{
    engine::{Driven, Engine, Settings, Shared},
    http,
    lifecycle::{Activator, Changes, Interest, Shutdown},
    model::{
        AccountDecl, AccountId, Clock, Content, Fingerprint, Health, ManualClock, PinCid, PinSpec,
        ProviderDecl, ReplicaState, RequestId, Status, Timestamp,
    },
    policy::{Copies, Policy},
    providers::{self, Endpoint, Token, psa},
    sim::{Builder, Sim},
    store::{
        AcceptPin, PinRecord, Registration, SharedStore,
        sqlite::{SqliteSettings, SqliteStore},
    },
    telemetry::Metrics,
};

const START: Timestamp = Timestamp::from_millis(1_780_000_000_000);
pub(super) const HOUR: Duration = Duration::from_secs(3600);

pub(super) fn cid(n: u32) -> PinCid {
    let digest: [u8; 32] = Sha256::digest(n.to_be_bytes()).into();
    let bytes = [&[0x01, 0x55, 0x12, 0x20], digest.as_slice()].concat();
    PinCid::canonical(Content::from_bytes(&bytes).unwrap())
}

/// How a world is made.
pub(super) struct Plan {
    pub(super) need: u16,
    pub(super) copies: u16,
    pub(super) exclusive: bool,
    pub(super) sims: Vec<Builder>,
}

impl Plan {
    pub(super) fn new(copies: u16, sims: usize) -> Self {
        let sims = (0..sims).map(|_| Sim::builder("secret")).collect();
        Self { need: 1, copies, exclusive: false, sims }
    }

    pub(super) fn each(mut self, change: impl Fn(Builder) -> Builder) -> Self {
        self.sims = self.sims.into_iter().map(change).collect();
        self
    }

    pub(super) async fn start(self) -> World {
        let clock = Arc::new(ManualClock::at(START));
        let mut sims = Vec::new();
        for sim in self.sims {
            sims.push(sim.clock(clock.clone()).start().await);
        }
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pinfold.db");
        let shape = Shape { need: self.need, copies: self.copies, exclusive: self.exclusive };
        let token = "secret".to_owned();
        let running = Running::start(&path, &clock, &sims, &shape, &token).await.unwrap();
        World { clock, sims, shape, token, running: Some(running), path, _dir: dir }
    }
}

struct Shape {
    need: u16,
    copies: u16,
    exclusive: bool,
}

struct Running {
    engine: Engine,
    store: SharedStore,
    account: AccountId,
    interest: Interest,
}

pub(super) struct World {
    pub(super) clock: Arc<ManualClock>,
    pub(super) sims: Vec<Sim>,
    shape: Shape,
    pub(super) token: String,
    running: Option<Running>,
    path: PathBuf,
    _dir: tempfile::TempDir,
}

fn name(index: usize) -> String {
    format!("p{index}")
}

impl Running {
    async fn start(
        path: &std::path::Path,
        clock: &Arc<ManualClock>,
        sims: &[Sim],
        shape: &Shape,
        token: &str,
    ) -> anyhow::Result<Self> {
        let metrics = Metrics::new();
        let store: SharedStore =
            Arc::new(SqliteStore::open(path, &SqliteSettings::default(), Changes::default(), &metrics)?);
        let names: Vec<String> = (0..sims.len()).map(name).collect();
        let declared = |(name, sim): (&String, &Sim)| ProviderDecl {
            name: name.clone(),
            fingerprint: Fingerprint::new(&sim.url(), None),
        };
        let registered = store
            .register(
                Registration {
                    accounts: vec![AccountDecl { name: "a".into(), policy: "p".into() }],
                    policies: vec![Policy {
                        name: "p".into(),
                        copies: Copies { min: shape.need, max: shape.copies },
                        need: shape.need,
                        providers: names.clone(),
                    }],
                    providers: names.iter().zip(sims).map(declared).collect(),
                },
                clock.now(),
            )
            .await?;
        let client = http::Client::new(&http::Settings::default());
        let driven = registered
            .providers
            .iter()
            .zip(sims)
            .map(|(record, sim)| {
                let mut settings = providers::Settings::new(
                    &record.name,
                    Endpoint::parse(&sim.url()).unwrap(),
                    Token::new(&token.into()).unwrap(),
                );
                settings.exclusive = shape.exclusive;
                settings.deadline = Duration::from_secs(2);
                settings.try_timeout = Duration::from_secs(1);
                settings.retries = 0;
                let metrics = metrics.provider(&record.name);
                Driven {
                    provider: psa::connect(settings, client.clone(), clock.clone(), metrics),
                    record: record.clone(),
                    credential: Sha256::digest(token).into(),
                }
            })
            .collect();
        let interest = Interest::default();
        let shared = Shared {
            store: store.clone(),
            clock: clock.clone(),
            activator: Activator::default(),
            interest: interest.clone(),
            shutdown: Shutdown::default(),
            metrics,
            settings: Settings::default(),
        };
        let absent = registered.absent.iter().map(|(record, _)| record.clone()).collect();
        let engine = Engine::new(shared, driven, absent);
        Ok(Self { engine, store, account: registered.accounts[0].1, interest })
    }
}

impl World {
    fn running(&self) -> &Running {
        self.running.as_ref().expect("the gateway runs")
    }

    /// The gateway dies where it stands, and starts again.
    pub(super) async fn restart(&mut self) {
        self.try_restart().await.unwrap();
    }

    pub(super) async fn try_restart(&mut self) -> anyhow::Result<()> {
        // The writer thread gives the lock back on its own time.
        self.running = None;
        loop {
            match Running::start(&self.path, &self.clock, &self.sims, &self.shape, &self.token).await {
                Err(error) if error.to_string().contains("in use") => tokio::task::yield_now().await,
                Err(error) => return Err(error),
                Ok(running) => {
                    self.running = Some(running);
                    return Ok(());
                }
            }
        }
    }

    fn request(&self, spec: PinSpec) -> AcceptPin {
        let now = self.clock.now();
        AcceptPin {
            account: self.running().account,
            requestid: RequestId::mint(now),
            spec,
            policy: "p".into(),
            now,
        }
    }

    pub(super) async fn add(&self, cid: PinCid) -> RequestId {
        let request = self.request(PinSpec::bare(cid));
        self.running().store.accept_pin(request).await.unwrap().requestid
    }

    pub(super) async fn replace(&self, old: RequestId, cid: PinCid) -> RequestId {
        let request = self.request(PinSpec::bare(cid));
        self.running().store.replace_pin(old, request).await.unwrap().expect("the old pin is there").requestid
    }

    pub(super) async fn delete(&self, pin: RequestId) {
        let Running { store, account, .. } = self.running();
        assert!(store.delete_pin(*account, pin, self.clock.now()).await.unwrap(), "no such pin");
    }

    pub(super) async fn pin(&self, pin: RequestId) -> PinRecord {
        let Running { store, account, .. } = self.running();
        store.get_pin(*account, pin).await.unwrap().expect("the pin is there")
    }

    pub(super) async fn status(&self, pin: RequestId) -> Status {
        self.pin(pin).await.status
    }

    pub(super) async fn copies(&self, pin: RequestId) -> Vec<(String, ReplicaState)> {
        self.pin(pin).await.copies.into_iter().map(|copy| (copy.provider, copy.state)).collect()
    }

    pub(super) async fn health(&self, provider: usize) -> Health {
        let known = self.running().store.providers().await.unwrap();
        known.into_iter().find(|record| record.name == name(provider)).unwrap().health
    }

    pub(super) fn ask_about(&self, pin: RequestId) {
        self.running().interest.note(pin);
    }

    /// One tick, and all the calls that it starts.
    pub(super) async fn step(&mut self) -> crate::engine::TickReport {
        let now = self.clock.now();
        self.running.as_mut().expect("the gateway runs").engine.step(now).await.unwrap()
    }

    /// Steps for as long as anything is due within `span`, turning the clock to whatever comes next.
    pub(super) async fn run_for(&mut self, span: Duration) {
        let end = self.clock.now().plus(span);
        for _ in 0..5_000 {
            let report = self.step().await;
            if report.claimed + report.settled + report.respilled + report.hastened > 0 {
                continue;
            }
            let least = self.clock.now().plus(Duration::from_millis(10));
            let next = report.next.unwrap_or(end).max(least).min(end);
            if self.clock.now() >= end {
                return;
            }
            self.clock.set(next);
        }
        panic!("the engine never comes to rest");
    }

    pub(super) fn calls(&self, sim: usize) -> u64 {
        self.sims[sim].counts().total()
    }

    /// What holds in every world: no provider has two pins of one content made by us (I7).
    pub(super) fn check(&self) {
        for sim in &self.sims {
            assert!(sim.pins().made_twice().is_empty(), "made twice: {:?}", sim.pins().made_twice());
        }
    }
}
