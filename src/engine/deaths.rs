//! Declares providers dead that were down, or out of the config, for too long: their copies are made again elsewhere. One
//! that answers again is healthy (`dispatch.rs`), and so is one that comes back into the config.

use std::time::Duration;

use super::{Shared, report::earlier};
use crate::{
    model::{Health, ProviderRecord, Timestamp},
    store::StoreError,
};

/// The time between looks, if nobody is to die before.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// For so long a start tries those that were down before: what they did while nothing ran, nobody knows.
const GRACE: Duration = Duration::from_secs(600);

/// When to look, and for whom.
#[derive(Debug)]
pub(super) struct Deaths {
    began: Timestamp,
    looked_at: Timestamp,
    next: Option<Timestamp>,
}

impl Deaths {
    pub(super) fn new(now: Timestamp) -> Self {
        Self { began: now, looked_at: Timestamp::ZERO, next: None }
    }

    /// Declares those dead whose time has surely come; returns when the next one's does.
    pub(super) async fn tick(
        &mut self,
        shared: &Shared,
        (now, sure): (Timestamp, Timestamp),
    ) -> Result<Option<Timestamp>, StoreError> {
        if now.since(self.looked_at) < LOOK_EVERY && self.next.is_none_or(|at| at > now) {
            return Ok(self.next);
        }
        let providers = shared.store.providers().await?;
        let answers = |one: &ProviderRecord| one.absent_since.is_none() && one.health.is_usable();
        let any_answers = providers.iter().any(answers);
        let mut next = None;
        for provider in &providers {
            match self.dies_at(provider, any_answers) {
                Some(at) if at <= sure => declare(shared, provider, now).await?,
                at => next = earlier(next, at.map(|at| at.plus(now.since(sure)))),
            }
        }
        (self.looked_at, self.next) = (now, next);
        Ok(next)
    }

    /// Where nobody answers at all it is more likely our own way to them that is broken: a look finds out once one does.
    fn dies_at(&self, provider: &ProviderRecord, any_answers: bool) -> Option<Timestamp> {
        let after = provider.facts.dies_after();
        let absent = provider.absent_since.map(|since| since.plus(after));
        let down = match provider.health {
            Health::Dead => return None,
            Health::Down if provider.absent_since.is_none() => {
                Some(provider.health_since.plus(after).max(self.began.plus(GRACE))).filter(|_| any_answers)
            }
            _ => None,
        };
        earlier(absent, down)
    }
}

async fn declare(shared: &Shared, provider: &ProviderRecord, now: Timestamp) -> Result<(), StoreError> {
    let (name, after) = (provider.name.as_str(), provider.facts.dies_after());
    let advice = Health::Dead.advice();
    tracing::warn!(provider = name, ?after, advice, "a provider is declared dead");
    shared.store.note_provider(provider.id, Health::Dead, None, now).await
}
