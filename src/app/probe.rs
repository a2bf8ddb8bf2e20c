//! `pinfold provider probe`: one provider of the config, tried out without a gateway.

use std::sync::Arc;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};

use super::{Tuning, parts};
use crate::{
    config::{ProviderSettings, Settings, StoreUrl},
    http,
    model::SystemClock,
    providers::probe::{self, Sleeps},
    store::sqlite,
    telemetry::Metrics,
};

pub use crate::providers::probe::{Latency, Line, MOST_CALLS, NAME, Report, Route, Verdict, takes};

/// Probes a provider. The first Ctrl-C or SIGTERM ends the checks, and what was made is removed; the second ends that.
///
/// # Errors
/// Where the entry cannot be used, or the cleaning up was cut short.
///
/// A gateway that runs knows nothing of these calls, so that both together may send more than a limit allows (I9): where
/// there is a limit, `beside_gateway` must say that this is wanted.
pub async fn run(
    settings: &Settings,
    entry: &ProviderSettings,
    beside_gateway: bool,
) -> anyhow::Result<Report> {
    let StoreUrl::Sqlite(store) = &settings.store;
    if !beside_gateway && !entry.budget.rates.are_none() && sqlite::is_served(store)? {
        anyhow::bail!(
            "a gateway is at work, and its calls and a probe's together may be more than {} allows: stop it first, or \
             say --beside-gateway where nothing waits to be sent",
            entry.name
        );
    }
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
