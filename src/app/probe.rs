//! `pinfold provider probe`: one provider of the config, tried out without a gateway.

use std::sync::Arc;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use super::{Tuning, parts};
use crate::{
    config::{ProviderSettings, Settings},
    http,
    model::SystemClock,
    providers::probe::{self, Sleeps},
    telemetry::Metrics,
};

pub use crate::providers::probe::{Latency, Line, MOST_CALLS, NAME, Report, Route, Verdict, takes};

/// Probes a provider. The first Ctrl-C or SIGTERM ends the checks, and what was made is removed; the second ends that.
///
/// # Errors
/// Where the entry cannot be used, or the cleaning up was cut short.
pub async fn run(settings: &Settings, entry: &ProviderSettings) -> anyhow::Result<Report> {
    let settings = parts::provider(entry, &settings.store, &Tuning::default())?;
    let client = http::Client::new(&settings.http);
    let metrics = Metrics::new().provider(&entry.name);
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for Ctrl-C")?;
    let (told, mut twice) = (tokio::sync::Notify::new(), false);
    let probe =
        probe::probe(settings, client, Arc::new(SystemClock), metrics, Arc::new(Sleeps), told.notified());
    tokio::pin!(probe);
    loop {
        tokio::select! {
            report = &mut probe => return Ok(report),
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        anyhow::ensure!(
            !twice,
            "told twice to stop: test pins whose names begin with {} may be left at {}",
            probe::NAME,
            entry.name
        );
        twice = true;
        told.notify_one();
    }
}
