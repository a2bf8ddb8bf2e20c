//! Follows claims for traces: whom each call is made for, and when the work on a copy begins and ends.

use std::future::Future;

use super::dispatch::Caller;
use crate::{
    model::{Op, Operation, Status},
    providers::ProviderError,
    store::{Claim, Word},
    telemetry::traces::{CopyEnd, under},
};

impl Caller {
    /// Makes one call for these claims, and takes note of what it says about the provider's health.
    pub(super) async fn call_for<T>(
        &self,
        claims: impl IntoIterator<Item = &Claim>,
        operation: Operation,
        call: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        let errand = self.shared.traces.errand(claims.into_iter().map(|claim| claim.key.replica));
        self.note_result(operation, under(errand, call).await).await
    }

    /// Makes one call that is for no claims, or for very many.
    pub(super) async fn call<T>(
        &self,
        operation: Operation,
        call: impl Future<Output = Result<T, ProviderError>>,
    ) -> Result<T, ProviderError> {
        self.call_for([], operation, call).await
    }

    /// Copies that are to be made begin to be followed, where somebody who is recorded asked for them.
    pub(super) fn follow(&self, claims: &[Claim]) {
        let traces = &self.shared.traces;
        if !traces.is_on() {
            return;
        }
        for claim in claims.iter().filter(|claim| claim.op == Op::Submit) {
            traces.works_on(self.provider.name(), claim.key.replica, &claim.content);
        }
    }

    pub(super) fn follow_end(&self, claim: &Claim, word: &Word) {
        if let Some(end) = end(word) {
            self.shared.traces.ended(claim.key.replica, end);
        }
    }
}

/// Whether the work on a copy is over by this word.
fn end(word: &Word) -> Option<CopyEnd> {
    match word {
        Word::Landed { status, .. } | Word::Found { status, .. } | Word::Seen { status, .. } => {
            match status {
                Status::Pinned => Some(CopyEnd::Pinned),
                Status::Failed => Some(CopyEnd::Failed),
                Status::Queued | Status::Pinning => None,
            }
        }
        Word::Gone => Some(CopyEnd::Lost),
        Word::Removed => Some(CopyEnd::Removed),
        Word::Deferred { .. } | Word::NotFound { .. } | Word::Erred { .. } => None,
    }
}
