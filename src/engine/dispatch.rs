//! Makes the calls of one group of claims, and records what became of each as soon as it is known.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

use futures::future::join_all;

use super::{
    Shared,
    background::Spills,
    health::Observed,
    introduce::Introduced,
    look::{Decision, Tags, decide},
};
use crate::{
    model::{BudgetClass, ByClass, ErrorClass, Health, Op, Operation, ProviderId, Timestamp},
    policy::{
        ProviderView,
        replica::{CallError, Work},
    },
    providers::{Accepted, Provider, ProviderError, Readiness, Submit},
    store::{Claim, Outcome, Recorded, StoreError, Word},
    telemetry::{TaskKind, TaskOutcome},
};

/// One provider, and all that is needed to call it and to keep what it says.
pub(super) struct Caller {
    pub(super) shared: Shared,
    pub(super) provider: Arc<dyn Provider>,
    pub(super) id: ProviderId,
    pub(super) tags: Tags,
    pub(super) observed: Mutex<Observed>,
    pub(super) noted: Noted,
    pub(super) introduced: Mutex<Introduced>,
    pub(super) spills: Spills,
}

/// What is on record of a provider's health.
#[derive(Debug, Default)]
pub(super) struct Noted {
    /// Notes are written one after the other, so that the last one is of what was observed last.
    turn: tokio::sync::Mutex<()>,
    /// The last one was not written.
    is_stale: AtomicBool,
}

impl Caller {
    pub(super) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    pub(super) fn observed(&self) -> MutexGuard<'_, Observed> {
        // A judgement is whole at any moment: one left by a panic is as good as any.
        self.observed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn introduced(&self) -> MutexGuard<'_, Introduced> {
        // Hints are whole at any moment.
        self.introduced.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a claim's submit says.
    pub(super) fn submit_of(&self, claim: &Claim) -> Submit {
        Submit {
            content: claim.content.clone(),
            name: claim.name.clone(),
            origins: claim.origins.clone(),
            tag: self.tags.of(claim),
        }
    }

    /// Until when a submit or delete that leaves now may take effect.
    pub(super) fn doubt_until(&self, now: Timestamp) -> Timestamp {
        let traits = self.provider.traits();
        now.plus(traits.deadline).plus(traits.settle)
    }

    /// Takes note of what a call says about the provider's health.
    pub(super) async fn note_result<T>(
        &self,
        operation: Operation,
        result: Result<T, ProviderError>,
    ) -> Result<T, ProviderError> {
        let now = self.now();
        let outcome = result.as_ref().map(drop);
        let changed = self.observed().note(operation, outcome, now, &self.shared.settings);
        let blocked_until = result.as_ref().err().and_then(|error| self.blocked_until(error, now));
        if let Err(error) = &result {
            tracing::debug!(%error, "a call failed");
        }
        if let Some(health) = changed {
            self.tell(health, result.as_ref().err(), now).await;
        } else if blocked_until.is_some_and(|until| until > now)
            || self.noted.is_stale.load(Ordering::Relaxed)
        {
            self.note(blocked_until, now).await;
        }
        result
    }

    /// Until when the provider itself wants to be left alone, as far as that keeps new copies from it.
    fn blocked_until(&self, error: &ProviderError, now: Timestamp) -> Option<Timestamp> {
        let told = error.answered && error.class == ErrorClass::Throttled;
        let for_others = match self.provider.readiness(now) {
            Readiness::Ready { shut, .. } => shut[BudgetClass::Write].is_none() && shut != ByClass::default(),
            Readiness::Wait { .. } => false,
        };
        error.retry_at.filter(|_| told && !for_others)
    }

    /// Lets copies be sent again to a provider that wanted money, and has not been asked since.
    pub(super) async fn forgive(&self, now: Timestamp) {
        let health = self.observed().forgive();
        self.tell(health, None, now).await;
    }

