//! The calls of an audit: after whatever is new, and inside the budget like all others.

use std::time::Duration;

use super::Tools;
use crate::{
    model::{BudgetClass, ErrorClass, ProviderId, Status},
    providers::{Provider, Readiness, UpstreamPage, UpstreamPin, Walk},
    store::{Listed, StoreError},
};

/// Why a call did not bring anything.
pub(super) struct Held {
    /// `None`: for as long as after any failure.
    pub(super) wait: Option<Duration>,
    pub(super) failed: bool,
    /// What is new goes first.
    pub(super) gives_way: bool,
    pub(super) words: String,
}

/// The next page of a provider's list, where one may be asked for now.
pub(super) async fn page(
    provider: &dyn Provider,
    id: ProviderId,
    walk: &Walk,
    patient: bool,
    tools: &Tools<'_>,
) -> Result<Result<UpstreamPage, Held>, StoreError> {
    let now = tools.now;
    let until = match provider.readiness(now) {
        Readiness::Wait { until, .. } => Some(until),
        Readiness::Ready { shut, .. } => shut[BudgetClass::List],
    };
    if let Some(until) = until.filter(|until| *until > now) {
        let words = "waits until the provider may be called again".to_owned();
        return Ok(Err(Held { wait: Some(until.since(now)), failed: false, gives_way: false, words }));
    }
    let allowance = provider.allowance();
    if let Some(wait) = tools.shared.store.audit_waits(id, allowance, patient, now).await? {
        let words = "waits for calls that nothing new needs".to_owned();
        return Ok(Err(Held {
            wait: Some(wait.max(Duration::from_secs(1))),
            failed: false,
            gives_way: true,
            words,
        }));
    }
    Ok(provider.list(walk.before()).await.map_err(|error| {
        let throttled = error.class == ErrorClass::Throttled;
        let wait = error.retry_at.map(|at| at.since(now)).filter(|_| throttled);
        Held {
            wait,
            failed: !throttled,
            gives_way: false,
            words: format!("its list could not be read: {}", error.text),
        }
    }))
}

impl From<UpstreamPin> for Listed {
    fn from(pin: UpstreamPin) -> Self {
        let UpstreamPin { id, content, status, name, created, .. } = pin;
        Self { upstream: id, content, pinned: status == Status::Pinned, name, created }
    }
}
