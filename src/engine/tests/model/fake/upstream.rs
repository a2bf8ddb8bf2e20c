//! What a provider in memory has, whatever it says of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use rand::{Rng, rngs::StdRng, seq::IteratorRandom};

use super::Mood;
use crate::{model::*, providers::Submit};

#[derive(Clone, Debug)]
pub(super) struct Kept {
    pub(super) content: Content,
    /// `None`: somebody else's.
    pub(super) tag: Option<String>,
    /// When it is pinned.
    pub(super) ready: Timestamp,
    pub(super) failed: bool,
    pub(super) created: Timestamp,
    /// Somebody else's, which an adoption may have made ours.
    pub(super) adoptable: bool,
}

pub(super) struct State {
    pub(super) mood: Mood,
    pub(super) chance: StdRng,
    pub(super) pins: BTreeMap<String, Kept>,
    /// What it does not have any more, and tells of as pinned where it lies.
    lost: BTreeMap<String, Kept>,
    /// What will take effect then, though its answer was lost.
    pub(super) late: Vec<(Timestamp, Effect)>,
    /// Somebody adopts what is in its list.
    pub(super) adopts: bool,
    minted: u64,
    /// Contents of which the last word was that they are pinned.
    pub(super) told: BTreeSet<Content>,
    /// Contents of which the word became another one in this step: what left in it was decided on before that was heard.
    pub(super) untold: BTreeSet<Content>,
    /// Pins of which the removal was asked for since they were last looked at: whether it was done, nobody may know.
    pub(super) leaving: BTreeSet<String>,
    /// Contents of which the removal was asked for though the last word on them was that they are pinned.
    pub(super) removed: Vec<Content>,
    /// Calls that left for it, the oldest first.
    calls: Vec<(Timestamp, BudgetClass)>,
    /// What must never be: told at the end.
    pub(super) wrongs: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) enum Effect {
    Submit(Submit),
    Remove(UpstreamId),
}

impl State {
    pub(super) fn new(chance: StdRng) -> Self {
        Self {
            mood: Mood::Well,
            chance,
            pins: BTreeMap::new(),
            lost: BTreeMap::new(),
            late: Vec::new(),
            adopts: false,
            minted: 0,
            told: BTreeSet::new(),
            untold: BTreeSet::new(),
            leaving: BTreeSet::new(),
            removed: Vec::new(),
            calls: Vec::new(),
            wrongs: Vec::new(),
        }
    }

    /// Loses a pin without a word.
    pub(super) fn forget_one(&mut self) {
        if let Some(id) = self.pins.keys().choose(&mut self.chance).cloned() {
            self.lost.extend(self.pins.remove_entry(&id));
        }
    }

    pub(super) fn forget_all(&mut self) {
        self.lost.append(&mut self.pins);
    }

    /// What it tells of, which is more than it has where it lies.
    pub(super) fn shown(&self) -> impl Iterator<Item = (&String, &Kept)> {
        let lies = self.mood == Mood::Lying;
        self.pins.iter().chain(self.lost.iter().filter(move |_| lies))
    }

    /// Its list told of it.
    pub(super) fn lists(&mut self, id: &str) {
        let kept = self.pins.get_mut(id).or_else(|| self.lost.get_mut(id));
        if let Some(kept) = kept.filter(|_| self.adopts) {
            kept.adoptable = true;
        }
    }

    /// I9, by the windows of each limit.
    pub(super) fn count(&mut self, class: BudgetClass, now: Timestamp, rates: &Rates) {
        self.calls.push((now, class));
        for (bound, rate) in rates.bounds(class) {
            let recent = self.calls.iter().rev().take_while(|(at, _)| now.since(*at) < rate.per);
            let counted = recent.filter(|(_, class)| bound == BudgetClass::Any || *class == bound).count();
            if counted > rate.calls as usize {
                self.wrongs.push(format!("I9: {counted} calls in a window of {rate:?} of {bound}"));
            }
        }
    }

    pub(super) fn untell(&mut self, content: &Content) {
        if self.told.remove(content) {
            self.untold.insert(content.clone());
        }
    }

    pub(super) fn take_effect(&mut self, effect: Effect, at: Timestamp) {
        match effect {
            Effect::Submit(submit) => {
                self.insert(submit.content, Some(submit.tag), at);
            }
            Effect::Remove(id) => self.remove(&id, at),
        }
    }

    pub(super) fn insert(&mut self, content: Content, tag: Option<String>, now: Timestamp) -> String {
        self.minted += 1;
        let id = format!("up-{}", self.minted);
        let wait = match self.mood {
            Mood::Stuck => Duration::from_secs(3 * 24 * 3600),
            _ => Duration::from_secs(self.chance.random_range(0..300)),
        };
        let failed = tag.is_some() && self.mood == Mood::Failing;
        if tag.is_some() && self.pins.values().any(|pin| pin.content == content && pin.tag.is_some()) {
            self.wrongs.push(format!("I7: {content:?} was made twice"));
        }
        // It lies of what it lost, not beside what it was asked for anew.
        self.lost.retain(|_, lost| lost.content != content);
        let ready = now.plus(wait);
        self.pins.insert(id.clone(), Kept { content, tag, ready, failed, created: now, adoptable: false });
        id
    }

    /// A call to remove it arrives, or is lost on its way.
    pub(super) fn begin_removal(&mut self, id: &UpstreamId, now: Timestamp) {
        let Some(pin) = self.pins.get(id.as_str()).or_else(|| self.lost.get(id.as_str())) else { return };
        let is_first = self.leaving.insert(id.as_str().to_owned());
        // One that never was pinned is no copy yet.
        if is_first && self.told.contains(&pin.content) && !self.has_another(id, &pin.content, now) {
            self.removed.push(pin.content.clone());
        }
    }

    /// Where another one is pinned the copy stays.
    fn has_another(&self, id: &UpstreamId, content: &Content, now: Timestamp) -> bool {
        self.pins.iter().any(|(other, pin)| {
            other != id.as_str() && pin.content == *content && pin.ready <= now && !pin.failed
        })
    }

    pub(super) fn tell(&mut self, content: &Content, status: Status) {
        match status {
            Status::Pinned => _ = self.told.insert(content.clone()),
            _ => self.untell(content),
        }
    }

    pub(super) fn remove(&mut self, id: &UpstreamId, now: Timestamp) {
        let Some(pin) = self.pins.remove(id.as_str()).or_else(|| self.lost.remove(id.as_str())) else {
            return;
        };
        if pin.tag.is_none() && !pin.adoptable {
            self.wrongs.push(format!("I13: {:?} of somebody else was deleted", pin.content));
        }
        if !self.has_another(id, &pin.content, now) && self.told.remove(&pin.content) {
            self.untold.remove(&pin.content);
        }
    }
}