    async fn tell(&self, health: Health, error: Option<&ProviderError>, now: Timestamp) {
        let provider = self.provider.name();
        match error {
            Some(error) if !health.is_usable() => {
                let advice = health.advice();
                tracing::warn!(provider, %health, %error, advice, "a provider cannot be used");
            }
            _ => tracing::info!(provider, %health, "a provider's health changed"),
        }
        self.note(None, now).await;
    }

    /// Keeps what was observed. Pins that wait for this provider look elsewhere, those that lack a copy look here.
    pub(super) async fn note(&self, blocked_until: Option<Timestamp>, now: Timestamp) {
        let _turn = self.noted.turn.lock().await;
        let health = self.observed().health();
        self.shared.metrics.provider_if_named(self.provider.name()).up(health.is_usable());
        let noted = self.shared.store.note_provider(self.id, health, blocked_until, now).await;
        self.noted.is_stale.store(noted.is_err(), Ordering::Relaxed);
        if let Err(error) = noted {
            let provider = self.provider.name();
            tracing::error!(%error, provider, %health, "a provider's health was not recorded; the next call tries again");
        }
        match blocked_until {
            Some(until) if health.is_usable() && ProviderView::waits(until, now) => {}
            None if health.is_usable() => self.spills.has_room(),
            _ => self.spills.add(self.id),
        }
        self.shared.activator.poke();
    }

    /// Records outcomes. Where that fails, the claims' leases run out and they are looked up again.
    pub(super) async fn record(&self, claims: Vec<(&Claim, Word)>, began: Timestamp) {
        if claims.is_empty() {
            return;
        }
        let now = self.now();
        if claims.iter().any(|(_, word)| matches!(word, Word::Found { doubles, .. } if !doubles.is_empty())) {
            self.spills.has_surplus(self.id);
        }
        let (kinds, outcomes): (Vec<_>, Vec<_>) = claims
            .into_iter()
            .map(|(claim, word)| {
                self.follow_end(claim, &word);
                ((TaskKind::from(claim.op), outcome(&word)), Outcome { key: claim.key, word })
            })
            .unzip();
        let recorded = self.shared.store.record_outcomes(outcomes, now).await;
        self.count(&kinds, &recorded, now.since(began));
        match recorded {
            Ok(recorded) => {
                if recorded.fanned_out > 0 {
                    self.spills.remerge();
                }
                if recorded.relinked + recorded.fanned_out > 0 {
                    self.shared.activator.poke();
                }
            }
            Err(error) => tracing::error!(%error, "outcomes were not recorded; they will be looked up"),
        }
    }

    fn count(
        &self,
        kinds: &[(TaskKind, TaskOutcome)],
        recorded: &Result<Recorded, StoreError>,
        took: std::time::Duration,
    ) {
        for (kind, outcome) in kinds {
            let outcome = match recorded {
                Err(_) => TaskOutcome::Failed,
                Ok(recorded) if recorded.applied == 0 => TaskOutcome::LeaseLost,
                Ok(_) => *outcome,
            };
            self.shared.metrics.engine().executed(*kind, outcome, took);
        }
    }
}

fn outcome(word: &Word) -> TaskOutcome {
    match word {
        Word::Erred { .. } | Word::Deferred { .. } => TaskOutcome::Retry,
        _ => TaskOutcome::Ok,
    }
}

/// What a failed look means for its replica.
pub(super) fn erred(error: &ProviderError) -> Word {
    Word::Erred { error: call_error(error, None), sending: false }
}

/// What a failed submit or delete means for its replica. Where it was answered nothing of it is on its way any more.
fn erred_sending(caller: &Caller, error: &ProviderError) -> Word {
    let settled_by = error.answered.then(|| caller.now().plus(caller.provider.traits().settle));
    Word::Erred { error: call_error(error, settled_by), sending: true }
}

fn call_error(error: &ProviderError, settled_by: Option<Timestamp>) -> CallError {
    CallError {
        class: error.class,
        text: error.text.clone(),
        maybe_done: error.maybe_done,
        settled_by,
        retry_at: error.retry_at,
    }
}

