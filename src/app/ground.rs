//! What stands before anything is served or sent: the store with the config in it, and what all parts share.

use std::{sync::Arc, time::Duration};

use axum::Router;
use tokio::{sync::Mutex, time::Instant};

use super::{
    Tuning, descriptors,
    doors::{Doors, Materials},
    live::Live,
    parts,
    telling::Telling,
    time, tokens,
    upstream::Upstream,
};
use crate::{
    admin, api,
    auth::Gate,
    config::{Settings, StoreUrl},
    engine::{self, Engine, Fleet, StoreLedger},
    lifecycle::{Activator, Changes, Interest, Shutdown},
    limits::Limits,
    model::{Clock, SureClock, SystemClock, Timestamp},
    server::{Proxies, Server, tls::Tls},
    store::{Registered, SharedStore, StoreError, sqlite::SqliteStore},
    telemetry::{Listener, Metrics},
};

/// Between looks whether the database is free.
const LOCK_LOOK: Duration = Duration::from_millis(50);

pub(super) struct Ground {
    pub(super) settings: Settings,
    pub(super) metrics: Metrics,
    pub(super) clock: Arc<dyn Clock>,
    sure: SureClock,
    pub(super) shutdown: Shutdown,
    pub(super) store: SharedStore,
    pub(super) registered: Registered,
    pub(super) telling: Telling,
    tuning: Tuning,
    doors: Doors,
    changes: Changes,
    interest: Interest,
    activator: Activator,
}

impl Ground {
    /// Opens the store and registers the config there.
    pub(super) async fn lay(settings: Settings, tuning: &Tuning, metrics: Metrics) -> anyhow::Result<Self> {
        admin::check_address(settings.admin.listen, settings.admin.knows_operators)?;
        descriptors::check(&settings);
        let clock = tuning.clock.clone().unwrap_or_else(|| Arc::new(SystemClock));
        let doors = Doors::new(Materials::read(&settings).await?, &clock, &metrics);
        let changes = Changes::default();
        let store = open_store(&settings, &changes, &metrics).await?;
        let registered = store.register(parts::registration(&settings), clock.now()).await?;
        tell(&registered);
        if registered.clock_behind.is_some() {
            store.mend_schedule(clock.now()).await?;
        }
        let telling = Telling::start(settings.traces.as_ref(), metrics.traces());
        Ok(Self {
            settings,
            metrics,
            sure: SureClock::new(clock.clone(), registered.time),
            clock,
            shutdown: Shutdown::default(),
            store,
            registered,
            telling,
            tuning: tuning.clone(),
            doors,
            changes,
            interest: Interest::default(),
            activator: Activator::default(),
        })
    }

    /// All that a reload can exchange, the engine at work among it.
    pub(super) async fn live(&self) -> anyhow::Result<Arc<Live>> {
        let Self { settings, registered, store, clock, metrics, .. } = self;
        let gate = Gate::new(parts::tokens(settings, registered)?, clock.clone());
        gate.declare_certificates(parts::certificates(settings, registered)?);
        let accounts = parts::accounts(settings, registered)?;
        let upstream = Upstream::new(StoreLedger::open(store, clock.clone()).await?);
        Ok(Arc::new(Live {
            served: api::Served::new(&accounts, parts::api(settings), metrics),
            limits: Limits::new(&parts::limits(settings, registered)?),
            doors: self.doors.clone(),
            fleet: self.fleet(&upstream)?,
            upstream,
            gate,
            store: store.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            tuning: self.tuning.clone(),
            settings: Mutex::new(settings.clone()),
        }))
    }

    fn fleet(&self, upstream: &Upstream) -> anyhow::Result<Fleet> {
        let shared = engine::Shared {
            store: self.store.clone(),
            clock: self.clock.clone(),
            sure: self.sure.clone(),
            activator: self.activator.clone(),
            interest: self.interest.clone(),
            shutdown: self.shutdown.clone(),
            metrics: self.metrics.clone(),
            traces: self.telling.traces.clone(),
            settings: self.tuning.engine.clone(),
        };
        let connections = parts::connections(&self.settings, &self.tuning, |_| true)?;
        let driven = parts::driven(connections, upstream, &self.registered, &self.clock, &self.metrics)?;
        let absent = self.registered.absent.iter().map(|(record, _)| record.clone()).collect();
        Ok(Engine::new(shared, driven, absent).spawn())
    }

    pub(super) fn api(&self, live: &Live) -> (Router, api::Agent) {
        api::open(api::Api {
            store: self.store.clone(),
            gate: live.gate.clone(),
            served: live.served.clone(),
            limits: live.limits.clone(),
            changes: self.changes.clone(),
            interest: self.interest.clone(),
            activator: self.activator.clone(),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
            traces: self.telling.traces.clone(),
        })
    }

    /// The admin API's routes about pins, events, jobs, and what is wanted of providers.
    pub(super) fn operators(&self, agent: api::Agent, live: &Live) -> Router {
        let Self { store, clock, changes, shutdown, activator, .. } = self;
        let planner = live.fleet.planner();
        let jobs = admin::job_routes(store.clone(), clock.clone(), activator.clone(), planner.clone());
        let modes = admin::mode_routes(store.clone(), clock.clone(), activator.clone(), planner);
        let audits = admin::audit_routes(store.clone(), clock.clone(), activator.clone());
        let events = admin::event_routes(store.clone(), changes, shutdown);
        let pins = admin::pin_routes(Arc::new(agent), store.clone(), clock.clone());
        pins.merge(events).merge(jobs).merge(modes).merge(audits)
    }

    pub(super) fn listener(&self, listener: Listener, shutdown: &Shutdown, tls: &Option<Tls>) -> Server {
        let settings = &self.settings;
        let (bounds, proxies) = match listener {
            Listener::Public => (parts::server(settings), settings.server.proxies.clone()),
            Listener::Admin => (parts::admin_server(settings), Proxies::default()),
        };
        Server::new(listener, bounds, &self.metrics, shutdown).behind(proxies).secured_by(tls.clone())
    }

    /// What is looked at now and then, as long as anything is served.
    pub(super) fn keep_up(&self, live: &Live) {
        let Self { store, clock, sure, metrics, shutdown, .. } = self;
        live.doors.watch(shutdown);
        let keep = tokens::keep(live.gate.clone(), store.clone(), sure.clone(), shutdown.clone());
        let watch = time::watch(sure.clone(), store.clone(), metrics.clone(), shutdown.clone());
        let refresh = admin::refresh_metrics(store.clone(), clock.clone(), metrics.clone(), shutdown.clone());
        shutdown.spawn_vital("metrics refresh", refresh);
        shutdown.spawn_vital("token keeper", keep);
        shutdown.spawn_vital("clock watch", watch);
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
}
