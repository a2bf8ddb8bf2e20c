//! The TLS of both listeners: read at the start, taken up anew with the config, watched in between.

use std::sync::Arc;

use anyhow::Context;

use crate::{
    config::Settings,
    lifecycle::Shutdown,
    model::Clock,
    server::tls::{self, Material, Tls},
    telemetry::{Listener, Metrics, labels::Label},
};

/// Of the listeners that speak it.
#[derive(Clone)]
pub(super) struct Doors {
    pub(super) public: Option<Tls>,
    pub(super) admin: Option<Tls>,
}

/// What was read for each of them.
pub(super) struct Materials {
    public: Option<Material>,
    admin: Option<Material>,
}

impl Materials {
    /// # Errors
    /// Where a file cannot be used.
    pub(super) async fn read(settings: &Settings) -> anyhow::Result<Self> {
        Ok(Self {
            public: read(Listener::Public, settings.server.tls.clone()).await?,
            admin: read(Listener::Admin, settings.admin.tls.clone()).await?,
        })
    }
}

async fn read(door: Listener, settings: Option<tls::Settings>) -> anyhow::Result<Option<Material>> {
    let Some(settings) = settings else { return Ok(None) };
    // Files may be on a disk that hangs.
    let read = tokio::task::spawn_blocking(move || Material::read(settings)).await?;
    read.map(Some).with_context(|| format!("the {} listener's TLS", door.as_str()))
}

impl Doors {
    pub(super) fn new(materials: Materials, clock: &Arc<dyn Clock>, metrics: &Metrics) -> Self {
        let tls = |door, material| Tls::new(door, material, clock.clone(), metrics);
        Self {
            public: materials.public.map(|material| tls(Listener::Public, material)),
            admin: materials.admin.map(|material| tls(Listener::Admin, material)),
        }
    }

    /// Whether a listener speaks TLS is settled at the start.
    pub(super) fn take_up(&self, materials: Materials) {
        for (tls, material) in [(&self.public, materials.public), (&self.admin, materials.admin)] {
            if let (Some(tls), Some(material)) = (tls, material) {
                tls.take_up(material);
            }
        }
    }

    /// Follows the files until stopping begins.
    pub(super) fn watch(&self, shutdown: &Shutdown) {
        for tls in [&self.public, &self.admin].into_iter().flatten() {
            shutdown.spawn_vital("TLS watch", tls.clone().watch(shutdown.clone()));
        }
    }
}
