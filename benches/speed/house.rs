//! A seeded store and the API over it, without an engine: what is measured is the house, not its providers.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use futures::future::join_all;
use pinfold::{
    api::{self, Account},
    auth::{Gate, TokenDecl, TokenHash, Tokens},
    lifecycle::{Activator, Changes, Interest, Shutdown},
    limits::{self, Caps, Limit, Limits},
    model::{
        AccountDecl, AccountId, Clock, Content, Fingerprint, PinCid, PinSpec, ProviderDecl, ProviderId,
        Quota, RequestId, Status, SystemClock, UpstreamId,
    },
    policy::{Copies, Policy},
    server::{self, Server},
    store::{
        AcceptPin, ClaimRequest, Outcome, Registration, SharedStore, Word,
        sqlite::{SqliteSettings, SqliteStore},
    },
    telemetry::{Listener, Metrics, Traces},
};

pub const TOKEN: &str = "bench-token";
/// Where the seeded copies are said to be: nobody listens there.
pub const ENDPOINTS: [&str; 2] = ["http://127.0.0.1:9/a", "http://127.0.0.1:9/b"];

pub struct House {
    pub store: SharedStore,
    pub account: AccountId,
    pub providers: Vec<ProviderId>,
    pub metrics: Metrics,
    changes: Changes,
}

pub fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    std::fs::create_dir_all(&folder).expect("target/bench can be made");
    folder
}

/// The nth content: raw, of a made-up sha2-256.
pub fn cid(n: u64) -> PinCid {
    let seed = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let digest: Vec<u8> = (0..4u64).flat_map(|part| (seed ^ (n << part)).to_be_bytes()).collect();
    let bytes = [&[0x01, 0x55, 0x12, 0x20], digest.as_slice()].concat();
    PinCid::canonical(Content::from_bytes(&bytes).expect("a CID"))
}

pub fn name(n: u64) -> String {
    format!("backups/file-{n:09}.car")
}

impl House {
    pub async fn open(path: &Path) -> Self {
        let (metrics, changes) = (Metrics::new(), Changes::default());
        let store = SqliteStore::open(path, &SqliteSettings::default(), changes.clone(), &metrics);
        let store: SharedStore = Arc::new(store.expect("the store opens"));
        let names: Vec<String> = ["a", "b"].map(String::from).to_vec();
        let declare =
            |(name, endpoint): (&String, &str)| ProviderDecl::new(name, Fingerprint::new(endpoint, None));
        let registration = Registration {
            accounts: vec![AccountDecl::new("bench", "two")],
            policies: vec![Policy::plain("two", Copies { min: 2, max: 2 }, 1, names.clone())],
            providers: names.iter().zip(ENDPOINTS).map(declare).collect(),
        };
        let registered = store.register(registration, SystemClock.now()).await.expect("it registers");
        Self {
            store,
            account: registered.accounts[0].1,
            providers: registered.providers.iter().map(|record| record.id).collect(),
            metrics,
            changes,
        }
    }

    /// A house of `pins` pinned pins with two copies each, made once and kept.
    pub async fn seeded(pins: u64) -> (Self, PathBuf) {
        let path = folder().join(format!("pins-{pins}.db"));
        let done = folder().join(format!("pins-{pins}.done"));
        if !done.exists() {
            for ending in ["", "-wal", "-shm"] {
                // What was begun and not finished, if there is any.
                let _absent = std::fs::remove_file(format!("{}{ending}", path.display()));
            }
            let house = Self::open(&path).await;
            super::say(&format!("seeding {pins} pins"));
            house.add(0..pins).await;
            house.settle().await;
            drop(house);
            std::fs::write(&done, "").expect("the mark can be written");
        }
        (Self::open(&path).await, path)
    }

    /// A throw-away copy of nothing: an empty house.
    pub async fn empty(what: &str) -> Self {
        let path = folder().join(format!("{what}.db"));
        for ending in ["", "-wal", "-shm"] {
            let _absent = std::fs::remove_file(format!("{}{ending}", path.display()));
        }
        Self::open(&path).await
    }

