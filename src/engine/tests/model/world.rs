//! One random world, from its first pin to its rest.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use rand::{Rng, SeedableRng, rngs::StdRng, seq::IteratorRandom};

use super::{
    super::world::{HOUR, START},
    fake::Fake,
    policies::{POLICIES, policy},
};
use crate::{
    engine::{Driven, Engine, Settings, Shared, StoreLedger},
    lifecycle::{Activator, Changes, Interest, Shutdown},
    model::*,
    store::{
        Registration, SharedStore,
        sqlite::{ReadSettings, SqliteSettings, SqliteStore, founded::founded},
    },
    telemetry::{Metrics, Traces},
};

pub(super) const NAMES: [&str; 4] = ["alpha", "beta", "gamma", "delta"];
pub(super) const REGIONS: [&str; 4] = ["eu", "eu", "us", "ap"];
pub(super) const ACCOUNTS: [&str; 2] = ["ada", "ben"];
/// Few contents, so that pins share copies.
pub(super) const CONTENTS: u64 = 6;
/// What clients, operators and providers do in a world.
const ACTS: u32 = 32;
/// Providers that are well are asked how they are less often than usually: days pass in which nothing else is asked.
const SILENCE: Duration = Duration::from_secs(12 * 3600);

/// A pin as its client knows it.
pub(super) struct Known {
    pub(super) account: usize,
    pub(super) content: u64,
    pub(super) policy: usize,
    /// In which of its policy's words it may be kept: two while they are being applied.
    pub(super) words: BTreeSet<bool>,
    pub(super) expires: Option<Timestamp>,
    pub(super) was_pinned: bool,
}

pub(super) struct Inside {
    pub(super) engine: Engine,
    pub(super) store: SharedStore,
    shutdown: Shutdown,
    pub(super) accounts: Vec<AccountId>,
}

pub(super) struct World {
    dir: tempfile::TempDir,
    pub(super) clock: Arc<ManualClock>,
    metrics: Metrics,
    pub(super) chance: StdRng,
    pub(super) fakes: Vec<Arc<Fake>>,
    facts: Vec<Facts>,
    /// The provider that the config does not name now.
    pub(super) unnamed: Option<usize>,
    /// Of which policies the config has the second words.
    pub(super) second: [bool; POLICIES],
    inside: Option<Inside>,
    pub(super) pins: BTreeMap<RequestId, Known>,
    /// Pins whose time has come.
    pub(super) ended: Vec<(usize, RequestId)>,
}

/// What the config says of a provider.
fn facts(n: usize, chance: &mut StdRng) -> Facts {
    let mut some = |share, span: std::ops::Range<u32>| {
        let hours = chance.random_range(span);
        chance.random_bool(share).then_some(hours * HOUR)
    };
    let declare_dead_after = some(0.5, 6..48);
    let audit = some(0.4, 12..72).map(|every| Audit { every, by: AuditBy::Auto });
    let max_pins = (n == 3 && chance.random_bool(0.4)).then(|| chance.random_range(2..5));
    let tags = BTreeMap::from([("region".to_owned(), REGIONS[n].to_owned())]);
    Facts { tags, declare_dead_after, audit, max_pins, ..Facts::default() }
}

impl World {
    /// Lives through it; panics where it did not hold.
    pub(super) async fn live(seed: u64) {
        let mut world = Self::begin(seed).await;
        for _ in 0..ACTS {
            world.act().await;
            world.check().await;
        }
        world.come_to_rest().await;
        world.stop().await;
    }

