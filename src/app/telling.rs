//! Traces on their way out, by the one client.

use std::{sync::Arc, time::Duration};

use ::http::{Request, StatusCode};
use bytes::Bytes;
use futures::{FutureExt, future::BoxFuture};

use crate::{
    config::TraceSettings,
    http::Client,
    telemetry::{
        TraceMetrics, Traces,
        traces::{Carrier, Export, Undelivered},
    },
};

/// How long the end of a process may wait for its last spans to be delivered.
const LAST_WORDS: Duration = Duration::from_secs(3);
/// The most of an answer that is read, in bytes.
const ANSWER: usize = 64 << 10;

/// What records traces, and who sends them; neither where nobody wants them.
#[derive(Default)]
pub(super) struct Telling {
    pub(super) traces: Traces,
    export: Option<Export>,
}

impl Telling {
    pub(super) fn start(settings: Option<&TraceSettings>, metrics: &TraceMetrics) -> Self {
        let Some(settings) = settings else { return Self::default() };
        let carrier = Arc::new(Client::new(&settings.http));
        let (traces, export) = Traces::start(settings.traces.clone(), carrier, metrics);
        Self { traces, export: Some(export) }
    }

    /// Sends what is left, within a bound.
    pub(super) async fn finish(self) {
        self.traces.end_all();
        if let Some(export) = self.export {
            export.finish(LAST_WORDS).await;
        }
    }
}

impl Carrier for Client {
    fn carry(&self, request: Request<Bytes>) -> BoxFuture<'static, Result<StatusCode, Undelivered>> {
        let client = self.clone();
        async move {
            let answer = client.send(request, ANSWER).await;
            answer.map(|answer| answer.status()).map_err(|error| Undelivered(error.to_string()))
        }
        .boxed()
    }
}
