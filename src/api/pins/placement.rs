//! What becomes of a new pin: by which policy it is placed.

use super::super::{errors::ApiError, front::Caller};
use crate::{
    model::PinSpec,
    policy::{Choice, Chooser},
    telemetry::RouteMetrics,
};

/// What was chosen for a pin.
pub struct Placement {
    /// The policy's name.
    pub policy: String,
    /// The series of the route that chose it, where one did.
    pub route: Option<RouteMetrics>,
}

impl Placement {
    /// # Errors
    /// Where the client asks for what it may not.
    pub fn of(caller: &Caller<'_>, spec: &PinSpec) -> Result<Self, ApiError> {
        let terms = caller.terms;
        let sender = terms.sender(caller.who)?;
        let Choice { policy, by } = terms.settings.routes.choose(&sender, spec)?;
        let route = match by {
            Chooser::Route(at) => terms.metrics_of_route(at),
            Chooser::Client | Chooser::Token | Chooser::Account => None,
        };
        Ok(Self { policy: policy.to_owned(), route })
    }
}

#[cfg(test)]
mod tests;
