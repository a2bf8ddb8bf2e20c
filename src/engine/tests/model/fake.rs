//! A provider in memory, in virtual time, in any mood.

mod upstream;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use rand::{Rng, SeedableRng, rngs::StdRng};

use self::upstream::{Effect, Kept, State};
use crate::{
    model::*,
    providers::{
        Accepted, Asked, Budget, BudgetSettings, Edge, Held, Known, Ledger, NoPermit, Provider,
        ProviderError, Readiness, Standing, Submit, Traits, UpstreamPage, UpstreamPin, Wait,
    },
    telemetry::BreakerState,
};

const HOUR: Duration = Duration::from_secs(3600);
const DEADLINE: Duration = Duration::from_secs(60);
const SETTLE: Duration = Duration::from_secs(30);

/// How a provider behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Well,
    /// Some calls fail, of which some have been done all the same, or will be in a while.
    Flaky,
    /// No call arrives.
    Away,
    /// Calls are refused for a while.
    Throttling,
    /// New pins are refused.
    Refusing,
    Broke,
    /// New pins stay queued.
    Stuck,
    /// It says of pins that it could not make them.
    Failing,
    /// It tells of what it lost as pinned, and its list leaves out some of what it has.
    Lying,
}

impl Mood {
    pub(super) const ALL: [Self; 9] = [
        Self::Well,
        Self::Flaky,
        Self::Away,
        Self::Throttling,
        Self::Refusing,
        Self::Broke,
        Self::Stuck,
        Self::Failing,
        Self::Lying,
    ];
}

pub(super) struct Fake {
    name: String,
    traits: Traits,
    echoes: bool,
    clock: Arc<ManualClock>,
    /// The calls that it allows.
    rates: Rates,
    /// Of the process that runs.
    budget: Mutex<Arc<Budget>>,
    state: Mutex<State>,
}

/// Few enough to be in the way; some providers have no limit.
fn some_rates(chance: &mut StdRng) -> Rates {
    let mut rates = Rates::default();
    let limits = [(BudgetClass::Any, 12), (BudgetClass::List, 6), (BudgetClass::Write, 4)];
    for (class, calls) in limits {
        rates[class] = chance.random_bool(0.3).then_some(Rate { calls, per: HOUR });
    }
    rates
}

impl Fake {
    pub(super) fn new(name: &str, seed: u64, clock: Arc<ManualClock>) -> Arc<Self> {
        let mut chance = StdRng::seed_from_u64(seed);
        let traits = Traits {
            exclusive: chance.random_bool(0.3),
            batch: 10,
            deadline: DEADLINE,
            settle: SETTLE,
            concurrency: 4,
            max_queued: chance.random_bool(0.2).then_some(3),
            lists_tell: chance.random_bool(0.7),
            walks: true,
            sweeps: true,
            resumes: false,
            introduces: false,
        };
        let (echoes, rates) = (chance.random_bool(0.5), some_rates(&mut chance));
        let budget = Mutex::new(
            Budget::new(traits.concurrency, BudgetSettings::new(name), &(clock.clone() as _), None).into(),
        );
        let name = name.to_owned();
        Arc::new(Self { name, traits, echoes, clock, rates, budget, state: Mutex::new(State::new(chance)) })
    }

    /// A process begins, which counts its calls there.
    pub(super) fn count_by(&self, ledger: Arc<dyn Ledger>) {
        let settings =
            BudgetSettings { rates: self.rates, ledger: Some(ledger), ..BudgetSettings::new(&self.name) };
        let clock = self.clock.clone() as _;
        *self.budget.lock().unwrap() = Budget::new(self.traits.concurrency, settings, &clock, None).into();
    }

    fn budget(&self) -> Arc<Budget> {
        self.budget.lock().unwrap().clone()
    }

