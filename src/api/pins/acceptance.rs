//! What add and replace share: a pin is minted, listened for, recorded, waited for a moment, and shown.

use axum::response::Response;
use http::StatusCode;

use super::{
    super::{errors::ApiError, front::Front, json},
    json_response,
};
use crate::{
    auth::Principal,
    lifecycle::{Change, Subscription},
    model::{PinSpec, RequestId, Status},
    store::{AcceptPin, PinRecord},
};

/// Prepares a pin for the store. Listens for its changes before it exists, so that none is missed.
pub fn prepare(front: &Front, who: &Principal, spec: PinSpec) -> Result<(AcceptPin, Subscription), ApiError> {
    let api = &front.api;
    let now = api.clock.now();
    let requestid = RequestId::mint(now);
    let policy = front.policy_of(who.account)?.to_owned();
    let request = AcceptPin { account: who.account, requestid, spec, policy, now };
    Ok((request, api.changes.subscribe(requestid)))
}

/// Answers for a pin that is on disk. Its copies get a moment, since what they bring is known to some clients from
/// this answer only: Kubo reads delegates nowhere else.
pub async fn finish(front: &Front, who: &Principal, accepted: PinRecord, changes: Subscription) -> Response {
    let pin =
        if waited(front, &accepted, changes).await { reread(front, who, accepted).await } else { accepted };
    json_response(StatusCode::ACCEPTED, json::pin_status(&pin, &front.api.settings.fallback_delegates))
}

/// Waits for as long as that may help; returns whether anything may have changed.
async fn waited(front: &Front, pin: &PinRecord, mut changes: Subscription) -> bool {
    let wait = front.api.settings.accept_wait;
    if wait.is_zero() || is_enough(Change { status: pin.status, answered: pin.answered }) {
        return false;
    }
    let Ok(_permit) = front.waiting.try_acquire() else { return false };
    // Whether it was in time does not matter: what is on disk by now is shown.
    let _ = tokio::time::timeout(wait, changes.until(is_enough)).await;
    true
}

fn is_enough(change: Change) -> bool {
    change.status == Status::Pinned || change.answered
}

/// The pin as it is now, or as it was accepted where that cannot be known any more: it is on disk either way. The
/// first word of a pin is never `failed`, on which clients give up without reading why.
async fn reread(front: &Front, who: &Principal, accepted: PinRecord) -> PinRecord {
    match front.api.store.get_pin(who.account, accepted.requestid).await {
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
