//! Tells operators while the clock is doubted, and keeps on record what the next start is to compare its own with.

use std::time::Duration;

use tokio::time::{MissedTickBehavior, interval};

use crate::{
    lifecycle::Shutdown,
    model::{ClockDoubt, SureClock},
    store::{SharedStore, StoreError},
    telemetry::{Metrics, Repeats},
};

const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Looks between writings: a minute, which is how much a crash can make a start take for a stop.
const KEEP_EVERY: u64 = 12;

/// Looks at the clock until stopping begins.
pub(super) async fn watch(sure: SureClock, store: SharedStore, metrics: Metrics, shutdown: Shutdown) {
    let mut looks = interval(LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut told, mut trouble) = (None, Repeats::default());
    for look in 0_u64.. {
        tokio::select! {
            biased;
            () = shutdown.begun() => break,
            _ = looks.tick() => {}
        }
        let doubt = sure.doubt();
        metrics.clock().doubted(doubt.map_or(Duration::ZERO, |doubt| doubt.ahead));
        tell(told, doubt);
        told = doubt;
        if look.is_multiple_of(KEEP_EVERY) {
            note(store.keep_time(sure.kept()).await, &mut trouble);
        }
    }
    note(store.keep_time(sure.kept()).await, &mut trouble);
}

/// Tells of a doubt when it begins, when it begins anew, and when it ends.
fn tell(told: Option<ClockDoubt>, doubt: Option<ClockDoubt>) {
    match (told, doubt) {
        (Some(told), Some(doubt)) if doubt.left <= told.left => {}
        (_, Some(ClockDoubt { ahead, left })) if doubt.is_some_and(ClockDoubt::is_slight) => {
            tracing::info!(
                ?ahead,
                ?left,
                "the clock went on unseen: what ends by it ends once it is believed"
            );
        }
        (_, Some(ClockDoubt { ahead, left })) => {
            tracing::warn!(
                ?ahead,
                ?left,
                "the clock is doubted: it is far ahead of the last time that is sure; if it is wrong, set it right before it \
                 is believed; until then no pin, token, event or job is deleted by it"
            );
        }
        (Some(_), None) => tracing::info!("the clock is believed again"),
        (None, None) => {}
    }
}

fn note(kept: Result<(), StoreError>, trouble: &mut Repeats) {
    match kept {
        Ok(()) if trouble.worked() => tracing::info!("the time can be kept on record again"),
        Err(error) if trouble.failed() => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the time cannot be kept on record");
        }
        Ok(()) | Err(_) => {}
    }
}