    /// The state, after all that was to take effect by now.
    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        let (due, later) = std::mem::take(&mut state.late).into_iter().partition(|(at, _)| *at <= now);
        state.late = later;
        let due: Vec<(Timestamp, Effect)> = due;
        for (at, effect) in due {
            state.take_effect(effect, at);
        }
        state
    }

    pub(super) fn set_mood(&self, mood: Mood) {
        self.state().mood = mood;
    }

    pub(super) fn is_exclusive(&self) -> bool {
        self.traits.exclusive
    }

    /// Somebody else pins there with the same credential.
    pub(super) fn pin_by_hand(&self, content: Content) {
        let now = self.clock.now();
        self.state().insert(content, None, now);
    }

    /// Loses a pin without a word.
    pub(super) fn forget_one(&self) {
        self.state().forget_one();
    }

    pub(super) fn forget_all(&self) {
        self.state().forget_all();
    }

    /// From now on an adoption may make ours what its list tells of.
    pub(super) fn may_be_adopted(&self) {
        self.state().adopts = true;
    }

    /// Contents that are pinned there, ours and others'.
    pub(super) fn pinned(&self) -> BTreeSet<Content> {
        let now = self.clock.now();
        let state = self.state();
        let pinned = state.pins.values().filter(|pin| !pin.failed && pin.ready <= now);
        pinned.map(|pin| pin.content.clone()).collect()
    }

    /// How many pins of ours are there, by content.
    pub(super) fn ours(&self) -> BTreeMap<Content, usize> {
        let mut ours = BTreeMap::new();
        for pin in self.state().pins.values().filter(|pin| pin.tag.is_some()) {
            *ours.entry(pin.content.clone()).or_default() += 1;
        }
        ours
    }

    /// Whether the last word on a content was that it is pinned, when this step began.
    pub(super) fn told(&self, content: &Content) -> bool {
        let state = self.state();
        state.told.contains(content) || state.untold.contains(content)
    }

    /// All that was said is known.
    pub(super) fn end_step(&self) {
        self.state().untold.clear();
    }

    /// Pinned contents that it was asked to remove since the last time.
    pub(super) fn take_removed(&self) -> Vec<Content> {
        std::mem::take(&mut self.state().removed)
    }

    pub(super) fn wrongs(&self) -> Vec<String> {
        self.state().wrongs.clone()
    }

    fn error(&self, operation: Operation, class: ErrorClass, maybe_done: bool) -> ProviderError {
        let retry_at =
            (class == ErrorClass::Throttled).then(|| self.clock.now().plus(Duration::from_secs(90)));
        ProviderError {
            provider: self.name.clone(),
            operation,
            class,
            text: "by its mood".into(),
            was_called: true,
            maybe_done,
            answered: false,
            retry_at,
        }
    }

    fn list_row(&self, state: &mut State, id: &str) -> UpstreamPin {
        let pin = self.show(state, id);
        state.lists(id);
        let spec = PinSpec::bare(PinCid::canonical(pin.content.clone()));
        UpstreamPin { asked: Some(Asked { spec, is_cut: false }.into()), ..pin }
    }

    /// How a call goes, before anything is done: counted, as all are that leave.
    async fn admit(
        &self,
        operation: Operation,
        class: BudgetClass,
    ) -> Result<MutexGuard<'_, State>, ProviderError> {
        let permit = self.budget().permit(class).await;
        let _permit = permit.map_err(|why| self.kept_back(operation, why))?;
        let mut state = self.state();
        state.count(class, self.clock.now(), &self.rates);
        let mood = state.mood;
        let class = match mood {
            Mood::Away => ErrorClass::Transient,
            Mood::Throttling => ErrorClass::Throttled,
            Mood::Broke if operation == Operation::Submit => ErrorClass::Funds,
            Mood::Refusing if operation == Operation::Submit => ErrorClass::Rejected,
            Mood::Flaky if state.chance.random_bool(0.2) => ErrorClass::Transient,
            _ => return Ok(state),
        };
        drop(state);
        Err(self.error(operation, class, false))
    }

    fn kept_back(&self, operation: Operation, why: NoPermit) -> ProviderError {
        let error = self.error(operation, ErrorClass::Throttled, false);
        let error = ProviderError { was_called: false, ..error };
        match why {
            NoPermit::Spent(span) | NoPermit::Throttled(span) => {
                ProviderError { retry_at: Some(self.clock.now().plus(span)), ..error }
            }
            NoPermit::Uncounted => error,
        }
    }

    /// Whether an answer is lost, and what was asked takes effect some time before its doubt ends.
    fn loses(&self, state: &mut State, operation: Operation, effect: Effect) -> Result<(), ProviderError> {
        if state.mood != Mood::Flaky || !state.chance.random_bool(0.3) {
            return Ok(());
        }
        if state.chance.random_bool(0.7) {
            let latest = u64::try_from((DEADLINE + SETTLE).as_millis()).unwrap_or_default() - 1000;
            let after = Duration::from_millis(state.chance.random_range(0..latest));
            state.late.push((self.clock.now().plus(after), effect));
        }
        Err(self.error(operation, ErrorClass::Transient, true))
    }

    fn show(&self, state: &mut State, id: &str) -> UpstreamPin {
        let now = self.clock.now();
        let found = state.shown().find(|(known, _)| *known == id);
        let pin = found.map(|(_, pin)| pin.clone()).expect("it is shown");
        let status = match () {
            () if pin.failed => Status::Failed,
            () if pin.ready <= now => Status::Pinned,
            () if pin.created == now => Status::Queued,
            () => Status::Pinning,
        };
        state.tell(&pin.content, status);
        UpstreamPin {
            id: UpstreamId::new(id).expect("short"),
            content: pin.content,
            status,
            created: Some(pin.created),
            name: None,
            delegates: Vec::new(),
            tag: pin.tag.filter(|_| self.echoes),
            why: None,
            asked: None,
        }
    }
}

