//! One random world, from its first pin to its rest.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use rand::{
    Rng, SeedableRng,
    rngs::StdRng,
    seq::{IndexedRandom, IteratorRandom},
};

use super::{
    super::world::{DAY, HOUR, MINUTE, START, cid},
    fake::{Fake, Mood},
};
use crate::{
    engine::{Driven, Engine, Settings, Shared, StoreLedger},
    lifecycle::{Activator, Changes, Interest, Shutdown},
    model::*,
    policy::{Choose, Copies, Deadlines, Late, Policy},
    store::{
        AcceptPin, PinRecord, Registration, SharedStore,
        sqlite::{ReadSettings, SqliteSettings, SqliteStore, founded::founded},
    },
    telemetry::{Metrics, Traces},
};

const NAMES: [&str; 4] = ["alpha", "beta", "gamma", "delta"];
const REGIONS: [&str; 4] = ["eu", "eu", "us", "ap"];
const ACCOUNTS: [&str; 2] = ["ada", "ben"];
/// Few contents, so that pins share copies.
const CONTENTS: u64 = 6;
/// What clients, operators and providers do in a world.
const ACTS: u32 = 32;
/// Looks for what is due while a span passes, at most: it is taken up that much too late. Short spans show what happens
/// within seconds, long ones what comes of it.
const LOOKS: u32 = 4;
/// The time between looks once nothing happens any more.
const SLOW: Duration = Duration::from_secs(6 * 3600);
/// Providers that are well are asked how they are less often than usually: days pass in which nothing else is asked.
const SILENCE: Duration = Duration::from_secs(12 * 3600);
/// Enough for what was given up to be tried again, and for what was forgotten to be found out.
const DAYS_TO_REST: u32 = 18;
/// What is at rest stays so.
const REST: Duration = Duration::from_secs(2 * 24 * 3600);

struct Known {
    account: usize,
    content: u64,
    policy: usize,
    was_pinned: bool,
}

struct Inside {
    engine: Engine,
    store: SharedStore,
    shutdown: Shutdown,
    accounts: Vec<AccountId>,
    providers: Vec<ProviderId>,
}

pub(super) struct World {
    dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
    metrics: Metrics,
    chance: StdRng,
    fakes: Vec<Arc<Fake>>,
    inside: Option<Inside>,
    pins: BTreeMap<RequestId, Known>,
    /// Contents of which a client let go, so that copies went by no will of ours.
    let_go: BTreeSet<u64>,
}

