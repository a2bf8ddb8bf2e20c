//! Reads the gauges that come from the database, now and then; a scrape never does.

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval};

use super::Vitals;
use crate::{
    lifecycle::Shutdown,
    model::{Clock, Mode, Timestamp},
    store::{ProviderStats, StoreStats},
    telemetry::{Drift, Metrics, ProviderSnapshot, Repeats, Snapshot, TaskKind},
};

const EVERY: Duration = Duration::from_secs(30);

/// Refreshes the gauges at once and then every 30 s, until stopping begins.
pub async fn refresh_metrics(
    store: impl Vitals,
    clock: Arc<dyn Clock>,
    metrics: Metrics,
    shutdown: Shutdown,
) {
    let (mut turns, mut repeats) = (interval(EVERY), Repeats::default());
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            () = shutdown.begun() => return,
            _ = turns.tick() => refresh(&store, clock.now(), &metrics, &mut repeats).await,
        }
    }
}

async fn refresh(store: &impl Vitals, now: Timestamp, metrics: &Metrics, repeats: &mut Repeats) {
    match store.stats(now).await {
        Ok(stats) => {
            if repeats.worked() {
                tracing::info!("the gauges of the store can be read again");
            }
            metrics.refresh(&snapshot(stats, now));
        }
        Err(_) if !repeats.failed() => {}
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "cannot read the gauges of the store");
        }
    }
}

fn snapshot(stats: StoreStats, at: Timestamp) -> Snapshot {
    let due = stats.due.into_iter().map(|(op, count, oldest)| (TaskKind::from(op), count, oldest));
    // The fan-out is worked off as it comes: it has no due time.
    let remerge = (TaskKind::Remerge, stats.remerge, None);
    Snapshot {
        at,
        pins: stats.pins,
        used: stats.used,
        replicas: stats.replicas,
        providers: stats.providers.into_iter().map(provider).collect(),
        jobs: stats.jobs,
        under_replicated: stats.under_replicated,
        short_since: stats.short_since,
        oldest_unsettled: stats.oldest_unsettled,
        due: due.chain([remerge]).collect(),
        created_ahead: stats.created_ahead,
        size_bytes: stats.size_bytes,
    }
}

fn provider(stats: ProviderStats) -> ProviderSnapshot {
    let ProviderStats { name, mode, health, audited, missing, suspect, orphans } = stats;
    let drifted = vec![(Drift::Missing, missing), (Drift::Suspect, suspect), (Drift::Unexpected, orphans)];
    ProviderSnapshot { name, health, is_draining: mode == Mode::Draining, audited, drifted }
}
