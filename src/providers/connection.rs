//! What every kind of provider stands on: the stack of layers with what they share, and errors without an answer.

use std::sync::Arc;

use bytes::Bytes;
use tokio::time::Instant;
use tower::ServiceExt;

use super::{
    ProviderError, Readiness, Settings, Standing, Traits, Wait,
    breaker::Gate,
    classify::{Context, Expect},
    stack::{self, Answer, Call, InDoubt, Parts, Stack, Streamed},
    words,
};
use crate::{
    http::{self, Lines},
    model::{Allowance, BudgetClass, ByClass, Clock, Costs, ErrorClass, Operation, Timestamp},
    presets::Preset,
    telemetry::ProviderMetrics,
};

pub(super) struct Connection {
    stack: Stack,
    pub(super) parts: Parts,
}

impl Connection {
    pub(super) fn new(
        settings: Settings,
        client: http::Client,
        clock: Arc<dyn Clock>,
        metrics: ProviderMetrics,
    ) -> Self {
        let parts = Parts::new(settings, client, clock, metrics);
        Self { stack: stack::build(&parts), parts }
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.parts.settings
    }

    pub(super) fn preset(&self) -> &Preset {
        &self.parts.settings.preset
    }

    pub(super) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// When an operation that begins now must have ended, however many requests it takes.
    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.parts.settings.deadline
    }

    pub(super) fn readiness(&self, now: Timestamp) -> Readiness {
        let (budget, at) = (&self.parts.budget, self.parts.budget.now());
        // Asked before each step of the engine, and so every half a minute where there is nothing to do.
        budget.refresh();
        let blocked = |class| budget.blocked_for(class).map(|span| now.plus(span));
        if let Some(until) = blocked(BudgetClass::Any) {
            return Readiness::Wait { until, why: Wait::Throttled };
        }
        let (free, shut) = (budget.free(), ByClass::from_fn(blocked));
        match self.parts.breaker.gate(at) {
            Gate::Open => Readiness::Ready { permits: free, trial: false, shut },
            Gate::OneProbe => Readiness::Ready { permits: free.min(1), trial: true, shut },
            Gate::ShutUntil(until) => {
                Readiness::Wait { until: now.plus(until.since(at)), why: Wait::Breaker }
            }
        }
    }

    pub(super) fn standing(&self, now: Timestamp) -> Standing {
        let (breaker, since) = self.parts.breaker.state();
        let since = now.minus(self.parts.budget.now().since(since));
        let until = match self.readiness(now) {
            Readiness::Wait { until, .. } => Some(until),
            Readiness::Ready { .. } => None,
        };
        let (last_error, rates) = (self.parts.errors.last(), self.parts.budget.rates());
        Standing { breaker, since, until, last_error, rates }
    }

    pub(super) fn allowance(&self, traits: &Traits) -> Option<Allowance> {
        let batch = u32::try_from(traits.batch.max(1)).unwrap_or(u32::MAX);
        self.parts.budget.allowance(Costs { batch, lists_tell: traits.lists_tell })
    }

    pub(super) async fn call(
        &self,
        operation: Operation,
        expect: Expect,
        request: ::http::Request<Bytes>,
        deadline: Instant,
    ) -> Result<Answer, ProviderError> {
        let (limit, doubt) = (http::Client::BODY_LIMIT, InDoubt::default());
        let call = Call { operation, expect, request, limit, deadline, doubt, resent: 0, streamed: None };
        self.stack.clone().oneshot(call).await
    }

    /// Makes a call whose answer goes on for as long as it takes. Its slot is free again once the head is there, so
    /// the caller bounds how many of these go on at once.
    pub(super) async fn open(
        &self,
        operation: Operation,
        request: ::http::Request<Bytes>,
        line_limit: usize,
    ) -> Result<Lines, ProviderError> {
        let (deadline, doubt) = (self.deadline(), InDoubt::default());
        let (expect, streamed) = (Expect::NewPin, Streamed::default());
        let call = Call {
            operation,
            expect,
            request,
            limit: line_limit,
            deadline,
            doubt,
            resent: 0,
            streamed: Some(streamed.clone()),
        };
        self.stack.clone().oneshot(call).await?;
        streamed.take().ok_or_else(|| self.senseless(operation, "the answer has no body"))
    }

    /// A failure that no answer told of: a refusal that is known without asking, or what came in the midst of an
    /// answer that began well.
    pub(super) fn failure(&self, operation: Operation, class: ErrorClass, why: &str) -> ProviderError {
        self.context(operation, false).unanswered(class, why)
    }

    /// A 2xx whose body makes no sense.
    pub(super) fn senseless(&self, operation: Operation, why: &str) -> ProviderError {
        self.context(operation, true).senseless(why)
    }

    /// A provider's words, short and without secrets.
    pub(super) fn plain(&self, text: &str) -> String {
        words::plain(text, self.parts.keeper.secrets())
    }

    fn context(&self, operation: Operation, maybe_done: bool) -> Context<'_> {
        let (provider, secrets) = (self.settings().name.as_str(), &**self.parts.keeper.secrets());
        Context { provider, operation, secrets, was_called: true, maybe_done, now: self.now() }
    }
}
