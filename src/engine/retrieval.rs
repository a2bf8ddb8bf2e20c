//! Proofs of retrieval: asks the gateways of providers for the roots of some copies now and then, so that one that says
//! `pinned` and serves nothing is known. What `prove.rs` proves is another thing: that a credential reaches our copies.

use std::time::Duration;

use futures::future::join_all;

use super::{Shared, report::earlier, roster::Roster};
use crate::{
    model::{Content, ProofRecord, ProofState, Proved, ProviderRecord, ReplicaId, Sampling, Timestamp},
    providers::{Fetched, Gateway},
    store::{Judged, ProofRound, StoreError},
    telemetry::Repeats,
};

/// The time between looks at the providers, if no sample is due before.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// One that is not proven is asked for another sample after this, or sooner where samples are due more often.
const AGAIN: Duration = Duration::from_secs(600);
/// What is pinned for less may not be known to the gateway yet.
const SETTLED: Duration = Duration::from_secs(600);
/// Copies that are asked for at once.
const AT_ONCE: usize = 4;
/// The wait after the store failed.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

pub(super) struct Retrieval {
    shared: Shared,
    roster: Roster,
    looked_at: Timestamp,
    next: Option<Timestamp>,
}

impl Retrieval {
    pub(super) fn new(shared: Shared, roster: Roster) -> Self {
        Self { shared, roster, looked_at: Timestamp::ZERO, next: None }
    }

    /// Ticks until stopping begins; what is asked for then is given up.
    pub(super) async fn run(mut self) {
        let (shared, mut repeats) = (self.shared.clone(), Repeats::default());
        loop {
            let now = shared.clock.now();
            let ticked = tokio::select! {
                () = shared.shutdown.begun() => return,
                ticked = self.tick(now) => ticked,
            };
            let longest = shared.settings.longest_sleep;
            let nap = match ticked {
                Ok(next) => {
                    if repeats.worked() {
                        tracing::info!("what gateways serve can be noted again");
                    }
                    next.map_or(longest, |at| at.since(shared.clock.now()).min(longest))
                }
                Err(error) => {
                    if repeats.failed() {
                        tracing::error!(%error, "what gateways serve cannot be noted; it is tried again until it works");
                    }
                    AFTER_FAILURE
                }
            };
            tokio::select! {
                () = shared.shutdown.begun() => return,
                () = tokio::time::sleep(nap) => {}
            }
        }
    }

    /// Asks for all samples that are due; returns when the next one is.
    pub(super) async fn tick(&mut self, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let rests = now >= self.looked_at && now.since(self.looked_at) < LOOK_EVERY;
        if rests && self.next.is_none_or(|at| at > now) {
            return Ok(self.next);
        }
        let records = self.shared.store.providers().await?;
        let turns = join_all(records.iter().map(|record| self.turn(record, now))).await;
        let mut next = None;
        for at in turns {
            next = earlier(next, at?);
        }
        (self.looked_at, self.next) = (now, next);
        Ok(next)
    }

    /// One provider's turn; when its next one is.
    async fn turn(&self, record: &ProviderRecord, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        self.shared.metrics.provider_if_named(&record.name).proof(&record.proof);
        let Some(sampling) = record.facts.proof else {
            if record.proof != ProofRecord::default() {
                self.shared.store.forget_proof(record.id, now).await?;
                self.shared.activator.poke();
            }
            return Ok(None);
        };
        let provider = self.roster.find(record.id);
        let Some(gateway) = provider.as_ref().and_then(|provider| provider.gateway()) else {
            return Ok(None);
        };
        let due = due(&record.proof, sampling, now);
        if due > now {
            return Ok(Some(due));
        }
        let state = self.sample(record, gateway, sampling, now).await?;
        Ok(Some(now.plus(wait(state, sampling))))
    }

    /// Asks for some copies, and notes what came of it.
    async fn sample(
        &self,
        record: &ProviderRecord,
        gateway: &Gateway,
        sampling: Sampling,
        now: Timestamp,
    ) -> Result<ProofState, StoreError> {
        let dice = (0..sampling.sample).map(|_| rand::random()).collect();
        let sample = self.shared.store.proof_sample(record.id, dice, now.minus(SETTLED)).await?;
        let metrics = self.shared.metrics.provider_if_named(&record.name);
        let round = ask(gateway, sample, |proved| metrics.proved(proved)).await;
        let judged = self.shared.store.note_proof(record.id, round.clone(), now).await?;
        tell(&record.name, &round, &judged);
        if judged.before != judged.after {
            // Pins may want copies elsewhere.
            self.shared.activator.poke();
        }
        let down_since = match judged.down {
            Some(down) => down.then_some(now),
            None => record.proof.down_since,
        };
        metrics.proof(&ProofRecord { state: judged.after, down_since, ..ProofRecord::default() });
        Ok(judged.after)
    }
}

/// When the next sample is due. A last one that is yet to come was noted by a clock that was wrong.
fn due(proof: &ProofRecord, sampling: Sampling, now: Timestamp) -> Timestamp {
    proof.at.filter(|at| *at <= now).map_or(now, |at| at.plus(wait(proof.state, sampling)))
}

fn wait(state: ProofState, sampling: Sampling) -> Duration {
    match state {
        ProofState::Suspect | ProofState::Unproven => sampling.every.min(AGAIN),
        ProofState::Unknown | ProofState::Proven => sampling.every,
    }
}

/// Asks for a few at a time; leaves the rest once the gateway answers for none of them, or wants to be left alone.
async fn ask(gateway: &Gateway, sample: Vec<(ReplicaId, Content)>, count: impl Fn(Proved)) -> ProofRound {
    let mut round = ProofRound::default();
    for some in sample.chunks(AT_ONCE) {
        let asked = some.iter().map(|(copy, content)| async move {
            let Fetched { proved, why } = gateway.fetch(content).await;
            (*copy, proved, format!("{}: {why}", content.canonical()))
        });
        let asked = join_all(asked).await;
        let lost = |proved: Proved| proved.is_gateways() || proved == Proved::PutOff;
        let is_lost = asked.iter().all(|(_, proved, _)| lost(*proved));
        for (copy, proved, why) in asked {
            count(proved);
            round.copies.push((copy, proved));
            if proved != Proved::Served {
                round.why.get_or_insert(why);
            }
        }
        if is_lost {
            break;
        }
    }
    round
}

fn tell(provider: &str, round: &ProofRound, judged: &Judged) {
    let why = round.why.as_deref().unwrap_or_default();
    match judged.down {
        Some(true) => tracing::warn!(
            provider,
            why,
            "the provider's gateway cannot be asked for copies, so nothing is known of what it serves: see whether \
             `gateway` is right; nobody is distrusted for that"
        ),
        Some(false) => tracing::info!(provider, "the provider's gateway answers again"),
        None => {}
    }
    if judged.before == judged.after {
        return;
    }
    let sampled = round.sampled();
    let (served, failed) = (sampled.served, sampled.failed);
    match judged.after {
        ProofState::Unproven => tracing::error!(
            provider,
            served,
            failed,
            why,
            "the provider says `pinned` and does not serve it: policies with `proof: required` have copies made \
             elsewhere; ask it what became of them, or run `pinfold provider audit {provider}`"
        ),
        ProofState::Suspect => {
            tracing::warn!(
                provider,
                served,
                failed,
                why,
                "some of what is pinned was not served; it is asked again"
            );
        }
        ProofState::Proven => {
            tracing::info!(provider, served, failed, "the provider serves what it says is pinned")
        }
        ProofState::Unknown => {}
    }
}
