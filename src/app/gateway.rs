//! The running gateway: store, engine and both listeners, started together and stopped in order.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;
use tokio::{signal::unix::Signal, sync::Mutex, time::Instant};

use super::{
    live::Live,
    parts,
    reload::{Reloader, Source},
    sockets::Sockets,
    tokens,
    upstream::Upstream,
};
use crate::{
    admin, api,
    auth::Gate,
    config::{Change, Settings, StoreUrl},
    engine::{self, Engine},
    lifecycle::{Activator, Changes, Interest, Shutdown},
    limits::Limits,
    model::{AccountId, Clock, SystemClock, Timestamp},
    server::Server,
    store::{Registered, SharedStore, StoreError, sqlite::SqliteStore},
    telemetry::{Listener, Metrics},
};

/// Between looks whether the database is free.
const LOCK_LOOK: Duration = Duration::from_millis(50);

/// What the demo and tests set, and no operator should have to.
#[derive(Clone, Default)]
pub struct Tuning {
    pub engine: engine::Settings,
    /// Instead of the presets' settle time.
    pub settle: Option<Duration>,
    /// Instead of the presets' deadline of one call.
    pub deadline: Option<Duration>,
    /// Instead of the machine's clock.
    pub clock: Option<Arc<dyn Clock>>,
}

/// A gateway that serves.
pub struct Gateway {
    address: SocketAddr,
    admin: SocketAddr,
    live: Arc<Live>,
    accounts: Vec<(String, AccountId)>,
    shutdown: Shutdown,
    /// The admin listener goes last, so that it can tell of the stopping.
    admin_shutdown: Shutdown,
}

impl Gateway {
    /// Opens the store, registers the config there, and starts to serve and to work.
    pub async fn start(settings: Settings, tuning: &Tuning, metrics: Metrics) -> anyhow::Result<Self> {
        Self::open(settings, tuning, metrics, Sockets::default(), None).await
    }

    /// As [`start`](Self::start), on the sockets that were passed; follows the config as its source has it.
    pub(super) async fn follow(
        source: Source,
        hangup: Signal,
        sockets: Sockets,
        metrics: Metrics,
    ) -> anyhow::Result<Self> {
        let settings = source.loaded.settings.clone();
        Self::open(settings, &Tuning::default(), metrics, sockets, Some((source, hangup))).await
    }

    async fn open(
        settings: Settings,
        tuning: &Tuning,
        metrics: Metrics,
        mut sockets: Sockets,
        source: Option<(Source, Signal)>,
    ) -> anyhow::Result<Self> {
        admin::check_address(settings.admin.listen, settings.admin.knows_operators)?;
        let clock = tuning.clock.clone().unwrap_or_else(|| Arc::new(SystemClock));
        let (shutdown, admin_shutdown) = (Shutdown::default(), Shutdown::default());
        let (changes, interest, activator) = (Changes::default(), Interest::default(), Activator::default());
        let store = open_store(&settings, &changes, &metrics).await?;
        let registered = store.register(parts::registration(&settings), clock.now()).await?;
        tell(&registered);
        if registered.clock_behind.is_some() {
            store.mend_schedule(clock.now()).await?;
        }
        // Both doors are taken before anything is sent anywhere.
        let door = sockets.take(Listener::Public, settings.server.listen).await?;
        let admin_door = sockets.take(Listener::Admin, settings.admin.listen).await?;
        let (address, admin) = (door.local_addr()?, admin_door.local_addr()?);
        // One that was passed may be elsewhere.
        let exposure = admin::check_address(admin, settings.admin.knows_operators)?;
        let gate = Gate::new(parts::tokens(&settings, &registered)?, clock.clone());
        let desk = tokens::admit(&gate, &settings, &store, &clock).await?;
        let accounts = parts::accounts(&settings, &registered)?;
        let served = api::Served::new(&accounts, parts::api(&settings), &metrics);
        let limits = Limits::new(&parts::limits(&settings, &registered)?);
        let shared = engine::Shared {
            store: store.clone(),
            clock: clock.clone(),
            activator: activator.clone(),
            interest: interest.clone(),
            shutdown: shutdown.clone(),
            metrics: metrics.clone(),
            settings: tuning.engine.clone(),
        };
        let upstream = Upstream::default();
        let connections = parts::connections(&settings, tuning, |_| true)?;
        let driven = parts::driven(connections, &upstream, &registered, &clock, &metrics)?;
        let absent = registered.absent.iter().map(|(record, _)| record.clone()).collect();
        let router = api::router(api::Api {
            store: store.clone(),
            gate: gate.clone(),
            served: served.clone(),
            limits: limits.clone(),
            changes,
            interest,
            activator,
            clock: clock.clone(),
            metrics: metrics.clone(),
        });
        let bounds = parts::server(&settings);
        let fleet = Engine::new(shared, driven, absent).spawn();
        let live = Arc::new(Live {
            store: store.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            tuning: tuning.clone(),
            gate: gate.clone(),
            served,
            limits,
            upstream,
            fleet,
            settings: Mutex::new(settings),
        });
        let mut api = admin::tokens(desk);
        if let Some((source, hangup)) = source {
            let reloader = Arc::new(Reloader::new(&source, live.clone()));
            api = api.merge(admin::config_routes(reloader.clone()));
            shutdown.spawn_vital("config watch", reloader.watch(hangup, shutdown.clone()));
        }
        let public = Server::new(Listener::Public, bounds, &metrics, &shutdown);
        shutdown.spawn_vital("public listener", public.run(door, router));
        let inner = Server::new(Listener::Admin, bounds, &metrics, &admin_shutdown);
        let authority = admin::Authority::new(gate.clone(), exposure);
        let admin_router = admin::router(store.clone(), &shutdown, &metrics, authority, api);
        admin_shutdown.spawn_vital("admin listener", inner.run(admin_door, admin_router));
        let keep = tokens::keep(gate, store.clone(), clock.clone(), shutdown.clone());
        let refresh = admin::refresh_metrics(store, clock, metrics, shutdown.clone());
        shutdown.spawn_vital("metrics refresh", refresh);
        shutdown.spawn_vital("token keeper", keep);
        Ok(Self { address, admin, live, accounts: registered.accounts, shutdown, admin_shutdown })
    }

