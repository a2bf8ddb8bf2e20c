//! The lives of copies, from the first work on them until they are pinned, and who asked for them.
//!
//! Kept in memory only, in bounds: what is forgotten, or was asked for before a restart, is worked on all the same, only
//! without a link.

use opentelemetry::{
    KeyValue,
    trace::{Link, Span as _, SpanBuilder, SpanContext, SpanId, Status},
};
use opentelemetry_sdk::trace::Span;

use super::{Recorder, Traces, recent::Recent};
use crate::model::{Content, ReplicaId};

/// Contents asked for and copies under way that are kept in mind, at least; twice as many at most.
const MOST: usize = 2048;

/// How a copy's work ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CopyEnd {
    Pinned,
    /// By the provider's word.
    Failed,
    /// It is not there any more.
    Lost,
    /// No pin needs it.
    Removed,
    /// It goes on, but is not followed any more.
    Unfinished,
}

impl CopyEnd {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Pinned => "pinned",
            Self::Failed => "failed",
            Self::Lost => "lost",
            Self::Removed => "removed",
            Self::Unfinished => "unfinished",
        }
    }
}

/// One copy that is worked on.
struct Life {
    span: Span,
    /// Who asked last, as far as the span is linked to them.
    asked_by: SpanId,
}

impl Life {
    fn end(mut self, how: CopyEnd) {
        self.span.set_attribute(KeyValue::new("pinfold.outcome", how.as_str()));
        if matches!(how, CopyEnd::Failed | CopyEnd::Lost) {
            self.span.set_status(Status::error(""));
        }
    }
}

/// All that is kept in mind.
pub(super) struct Copies {
    asked: Recent<Content, SpanContext>,
    lives: Recent<ReplicaId, Life>,
}

impl Default for Copies {
    fn default() -> Self {
        Self { asked: Recent::new(MOST), lives: Recent::new(MOST) }
    }
}

impl Copies {
    pub(super) fn asked(&mut self, content: &Content, by: &SpanContext) {
        self.asked.insert(content.clone(), by.clone());
    }

    /// The span of a copy's life, where it has one.
    pub(super) fn life_of(&mut self, copy: ReplicaId) -> Option<SpanContext> {
        self.lives.get_mut(&copy).map(|life| life.span.span_context().clone())
    }
}

impl Traces {
    /// A copy of this content is to be made, or goes on to be. Its life begins where somebody who is recorded asked.
    pub fn works_on(&self, provider: &str, copy: ReplicaId, content: &Content) {
        if let Some(recorder) = &self.0 {
            recorder.works_on(provider, copy, content);
        }
    }

    /// The work on a copy has ended.
    pub fn ended(&self, copy: ReplicaId, how: CopyEnd) {
        if let Some(life) = self.0.as_ref().and_then(|recorder| recorder.copies().lives.remove(&copy)) {
            life.end(how);
        }
    }

    /// Nothing is followed any further: the process stops.
    pub fn end_all(&self) {
        let Some(recorder) = &self.0 else { return };
        recorder.copies().lives.drain().for_each(|life| life.end(CopyEnd::Unfinished));
    }
}

impl Recorder {
    fn works_on(&self, provider: &str, copy: ReplicaId, content: &Content) {
        let mut copies = self.copies();
        let Some(by) = copies.asked.get_mut(content).cloned() else { return };
        if let Some(life) = copies.lives.get_mut(&copy) {
            if life.asked_by != by.span_id() {
                life.asked_by = by.span_id();
                life.span.add_link(by, Vec::new());
            }
            return;
        }
        let builder = SpanBuilder::from_name("copy")
            .with_attributes([KeyValue::new("pinfold.provider", provider.to_owned())])
            .with_links(vec![Link::with_context(by.clone())]);
        let life = Life { span: self.span(builder, None), asked_by: by.span_id() };
        let gone = copies.lives.insert(copy, life);
        drop(copies);
        gone.into_iter().for_each(|life| life.end(CopyEnd::Unfinished));
    }
}
