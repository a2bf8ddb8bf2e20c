//! What belongs to no single provider: fan-out, spilling over, late copies, clients' interest, pins that end, held
//! copies and events that grew old.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{Shared, TickReport, deaths::Deaths, report::earlier};
use crate::{
    model::{ContentId, PinId, ProviderId, Timestamp},
    store::{ResettleStep, Respill, StoreError},
    telemetry::{Repeats, TaskKind, TaskOutcome},
};

/// Fan-out steps in one tick.
const STEPS: usize = 16;
/// Replicas looked at in one step of spilling over.
const SPILL: u32 = 2000;
/// Late replicas taken up in one step.
const LATE: u32 = 1000;
/// Pins deleted in one step because their time has come.
const ENDED: u32 = 256;
/// The time between looks for fan-out that nobody told of.
const MERGE_EVERY: Duration = Duration::from_secs(30);
/// The time between looks for held copies that grew old.
const HELD_EVERY: Duration = Duration::from_secs(3600);
/// Pins that want further copies, settled in one step.
const MISSING: u32 = 256;
/// The time between looks for providers for them that nobody told of.
const MISSING_EVERY: Duration = Duration::from_secs(3600);
/// The least time between looks for providers for them because one that was full has room.
const ROOM_EVERY: Duration = Duration::from_secs(30);
/// The time between looks for events that are too old or too many.
const TRIM_EVERY: Duration = Duration::from_secs(30);
/// For how long events are kept.
const EVENTS_KEPT: Duration = Duration::from_secs(90 * 24 * 3600);
/// The most events that are kept.
const EVENTS_MOST: u32 = 1_000_000;

/// What the providers' drivers leave for the background. Hints: all of it is on record, or is found again.
#[derive(Clone, Debug, Default)]
pub(super) struct Spills(Arc<Mutex<Left>>);

#[derive(Debug, Default)]
struct Left {
    /// Providers whose replicas that are not pinned are to be settled anew, and how far that is.
    respill: BTreeMap<ProviderId, ContentId>,
    remerge: bool,
    /// Pins that want more copies than there were providers for are settled anew, after this one.
    missing: Option<PinId>,
    /// There may be room for them that there was not: they are looked at from the beginning before long.
    room: bool,
    surplus: BTreeSet<ProviderId>,
}

impl Spills {
    fn left(&self) -> MutexGuard<'_, Left> {
        // Hints are whole at any moment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A provider's health changed: begin anew with its replicas.
    pub(super) fn add(&self, provider: ProviderId) {
        let mut left = self.left();
        left.respill.insert(provider, ContentId(0));
        left.room = true;
    }

    /// There is fan-out to do.
    pub(super) fn remerge(&self) {
        self.left().remerge = true;
    }

    /// There may be doubles to delete.
    pub(super) fn has_surplus(&self, provider: ProviderId) {
        self.left().surplus.insert(provider);
    }

    pub(super) fn takes_surplus(&self, provider: ProviderId) -> bool {
        self.left().surplus.remove(&provider)
    }
}

/// Whether the clock went back by more than clocks are nudged.
pub(super) fn turned_back(before: Timestamp, now: Timestamp) -> bool {
    before.since(now) > Duration::from_secs(60)
}

pub(super) struct Background {
    shared: Shared,
    spills: Spills,
    held_at: Timestamp,
    /// When the last look for providers that have room began, and its last step was.
    missing_at: (Timestamp, Timestamp),
    /// Such a look is to begin because a provider that was full has room.
    room: bool,
    merged_at: Timestamp,
    trimmed_at: Timestamp,
    ticked_at: Timestamp,
    deaths: Deaths,
}

impl Background {
    pub(super) fn new(shared: Shared) -> Self {
        let spills = Spills::default();
        spills.remerge();
        Self {
            deaths: Deaths::new(shared.clock.now()),
            shared,
            spills,
            held_at: Timestamp::ZERO,
            missing_at: Default::default(),
            room: false,
            merged_at: Timestamp::ZERO,
            trimmed_at: Timestamp::ZERO,
            ticked_at: Timestamp::ZERO,
        }
    }

    pub(super) fn spills(&self) -> Spills {
        self.spills.clone()
    }

    pub(super) fn respill(&self, provider: ProviderId) {
        self.spills.add(provider);
    }

