//! The composition root: builds every part from the settings and joins them.

use std::net::SocketAddr;
use std::path::PathBuf;

use secrecy::SecretString;

use crate::config::Settings;

/// What `pinfold demo` was asked for.
#[derive(Clone, Debug)]
pub struct Demo {
    /// A folder to keep; a temporary one if it is left out.
    pub dir: Option<PathBuf>,
    pub listen: SocketAddr,
    pub admin: SocketAddr,
    /// The client's token; one is made up if it is left out.
    pub token: Option<SecretString>,
}

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
pub async fn serve(settings: Settings) -> anyhow::Result<()> {
    drop(settings);
    anyhow::bail!("this build has no gateway in it yet")
}

/// Runs the gateway with simulated providers until it is told to stop.
///
/// # Errors
/// Where a part cannot start, or dies unasked.
pub async fn demo(demo: Demo) -> anyhow::Result<()> {
    drop(demo);
    anyhow::bail!("this build has no demo in it yet")
}

/// Tells the store that the provider of that name has a changed entry, and what became of its copies.
///
/// # Errors
/// Where the store is in use or cannot be opened, or does not know the provider.
pub async fn rebind(settings: Settings, provider: &str, to: Rebind) -> anyhow::Result<()> {
    drop(settings);
    anyhow::bail!("this build cannot rebind provider {provider} ({to:?}) yet")
}
