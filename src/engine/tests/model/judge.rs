//! What must hold in a world, while things happen and once they are over.

use std::{collections::BTreeSet, time::Duration};

use rand::Rng;

use super::{
    super::world::{DAY, cid},
    fake::Mood,
    policies::{POLICIES, counted, names, policy},
    world::{ACCOUNTS, CONTENTS, Known, NAMES, World, place},
};
use crate::{model::*, store::PinRecord};

/// The time between looks once nothing happens any more.
const SLOW: Duration = Duration::from_secs(6 * 3600);
/// Enough for what was given up to be tried again, and for what was forgotten to be found out.
const DAYS_TO_REST: u32 = 18;
/// What is at rest stays so.
const REST: Duration = Duration::from_secs(2 * 24 * 3600);

impl World {
    async fn record(&self, pin: RequestId, known: &Known) -> PinRecord {
        let account = self.inside().accounts[known.account];
        self.inside().store.get_pin(account, pin).await.unwrap().expect("what was accepted is there (I1)")
    }

    pub(super) async fn check(&mut self) {
        self.note_adopted().await;
        let mut pinned = Vec::new();
        for (id, known) in &self.pins {
            let pin = self.record(*id, known).await;
            let failed = pin.status == Status::Failed;
            assert!(!(known.was_pinned && failed), "I10: {id} was pinned and is failed");
            pinned.extend((pin.status == Status::Pinned).then_some(*id));
        }
        for id in pinned {
            self.pins.get_mut(&id).unwrap().was_pinned = true;
        }
        for fake in &self.fakes {
            assert_eq!(fake.wrongs(), Vec::<String>::new());
        }
    }

    /// Pins that nobody asked us for were made by an adoption.
    async fn note_adopted(&mut self) {
        for (account, _) in ACCOUNTS.iter().enumerate() {
            let query = ListQuery { limit: 1000, ..ListQuery::with_statuses(StatusSet::ALL) };
            let id = self.inside().accounts[account];
            for pin in self.inside().store.list_pins(id, query).await.unwrap().pins {
                if self.pins.contains_key(&pin.requestid) || self.ended.contains(&(account, pin.requestid)) {
                    continue;
                }
                assert!(pin.adopted.is_some() && account == 0, "nobody asked for {pin:?}");
                let story =
                    self.inside().store.explain_pin(pin.requestid, self.now()).await.unwrap().unwrap();
                let which = (0..POLICIES).find(|n| policy(*n, false).name == story.policy.name).unwrap();
                let content = (0..CONTENTS).find(|n| *cid(*n).content() == story.content).unwrap();
                // An apply may have it follow the newest ones any time.
                let words = BTreeSet::from([story.policy == policy(which, true), self.second[which]]);
                let known =
                    Known { account, content, policy: which, words, expires: None, was_pinned: false };
                self.pins.insert(pin.requestid, known);
            }
        }
    }

    /// I8: what went by our own hand in this step was confirmed elsewhere as often as each pin's policy asks, by what was known
    /// when it began; or a pin has no fewer without it, as where another copy is in the same region.
    /// `dead`: those whose copies did not count then.
    pub(super) fn check_removals(&self, dead: &BTreeSet<usize>) {
        let removed: Vec<(usize, Content)> = self
            .fakes
            .iter()
            .enumerate()
            .flat_map(|(n, fake)| fake.take_removed().into_iter().map(move |content| (n, content)))
            .collect();
        for (n, content) in removed.into_iter().filter(|(n, _)| !dead.contains(n)) {
            self.check_removal(n, &content, dead);
        }
        self.fakes.iter().for_each(|fake| fake.end_step());
    }

    fn check_removal(&self, n: usize, removed: &Content, dead: &BTreeSet<usize>) {
        let told = |other: &usize| *other != n && !dead.contains(other) && self.fakes[*other].told(removed);
        let others: Vec<usize> = (0..NAMES.len()).filter(told).collect();
        let needing = self.pins.values().filter(|known| cid(known.content).content() == removed);
        for known in needing {
            let allows = |second: &bool| {
                let policy = policy(known.policy, *second);
                let left = counted(&policy, others.iter().copied());
                left >= policy.copies.min.into()
                    || left == counted(&policy, others.iter().copied().chain([n]))
            };
            let told: Vec<&str> = others.iter().map(|n| NAMES[*n]).collect();
            assert!(
                known.words.iter().any(allows),
                "I8: {removed:?} went from {} with {told:?} left, for policy {} of {:?}",
                NAMES[n],
                known.policy,
                known.words
            );
        }
    }

