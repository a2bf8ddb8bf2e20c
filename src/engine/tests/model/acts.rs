//! What happens in a world: what clients, operators and providers do.

use std::collections::BTreeSet;

use rand::{
    Rng,
    seq::{IndexedRandom, IteratorRandom},
};

use super::{
    super::world::{DAY, HOUR, MINUTE, cid},
    fake::Mood,
    policies::{POLICIES, policy},
    world::{ACCOUNTS, CONTENTS, Known, NAMES, World},
};
use crate::{
    engine::AdoptTerms,
    model::*,
    store::{AcceptPin, StoreError},
};

/// Looks for what is due while a span passes, at most: it is taken up that much too late. Short spans show what happens
/// within seconds, long ones what comes of it.
const LOOKS: u32 = 4;
const TOLD: [JobCommand; 4] = [JobCommand::Pause, JobCommand::Resume, JobCommand::Cancel, JobCommand::Accept];

impl World {
    pub(super) async fn act(&mut self) {
        match self.chance.random_range(0..100) {
            0..26 => self.add().await,
            26..33 => self.delete().await,
            33..38 => self.replace().await,
            38..60 => self.change_mood(),
            60..64 => self.fakes.choose(&mut self.chance).unwrap().forget_one(),
            64..65 => self.fakes.choose(&mut self.chance).unwrap().forget_all(),
            65..71 => self.drain().await,
            71..74 => self.audit().await,
            74..77 => self.adopt().await,
            77..81 => self.change_policy().await,
            81..85 => self.tell_a_job().await,
            85..88 => self.change_mode().await,
            88..92 => self.die().await,
            92..95 => self.change_names().await,
            95..97 => self.pin_by_hand(),
            _ => {}
        }
        let span = match self.chance.random_range(0..10) {
            0..5 => MINUTE,
            5..9 => 3 * HOUR,
            _ => DAY,
        };
        let part: f64 = self.chance.random();
        let span = span.mul_f64(part);
        self.run_for(span, span / LOOKS).await;
    }

    // ---- clients

    async fn add(&mut self) {
        let account = self.chance.random_range(0..ACCOUNTS.len());
        let (request, known) = self.request(account);
        let pin = self.inside().store.accept_pin(request).await.unwrap();
        self.pins.insert(pin.requestid, known);
    }

    fn request(&mut self, account: usize) -> (AcceptPin, Known) {
        let content = self.chance.random_range(0..CONTENTS);
        let which = self.chance.random_range(0..POLICIES);
        let ends = self.chance.random_range(1..60) * HOUR;
        let expires = self.chance.random_bool(0.15).then(|| self.now().plus(ends));
        let words = BTreeSet::from([self.second[which]]);
        let known = Known { account, content, policy: which, words, expires, was_pinned: false };
        let request = AcceptPin {
            account: self.inside().accounts[account],
            requestid: RequestId::mint(self.now()),
            spec: PinSpec::bare(cid(content)),
            policy: policy(which, false).name,
            quota: Quota::NONE,
            expires,
            by: None,
            now: self.now(),
        };
        (request, known)
    }

    async fn delete(&mut self) {
        let Some(pin) = self.pins.keys().choose(&mut self.chance).copied() else { return };
        let known = self.pins.remove(&pin).unwrap();
        let account = self.inside().accounts[known.account];
        assert!(self.inside().store.delete_pin(account, pin, None, self.now()).await.unwrap());
    }

    async fn replace(&mut self) {
        let Some(old) = self.pins.keys().choose(&mut self.chance).copied() else { return };
        let gone = self.pins.remove(&old).unwrap();
        let (request, known) = self.request(gone.account);
        let new = self.inside().store.replace_pin(old, request).await.unwrap().unwrap();
        self.pins.insert(new.requestid, known);
    }

    // ---- providers

    fn change_mood(&mut self) {
        let mood = *Mood::ALL.choose(&mut self.chance).unwrap();
        self.fakes.choose(&mut self.chance).unwrap().set_mood(mood);
    }

    /// Somebody else uses the same account there.
    pub(super) fn pin_by_hand(&mut self) {
        let content = self.chance.random_range(0..CONTENTS);
        let fake = self.fakes.choose(&mut self.chance).unwrap();
        if !fake.is_exclusive() {
            fake.pin_by_hand(cid(content).content().clone());
        }
    }

    // ---- operators

