//! Traces in OpenTelemetry's terms: requests and their commits, copies, steps of jobs, and the calls made for them. Off
//! unless told.
//!
//! What is not recorded has no span at all: whoever works asks an empty handle, which is all that it costs. What a
//! request asked for is worked on long after its answer, so a copy's life is a trace of its own, linked to those who
//! asked for it. docs/traces.md tells what operators see.

mod copies;
mod errand;
mod export;
mod recent;
mod request;
mod steps;
mod traceparent;

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use ::http::{HeaderMap, Uri};
use opentelemetry::{
    Context, InstrumentationScope,
    trace::{SpanBuilder, SpanContext, TraceContextExt, Tracer, TracerProvider},
};
use opentelemetry_sdk::trace::{Sampler, SdkTracer, SdkTracerProvider, Span};

use self::{copies::Copies, steps::Jobs};
pub use self::{
    copies::CopyEnd,
    errand::{Errand, Try, attempt, under},
    export::{Carrier, Export, Undelivered},
    request::{Commit, Trace},
    steps::{Stride, current, started, within},
};
use super::TraceMetrics;

/// What becomes of a `traceparent` that a client sends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Accept {
    /// Nothing: each request begins a trace of its own.
    Never,
    /// A request is a part of its client's trace; whether it is recorded is decided here.
    #[default]
    Trace,
    /// It is, and it is recorded if, and only if, its client's part is.
    Decision,
}

impl Accept {
    pub const ALL: [Self; 3] = [Self::Never, Self::Trace, Self::Decision];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Trace => "trace",
            Self::Decision => "decision",
        }
    }
}

/// What is recorded, and where it goes.
#[derive(Clone)]
pub struct Settings {
    /// Of a receiver of OTLP over HTTP, up to and with `/v1/traces`.
    pub endpoint: Uri,
    /// Sent along with every batch. Secret: nothing prints them.
    pub headers: HeaderMap,
    /// The share of requests that are recorded, from 0 to 1; calls to providers that are nobody's likewise.
    pub sample: f64,
    /// Whether providers are told of the trace, too.
    pub propagate: bool,
    pub accept: Accept,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { endpoint, headers, sample, propagate, accept } = self;
        f.debug_struct("Settings")
            .field("endpoint", endpoint)
            .field("headers", &headers.keys().collect::<Vec<_>>())
            .field("sample", sample)
            .field("propagate", propagate)
            .field("accept", accept)
            .finish()
    }
}

/// Records spans, or, as it is by default, nothing. Clones share all of it.
#[derive(Clone, Default)]
pub struct Traces(Option<Arc<Recorder>>);

struct Recorder {
    tracer: SdkTracer,
    sample: f64,
    propagate: bool,
    accept: Accept,
    copies: Mutex<Copies>,
    jobs: Mutex<Jobs>,
}

impl Traces {
    /// Begins to record, and to send what was recorded by the carrier, on the runtime of the moment.
    pub fn start(settings: Settings, carrier: Arc<dyn Carrier>, metrics: &TraceMetrics) -> (Self, Export) {
        let resource = export::resource();
        let (queue, export) = export::start(&settings, carrier, metrics, &resource);
        // Whether something is recorded is decided before a span is made of it.
        let provider = SdkTracerProvider::builder()
            .with_sampler(Sampler::AlwaysOn)
            .with_resource(resource)
            .with_span_processor(queue)
            .build();
        let scope = InstrumentationScope::builder("pinfold").with_version(env!("CARGO_PKG_VERSION")).build();
        let recorder = Recorder {
            tracer: provider.tracer_with_scope(scope),
            sample: settings.sample,
            propagate: settings.propagate,
            accept: settings.accept,
            copies: Mutex::default(),
            jobs: Mutex::default(),
        };
        (Self(Some(Arc::new(recorder))), export)
    }

    /// Whether anything may be recorded.
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }
}

impl Recorder {
    /// Whether chance has it that something is recorded. Not by the trace's id, which clients choose.
    fn is_drawn(&self) -> bool {
        rand::random::<f64>() < self.sample
    }

    fn span(&self, builder: SpanBuilder, parent: Option<&SpanContext>) -> Span {
        let context = parent
            .map_or_else(Context::new, |parent| Context::new().with_remote_span_context(parent.clone()));
        self.tracer.build_with_context(builder, &context)
    }

    fn copies(&self) -> MutexGuard<'_, Copies> {
        // Hints are whole at any moment.
        self.copies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Traces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_on() { "Traces(on)" } else { "Traces(off)" })
    }
}

#[cfg(test)]
mod tests;