#[async_trait]
impl Provider for Fake {
    fn name(&self) -> &str {
        &self.name
    }

    fn traits(&self) -> &Traits {
        &self.traits
    }

    fn readiness(&self, now: Timestamp) -> Readiness {
        let budget = self.budget();
        let blocked = |class| budget.blocked_for(class).map(|span| now.plus(span));
        match blocked(BudgetClass::Any) {
            Some(until) => Readiness::Wait { until, why: Wait::Throttled },
            None => {
                let shut = ByClass::from_fn(blocked);
                Readiness::Ready { permits: budget.free(), trial: false, shut }
            }
        }
    }

    fn standing(&self, now: Timestamp) -> Standing {
        let (breaker, rates) = (BreakerState::Closed, self.rates);
        Standing { breaker, since: now, until: None, last_error: None, rates }
    }

    fn allowance(&self) -> Option<Allowance> {
        let costs = Costs { batch: 10, lists_tell: self.traits.lists_tell };
        self.budget().allowance(costs)
    }

    fn credit(&self, calls: Vec<Reserved>) {
        self.budget().credit(calls);
    }

    async fn credential(&self) -> Held {
        Held { identity: [1; 32], revision: 1 }
    }

    fn take_up_credential(&self) {}

    async fn submit(&self, submit: Submit) -> Result<Accepted, ProviderError> {
        let mut state = self.admit(Operation::Submit, BudgetClass::Write).await?;
        self.loses(&mut state, Operation::Submit, Effect::Submit(submit.clone()))?;
        let now = self.clock.now();
        let id = state.insert(submit.content, Some(submit.tag), now);
        Ok(Accepted { pin: self.show(&mut state, &id), existed: false })
    }

    async fn look_up(&self, contents: &[Content]) -> Result<Vec<UpstreamPin>, ProviderError> {
        let mut state = self.admit(Operation::Look, BudgetClass::List).await?;
        contents.iter().for_each(|content| state.untell(content));
        let found = state.shown().filter(|(_, pin)| contents.contains(&pin.content));
        let ids: Vec<String> = found.map(|(id, _)| id.clone()).collect();
        state.leaving.retain(|id| !ids.contains(id));
        Ok(ids.iter().map(|id| self.show(&mut state, id)).collect())
    }

    async fn see(&self, pin: Known<'_>) -> Result<Option<UpstreamPin>, ProviderError> {
        let mut state = self.admit(Operation::Look, BudgetClass::Read).await?;
        if !state.shown().any(|(id, _)| id == pin.id.as_str()) {
            state.untell(pin.content);
            return Ok(None);
        }
        state.leaving.remove(pin.id.as_str());
        Ok(Some(self.show(&mut state, pin.id.as_str())))
    }

    async fn introduce(&self, _: Known<'_>, _: Submit) -> Result<(), ProviderError> {
        Ok(())
    }

    async fn list(&self, before: Option<Timestamp>) -> Result<UpstreamPage, ProviderError> {
        let mut state = self.admit(Operation::List, BudgetClass::List).await?;
        let older = |pin: &Kept| before.is_none_or(|before| pin.created < before);
        let shown = state.shown().filter(|(_, pin)| older(pin));
        let mut shown: Vec<(Timestamp, String)> = shown.map(|(id, pin)| (pin.created, id.clone())).collect();
        shown.sort_unstable_by(|one, two| two.cmp(one));
        if state.mood == Mood::Lying {
            shown.retain(|_| state.chance.random_bool(0.8));
        }
        let pins: Vec<UpstreamPin> = shown.iter().map(|(_, id)| self.list_row(&mut state, id)).collect();
        let edge = Edge {
            rows: pins.len(),
            count: Some(pins.len() as u64),
            oldest: pins.last().and_then(|pin| pin.created),
            ..Edge::default()
        };
        Ok(UpstreamPage { pins, next: None, edge })
    }

    async fn remove(&self, id: &UpstreamId) -> Result<(), ProviderError> {
        let admitted = self.admit(Operation::Remove, BudgetClass::Write).await;
        if admitted.as_ref().is_err_and(|error| error.was_called) {
            self.state().begin_removal(id, self.clock.now());
        }
        let mut state = admitted?;
        state.begin_removal(id, self.clock.now());
        self.loses(&mut state, Operation::Remove, Effect::Remove(id.clone()))?;
        state.remove(id, self.clock.now());
        Ok(())
    }
}