    async fn begin(seed: u64) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let mut chance = StdRng::seed_from_u64(seed);
        let fakes = NAMES.map(|name| Fake::new(name, chance.random(), clock.clone())).to_vec();
        let facts = (0..NAMES.len()).map(|n| facts(n, &mut chance)).collect();
        let mut world = Self {
            dir: founded(),
            clock,
            metrics: Metrics::new(),
            chance,
            fakes,
            facts,
            unnamed: None,
            second: [false; POLICIES],
            inside: None,
            pins: BTreeMap::new(),
            ended: Vec::new(),
        };
        for _ in 0..world.chance.random_range(0..4) {
            world.pin_by_hand();
        }
        world.start().await;
        world
    }

    /// What the config says now.
    pub(super) fn registration(&self) -> Registration {
        let provider = |n: usize| {
            let declared = ProviderDecl::new(NAMES[n], Fingerprint::new(NAMES[n], None));
            ProviderDecl { facts: self.facts[n].clone(), ..declared }
        };
        let named = (0..NAMES.len()).filter(|n| self.unnamed != Some(*n));
        Registration {
            accounts: ACCOUNTS.map(|name| AccountDecl::new(name, "one")).to_vec(),
            policies: (0..POLICIES).map(|n| policy(n, self.second[n])).collect(),
            providers: named.map(provider).collect(),
        }
    }

    pub(super) async fn start(&mut self) {
        let (metrics, path) = (self.metrics.clone(), self.dir.path().join("pins.db"));
        let reads = ReadSettings { point_connections: 1, ..ReadSettings::default() };
        let settings = SqliteSettings { reads, ..SqliteSettings::default() };
        let opened = SqliteStore::open(&path, &settings, Changes::default(), &metrics);
        let store: SharedStore = Arc::new(opened.unwrap());
        let registered = store.register(self.registration(), self.now()).await.unwrap();
        let ledger = StoreLedger::open(&store, self.clock.clone()).await.unwrap();
        for fake in &self.fakes {
            fake.count_by(ledger.clone());
        }
        let shared = Shared {
            store: store.clone(),
            clock: self.clock.clone(),
            sure: SureClock::new(self.clock.clone(), registered.time),
            activator: Activator::default(),
            interest: Interest::default(),
            shutdown: Shutdown::default(),
            metrics,
            traces: Traces::default(),
            settings: Settings { longest_silence: SILENCE, ..Settings::default() },
        };
        let driven = |record: &ProviderRecord| Driven {
            provider: self.fakes[place(&record.name)].clone(),
            record: record.clone(),
        };
        let shutdown = shared.shutdown.clone();
        let accounts = registered.accounts.iter().map(|(_, id)| *id).collect();
        let absent = registered.absent.iter().map(|(record, _)| record.clone()).collect();
        let engine = Engine::new(shared, registered.providers.iter().map(driven).collect(), absent);
        self.inside = Some(Inside { engine, store, shutdown, accounts });
    }

    pub(super) async fn stop(&mut self) {
        if let Some(Inside { engine, store, shutdown, .. }) = self.inside.take() {
            shutdown.abort();
            shutdown.drained(Duration::ZERO).await;
            drop((engine, store));
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn inside(&self) -> &Inside {
        self.inside.as_ref().expect("it runs")
    }

    /// A provider's number here and its id on record.
    pub(super) async fn some_provider(&mut self) -> (usize, ProviderId) {
        let records = self.inside().store.providers().await.unwrap();
        let record = records.iter().choose(&mut self.chance).unwrap();
        (place(&record.name), record.id)
    }

    // ---- time

    pub(super) async fn run_for(&mut self, span: Duration, grain: Duration) {
        let end = self.now().plus(span);
        loop {
            let next = self.catch_up().await.unwrap_or(end).max(self.now().plus(grain));
            if next >= end {
                break;
            }
            self.clock.set(next);
        }
        self.clock.set(end);
        self.catch_up().await;
    }

    async fn catch_up(&mut self) -> Option<Timestamp> {
        let now = self.now();
        self.end_pins(now);
        for _ in 0..500 {
            let dead = self.dead().await;
            let inside = self.inside.as_mut().expect("it runs");
            let report = inside.engine.step(now).await.unwrap();
            self.check_removals(&dead);
            if report.is_idle() && report.next.is_none_or(|at| at > now) {
                return report.next;
            }
        }
        panic!("the engine spins at {now}");
    }

    /// Their clients let go of them long ago.
    fn end_pins(&mut self, now: Timestamp) {
        let has_ended = |known: &Known| known.expires.is_some_and(|end| end <= now);
        let ended: Vec<(RequestId, Known)> = self.pins.extract_if(.., |_, known| has_ended(known)).collect();
        self.ended.extend(ended.into_iter().map(|(id, known)| (known.account, id)));
    }
}

/// Which of the providers has this name.
pub(super) fn place(name: &str) -> usize {
    NAMES.iter().position(|one| *one == name).expect("it is one of them")
}
