//! What becomes of a new pin: by which policy it is placed, and when it goes away.

use super::super::{errors::ApiError, front::Caller};
use crate::{
    model::{PinSpec, Timestamp},
    policy::{Choice, Chooser, controls},
    telemetry::RouteMetrics,
};

/// What was chosen for a pin.
pub struct Placement {
    /// The policy's name.
    pub policy: String,
    /// When the client wants it to go away; the policy may say sooner.
    pub expires: Option<Timestamp>,
    /// The series of the route that chose it, where one did.
    pub route: Option<RouteMetrics>,
}

impl Placement {
    /// # Errors
    /// Where the client asks for what it may not.
    pub fn of(caller: &Caller<'_>, spec: &PinSpec, now: Timestamp) -> Result<Self, ApiError> {
        let terms = caller.terms;
        let mut sender = terms.sender(caller.who)?;
        // An operator's token is none of the account's.
        sender.token = sender.token.filter(|_| caller.by.is_none());
        let Choice { policy, by } = terms.settings.routes.choose(&sender, spec)?;
        let route = match by {
            Chooser::Route(at) => terms.metrics_of_route(at),
            Chooser::Client | Chooser::Token | Chooser::Account => None,
        };
        let meta = spec.meta.as_ref().filter(|_| sender.meta_controls);
        let expires = controls::asked_end(meta, now)?;
        Ok(Self { policy: policy.to_owned(), expires, route })
    }
}

#[cfg(test)]
mod tests;
