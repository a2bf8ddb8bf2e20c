//! Whether the clock is right, as far as others' clocks tell.

use std::time::Duration;

use super::Finding;
use crate::model::Timestamp;

/// The store's last time is known to a minute.
const BEHIND: Duration = Duration::from_secs(120);
const FAR_AHEAD: Duration = Duration::from_secs(366 * 24 * 3600);
/// Differences from a provider's clock, in seconds: tokens with an end are refused by such.
const OFF: u64 = 30;
const FAR_OFF: u64 = 300;

const SET: &str = "set it right and keep it so: timedatectl set-ntp true";

/// Against the last time on record.
pub(super) fn against_the_store(latest: Option<Timestamp>, now: Timestamp) -> Finding {
    const WHAT: &str = "clock";
    match latest.filter(|latest| *latest > Timestamp::ZERO) {
        None => Finding::ok(WHAT, format!("it is {now}; the store tells no time to compare")),
        Some(latest) if latest.since(now) > BEHIND => {
            let seen = format!("it is {now}, but the store was used at {latest}");
            Finding::bad(WHAT, seen, SET)
        }
        Some(latest) if now.since(latest) > FAR_AHEAD => {
            let seen = format!("it is {now}, and the store was used last at {latest}");
            Finding::warn(WHAT, seen, format!("if that is not so, {SET}"))
        }
        Some(_) => Finding::ok(WHAT, format!("it is {now}")),
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