    /// Ticks until stopping begins.
    pub(super) async fn run(mut self) {
        let shared = self.shared.clone();
        let (mut woken, mut repeats) = (shared.activator.listen(), Repeats::default());
        while !shared.shutdown.has_begun() {
            let now = shared.clock.now();
            let longest = shared.settings.longest_sleep;
            let nap = match self.tick(now).await {
                Ok(report) => {
                    if repeats.worked() {
                        tracing::info!("background ticks work again");
                    }
                    report.next.map_or(longest, |at| at.since(now).min(longest))
                }
                Err(error) => {
                    if repeats.failed() {
                        tracing::error!(%error, "a background tick failed; it is tried again until it works");
                    }
                    Duration::from_secs(1)
                }
            };
            tokio::select! {
                () = shared.shutdown.begun() => {}
                () = woken.woken(), if !repeats.fails() => {}
                () = tokio::time::sleep(nap) => {}
            }
        }
    }

    pub(super) async fn tick(&mut self, now: Timestamp) -> Result<TickReport, StoreError> {
        self.mind_the_clock(now).await?;
        let mut report = TickReport { hastened: self.hasten(now).await?, ..TickReport::default() };
        // What is done by it cannot be undone.
        let sure = self.shared.sure.now().min(now);
        let deaths = self.deaths.tick(&self.shared, (now, sure)).await?;
        let resettled = self.resettle_step().await?;
        report.respilled = self.respill_step().await? + u64::from(resettled.taken);
        let (late, late_next) = self.note_late(now).await?;
        report.late = late;
        report.settled = self.remerge(now).await?;
        report.settled += self.settle_missing(now).await?;
        let (expired, ends_next) = self.expire_pins(sure).await?;
        let ends_next = ends_next.map(|end| end.plus(now.since(sure)));
        (report.expired, report.next) = (expired, earlier(earlier(late_next, ends_next), deaths));
        report.next = earlier(report.next, self.room.then(|| self.room_at()));
        self.expire_held((now, sure)).await?;
        let more_events = self.trim_events((now, sure)).await?;
        if report.settled + report.hastened + report.expired > 0 {
            self.shared.activator.poke();
        }
        let left = self.spills.left();
        let is_left = left.remerge || left.missing.is_some() || !left.respill.is_empty();
        if is_left || resettled.more || more_events {
            report.next = earlier(report.next, Some(now));
        }
        Ok(report)
    }

    /// A clock that was far ahead has left plans for then; once it is turned back, they are for now.
    async fn mind_the_clock(&mut self, now: Timestamp) -> Result<(), StoreError> {
        let before = self.ticked_at;
        if turned_back(before, now) {
            // Where this fails the clock counts as turned back in the next tick, too.
            let mended = self.shared.store.mend_schedule(now).await?;
            tracing::warn!(back = ?before.since(now), mended, "the clock was turned back; plans were brought forward");
            (self.held_at, self.merged_at, self.trimmed_at) =
                (Timestamp::ZERO, Timestamp::ZERO, Timestamp::ZERO);
            self.missing_at = Default::default();
            self.deaths = Deaths::new(now);
            self.shared.activator.poke();
        }
        self.ticked_at = now;
        Ok(())
    }

    async fn hasten(&self, now: Timestamp) -> Result<u64, StoreError> {
        let pins: Vec<_> = self.shared.interest.take().into_iter().collect();
        if pins.is_empty() {
            return Ok(0);
        }
        self.shared.store.hasten_polls(pins, self.shared.settings.interest_gap, now).await
    }

    /// Settles on for a provider whose copies count otherwise than before; on record, so that a restart goes on with it.
    async fn resettle_step(&self) -> Result<ResettleStep, StoreError> {
        let step = self.shared.store.resettle_step(SPILL).await?;
        if step.taken {
            let mut left = self.spills.left();
            (left.remerge, left.room) = (true, true);
        }
        Ok(step)
    }

    async fn respill_step(&self) -> Result<u64, StoreError> {
        let Some((provider, cursor)) = self.spills.left().respill.pop_first() else { return Ok(0) };
        let stepped = self.shared.store.respill(provider, Respill::Unsettled, cursor, SPILL).await;
        let mut left = self.spills.left();
        // Where the step failed it is taken again. One that was added anew meanwhile begins at the beginning.
        if let Some(next) = stepped.as_ref().map_or(Some(cursor), |stepped| stepped.next) {
            left.respill.entry(provider).or_insert(next);
        }
        stepped?;
        left.remerge = true;
        Ok(1)
    }

