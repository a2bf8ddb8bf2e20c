//! Tries again what may be done twice, after a wait of which half is chance.

use std::{fmt, sync::Arc, time::Duration};

use ::http::Response;
use bytes::Bytes;
use tokio::time::{Instant, Sleep};

use super::{
    super::{
        breaker::{Breaker, Gate},
        budget::Budget,
        classify::{Failure, Outcome},
        retries::Retries,
    },
    Call,
};
use crate::{http, model::Operation};

#[derive(Clone, Debug)]
pub(super) struct Policy {
    left: u32,
    wait: Duration,
    /// Shared by all calls of a provider.
    budget: Arc<Retries>,
    gate: Gatekeeper,
    is_counted: bool,
}

/// Knows whether a further try would leave.
#[derive(Clone)]
pub(super) struct Gatekeeper {
    pub(super) breaker: Arc<Breaker>,
    /// Whose time the breaker goes by.
    pub(super) budget: Arc<Budget>,
}

impl Gatekeeper {
    fn is_shut(&self) -> bool {
        matches!(self.breaker.gate(self.budget.now()), Gate::ShutUntil(_))
    }
}

impl fmt::Debug for Gatekeeper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gatekeeper")
    }
}

impl Policy {
    pub(super) fn new(retries: u32, base: Duration, gate: Gatekeeper) -> Self {
        Self { left: retries, wait: base, budget: Arc::default(), gate, is_counted: false }
    }
}

impl tower::retry::Policy<Call, Response<Bytes>, Failure> for Policy {
    type Future = Sleep;

    fn retry(&mut self, call: &mut Call, outcome: &mut Outcome) -> Option<Sleep> {
        let wait = self.wait.mul_f64(0.5 + rand::random::<f64>() / 2.0);
        // What would be cut off or kept here anyway is told as it is.
        let would_leave = Instant::now() + wait < call.deadline && !self.gate.is_shut();
        if self.left == 0 || !would_leave || !may_pass(outcome) || !self.budget.spend() {
            return None;
        }
        self.left -= 1;
        call.resent += 1;
        self.wait = self.wait.saturating_mul(2);
        Some(tokio::time::sleep(wait))
    }

    /// A second submit might make a second pin (I7).
    fn clone_request(&mut self, call: &Call) -> Option<Call> {
        if !std::mem::replace(&mut self.is_counted, true) {
            self.budget.earn();
        }
        (call.operation != Operation::Submit).then(|| call.clone())
    }
}

/// Whether the next try may well succeed. A provider that asked to be left alone is.
fn may_pass(outcome: &Outcome) -> bool {
    match outcome {
        Ok(answer) => answer.status().is_server_error() && !answer.headers().contains_key("retry-after"),
        Err(Failure::Transport(http::Error::TooLarge { .. })) => false,
        Err(Failure::Transport(_) | Failure::TryTimeout(_)) => true,
        Err(
            Failure::Deadline(_)
            | Failure::Shut(_)
            | Failure::Throttled(_)
            | Failure::Spent(_)
            | Failure::Uncounted
            | Failure::Unusable(_)
            | Failure::Elsewhere(_),
        ) => false,
    }
}