    /// Where clients find the pinning API.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where operators find health and metrics.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// An account of the config, as the store knows it.
    pub fn account(&self, name: &str) -> Option<AccountId> {
        self.accounts.iter().find(|(known, _)| known == name).map(|(_, id)| *id)
    }

    pub fn store(&self) -> &SharedStore {
        &self.live.store
    }

    /// Takes up another config while serving; returns what it changes, and what of that waits for a restart.
    ///
    /// # Errors
    /// Where the store refuses it: then everything is as it was.
    pub async fn take_up(&self, newer: Settings) -> anyhow::Result<Vec<Change>> {
        self.live.take_up(newer).await
    }

    pub fn shutdown(&self) -> &Shutdown {
        &self.shutdown
    }

    /// Finishes what is under way, for at most `grace`; what is cut off is settled by look-ups at the next start.
    ///
    /// # Errors
    /// Where a part had died unasked.
    pub async fn stop(self, grace: Duration) -> anyhow::Result<()> {
        if !self.shutdown.drained(grace).await {
            tracing::warn!("not everything was finished in time; the rest is settled at the next start");
        }
        self.admin_shutdown.drained(Duration::from_secs(1)).await;
        match self.shutdown.failure() {
            None => Ok(()),
            Some(task) => Err(anyhow::anyhow!("{task} ended unasked"))
                .context("the gateway stopped because one of its parts did"),
        }
    }
}

/// Opens the store; where another process has it, waits for its end for as long as the config says.
async fn open_store(
    settings: &Settings,
    changes: &Changes,
    metrics: &Metrics,
) -> anyhow::Result<SharedStore> {
    let StoreUrl::Sqlite(path) = &settings.store;
    let give_up = Instant::now() + settings.lock_wait;
    let mut told = false;
    loop {
        match SqliteStore::open(path, &parts::sqlite(settings), changes.clone(), metrics) {
            Ok(store) => return Ok(Arc::new(store)),
            Err(StoreError::Locked { .. }) if Instant::now() < give_up => {
                if !std::mem::replace(&mut told, true) {
                    tracing::info!("another process has the database: waiting for its end");
                }
                tokio::time::sleep(LOCK_LOOK).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Tells the operator what a start found that they may not expect.
fn tell(registered: &Registered) {
    for (provider, copies) in &registered.absent {
        let since = provider.absent_since.unwrap_or(Timestamp::ZERO);
        tracing::warn!(
            provider = provider.name,
            copies,
            %since,
            "a provider is gone from the config; its copies stay on record"
        );
    }
    for (policy, pins) in &registered.orphaned_policies {
        tracing::warn!(policy, pins, "a policy is gone from the config; its pins follow its last revision");
    }
    if registered.recovered > 0 {
        tracing::info!(claims = registered.recovered, "took up what the last process left under way");
    }
    if let Some(behind) = registered.clock_behind {
        tracing::warn!(?behind, "the clock is behind the last time on record; is it set right?");
    }
    if let Some(ahead) = registered.clock_ahead {
        tracing::warn!(?ahead, "the clock is far beyond the last time on record; is it set right?");
    }
}
