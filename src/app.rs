//! The composition root: builds every part from the settings and joins them.

mod about;
mod adopt;
mod backup;
mod demo;
mod descriptors;
pub mod doctor;
mod doors;
mod explain;
mod gateway;
mod ground;
mod live;
mod login;
mod manager;
mod parts;
mod pins;
pub mod probe;
mod reload;
mod signals;
mod sockets;
mod telling;
#[cfg(test)]
mod tests;
mod time;
mod tokens;
mod upstream;
mod vault;

use std::io::{IsTerminal, stdout};

use anyhow::Context;

pub use about::about;
pub use backup::{Exported, Restore, Restored, backup, export, restore};
pub use demo::{Demo, demo};
pub use gateway::{Gateway, Tuning};
pub use login::{Login, LoginError};
pub use reload::Source;
pub use sockets::Sockets;
pub use tokens::{admin_token_file, create_token};

use self::{manager::Manager, reload::Follow};
use crate::{
    auth::SameSecret,
    config::{Settings, StoreUrl},
    lifecycle::Changes,
    model::{Clock, SystemClock},
    store::{self, Store, StoreError, sqlite::SqliteStore},
    telemetry::{Metrics, logging},
};

/// What the operator says of a provider whose entry has changed its endpoint or account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rebind {
    /// The same upstream account under another address: its copies are still there.
    SameAccount,
    /// Another account: the copies on record are not there.
    NewAccount,
}

/// Runs the gateway until it is told to stop.
///
/// # Errors
/// Where a part cannot start, or dies unasked.
pub async fn serve(source: Source, sockets: Sockets, no_color: bool) -> anyhow::Result<()> {
    // From the first moment on: before this, SIGHUP would end the process.
    let hangup = signals::hangup()?;
    let settings = source.loaded.settings.clone();
    let metrics = Metrics::new();
    let log = logging::init(&parts::logging(&settings.log, no_color), metrics.log())?;
    let grace = settings.server.shutdown_grace;
    let scheme = if settings.server.tls.is_some() { "https" } else { "http" };
    let manager = Manager::of(&source.environment);
    let alive = tokio::spawn(manager.clone().keep_alive());
    let follow = Follow { source, hangup, log: Some(log), manager: manager.clone() };
    let gateway = Gateway::follow(follow, sockets, metrics).await?;
    manager.ready(manager::Config::InForce);
    let for_kubo = format!("ipfs pin remote service add pinfold {scheme}://{} TOKEN", gateway.address());
    tracing::info!("ready; give it to Kubo with: {for_kubo}");
    if stdout().is_terminal() {
        demo::say(&format!("\nWith Kubo:\n  {for_kubo}\n\n"))?;
    }
    signals::stop_when_told(gateway.shutdown()).await?;
    manager.stopping(grace);
    let stopped = gateway.stop(grace).await;
    alive.abort();
    stopped
}

/// Whether a start failed for what the config says: to try again does not help, another config would.
pub fn is_of_the_config(error: &anyhow::Error) -> bool {
    let refused = error.downcast_ref::<StoreError>();
    matches!(refused, Some(StoreError::Rebind { .. } | StoreError::StillUsed { .. }))
        || error.is::<SameSecret>()
}

/// Tells the store that the provider of that name has a changed entry, and what became of its copies.
///
/// # Errors
/// Where the store is in use or cannot be opened, or does not know the provider.
pub async fn rebind(settings: Settings, provider: &str, to: Rebind) -> anyhow::Result<String> {
    let StoreUrl::Sqlite(path) = &settings.store;
    let entry = settings.providers.iter().find(|entry| entry.name == provider);
    let entry = entry.with_context(|| parts::no_provider(&settings, provider))?;
    let store = SqliteStore::open(path, &parts::sqlite(&settings), Changes::default(), &Metrics::new())?;
    let to = match to {
        Rebind::SameAccount => store::Rebind::SameAccount,
        Rebind::NewAccount => store::Rebind::NewAccount,
    };
    let copies = store.rebind_provider(entry.decl(), to, SystemClock.now()).await?.copies;
    Ok(match to {
        store::Rebind::SameAccount => format!("{provider}: {copies} copies stay on record"),
        store::Rebind::NewAccount => format!("{provider}: {copies} copies will be made anew"),
    })
}