    pub(super) async fn dead(&self) -> BTreeSet<usize> {
        let records = self.inside().store.providers().await.unwrap();
        let dead = records.iter().filter(|record| record.health == Health::Dead);
        dead.map(|record| place(&record.name)).collect()
    }

    pub(super) async fn come_to_rest(&mut self) {
        if self.unnamed.take().is_some() {
            self.stop().await;
            self.start().await;
        }
        // Others would have to take what one that is full does not.
        let may_drain =
            self.registration().providers.iter().all(|provider| provider.facts.max_pins.is_none());
        if !may_drain || self.chance.random_bool(0.5) {
            self.end_drains().await;
        }
        self.end_modes().await;
        for fake in &self.fakes {
            fake.set_mood(Mood::Well);
        }
        for which in 0..POLICIES {
            self.begin_apply(which).await;
            self.pins.values_mut().filter(|known| known.policy == which).for_each(|known| {
                known.words.insert(self.second[which]);
            });
        }
        let mut days = 0;
        while let Some(unrest) = self.unrest().await {
            assert!(days < DAYS_TO_REST, "{unrest}");
            self.accept_all().await;
            self.run_for(DAY, SLOW).await;
            self.note_adopted().await;
            days += 1;
        }
        self.run_for(REST, SLOW).await;
        self.check().await;
        assert_eq!(self.unrest().await, None, "it was at rest");
    }

    /// Providers that no drain is about may have new copies again.
    async fn end_modes(&self) {
        let (store, now) = (&self.inside().store, self.now());
        let drained: Vec<ProviderId> = self
            .open_jobs()
            .await
            .iter()
            .filter(|job| job.kind == JobKind::Drain)
            .filter_map(|job| job.provider.as_ref().map(|(id, _)| *id))
            .collect();
        for provider in store.providers().await.unwrap() {
            if !drained.contains(&provider.id) {
                store.set_mode(provider.id, Mode::Active, false, None, now).await.unwrap();
            }
        }
    }

    /// Jobs that wait for their operator go on.
    async fn accept_all(&self) {
        for job in self.open_jobs().await {
            let command = match job.state {
                JobState::Asking => JobCommand::Accept,
                JobState::Paused => JobCommand::Resume,
                _ => continue,
            };
            self.inside().store.command_job(job.id, command, None, self.now()).await.unwrap();
        }
    }

    /// What is not as the policies ask, if anything.
    async fn unrest(&self) -> Option<String> {
        if let Some(job) = self.open_jobs().await.into_iter().find(|job| job.kind != JobKind::Audit) {
            return Some(format!("a job goes on: {job:?}"));
        }
        for (account, id) in &self.ended {
            let account = self.inside().accounts[*account];
            if self.inside().store.get_pin(account, *id).await.unwrap().is_some() {
                return Some(format!("{id} should have ended"));
            }
        }
        let mut needed: BTreeSet<(usize, Content)> = BTreeSet::new();
        for (id, known) in &self.pins {
            let policy = policy(known.policy, self.second[known.policy]);
            let pin = self.record(*id, known).await;
            let content = cid(known.content).content().clone();
            if pin.status != Status::Pinned {
                return Some(format!("not pinned: {pin:?}"));
            }
            if pin.have < policy.copies.max {
                let story = self.inside().store.explain_pin(*id, self.now()).await.unwrap();
                return Some(format!("short by {}: {story:#?}", policy.name));
            }
            let places: Vec<usize> = pin.copies.iter().map(|copy| place(&copy.provider)).collect();
            let is_there = |n: &usize| names(&policy, *n) && self.fakes[*n].pinned().contains(&content);
            let there = places.iter().copied().filter(is_there);
            if counted(&policy, there) < policy.copies.max.into() {
                return Some(format!("not there: {pin:?}"));
            }
            needed.extend(places.into_iter().map(|n| (n, content.clone())));
        }
        for (n, fake) in self.fakes.iter().enumerate() {
            for (content, pins) in fake.ours() {
                if !needed.contains(&(n, content.clone())) {
                    return Some(format!("an orphan at {}: {content:?}", NAMES[n]));
                }
                if pins != 1 {
                    return Some(format!("doubles at {}: {content:?}", NAMES[n]));
                }
            }
        }
        None
    }
}
