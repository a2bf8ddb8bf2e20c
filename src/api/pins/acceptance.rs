//! What add and replace share: a pin is minted, listened for, recorded, waited for a moment, and shown.

use axum::response::Response;
use http::StatusCode;

use super::{
    super::{errors::ApiError, front::Caller, json},
    json_response,
    placement::Placement,
};
use crate::{
    lifecycle::{Change, Subscription},
    model::{PinSpec, RequestId, Status},
    store::{AcceptPin, PinRecord},
    telemetry::RouteMetrics,
};

/// What is awaited while a pin is recorded, and counted once it is.
pub struct Awaited {
    changes: Subscription,
    route: Option<RouteMetrics>,
}

/// Prepares a pin for the store. Listens for its changes before it exists, so that none is missed.
pub fn prepare(caller: &Caller<'_>, spec: PinSpec) -> Result<(AcceptPin, Awaited), ApiError> {
    let api = caller.api;
    let now = api.clock.now();
    let requestid = RequestId::mint(now);
    caller.trace.asks_for(spec.cid.content());
    let Placement { policy, expires, route } = Placement::of(caller, &spec, now)?;
    let quota = caller.terms.quota_of(caller.who.account)?;
    let (account, by) = (caller.who.account, caller.by.clone());
    let request = AcceptPin { account, requestid, spec, policy, quota, expires, by, now };
    Ok((request, Awaited { changes: api.changes.subscribe(requestid), route }))
}

/// Answers for a pin that is on disk. Its copies get a moment, since what they bring is known to some clients from
/// this answer only: Kubo reads delegates nowhere else.
pub async fn finish(caller: &Caller<'_>, accepted: PinRecord, awaited: Awaited) -> Response {
    if let Some(route) = awaited.route {
        route.placed();
    }
    let pin = if waited(caller, &accepted, awaited.changes).await {
        reread(caller, accepted).await
    } else {
        accepted
    };
    let (fallback, now) = (&caller.terms.settings.fallback_delegates, caller.api.clock.now());
    json_response(StatusCode::ACCEPTED, json::pin_status(&pin, fallback, now))
}

/// Waits for as long as that may help; returns whether anything may have changed. Operators look again for themselves.
async fn waited(caller: &Caller<'_>, pin: &PinRecord, mut changes: Subscription) -> bool {
    let wait = caller.terms.settings.accept_wait;
    if wait.is_zero()
        || caller.by.is_some()
        || is_enough(Change { status: pin.status, answered: pin.answered })
    {
        return false;
    }
    let Ok(_permit) = caller.waiting.try_acquire() else { return false };
    // Whether it was in time does not matter: what is on disk by now is shown.
    let _ = tokio::time::timeout(wait, changes.until(is_enough)).await;
    true
}

fn is_enough(change: Change) -> bool {
    change.status == Status::Pinned || change.answered
}

/// The pin as it is now, or as it was accepted where that cannot be known any more: it is on disk either way. The
/// first word of a pin is never `failed`, on which clients give up without reading why.
async fn reread(caller: &Caller<'_>, accepted: PinRecord) -> PinRecord {
    match caller.api.store.get_pin(caller.who.account, accepted.requestid).await {
        Ok(Some(pin)) if pin.status != Status::Failed => pin,
        Ok(_) => accepted,
        Err(error) => {
            tracing::warn!(%error, "an accepted pin could not be read again");
            accepted
        }
    }
}

#[cfg(test)]
mod tests;
