//! Drives the replicas of one provider: claims what is due, as much as can be worked, and starts the calls.

mod claim;
mod knock;
mod load;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use load::{Load, Ticket};

use super::{
    Driven, Shared, TickReport,
    background::{Spills, turned_back},
    dispatch::{self, Caller, Noted},
    health::Observed,
    look::Tags,
    poll,
    report::earlier,
    trust::Trust,
};
use crate::{
    lifecycle::{Activator, Shutdown},
    model::{Facts, Op, Operation, ProviderId, Timestamp},
    policy::replica::Work,
    providers::{Provider, Readiness, Wait},
    store::{Claim, StoreError},
    telemetry::Repeats,
};

/// Claims that are worked together: one look-up serves them all.
const GROUP: usize = 10;
/// The time between rounds of polls: those that are due about the same time are asked for in one call.
const LOOK_GAP: Duration = Duration::from_millis(250);
/// The time between looks for doubles.
const SURPLUS_EVERY: Duration = Duration::from_secs(600);
/// No provider is left alone for longer; a later time on record was noted by a clock that was wrong.
const BLOCKED_MAX: Duration = Duration::from_secs(24 * 3600);
/// The most polls that are brought forward at a start.
const RESUMED: u32 = 10_000;

pub(super) struct Driver {
    caller: Arc<Caller>,
    trust: Trust,
    /// What a restart cut off was taken up again.
    resumed: bool,
    /// Until when the provider asked to be left alone before this start (I9).
    blocked_until: Option<Timestamp>,
    /// When doubles are looked for next, if nobody says that there are some.
    surplus_at: Timestamp,
    /// What is declared of it; changes while it is driven.
    facts: Arc<ArcSwap<Facts>>,
    /// When it was last asked something for want of anything else.
    knocked_at: Timestamp,
    /// No round of polls before this.
    look_at: Timestamp,
    load: Arc<watch::Sender<Load>>,
    ticked_at: Timestamp,
    /// Poked whenever a group is done.
    done: Activator,
}

impl Driver {
    pub(super) fn new(shared: Shared, driven: Driven, spills: Spills) -> Self {
        let Driven { provider, record } = driven;
        let tags = Tags::new(shared.store.instance(), provider.traits().exclusive);
        shared.metrics.provider_if_named(&record.name).up(record.health.is_usable());
        let now = shared.clock.now();
        let blocked_until = record.blocked_until.filter(|until| until.since(now) <= BLOCKED_MAX);
        let caller = Caller {
            shared,
            tags,
            provider,
            id: record.id,
            observed: Observed::new(record.health).into(),
            noted: Noted::default(),
            introduced: Mutex::default(),
            spills,
        };
        Self {
            caller: Arc::new(caller),
            trust: Trust::new(record.proven),
            resumed: false,
            blocked_until,
            surplus_at: Timestamp::ZERO,
            facts: Arc::new(record.facts.into()),
            knocked_at: Timestamp::ZERO,
            look_at: Timestamp::ZERO,
            load: Arc::default(),
            ticked_at: Timestamp::ZERO,
            done: Activator::default(),
        }
    }

    pub(super) fn id(&self) -> ProviderId {
        self.caller.id
    }

    /// Drives it by what is declared of it there.
    pub(super) fn declared(self, facts: Arc<ArcSwap<Facts>>) -> Self {
        Self { facts, ..self }
    }

    pub(super) fn facts(&self) -> &Arc<ArcSwap<Facts>> {
        &self.facts
    }

    pub(super) fn provider(&self) -> &Arc<dyn Provider> {
        &self.caller.provider
    }

    /// What this driver alone is stopped by.
    pub(super) fn part(&self) -> &Shutdown {
        &self.caller.shared.shutdown
    }

    /// Ticks until stopping begins, and returns once its calls have ended.
    pub(super) async fn run(mut self) {
        let shared = self.caller.shared.clone();
        let (mut woken, mut done) = (shared.activator.listen(), self.done.listen());
        let mut repeats = Repeats::default();
        while !shared.shutdown.has_begun() {
            let now = shared.clock.now();
            let next = match self.tick(now).await {
                Ok(report) => {
                    if repeats.worked() {
                        tracing::info!(provider = self.caller.provider.name(), "ticks work again");
                    }
                    report.next
                }
                Err(error) => {
                    if repeats.failed() {
                        let provider = self.caller.provider.name();
                        tracing::error!(%error, provider, "a tick failed; it is tried again until it works");
                    }
                    Some(now.plus(Duration::from_secs(1)))
                }
            };
            shared.metrics.engine().ticked(now);
            let longest = shared.settings.longest_sleep;
            let nap = next.map_or(longest, |at| at.since(shared.clock.now()).min(longest));
            tokio::select! {
                () = shared.shutdown.begun() => {}
                // Who asked for something in vain woke it, too: that is no reason to try sooner.
                () = woken.woken(), if !repeats.fails() => {}
                () = done.woken(), if !repeats.fails() => {}
                () = tokio::time::sleep(nap) => {}
            }
        }
        self.idle().await;
    }

    /// Returns once nothing of this provider is under way.
    pub(super) async fn idle(&self) {
        let mut load = self.load.subscribe();
        // Holds: this driver keeps the sender.
        load.wait_for(|load| load.singles + load.looks == 0).await.expect("the sender is alive");
    }