/// Works a group of claims that send something or look before they do.
pub(super) async fn run(caller: &Caller, claims: Vec<Claim>, asked_at: Timestamp) {
    let (looks, sends): (Vec<_>, Vec<_>) = claims.into_iter().partition(|claim| claim.work == Work::Look);
    let batch = caller.provider.traits().batch.max(1);
    let looks = join_all(looks.chunks(batch).map(|chunk| look(caller, chunk, asked_at)));
    let sends = join_all(sends.iter().map(|claim| send(caller, claim, asked_at)));
    futures::future::join(looks, sends).await;
}

async fn send(caller: &Caller, claim: &Claim, began: Timestamp) {
    let word = match &claim.work {
        Work::Delete(upstream) => {
            let removed = caller.call_for([claim], Operation::Remove, caller.provider.remove(upstream)).await;
            removed.map_or_else(|error| erred_sending(caller, &error), |()| Word::Removed)
        }
        Work::Submit => submit(caller, claim).await,
        Work::Look | Work::See(_) | Work::Forget => Word::Deferred { until: caller.now() },
    };
    caller.record(vec![(claim, word)], began).await;
}

/// Looks up to a batch of contents in one call, then submits what is not there.
async fn look(caller: &Caller, claims: &[Claim], asked_at: Timestamp) {
    let contents: Vec<_> = claims.iter().map(|claim| claim.content.clone()).collect();
    let found = match caller.call_for(claims, Operation::Look, caller.provider.look_up(&contents)).await {
        Ok(found) => found,
        Err(error) => {
            let words: Vec<_> = claims.iter().map(|claim| (claim, erred(&error))).collect();
            return caller.record(words, asked_at).await;
        }
    };
    let (mut words, mut missing) = (Vec::new(), Vec::new());
    for claim in claims {
        match decide(claim, &found, &caller.tags, asked_at) {
            Decision::Word(word) => words.push((claim, word)),
            Decision::Submit => missing.push(claim),
        }
    }
    futures::future::join(caller.record(words, asked_at), submit_all(caller, missing, asked_at)).await;
}

/// Commits the doubt of these submits, then sends those that are still wanted.
async fn submit_all(caller: &Caller, claims: Vec<&Claim>, asked_at: Timestamp) {
    if claims.is_empty() {
        return;
    }
    let now = caller.now();
    let keys = claims.iter().map(|claim| claim.key).collect();
    let begun = caller.shared.store.begin_submits(keys, caller.doubt_until(now), asked_at, now).await;
    let may_leave = match begun {
        Ok(may_leave) => may_leave,
        Err(error) => {
            tracing::error!(%error, "submits could not be recorded, so none was sent");
            Vec::new()
        }
    };
    let (leaving, unwanted): (Vec<&Claim>, Vec<&Claim>) =
        claims.into_iter().partition(|claim| may_leave.contains(&claim.key.replica));
    let unwanted: Vec<_> = unwanted.into_iter().map(|claim| (claim, Word::NotFound { asked_at })).collect();
    let sends = join_all(leaving.into_iter().map(|claim| async move {
        let word = submit(caller, claim).await;
        caller.record(vec![(claim, word)], asked_at).await;
    }));
    futures::future::join(caller.record(unwanted, asked_at), sends).await;
}

async fn submit(caller: &Caller, claim: &Claim) -> Word {
    debug_assert_eq!(claim.op, Op::Submit, "only a due submit is sent");
    caller.introduced().is_news(claim.key.replica, &claim.origins);
    let submit = caller.provider.submit(caller.submit_of(claim));
    match caller.call_for([claim], Operation::Submit, submit).await {
        Ok(Accepted { pin, existed }) => {
            let existed = existed && !caller.tags.is_ours(&pin);
            Word::Landed { upstream: pin.id, status: pin.status, delegates: pin.delegates, existed }
        }
        Err(error) => erred_sending(caller, &error),
    }
}
