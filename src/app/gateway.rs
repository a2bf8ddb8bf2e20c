//! The running gateway: store, engine and both listeners, started together and stopped in order.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context;

use super::{
    ground::Ground,
    live::Live,
    reload::{Follow, Reloader},
    sockets::Sockets,
    telling::Telling,
    tokens,
};
use crate::{
    admin,
    config::{Change, Settings},
    engine,
    lifecycle::Shutdown,
    model::{AccountId, Clock},
    store::SharedStore,
    telemetry::{Listener, Metrics},
};

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
    telling: Telling,
}

impl Gateway {
    /// Opens the store, registers the config there, and starts to serve and to work.
    pub async fn start(settings: Settings, tuning: &Tuning, metrics: Metrics) -> anyhow::Result<Self> {
        Self::open(settings, tuning, metrics, Sockets::default(), None).await
    }

    /// As [`start`](Self::start), on the sockets that were passed; follows the config where it comes from.
    pub(super) async fn follow(follow: Follow, sockets: Sockets, metrics: Metrics) -> anyhow::Result<Self> {
        let settings = follow.source.loaded.settings.clone();
        Self::open(settings, &Tuning::default(), metrics, sockets, Some(follow)).await
    }

    async fn open(
        settings: Settings,
        tuning: &Tuning,
        metrics: Metrics,
        mut sockets: Sockets,
        follow: Option<Follow>,
    ) -> anyhow::Result<Self> {
        let ground = Ground::lay(settings, tuning, metrics).await?;
        // Both doors are taken before anything is sent anywhere.
        let door = sockets.take(Listener::Public, ground.settings.server.listen).await?;
        let admin_door = sockets.take(Listener::Admin, ground.settings.admin.listen).await?;
        let (address, admin) = (door.local_addr()?, admin_door.local_addr()?);
        // One that was passed may be elsewhere.
        let exposure = admin::check_address(admin, ground.settings.admin.knows_operators)?;
        let live = ground.live().await?;
        ground.metrics.config().taken_up(ground.clock.now());
        let desk = tokens::admit(&live.gate, &ground.settings, &ground.store, &ground.clock).await?;
        let (pins, agent) = ground.api(&live);
        let mut routes = admin::tokens(desk)
            .merge(admin::provider_routes(live.clone()))
            .merge(admin::adopt_routes(live.clone()))
            .merge(admin::policy_routes(live.clone()))
            .merge(ground.operators(agent, &live));
        if let Some(Follow { source, hangup, log, manager }) = follow {
            if let Some(log) = log {
                routes = routes.merge(admin::log_routes(log));
            }
            let reloader = Arc::new(Reloader::new(&source, manager, live.clone()));
            routes = routes.merge(admin::config_routes(reloader.clone()));
            let watch = reloader.watch(hangup, ground.shutdown.clone());
            ground.shutdown.spawn_vital("config watch", watch);
        }
        let admin_shutdown = Shutdown::default();
        let public = ground.listener(Listener::Public, &ground.shutdown, &live.doors.public);
        ground.shutdown.spawn_vital("public listener", public.run(door, pins));
        let operators = ground.listener(Listener::Admin, &admin_shutdown, &live.doors.admin);
        let authority =
            admin::Authority::new(live.gate.clone(), exposure, live.limits.clone(), &ground.metrics);
        let traces = &ground.telling.traces;
        let router =
            admin::router(ground.store.clone(), &ground.shutdown, &ground.metrics, traces, authority, routes);
        admin_shutdown.spawn_vital("admin listener", operators.run(admin_door, router));
        ground.keep_up(&live);
        let Ground { registered, shutdown, telling, .. } = ground;
        Ok(Self { address, admin, live, accounts: registered.accounts, shutdown, admin_shutdown, telling })
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
        self.telling.finish().await;
        match self.shutdown.failure() {
            None => Ok(()),
            Some(task) => Err(anyhow::anyhow!("{task} ended unasked"))
                .context("the gateway stopped because one of its parts did"),
        }
    }
}