    /// Has the pins settled whose copies are late by now: how many copies, and when the next one is.
    async fn note_late(&self, now: Timestamp) -> Result<(u64, Option<Timestamp>), StoreError> {
        let step = self.shared.store.note_late(now, LATE).await?;
        if step.replicas > 0 {
            self.spills.remerge();
        }
        Ok((step.replicas, step.next))
    }

    async fn settle_missing(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        self.room |= self.shared.store.takes_room() || std::mem::take(&mut self.spills.left().room);
        let left = self.spills.left().missing.take();
        let is_due = now.since(self.missing_at.1) >= MISSING_EVERY || (self.room && self.room_at() <= now);
        let Some(after) = left.or_else(|| is_due.then_some(PinId(0))) else { return Ok(0) };
        if after == PinId(0) {
            (self.missing_at.0, self.room) = (now, false);
        }
        self.missing_at.1 = now;
        let settled = self.shared.store.settle_missing(after, MISSING, now).await;
        // Where the step failed it is taken again. A look that was begun anew meanwhile begins at the beginning.
        if let Some(next) = settled.as_ref().map_or(Some(after), |settled| settled.next) {
            self.spills.left().missing.get_or_insert(next);
        }
        Ok(settled?.relinked)
    }

    /// When the next look because of room may begin: where copies go all the time, and many pins wait, such looks take a
    /// tenth of the time at most.
    fn room_at(&self) -> Timestamp {
        let (began, ended) = self.missing_at;
        ended.plus((9 * ended.since(began)).max(ROOM_EVERY))
    }

    async fn remerge(&mut self, now: Timestamp) -> Result<u64, StoreError> {
        let hinted = std::mem::take(&mut self.spills.left().remerge);
        if !hinted && now.since(self.merged_at) < MERGE_EVERY {
            return Ok(0);
        }
        self.merged_at = now;
        let mut settled = 0;
        for _ in 0..STEPS {
            let began = tokio::time::Instant::now();
            let step = self.shared.store.remerge_step(now).await;
            let count =
                |outcome| self.shared.metrics.engine().executed(TaskKind::Remerge, outcome, began.elapsed());
            let step = match step {
                Ok(step) => step,
                Err(error) => {
                    count(TaskOutcome::Failed);
                    self.spills.remerge();
                    return Err(error);
                }
            };
            if step.pins > 0 {
                count(TaskOutcome::Ok);
            }
            settled += step.pins;
            if !step.more {
                return Ok(settled);
            }
        }
        self.spills.remerge();
        Ok(settled)
    }

    /// Deletes the pins whose time has come: how many, and when the next one's does.
    async fn expire_pins(&self, sure: Timestamp) -> Result<(u64, Option<Timestamp>), StoreError> {
        let (mut expired, mut next) = (0, None);
        for _ in 0..STEPS {
            let step = self.shared.store.expire_pins(sure, ENDED).await?;
            self.shared.metrics.pins().expired(step.pins);
            expired += step.pins;
            next = step.next;
            if next.is_none_or(|end| end > sure) {
                break;
            }
        }
        Ok((expired, next))
    }

    async fn expire_held(&mut self, (now, sure): (Timestamp, Timestamp)) -> Result<(), StoreError> {
        if now.since(self.held_at) < HELD_EVERY {
            return Ok(());
        }
        if self.shared.store.expire_held(sure).await? == 0 {
            self.held_at = now;
        }
        // Accepting a pin leaves work there, too, where it asks anew for a copy that was refused.
        self.spills.remerge();
        self.shared.activator.poke();
        Ok(())
    }

    /// A step at a time, so that it delays nobody; returns whether there is more to do at once.
    async fn trim_events(&mut self, (now, sure): (Timestamp, Timestamp)) -> Result<bool, StoreError> {
        if now.since(self.trimmed_at) < TRIM_EVERY {
            return Ok(false);
        }
        let more = self.shared.store.trim_events(EVENTS_KEPT, EVENTS_MOST, sure).await?;
        if !more {
            self.trimmed_at = now;
        }
        Ok(more)
    }
}