    pub fn request(&self, n: u64, content: PinCid) -> AcceptPin {
        let now = SystemClock.now();
        let spec = PinSpec { name: Some(name(n)), ..PinSpec::bare(content) };
        AcceptPin {
            account: self.account,
            requestid: RequestId::mint(now),
            spec,
            policy: "two".into(),
            quota: Quota::NONE,
            expires: None,
            by: None,
            now,
        }
    }

    pub async fn add(&self, pins: std::ops::Range<u64>) {
        let mut next = pins.start;
        while next < pins.end {
            let end = pins.end.min(next + 2048);
            let adds = (next..end).map(|n| self.store.accept_pin(self.request(n, cid(n))));
            for added in join_all(adds).await {
                added.expect("a pin is accepted");
            }
            next = end;
        }
    }

    /// Has every due copy found pinned, as its provider's word.
    pub async fn settle(&self) {
        for provider in &self.providers {
            while self.settle_some(*provider, 4096).await > 0 {}
        }
    }

    pub async fn settle_some(&self, provider: ProviderId, most: u32) -> u64 {
        let now = SystemClock.now();
        let later = now.plus(Duration::from_secs(600));
        let claim = ClaimRequest {
            provider,
            singles: most,
            looks: 0,
            now,
            lease_until: later,
            doubt_until: later,
            exclusive: true,
            allowance: None,
            max_queued: None,
            introduces: true,
        };
        let claims = self.store.claim_due(claim).await.expect("claims").claims;
        let outcomes: Vec<Outcome> = claims
            .iter()
            .map(|claim| {
                let id = uuid_of(claim.key.replica.0);
                let upstream = UpstreamId::new(id).expect("an id");
                let word = Word::Found {
                    upstream,
                    status: Status::Pinned,
                    delegates: vec![],
                    ours: true,
                    doubles: vec![],
                };
                Outcome { key: claim.key, word }
            })
            .collect();
        let count = outcomes.len() as u64;
        self.store.record_outcomes(outcomes, now).await.expect("outcomes are recorded");
        count
    }

    /// Serves the API over this store; it ends with the process.
    pub async fn serve(&self) -> SocketAddr {
        let token = TokenDecl::of_account(self.account, "bench", "bench", TokenHash::of(TOKEN));
        let account = Account {
            id: self.account,
            name: "bench".into(),
            policy: "two".into(),
            meta_controls: false,
            quota: Quota::NONE,
        };
        let settings = api::Settings { accept_wait: Duration::ZERO, ..api::Settings::default() };
        let router = api::router(api::Api {
            store: self.store.clone(),
            gate: Gate::new(Tokens::new([token]), Arc::new(SystemClock)),
            served: api::Served::new(&[account], settings, &self.metrics),
            limits: Limits::new(&never_met()),
            changes: self.changes.clone(),
            interest: Interest::default(),
            activator: Activator::default(),
            clock: Arc::new(SystemClock),
            metrics: self.metrics.clone(),
            traces: Traces::default(),
        });
        let door = server::bind(([127, 0, 0, 1], 0).into()).await.expect("a free port");
        let address = door.local_addr().expect("it is bound");
        let server =
            Server::new(Listener::Public, server::Settings::default(), &self.metrics, &Shutdown::default());
        tokio::spawn(server.run(door, router));
        address
    }
}

/// Limits that are asked, and never met.
fn never_met() -> limits::Settings {
    let rate = "1000000/s".parse().expect("a rate");
    let limit = Some(Limit::of(rate).expect("a limit"));
    let each_token = Caps { read: limit, write: limit };
    limits::Settings { each_token, ..limits::Settings::default() }
}

fn uuid_of(n: i64) -> String {
    format!("{n:08x}-0000-4000-8000-{:012x}", n.unsigned_abs().wrapping_mul(0x9e37_79b9) & 0xffff_ffff_ffff)
}
