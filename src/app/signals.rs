//! SIGTERM and Ctrl-C: the first drains, the second aborts.

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::lifecycle::Shutdown;

/// SIGHUP, which asks to read the config again.
pub(super) fn hangup() -> anyhow::Result<Signal> {
    signal(SignalKind::hangup()).context("cannot listen for SIGHUP")
}

/// Returns once stopping has begun, by a signal or from inside; from then on a second signal aborts.
pub(super) async fn stop_when_told(shutdown: &Shutdown) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: finishing what is under way"),
        _ = interrupt.recv() => tracing::info!("interrupted: finishing what is under way; once more to abort"),
        () = shutdown.begun() => {}
    }
    shutdown.begin();
    let shutdown = shutdown.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::warn!("told again: aborting");
        shutdown.abort();
    });
    Ok(())
}
