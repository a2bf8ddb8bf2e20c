//! The pins of a simulated provider: by id, by content, by time.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::model::{Content, Status, Timestamp};

use super::{
    asked::Asked,
    fate::PinAfter,
    instant::Instant,
    query::{Filter, Query},
};

/// A pin that is held.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) id: String,
    pub(super) asked: Asked,
    /// Strictly rising but for providers of whole seconds, so it may run ahead of the clock in a burst.
    pub(super) created: Instant,
    /// Tells pins of one instant apart.
    serial: u64,
    /// By the clock; what the pace is counted from.
    accepted: Timestamp,
    /// It goes to `failed`.
    doomed: bool,
    /// It stays queued.
    stuck: bool,
    /// Set by hand; stronger than the pace.
    forced: Option<Status>,
    /// What the last GET by id saw.
    pub(super) recorded: Status,
}

impl Held {
    pub(super) fn status(&self, pace: PinAfter, now: Timestamp) -> Status {
        if let Some(forced) = self.forced {
            return forced;
        }
        let PinAfter::Time(whole) = pace else { return Status::Queued };
        if self.stuck {
            return Status::Queued;
        }
        let passed = now.since(self.accepted);
        if passed >= whole {
            return if self.doomed { Status::Failed } else { Status::Pinned };
        }
        if passed * 2 >= whole { Status::Pinning } else { Status::Queued }
    }

    /// Whether it will stay queued.
    pub(super) fn is_stuck(&self) -> bool {
        self.stuck
    }

    fn place(&self) -> Place {
        (self.created, self.serial)
    }
}

/// A pin that is about to be held.
pub(super) struct New {
    pub(super) id: String,
    pub(super) asked: Asked,
    pub(super) created: Instant,
    pub(super) accepted: Timestamp,
    pub(super) doomed: bool,
    pub(super) stuck: bool,
}

/// One list's outcome.
pub(super) struct Listed<'a> {
    pub(super) page: Vec<&'a Held>,
    /// All that match.
    pub(super) total: usize,
}

/// Where a pin stands among all, oldest first.
type Place = (Instant, u64);

/// All pins, in the order of `created`.
#[derive(Debug, Default)]
pub(super) struct Pins {
    held: BTreeMap<Place, Held>,
    ids: HashMap<String, Place>,
    contents: HashMap<Content, BTreeSet<Place>>,
    last_created: Timestamp,
    serial: u64,
    /// The most pins that one content had at any moment.
    most_of_one: usize,
}

impl Pins {
    /// The number of the next pin.
    pub(super) fn serial(&self) -> u64 {
        self.serial
    }

    /// A time for the next pin that none had before.
    pub(super) fn next_created(&mut self, now: Timestamp) -> Timestamp {
        self.last_created = now.max(Timestamp::from_millis(self.last_created.as_millis() + 1));
        self.last_created
    }

    /// In place of one that has the same id.
    pub(super) fn insert(&mut self, new: New) -> &Held {
        let New { id, asked, created, accepted, doomed, stuck } = new;
        self.remove(&id);
        let serial = self.serial;
        self.serial += 1;
        let place = (created, serial);
        self.ids.insert(id.clone(), place);
        let of_content = self.contents.entry(asked.cid.content().clone()).or_default();
        of_content.insert(place);
        self.most_of_one = self.most_of_one.max(of_content.len());
        let recorded = Status::Queued;
        self.held.entry(place).or_insert(Held {
            id,
            asked,
            created,
            serial,
            accepted,
            doomed,
            stuck,
            forced: None,
            recorded,
        })
    }

    pub(super) fn most_of_one(&self) -> usize {
        self.most_of_one
    }

    pub(super) fn get(&self, id: &str) -> Option<&Held> {
        self.held.get(self.ids.get(id)?)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Held> {
        self.held.get_mut(self.ids.get(id)?)
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Held> {
        let held = self.held.remove(&self.ids.remove(id)?)?;
        let content = held.asked.cid.content();
        if let Some(all) = self.contents.get_mut(content) {
            all.remove(&held.place());
            if all.is_empty() {
                self.contents.remove(content);
            }
        }
        Some(held)
    }

    /// All pins of a content, oldest first.
    pub(super) fn of(&self, content: &Content) -> impl Iterator<Item = &Held> {
        self.contents.get(content).into_iter().flatten().filter_map(|place| self.held.get(place))
    }

    pub(super) fn force(&mut self, content: &Content, status: Option<Status>) {
        for place in self.contents.get(content).into_iter().flatten() {
            if let Some(held) = self.held.get_mut(place) {
                held.forced = status;
            }
        }
    }

    pub(super) fn oldest_first(&self) -> impl DoubleEndedIterator<Item = &Held> {
        self.held.values()
    }

    pub(super) fn queued(&self, pace: PinAfter, now: Timestamp) -> usize {
        self.held.values().filter(|held| held.status(pace, now) == Status::Queued).count()
    }

    /// Newest first.
    pub(super) fn list(&self, query: &Query, filter: &Filter<'_>) -> Listed<'_> {
        let mut listed = Listed { page: Vec::new(), total: 0 };
        for held in self.candidates(query).filter(|held| filter.takes(held)) {
            listed.total += 1;
            if listed.page.len() < query.limit {
                listed.page.push(held);
            }
        }
        listed
    }

    /// The pins that the indexes leave to look at, newest first.
    fn candidates(&self, query: &Query) -> Box<dyn Iterator<Item = &Held> + '_> {
        let places = (query.from, 0)..(query.to.max(query.from), 0);
        if query.cids.is_empty() {
            return Box::new(self.held.range(places).rev().map(|(_, held)| held));
        }
        let of_cids = query.cids.iter().filter_map(|cid| self.contents.get(cid.content())).flatten();
        let found: BTreeSet<Place> = of_cids.filter(|place| places.contains(place)).copied().collect();
        Box::new(found.into_iter().rev().filter_map(|place| self.held.get(&place)))
    }
}
