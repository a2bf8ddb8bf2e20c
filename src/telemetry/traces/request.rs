//! A client's request, and the commit of what it asked for.

use ::http::HeaderMap;
use opentelemetry::{
    KeyValue,
    trace::{Span as _, SpanBuilder, SpanContext, SpanKind, Status},
};
use opentelemetry_sdk::trace::Span;
use std::sync::Arc;

use super::{
    super::{Label, PinRequest, RequestLine, labels},
    Accept, Recorder, Traces, traceparent,
};
use crate::model::{Content, RequestId};

/// One request's trace; an empty one where it is not recorded.
#[derive(Default)]
pub struct Trace(pub(super) Option<Box<Recorded>>);

pub(super) struct Recorded {
    pub(super) recorder: Arc<Recorder>,
    pub(super) span: Span,
}

impl Traces {
    /// A request begins, with these headers.
    pub fn request(&self, headers: &HeaderMap) -> Trace {
        let Some(recorder) = &self.0 else { return Trace(None) };
        Trace(recorder.request(headers).map(|span| Box::new(Recorded { recorder: recorder.clone(), span })))
    }
}

impl Recorder {
    fn request(&self, headers: &HeaderMap) -> Option<Span> {
        let parent = match self.accept {
            Accept::Never => None,
            Accept::Trace | Accept::Decision => traceparent::of(headers),
        };
        let is_recorded = match &parent {
            Some(parent) if self.accept == Accept::Decision => parent.is_sampled(),
            _ => self.is_drawn(),
        };
        let builder = SpanBuilder::from_name("request").with_kind(SpanKind::Server);
        is_recorded.then(|| self.span(builder, parent.as_ref()))
    }
}

impl Trace {
    /// Of a request that is not recorded.
    pub const NONE: &'static Self = &Self(None);

    /// The copies of this content are for this request, too.
    pub fn asks_for(&self, content: &Content) {
        if let Some(recorded) = &self.0 {
            recorded.recorder.copies().asked(content, recorded.span.span_context());
        }
    }

    /// What was asked for is being put on disk, until the guard goes.
    pub fn commit(&self, what: PinRequest, pin: RequestId) -> Commit {
        let Some(recorded) = &self.0 else { return Commit(None) };
        let attributes =
            [KeyValue::new("pinfold.change", what.as_str()), KeyValue::new("pinfold.pin", pin.to_string())];
        let builder = SpanBuilder::from_name("commit").with_attributes(attributes);
        Commit(Some(recorded.recorder.span(builder, Some(recorded.context()))))
    }

    /// It was answered so.
    pub fn answered(self, line: &RequestLine<'_>) {
        let Some(mut recorded) = self.0 else { return };
        let (span, method) = (&mut recorded.span, labels::Method::of(line.method).as_str());
        span.update_name(format!("{method} {}", line.route));
        span.set_attributes([
            KeyValue::new("pinfold.listener", line.listener.as_str()),
            KeyValue::new("http.request.method", method),
            KeyValue::new("http.route", line.route.to_owned()),
            KeyValue::new("http.response.status_code", i64::from(line.code.as_u16())),
            KeyValue::new("pinfold.request_id", line.request_id.to_owned()),
        ]);
        if let Some(account) = line.account {
            span.set_attribute(KeyValue::new("pinfold.account", account.to_owned()));
        }
        if line.code.is_server_error() {
            span.set_status(Status::error(""));
        }
    }
}

impl Recorded {
    fn context(&self) -> &SpanContext {
        self.span.span_context()
    }
}

/// A commit that is under way for as long as it is held.
pub struct Commit(Option<Span>);

impl Commit {
    /// It is over: on disk, or not.
    pub fn ended<T, E>(self, outcome: &Result<T, E>) {
        if let (Some(mut span), Err(_)) = (self.0, outcome) {
            span.set_status(Status::error(""));
        }
    }
}
