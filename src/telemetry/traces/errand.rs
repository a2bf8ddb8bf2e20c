//! Calls to providers: whom a call is made for, and each request that leaves for it.

use std::{future::Future, sync::Arc};

use ::http::{HeaderName, HeaderValue, StatusCode};
use futures::future::Either;
use opentelemetry::{
    KeyValue,
    trace::{Link, Span as _, SpanBuilder, SpanContext, SpanKind, Status},
};
use opentelemetry_sdk::trace::Span;

use super::{
    super::labels::{CallOutcome, Label},
    Recorder, Traces, traceparent,
};
use crate::model::{ErrorClass, Operation, ReplicaId};

/// One call may serve this many copies that are recorded; further ones are not linked.
const LINKS: usize = 32;

tokio::task_local! {
    static ERRAND: Errand;
}

/// Whom a call is made for. Empty: it is recorded for its own sake.
pub struct Errand {
    recorder: Arc<Recorder>,
    parent: Option<SpanContext>,
    links: Vec<SpanContext>,
}

impl Traces {
    /// A call is to be made for these copies, or for none. `None`: it is not recorded.
    pub fn errand(&self, copies: impl IntoIterator<Item = ReplicaId>) -> Option<Errand> {
        let recorder = self.0.as_ref()?;
        let mut known = recorder.copies();
        let mut lives = copies.into_iter().filter_map(|copy| known.life_of(copy));
        let (parent, links) = (lives.next(), lives.take(LINKS).collect());
        drop(known);
        let is_recorded = parent.is_some() || recorder.is_drawn();
        is_recorded.then(|| Errand { recorder: recorder.clone(), parent, links })
    }
}

/// Makes a call; whatever leaves meanwhile in the same task leaves on this errand.
pub fn under<F: Future>(errand: Option<Errand>, call: F) -> impl Future<Output = F::Output> {
    match errand {
        None => Either::Left(call),
        Some(errand) => Either::Right(ERRAND.scope(errand, call)),
    }
}

/// One request to a provider that is under way; an empty one where it is not recorded.
pub struct Try(Option<(Span, bool)>);

/// A request leaves; `resent` counts those before it that it repeats.
pub fn attempt(provider: &str, operation: Operation, resent: u32) -> Try {
    ERRAND.try_with(|errand| errand.attempt(provider, operation, resent)).unwrap_or(Try(None))
}

impl Errand {
    /// Calls are a part of what has this span.
    pub(super) fn part_of(recorder: Arc<Recorder>, parent: SpanContext) -> Self {
        Self { recorder, parent: Some(parent), links: Vec::new() }
    }

    fn attempt(&self, provider: &str, operation: Operation, resent: u32) -> Try {
        let mut attributes = vec![
            KeyValue::new("pinfold.provider", provider.to_owned()),
            KeyValue::new("pinfold.operation", operation.as_str()),
        ];
        if resent > 0 {
            attributes.push(KeyValue::new("http.request.resend_count", i64::from(resent)));
        }
        let builder = SpanBuilder::from_name(operation.as_str())
            .with_kind(SpanKind::Client)
            .with_attributes(attributes)
            .with_links(self.links.iter().cloned().map(Link::with_context).collect());
        Try(Some((self.recorder.span(builder, self.parent.as_ref()), self.recorder.propagate)))
    }
}

impl Try {
    /// What the provider is told of it.
    pub fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        let (span, true) = self.0.as_ref()? else { return None };
        Some((traceparent::HEADER, traceparent::header(span.span_context())?))
    }

    /// It was answered so, or not at all.
    pub fn ended(self, outcome: Result<(), ErrorClass>, code: Option<StatusCode>) {
        let Some((mut span, _)) = self.0 else { return };
        let words = CallOutcome::from(outcome).as_str();
        span.set_attribute(KeyValue::new("pinfold.outcome", words));
        if let Some(code) = code {
            span.set_attribute(KeyValue::new("http.response.status_code", i64::from(code.as_u16())));
        }
        if outcome.is_err() {
            span.set_status(Status::error(""));
            span.set_attribute(KeyValue::new("error.type", words));
        }
    }
}
