//! The layers under every call to a provider, as one list read from the top down. Generics stay in here.

mod admit;
mod deadline;
mod edge;
mod exchange;
mod measure;
mod retry;
mod spend;

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use ::http::{Request, header::AUTHORIZATION};
use bytes::Bytes;
use tokio::time::Instant;
use tower::{BoxError, ServiceBuilder, retry::RetryLayer, util::BoxCloneSyncService};

use super::{
    ProviderError, Settings,
    breaker::Breaker,
    budget::Budget,
    classify::{Expect, Failure},
};
use crate::{
    http,
    model::{Clock, Operation},
    telemetry::ProviderMetrics,
};

/// One call: a request without its credential, and how its answer is to be read.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) operation: Operation,
    pub(super) expect: Expect,
    pub(super) request: Request<Bytes>,
    /// The most bytes of body that are read.
    pub(super) limit: usize,
    /// When the whole operation that this call is a part of must have ended.
    pub(super) deadline: Instant,
    pub(super) doubt: InDoubt,
}

/// Whether any try of a call may have taken effect. Outlives the tries: one that is cut off leaves it set.
#[derive(Clone, Debug, Default)]
pub(super) struct InDoubt(Arc<AtomicBool>);

impl InDoubt {
    pub(super) fn get(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }

    /// A request leaves; returns what was so before.
    fn begin(&self) -> bool {
        self.0.swap(true, Ordering::SeqCst)
    }

    /// The request did nothing: what was so before is so again.
    fn settle(&self, before: bool) {
        self.0.store(before, Ordering::SeqCst);
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
}

pub(super) type Stack = BoxCloneSyncService<Call, Answer, ProviderError>;

pub(super) fn build(parts: &Parts) -> Stack {
    let Parts { settings, client, clock, metrics, breaker, budget } = parts.clone();
    let bearer = settings.token.bearer();
    let (total, each) = (settings.deadline, settings.try_timeout);
    let stack = ServiceBuilder::new()
        // Errors get their class, their words and their context once, here at the edge.
        .layer(edge::EdgeLayer { settings: settings.clone(), clock: clock.clone(), budget: budget.clone() })
        // Whatever happens below, a call ends: the engine's leases count on it.
        .layer(deadline::DeadlineLayer { total })
        // Only what may be done twice is tried again; a submit never is.
        .layer(RetryLayer::new(retry::Policy::new(settings.retries, settings.retry_base)))
        // Below the retry, so that each try carries the credential of its moment.
        .map_request(move |mut call: Call| {
            call.request.headers_mut().insert(AUTHORIZATION, bearer.clone());
            call
        })
        // Sees each try, so that a provider that is down is left alone in the midst of a call too.
        .layer(admit::AdmitLayer { breaker, clock: clock.clone() })
        // Below retry and auth: every request that leaves spends a permit.
        .layer(spend::SpendLayer { budget, clock: clock.clone() })
        // Counts what leaves, not what was asked for; and how each try ended, timeouts too.
        .layer(measure::MeasureLayer { metrics, clock })
        .map_err(move |error: BoxError| match error.downcast::<Failure>() {
            Ok(failure) => *failure,
            // The timeout below adds no error but its own.
            Err(_) => Failure::TryTimeout(each),
        })
        // One hanging try must not use up the time of those after it.
        .timeout(each)
        .service(exchange::Exchange { client });
    BoxCloneSyncService::new(stack)
}
