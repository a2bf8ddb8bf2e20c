//! The layers under every call to a provider, as one list read from the top down. Generics stay in here.

mod admit;
mod auth;
mod deadline;
mod edge;
mod exchange;
mod measure;
mod retry;
mod spend;

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use ::http::{Request, Response};
use bytes::Bytes;
use tokio::time::Instant;
use tower::{ServiceBuilder, retry::RetryLayer, util::BoxCloneSyncService};

use super::{
    ProviderError, Settings,
    breaker::Breaker,
    budget::Budget,
    classify::{Expect, Failure},
    credential::Keeper,
    dialect::Dialect,
    standing::Memory,
};
use crate::{
    http,
    model::{BudgetClass, Clock, Operation},
    telemetry::ProviderMetrics,
};

/// One call: a request without its credential, and how its answer is to be read. No Debug: a login's body is a secret (I11).
#[derive(Clone)]
pub(super) struct Call {
    pub(super) operation: Operation,
    pub(super) expect: Expect,
    pub(super) request: Request<Bytes>,
    /// The most bytes of body that are read.
    pub(super) limit: usize,
    /// When the whole operation that this call is a part of must have ended.
    pub(super) deadline: Instant,
    pub(super) doubt: InDoubt,
    /// The tries before this one.
    pub(super) resent: u32,
    /// Where the body of a good answer goes that is read while it comes; `limit` then bounds its lines.
    pub(super) streamed: Option<Streamed>,
}

impl Call {
    /// The limit that it counts in, beside that of all calls.
    fn class(&self) -> BudgetClass {
        match (self.operation, self.expect) {
            (Operation::Submit | Operation::Remove, _) => BudgetClass::Write,
            (Operation::Login, _) => BudgetClass::Any,
            (Operation::Look | Operation::List, Expect::Page { .. }) => BudgetClass::List,
            (Operation::Look | Operation::List, _) => BudgetClass::Read,
        }
    }
}

/// The body of an answer that goes on: handed past the layers, which only see its head.
#[derive(Clone, Debug, Default)]
pub(super) struct Streamed(Arc<Mutex<Option<http::Lines>>>);

impl Streamed {
    fn put(&self, lines: http::Lines) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(lines);
    }

    pub(super) fn take(&self) -> Option<http::Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Whether any try of a call may have taken effect. Outlives the tries: one that is cut off leaves it set.
#[derive(Clone, Debug, Default)]
pub(super) struct InDoubt(Arc<Tries>);

#[derive(Debug, Default)]
struct Tries {
    left: AtomicBool,
    in_doubt: AtomicBool,
}

impl InDoubt {
    pub(super) fn get(&self) -> bool {
        self.0.in_doubt.load(Ordering::SeqCst)
    }

    /// Whether any request left, whatever became of it.
    fn has_left(&self) -> bool {
        self.0.left.load(Ordering::SeqCst)
    }

    /// A request leaves; returns what was so before.
    fn begin(&self) -> bool {
        self.0.left.store(true, Ordering::SeqCst);
        self.0.in_doubt.swap(true, Ordering::SeqCst)
    }

    /// The request did nothing: what was so before is so again.
    fn settle(&self, before: bool) {
        self.0.in_doubt.store(before, Ordering::SeqCst);
    }
}

/// A good answer.
#[derive(Debug)]
pub(super) enum Answer {
    Body {
        code: u16,
        body: Bytes,
    },
    /// The provider says that there is nothing.
    Missing,
}

/// What the layers share with the provider above them.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) settings: Arc<Settings>,
    pub(super) client: http::Client,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) metrics: ProviderMetrics,
    pub(super) breaker: Arc<Breaker>,
    pub(super) budget: Arc<Budget>,
    /// What calls failed by, for operators.
    pub(super) errors: Arc<Memory>,
    /// What every request passes that leaves.
    pub(super) lower: Lower,
    /// For calls that do not pass the stack, such as streams: they ask it for their header.
    pub(super) keeper: Arc<Keeper>,
}

impl Parts {
    pub(super) fn new(
        settings: Settings,
        client: http::Client,
        clock: Arc<dyn Clock>,
        metrics: ProviderMetrics,
    ) -> Self {
        let (at_once, windows) = (settings.concurrency.max(1), settings.budget.clone());
        let budget = Arc::new(Budget::new(at_once, windows, &clock, metrics.clone()));
        let breaker = Breaker::new(settings.breaker, &settings.peers, metrics.clone(), budget.now()).into();
        let settings = Arc::new(settings);
        let lower = lower(&settings, &client, &clock, &metrics, &breaker, &budget);
        let keeper = Keeper::new(settings.clone(), lower.clone(), clock.clone(), metrics.clone()).into();
        let errors = Arc::default();
        Self { settings, client, clock, metrics, breaker, budget, errors, lower, keeper }
    }
}

/// From a call to words and classes that the engine understands.
pub(super) type Stack = BoxCloneSyncService<Call, Answer, ProviderError>;

pub(super) fn build(parts: &Parts) -> Stack {
    let Parts { settings, clock, breaker, budget, errors, keeper, .. } = parts.clone();
    let (total, secrets) = (settings.deadline, keeper.secrets().clone());
    let gate = retry::Gatekeeper { breaker, budget: budget.clone() };
    let stack = ServiceBuilder::new()
        // Errors get their class, their words and their context once, here at the edge.
        .layer(edge::EdgeLayer { settings: settings.clone(), clock, budget, errors, secrets })
        // Whatever happens below, a call ends: the engine's leases count on it.
        .layer(deadline::DeadlineLayer { total })
        // Only what may be done twice is tried again, and a fifth of all calls at most; a submit never is.
        .layer(RetryLayer::new(retry::Policy::new(settings.retries, settings.retry_base, gate)))
        // Below the retry, so that each try carries the credential of its moment.
        .service(with_credential(keeper, parts.lower.clone()));
    BoxCloneSyncService::new(stack)
}

/// One try with the credential of the moment, and its answer as it came.
pub(super) fn with_credential(keeper: Arc<Keeper>, lower: Lower) -> Lower {
    BoxCloneSyncService::new(ServiceBuilder::new().layer(auth::AuthLayer { keeper }).service(lower))
}

/// What every request passes that leaves, log-ins too: one try, as it is.
pub(super) type Lower = BoxCloneSyncService<Call, Response<Bytes>, Failure>;

fn lower(
    settings: &Settings,
    client: &http::Client,
    clock: &Arc<dyn Clock>,
    metrics: &ProviderMetrics,
    breaker: &Arc<Breaker>,
    budget: &Arc<Budget>,
) -> Lower {
    let stack = ServiceBuilder::new()
        // Sees each try, so that a provider that is down is left alone in the midst of a call too.
        .layer(admit::AdmitLayer { breaker: breaker.clone(), budget: budget.clone(), clock: clock.clone() })
        // Below retry and auth: every request that leaves spends a permit.
        .layer(spend::SpendLayer { budget: budget.clone(), clock: clock.clone() })
        // Counts what leaves, not what was asked for; and how each try ended, timeouts too.
        .layer(measure::MeasureLayer {
            name: settings.name.as_str().into(),
            metrics: metrics.clone(),
            clock: clock.clone(),
        })
        .service(exchange::Exchange {
            client: client.clone(),
            dialect: Dialect::of(settings.preset.protocol),
            timeout: settings.try_timeout,
        });
    BoxCloneSyncService::new(stack)
}

#[cfg(test)]
mod tests;