    /// `false`: one of its kind is under way there.
    async fn begin_job(&self, kind: JobKind, provider: Option<ProviderId>, terms: String) -> bool {
        let account = (kind == JobKind::Adopt).then(|| self.inside().accounts[0]);
        let job = NewJob { kind, provider, account, terms, by: None };
        match self.inside().store.create_job(job, self.now()).await {
            Ok(_) => true,
            Err(StoreError::Taken { .. }) => false,
            Err(error) => panic!("{error}"),
        }
    }

    pub(super) async fn open_jobs(&self) -> Vec<Job> {
        self.inside().store.jobs(None, false, 100).await.unwrap()
    }

    /// At most one provider is drained at a time, so that it has somewhere to go.
    async fn drain(&mut self) {
        let (n, provider) = self.some_provider().await;
        let drains = self.open_jobs().await.iter().any(|job| job.kind == JobKind::Drain);
        if !drains && self.chance.random_bool(0.7) && self.unnamed != Some(n) {
            self.begin_job(JobKind::Drain, Some(provider), "{}".into()).await;
        } else {
            self.end_drains().await;
        }
    }

    /// All providers may have new copies again.
    pub(super) async fn end_drains(&self) {
        let (store, now) = (&self.inside().store, self.now());
        for job in self.open_jobs().await.iter().filter(|job| job.kind == JobKind::Drain) {
            store.command_job(job.id, JobCommand::Cancel, None, now).await.unwrap();
        }
        for provider in store.providers().await.unwrap() {
            store.set_mode(provider.id, Mode::Active, false, None, now).await.unwrap();
        }
    }

    async fn audit(&mut self) {
        let (_, provider) = self.some_provider().await;
        self.begin_job(JobKind::Audit, Some(provider), "{}".into()).await;
    }

    /// What others made there becomes the first account's.
    async fn adopt(&mut self) {
        let (n, provider) = self.some_provider().await;
        let which = self.chance.random_range(0..POLICIES);
        let dry_run = self.chance.random_bool(0.2);
        let terms = AdoptTerms { policy: policy(which, false).name, dry_run }.to_json();
        if self.begin_job(JobKind::Adopt, Some(provider), terms).await && !dry_run {
            self.fakes[n].may_be_adopted();
        }
    }

    /// A policy says something else from now on, mostly of the pins that are there, too.
    async fn change_policy(&mut self) {
        let which = self.chance.random_range(0..POLICIES);
        self.second[which] = !self.second[which];
        self.inside().store.reregister(self.registration(), self.now()).await.unwrap();
        if self.chance.random_bool(0.7) {
            self.begin_apply(which).await;
        }
        // One that is under way takes up the newest words, too.
        if self.applies(which).await {
            self.note_applied(which);
        }
    }

    pub(super) async fn begin_apply(&self, which: usize) {
        let terms = serde_json::json!({ "policy": policy(which, false).name }).to_string();
        self.begin_job(JobKind::Apply, None, terms).await;
    }

    async fn applies(&self, which: usize) -> bool {
        let name = policy(which, false).name;
        let of_it = |job: &Job| job.kind == JobKind::Apply && job.terms.contains(&format!("{name:?}"));
        self.open_jobs().await.iter().any(of_it)
    }

    fn note_applied(&mut self, which: usize) {
        let newest = self.second[which];
        self.pins.values_mut().filter(|known| known.policy == which).for_each(|known| {
            known.words.insert(newest);
        });
    }

    async fn tell_a_job(&mut self) {
        let Some(job) = self.open_jobs().await.into_iter().choose(&mut self.chance) else { return };
        let command = *TOLD.choose(&mut self.chance).unwrap();
        self.inside().store.command_job(job.id, command, None, self.now()).await.unwrap();
    }

    async fn change_mode(&mut self) {
        let (_, provider) = self.some_provider().await;
        let mode = if self.chance.random_bool(0.5) { Mode::Readonly } else { Mode::Active };
        self.inside().store.set_mode(provider, mode, false, None, self.now()).await.unwrap();
    }

    async fn die(&mut self) {
        self.stop().await;
        self.start().await;
    }

    /// The config leaves a provider out, or names all again.
    async fn change_names(&mut self) {
        self.stop().await;
        self.unnamed = match self.unnamed {
            Some(_) => None,
            None => Some(self.chance.random_range(0..NAMES.len())),
        };
        self.start().await;
    }
}