    pub(super) async fn tick(&mut self, now: Timestamp) -> Result<TickReport, StoreError> {
        let mut report = TickReport { outstanding: self.outstanding(), ..TickReport::default() };
        if turned_back(std::mem::replace(&mut self.ticked_at, now), now) {
            (self.blocked_until, self.surplus_at, self.look_at, self.knocked_at) = Default::default();
            self.trust.prove_now();
            self.caller.observed().probe_now();
        }
        let idle = self.outstanding() == 0;
        let Some(held) = self.trust.hold(&self.caller, idle).await else { return Ok(report) };
        if let Some(until) = self.waits_until(now) {
            report.next = Some(until);
            return Ok(report);
        }
        if let Some(until) = self.trust.distrusted_until(&self.caller, held, now).await? {
            report.next = Some(until);
            return Ok(report);
        }
        self.resume(now).await?;
        self.remove_surplus(now).await?;
        report.next = Some(self.look_at).filter(|at| *at > now);
        let Some((claimed, is_crowded)) = self.claim(now).await? else { return Ok(report) };
        self.caller.provider.credit(claimed.calls);
        report.claimed = claimed.claims.len() as u64;
        // What is due but finds no room is claimed when the work in its way is done, which wakes the driver; to come
        // again at once would be to claim in circles.
        let next = claimed.next_due.map(|at| at.max(now)).filter(|at| *at > now || !is_crowded);
        report.next = earlier(report.next, next);
        if claimed.claims.iter().any(|claim| matches!(claim.op, Op::Poll | Op::Verify)) {
            self.look_at = now.plus(LOOK_GAP);
        }
        self.start(claimed.claims, now);
        report.outstanding = self.outstanding();
        report.next = earlier(report.next, self.knock(now).await);
        Ok(report)
    }

    fn outstanding(&self) -> u64 {
        let load = *self.load.borrow();
        (load.singles + load.looks) as u64
    }

    /// Until when nothing is to be sent: the provider's word, the breaker, or a credential to be mended.
    fn waits_until(&self, now: Timestamp) -> Option<Timestamp> {
        let metrics = || self.caller.shared.metrics.provider_if_named(self.caller.provider.name());
        match self.caller.provider.readiness(now) {
            Readiness::Wait { until, why } => {
                if why == Wait::Throttled {
                    metrics().throttle_wait(until.since(now).min(Duration::from_secs(1)));
                }
                Some(until)
            }
            Readiness::Ready { .. } => {
                let blocked = self.blocked_until.filter(|until| now < *until);
                blocked.or_else(|| self.caller.observed().wait_until(now))
            }
        }
    }

    /// Fetches that a restart cut off go on only once they are asked for: their polls are for now, once.
    async fn resume(&mut self, now: Timestamp) -> Result<(), StoreError> {
        if !self.resumed && self.caller.provider.traits().resumes {
            self.caller.shared.store.resume_polls(self.caller.id, RESUMED, now).await?;
        }
        self.resumed = true;
        Ok(())
    }

    fn start(&self, claims: Vec<Claim>, now: Timestamp) {
        let waits = self.caller.shared.metrics.engine();
        for claim in &claims {
            waits.queue_wait(now.since(claim.due_at));
        }
        self.caller.follow(&claims);
        let asks = |claim: &Claim| matches!(claim.work, Work::See(_));
        let (asks, mut sends): (Vec<_>, Vec<_>) = claims.into_iter().partition(asks);
        if !asks.is_empty() {
            let ticket = self.ticket(Load { singles: 0, looks: asks.len() });
            let caller = self.caller.clone();
            self.spawn(ticket, async move { poll::run(&caller, asks, now).await });
        }
        // Removes and submits apart, so that a group's look-up serves as many as can be.
        sends.sort_by_key(|claim| (claim.op != Op::Remove, claim.work != Work::Look));
        while !sends.is_empty() {
            let group = sends.split_off(sends.len().saturating_sub(GROUP));
            let ticket = self.ticket(Load { singles: group.len(), looks: 0 });
            let caller = self.caller.clone();
            self.spawn(ticket, async move { dispatch::run(&caller, group, now).await });
        }
    }

    fn spawn(&self, ticket: Ticket, work: impl Future<Output = ()> + Send + 'static) {
        self.caller.shared.shutdown.spawn(async move {
            work.await;
            drop(ticket);
        });
    }

    fn ticket(&self, load: Load) -> Ticket {
        self.load.send_modify(|sum| {
            sum.singles += load.singles;
            sum.looks += load.looks;
        });
        Ticket { load, sum: self.load.clone(), done: self.done.clone() }
    }

    /// Deletes doubles of ours, which no replica stands for.
    async fn remove_surplus(&mut self, now: Timestamp) -> Result<(), StoreError> {
        if !self.caller.spills.takes_surplus(self.caller.id) && now < self.surplus_at {
            return Ok(());
        }
        self.surplus_at = now.plus(SURPLUS_EVERY);
        let store = &self.caller.shared.store;
        let doubles = store.claim_surplus(self.caller.id, 1, now, self.surplus_at).await?;
        for double in doubles {
            let removed = self.caller.provider.remove(&double);
            if self.caller.call(Operation::Remove, removed).await.is_ok() {
                store.record_surplus(self.caller.id, double).await?;
            }
            self.caller.spills.has_surplus(self.caller.id);
        }
        Ok(())
    }
}
