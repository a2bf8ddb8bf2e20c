//! Whether the clock is right, as far as others' clocks tell.

use std::{sync::Arc, time::Duration};

use super::Finding;
use crate::{
    model::{Clock, SureClock, Timestamp},
    store::sqlite::snapshot::About,
};

/// The store's last time is known to a minute.
const BEHIND: Duration = Duration::from_secs(120);
/// Differences from a provider's clock, in seconds: tokens with an end are refused by such.
const OFF: u64 = 30;
const FAR_OFF: u64 = 300;

const SET: &str = "set it right and keep it so: timedatectl set-ntp true";

/// Against the times on record, as a gateway that starts now would.
pub(super) fn against_the_store(told: Option<About>, clock: &Arc<dyn Clock>) -> Finding {
    const WHAT: &str = "clock";
    let now = clock.now();
    let Some(About { latest, time, .. }) = told.filter(|told| told.latest > Timestamp::ZERO) else {
        return Finding::ok(WHAT, format!("it is {now}; the store tells no time to compare"));
    };
    if latest.since(now) > BEHIND {
        return Finding::bad(WHAT, format!("it is {now}, but the store was used at {latest}"), SET);
    }
    match SureClock::new(clock.clone(), time).doubt().filter(|doubt| !doubt.is_slight()) {
        None => Finding::ok(WHAT, format!("it is {now}")),
        Some(_) => {
            let seen = format!("it is {now}, and the last time that is sure is {}", time.sure);
            let advice = format!(
                "if it is wrong {SET}, before the gateway has run for a day: then pins and tokens end by it; if it is right there is nothing to do"
            );
            Finding::warn(WHAT, seen, advice)
        }
    }
}

/// Against a provider's, which is so many seconds ahead.
pub(super) fn against_a_provider(what: String, ahead: i64) -> Finding {
    let which = if ahead > 0 { "ahead" } else { "behind" };
    let seen = format!("the provider's is {} s {which}", ahead.unsigned_abs());
    match ahead.unsigned_abs() {
        off if off <= OFF => Finding::ok(what, seen),
        off if off <= FAR_OFF => Finding::warn(what, seen, SET),
        _ => Finding::bad(what, seen, format!("compare it with other clocks, and if ours is wrong {SET}")),
    }
}
