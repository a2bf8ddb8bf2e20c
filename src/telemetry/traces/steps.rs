//! Jobs: a step that is recorded is a trace of its own, linked to the request that started the job.
//!
//! Which request that was is kept in memory only, in bounds, as it is of copies.

use std::{
    future::Future,
    sync::{Arc, MutexGuard, PoisonError},
};

use futures::future::Either;
use opentelemetry::{
    KeyValue,
    trace::{Link, Span as _, SpanBuilder, SpanContext, Status},
};
use opentelemetry_sdk::trace::Span;

use super::{Errand, Recorder, Trace, Traces, recent::Recent};
use crate::model::{Job, JobId, JobState};

/// Jobs that are kept in mind, at least; twice as many at most.
const MOST: usize = 128;
/// Steps of one job that are recorded because its request was. A job may take days: further ones are drawn.
const STEPS: u32 = 1000;

tokio::task_local! {
    static REQUEST: Arc<Trace>;
}

/// Answers a request; what begins meanwhile in the same task was asked for by it.
pub fn within<F: Future>(trace: &Arc<Trace>, answering: F) -> impl Future<Output = F::Output> {
    match trace.0 {
        None => Either::Left(answering),
        Some(_) => Either::Right(REQUEST.scope(trace.clone(), answering)),
    }
}

/// The request that is being answered by this task; an empty one where none is recorded.
pub fn current() -> Arc<Trace> {
    REQUEST.try_with(Arc::clone).unwrap_or_default()
}

/// A job was started by the request that is being answered by this task. To be said before the job is worked on.
pub fn started(job: JobId) {
    if let Some(recorded) = &current().0 {
        let by = recorded.span.span_context().clone();
        recorded.recorder.jobs().0.insert(job, Started { by, left: STEPS });
    }
}

/// Who started jobs.
pub(super) struct Jobs(Recent<JobId, Started>);

struct Started {
    by: SpanContext,
    /// Steps that are recorded without being drawn.
    left: u32,
}

impl Default for Jobs {
    fn default() -> Self {
        Self(Recent::new(MOST))
    }
}

impl Jobs {
    /// Who started it, and whether its next step is recorded for that.
    fn step(&mut self, job: JobId) -> (Option<SpanContext>, bool) {
        let Some(known) = self.0.get_mut(&job) else { return (None, false) };
        let is_owed = known.left > 0;
        known.left = known.left.saturating_sub(1);
        (Some(known.by.clone()), is_owed)
    }
}

/// A step of a job that is under way; an empty one where it is not recorded.
pub struct Stride(Option<(Arc<Recorder>, Span)>);

impl Traces {
    /// A step of a job is to be taken.
    pub fn step(&self, job: &Job) -> Stride {
        let Some(recorder) = &self.0 else { return Stride(None) };
        let (by, is_owed) = recorder.jobs().step(job.id);
        if !is_owed && !recorder.is_drawn() {
            return Stride(None);
        }
        let mut attributes = vec![KeyValue::new("pinfold.job", job.id.to_string())];
        if let Some((_, provider)) = &job.provider {
            attributes.push(KeyValue::new("pinfold.provider", provider.clone()));
        }
        let builder = SpanBuilder::from_name(job.kind.as_str())
            .with_attributes(attributes)
            .with_links(by.into_iter().map(Link::with_context).collect());
        Stride(Some((recorder.clone(), recorder.span(builder, None))))
    }
}

impl Stride {
    /// For the calls that are made in it.
    pub fn errand(&self) -> Option<Errand> {
        let (recorder, span) = self.0.as_ref()?;
        Some(Errand::part_of(recorder.clone(), span.span_context().clone()))
    }

    /// It is over, and the job stands so; or it failed, and is taken again.
    pub fn ended<E>(self, outcome: Result<JobState, E>) {
        let Some((_, mut span)) = self.0 else { return };
        let words = outcome.as_ref().map_or("error", |state| state.as_str());
        span.set_attribute(KeyValue::new("pinfold.outcome", words));
        if matches!(outcome, Err(_) | Ok(JobState::Failed)) {
            span.set_status(Status::error(""));
        }
    }
}

impl Recorder {
    fn jobs(&self) -> MutexGuard<'_, Jobs> {
        // Hints are whole at any moment.
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::trace::SpanContext;

    use super::*;

    #[test]
    fn a_job_that_takes_days_is_recorded_for_a_while_and_then_as_any_other() {
        let mut jobs = Jobs::default();
        let by = SpanContext::empty_context();
        jobs.0.insert(JobId(1), Started { by: by.clone(), left: 2 });
        let steps = [(); 4].map(|()| jobs.step(JobId(1)));
        assert_eq!(
            steps.map(|(linked, is_owed)| (linked.is_some(), is_owed)),
            [(true, true), (true, true), (true, false), (true, false)]
        );
        assert_eq!(jobs.step(JobId(2)), (None, false));
    }
}
