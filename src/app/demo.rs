//! `pinfold demo`: the gateway over three simulated providers, to try things out.

use std::{net::SocketAddr, path::PathBuf};

use secrecy::SecretString;

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

/// Runs the gateway with simulated providers until it is told to stop.
///
/// # Errors
/// Where a part cannot start, or dies unasked.
pub async fn demo(demo: Demo, no_color: bool) -> anyhow::Result<()> {
    drop((demo, no_color));
    anyhow::bail!("this build has no demo in it yet")
}
