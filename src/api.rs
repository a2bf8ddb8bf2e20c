//! The Pinning Services API: router, extractors, errors, one file an endpoint.
//!
//! A request passes `front` (size, admission, panics, deadline, log, metrics, CORS), is matched by `route`,
//! authenticated, and handled by its file under `pins`. Nothing here calls a provider: answers come from the store,
//! and `api` meets the engine only there and in [`lifecycle`](crate::lifecycle) (I5).

mod agent;
mod body;
mod cors;
#[cfg(test)]
mod double;
mod errors;
mod front;
mod json;
mod limiting;
mod pins;
mod places;
mod query;
mod route;
mod served;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use axum::Router;

pub use agent::{Agent, Errand};
pub use served::Served;

use crate::{
    auth::Gate,
    lifecycle::{Activator, Changes, Interest},
    limits::Limits,
    model::{AccountId, Clock, Quota, Status, StatusSet},
    policy::Routes,
    store::SharedStore,
    telemetry::{Metrics, Traces},
};

/// How the API behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How long an add or a replace may wait for its copies before it is answered; zero: not at all.
    pub accept_wait: Duration,
    /// What a list without `status` asks for; `pinned` by the spec.
    pub default_status: StatusSet,
    /// Multiaddrs that stand in where no provider names delegates.
    pub fallback_delegates: Vec<String>,
    /// Which policy places which pins.
    pub routes: Routes,
    /// Requests that are served at once; further ones are answered 503. A quarter of them may wait for copies.
    pub max_in_flight: usize,
    /// The longest body, in bytes.
    pub body_limit: usize,
    /// The longest address, in bytes.
    pub uri_limit: usize,
    /// The most that all headers may take together, in bytes.
    pub header_limit: usize,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// How long a request may take from its head to its answer, besides the wait for copies.
    pub request_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            accept_wait: Duration::from_secs(1),
            default_status: StatusSet::EMPTY.with(Status::Pinned),
            fallback_delegates: Vec::new(),
            routes: Routes::default(),
            max_in_flight: 4096,
            body_limit: 1 << 20,
            uri_limit: 16 << 10,
            header_limit: 32 << 10,
            body_timeout: Duration::from_secs(30),
            request_timeout: Duration::from_secs(60),
        }
    }
}

/// An account whose pins are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    pub id: AccountId,
    pub name: String,
    /// Name of the policy that places its pins, unless a token or a route has another.
    pub policy: String,
    /// Whether its clients may choose by meta.
    pub meta_controls: bool,
    pub quota: Quota,
}

/// All that the API needs of the house.
pub struct Api {
    pub store: SharedStore,
    pub gate: Gate,
    pub served: Served,
    pub limits: Limits,
    pub changes: Changes,
    pub interest: Interest,
    pub activator: Activator,
    pub clock: Arc<dyn Clock>,
    pub metrics: Metrics,
    pub traces: Traces,
}

/// The whole API as one service. Every path ends in `front::serve`: what a path means is not for axum's patterns
/// to say, since prefixes and doubled slashes must not matter.
pub fn router(api: Api) -> Router {
    open(api).0
}

/// The API for clients, and for operators who ask in an account's stead.
pub fn open(api: Api) -> (Router, Agent) {
    let front = Arc::new(front::Front::new(api));
    (Router::new().fallback(front::serve).with_state(front.clone()), Agent::new(front))
}