fn policies() -> Vec<Policy> {
    let all = NAMES.map(str::to_owned).to_vec();
    let plain = |name: &str, min, max, need| Policy::plain(name, Copies { min, max }, need, all.clone());
    let deadlines = Deadlines { queued: Some(6 * HOUR), pinning: Some(12 * HOUR) };
    vec![
        plain("one", 1, 1, 1),
        Policy { deadlines, late: Late::Remove, choose: Choose::Hash, ..plain("two", 2, 2, 1) },
        Policy { choose: Choose::LeastLoaded, ..plain("more", 2, 3, 2) },
        Policy { spread_by: Some("region".into()), choose: Choose::Weighted, ..plain("apart", 2, 2, 1) },
    ]
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
        let (dir, metrics) = (founded(), Metrics::new());
        let (pins, let_go) = (BTreeMap::new(), BTreeSet::new());
        let mut world = Self { dir, clock, metrics, chance, fakes, inside: None, pins, let_go };
        for n in 0..CONTENTS {
            let by_hand = world.chance.random_bool(0.2);
            let fake = world.fakes.choose(&mut world.chance).unwrap();
            if by_hand && !fake.is_exclusive() {
                fake.pin_by_hand(cid(n).content().clone());
            }
        }
        world.start().await;
        world
    }

    async fn start(&mut self) {
        let (metrics, path) = (self.metrics.clone(), self.dir.path().join("pins.db"));
        let reads = ReadSettings { point_connections: 1, ..ReadSettings::default() };
        let settings = SqliteSettings { reads, ..SqliteSettings::default() };
        let opened = SqliteStore::open(&path, &settings, Changes::default(), &metrics);
        let store: SharedStore = Arc::new(opened.unwrap());
        let provider = |(name, region): (&str, &str)| {
            let tags = BTreeMap::from([("region".to_owned(), region.to_owned())]);
            let facts = Facts { tags, ..Facts::default() };
            ProviderDecl { facts, ..ProviderDecl::new(name, Fingerprint::new(name, None)) }
        };
        let registration = Registration {
            accounts: ACCOUNTS.map(|name| AccountDecl::new(name, "one")).to_vec(),
            policies: policies(),
            providers: NAMES.into_iter().zip(REGIONS).map(provider).collect(),
        };
        let registered = store.register(registration, self.now()).await.unwrap();
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
        let driven = |record: &ProviderRecord| {
            let n = NAMES.iter().position(|name| *name == record.name).unwrap();
            Driven { provider: self.fakes[n].clone(), record: record.clone() }
        };
        let shutdown = shared.shutdown.clone();
        let accounts = registered.accounts.iter().map(|(_, id)| *id).collect();
        let providers = registered.providers.iter().map(|record| record.id).collect();
        let engine = Engine::new(shared, registered.providers.iter().map(driven).collect(), Vec::new());
        self.inside = Some(Inside { engine, store, shutdown, accounts, providers });
    }

    async fn stop(&mut self) {
        if let Some(Inside { engine, store, shutdown, .. }) = self.inside.take() {
            shutdown.abort();
            shutdown.drained(Duration::ZERO).await;
            drop((engine, store));
        }
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn inside(&self) -> &Inside {
        self.inside.as_ref().expect("it runs")
    }

    // ---- what happens

    async fn act(&mut self) {
        match self.chance.random_range(0..100) {
            0..30 => self.add().await,
            30..38 => self.delete().await,
            38..44 => self.replace().await,
            44..64 => self.change_mood(),
            64..68 => self.fakes.choose(&mut self.chance).unwrap().forget_one(),
            68..69 => self.fakes.choose(&mut self.chance).unwrap().forget_all(),
            69..77 => self.change_mode().await,
            77..82 => self.die().await,
            _ => {}
        }
        let span = match self.chance.random_range(0..10) {
            0..5 => MINUTE,
            5..9 => 3 * HOUR,
            _ => DAY,
        };
        let part: f64 = self.chance.random();
        let span = span.mul_f64(part);
        self.run_for(span, span / LOOKS).await;
    }

    async fn add(&mut self) {
        let (content, policy) = self.choices();
        let account = self.chance.random_range(0..ACCOUNTS.len());
        let pin = self.inside().store.accept_pin(self.request(account, content, policy)).await.unwrap();
        self.pins.insert(pin.requestid, Known { account, content, policy, was_pinned: false });
    }

    fn choices(&mut self) -> (u64, usize) {
        (self.chance.random_range(0..CONTENTS), self.chance.random_range(0..policies().len()))
    }

    fn request(&self, account: usize, content: u64, policy: usize) -> AcceptPin {
        AcceptPin {
            account: self.inside().accounts[account],
            requestid: RequestId::mint(self.now()),
            spec: PinSpec::bare(cid(content)),
            policy: policies()[policy].name.clone(),
            quota: Quota::NONE,
            expires: None,
            by: None,
            now: self.now(),
        }
    }

    async fn delete(&mut self) {
        let Some(pin) = self.pins.keys().choose(&mut self.chance).copied() else { return };
        let known = self.pins.remove(&pin).unwrap();
        let account = self.inside().accounts[known.account];
        assert!(self.inside().store.delete_pin(account, pin, None, self.now()).await.unwrap());
        self.let_go.insert(known.content);
    }

    async fn replace(&mut self) {
        let Some(old) = self.pins.keys().choose(&mut self.chance).copied() else { return };
        let known = self.pins.remove(&old).unwrap();
        let (content, policy) = self.choices();
        let request = self.request(known.account, content, policy);
        let new = self.inside().store.replace_pin(old, request).await.unwrap().unwrap();
        self.let_go.insert(known.content);
        self.pins.insert(new.requestid, Known { content, policy, was_pinned: false, ..known });
    }

    fn change_mood(&mut self) {
        let mood = *Mood::ALL.choose(&mut self.chance).unwrap();
        self.fakes.choose(&mut self.chance).unwrap().set_mood(mood);
    }

    /// At most one provider is drained at a time, so that it has somewhere to go.
    async fn change_mode(&mut self) {
        let which = self.chance.random_range(0..NAMES.len());
        let provider = self.inside().providers[which];
        let store = &self.inside().store;
        let open = store.jobs(None, false, 10).await.unwrap();
        if open.is_empty() && self.chance.random_bool(0.7) {
            let job = NewJob {
                kind: JobKind::Drain,
                provider: Some(provider),
                account: None,
                terms: "{}".into(),
                by: None,
            };
            self.inside().store.create_job(job, self.now()).await.unwrap();
        } else {
            self.end_drains().await;
        }
    }

    async fn end_drains(&self) {
        let (store, now) = (&self.inside().store, self.now());
        for job in store.jobs(None, false, 10).await.unwrap() {
            store.command_job(job.id, JobCommand::Cancel, None, now).await.unwrap();
        }
        for provider in &self.inside().providers {
            store.set_mode(*provider, Mode::Active, false, None, now).await.unwrap();
        }
    }

    async fn die(&mut self) {
        self.stop().await;
        self.start().await;
    }

    // ---- time

    async fn run_for(&mut self, span: Duration, grain: Duration) {
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
        for _ in 0..500 {
            let inside = self.inside.as_mut().expect("it runs");
            let report = inside.engine.step(now).await.unwrap();
            self.check_removals();
            if report.is_idle() && report.next.is_none_or(|at| at > now) {
                return report.next;
            }
        }
        panic!("the engine spins at {now}");
    }

    // ---- what must hold

    async fn record(&self, pin: RequestId, known: &Known) -> PinRecord {
        let account = self.inside().accounts[known.account];
        self.inside().store.get_pin(account, pin).await.unwrap().expect("what was accepted is there (I1)")
    }

    async fn check(&mut self) {
        let mut pinned = Vec::new();
        for (id, known) in &self.pins {
            let status = self.record(*id, known).await.status;
            assert!(!(known.was_pinned && status == Status::Failed), "I10: {id} was pinned and is failed");
            pinned.extend((status == Status::Pinned).then_some(*id));
        }
        for id in pinned {
            self.pins.get_mut(&id).unwrap().was_pinned = true;
        }
        for fake in &self.fakes {
            assert_eq!(fake.wrongs(), Vec::<String>::new());
        }
    }

    /// I8: what went by our own hand in this step was confirmed elsewhere as often as each pin's policy asks, by what was known
    /// when it began; or a pin has no fewer without it, as where another copy is in the same region.
    fn check_removals(&self) {
        for (n, fake) in self.fakes.iter().enumerate() {
            for removed in fake.take_removed() {
                let needing = self.pins.values().filter(|known| {
                    cid(known.content).content() == &removed && !self.let_go.contains(&known.content)
                });
                let others =
                    (0..NAMES.len()).filter(|other| *other != n && self.fakes[*other].told(&removed));
                let others: Vec<usize> = others.collect();
                for known in needing {
                    let policy = &policies()[known.policy];
                    let had = |places: &mut dyn Iterator<Item = usize>| match policy.spread_by {
                        Some(_) => places.map(|at| REGIONS[at]).collect::<BTreeSet<_>>().len(),
                        None => places.count(),
                    };
                    let left = had(&mut others.iter().copied());
                    let before = had(&mut others.iter().copied().chain([n]));
                    assert!(
                        left >= policy.copies.min.into() || left == before,
                        "I8: {removed:?} went from {} with {left} left",
                        NAMES[n]
                    );
                }
            }
        }
        self.fakes.iter().for_each(|fake| fake.end_step());
    }

    async fn come_to_rest(&mut self) {
        self.end_drains().await;
        for fake in &self.fakes {
            fake.set_mood(Mood::Well);
        }
        let mut days = 0;
        while let Some(unrest) = self.unrest().await {
            assert!(days < DAYS_TO_REST, "{unrest}");
            self.run_for(DAY, SLOW).await;
            days += 1;
        }
        self.run_for(REST, SLOW).await;
        self.check().await;
        assert_eq!(self.unrest().await, None, "it was at rest");
    }

    /// What is not as the policies ask, if anything.
    async fn unrest(&self) -> Option<String> {
        let mut needed: BTreeSet<(usize, Content)> = BTreeSet::new();
        for (id, known) in &self.pins {
            let (pin, policy) = (self.record(*id, known).await, &policies()[known.policy]);
            let content = cid(known.content).content().clone();
            if pin.status != Status::Pinned {
                return Some(format!("not pinned: {pin:?}"));
            }
            if pin.have < policy.copies.max {
                let story = self.inside().store.explain_pin(*id, self.now()).await.unwrap();
                return Some(format!("short by {}: {story:#?}", policy.name));
            }
            let at = |copy: &str| NAMES.iter().position(|name| *name == copy).unwrap();
            let places: Vec<usize> = pin.copies.iter().map(|copy| at(&copy.provider)).collect();
            let there = places.iter().filter(|n| self.fakes[**n].pinned().contains(&content));
            if there.count() < policy.copies.max.into() {
                return Some(format!("not there: {pin:?}"));
            }
            let regions: BTreeSet<&str> = places.iter().map(|n| REGIONS[*n]).collect();
            if policy.spread_by.is_some() && regions.len() < policy.copies.max.into() {
                return Some(format!("not apart: {pin:?}"));
            }
            needed.extend(places.into_iter().map(|n| (n, content.clone())));
        }
        for (n, fake) in self.fakes.iter().enumerate() {
            for (content, pins) in fake.ours() {
                if !needed.contains(&(n, content.clone())) {
                    return Some(format!("an orphan at {}: {content:?}", NAMES[n]));
                }
                if pins != 1 {
                    return Some(format!("doubles at {}: {content:?}", NAMES[n]));
                }
            }
        }
        None
    }
}
