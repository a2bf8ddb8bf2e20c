//! The pins of a simulated provider: by id, by content, by time.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Deserializer};

use crate::model::{
    Content, ListQuery, Meta, NameFilter, NameMatch, PinCid, Status, StatusSet, Timestamp, name,
};

use super::behaviour::PinAfter;

/// A pin as a client asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub cid: PinCid,
    pub name: Option<String>,
    pub meta: Option<Meta>,
    pub origins: Vec<String>,
}

#[derive(Deserialize)]
struct RawAsked {
    cid: String,
    name: Option<String>,
    meta: Option<BTreeMap<String, String>>,
    #[serde(default, deserialize_with = "null_is_empty")]
    origins: Vec<String>,
}

fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl Asked {
    /// Reads the body of a POST; the error says what is wrong with it.
    pub(super) fn parse(body: &[u8]) -> Result<Self, String> {
        let raw: RawAsked = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if !raw.name.as_deref().is_none_or(name::fits) {
            return Err("the name is longer than 255 characters".to_owned());
        }
        Ok(Self {
            cid: PinCid::parse(&raw.cid).map_err(|error| error.to_string())?,
            name: raw.name,
            meta: raw.meta.map(Meta::try_new).transpose().map_err(|error| error.to_string())?,
            origins: raw.origins,
        })
    }

    /// The value of `meta.pinfold`.
    pub fn tag(&self) -> Option<&str> {
        self.meta.as_ref()?.iter().find_map(|(key, value)| (key == "pinfold").then_some(value))
    }
}

/// A pin that is held.
#[derive(Clone, Debug)]
pub(super) struct Held {
    pub(super) id: String,
    pub(super) asked: Asked,
    /// Strictly rising, so it may run ahead of the clock in a burst.
    pub(super) created: Timestamp,
    /// By the clock; what the pace is counted from.
    accepted: Timestamp,
    doomed: bool,
    /// Set by hand; stronger than the pace.
    forced: Option<Status>,
}

impl Held {
    pub(super) fn status(&self, pace: PinAfter, now: Timestamp) -> Status {
        if let Some(forced) = self.forced {
            return forced;
        }
        let PinAfter::Time(whole) = pace else { return Status::Queued };
        let passed = now.since(self.accepted);
        if passed >= whole {
            return if self.doomed { Status::Failed } else { Status::Pinned };
        }
        if passed * 2 >= whole { Status::Pinning } else { Status::Queued }
    }
}

/// What a list depends on beside the pins.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) now: Timestamp,
    pub(super) pace: PinAfter,
    /// No pin has meta, as far as clients can see.
    pub(super) metaless: bool,
}

/// One list's outcome.
pub(super) struct Listed<'a> {
    pub(super) page: Vec<&'a Held>,
    /// All that match.
    pub(super) total: usize,
}

/// All pins, keyed by `created`, which is unique here.
#[derive(Debug, Default)]
pub(super) struct Pins {
    held: BTreeMap<Timestamp, Held>,
    ids: HashMap<String, Timestamp>,
    contents: HashMap<Content, BTreeSet<Timestamp>>,
    last_created: Timestamp,
    /// The most pins that one content had at any moment.
    most_of_one: usize,
}

impl Pins {
    pub(super) fn insert(&mut self, asked: Asked, doomed: bool, now: Timestamp) -> &Held {
        let created = now.max(Timestamp::from_millis(self.last_created.as_millis() + 1));
        self.last_created = created;
        let id = uuid::Uuid::new_v4().to_string();
        self.ids.insert(id.clone(), created);
        let of_content = self.contents.entry(asked.cid.content().clone()).or_default();
        of_content.insert(created);
        self.most_of_one = self.most_of_one.max(of_content.len());
        self.held.entry(created).or_insert(Held { id, asked, created, accepted: now, doomed, forced: None })
    }

    pub(super) fn most_of_one(&self) -> usize {
        self.most_of_one
    }

    pub(super) fn get(&self, id: &str) -> Option<&Held> {
        self.held.get(self.ids.get(id)?)
    }

    pub(super) fn remove(&mut self, id: &str) -> Option<Held> {
        let held = self.held.remove(&self.ids.remove(id)?)?;
        let content = held.asked.cid.content();
        if let Some(all) = self.contents.get_mut(content) {
            all.remove(&held.created);
            if all.is_empty() {
                self.contents.remove(content);
            }
        }
        Some(held)
    }

    /// The oldest pin of a content.
    pub(super) fn first_of(&self, content: &Content) -> Option<&Held> {
        self.held.get(self.contents.get(content)?.first()?)
    }

    /// The ids of all pins of a content.
    pub(super) fn ids_of(&self, content: &Content) -> Vec<String> {
        let created = self.contents.get(content).into_iter().flatten();
        created.filter_map(|at| self.held.get(at)).map(|held| held.id.clone()).collect()
    }

    pub(super) fn force(&mut self, content: &Content, status: Option<Status>) {
        for at in self.contents.get(content).into_iter().flatten() {
            if let Some(held) = self.held.get_mut(at) {
                held.forced = status;
            }
        }
    }

    pub(super) fn oldest_first(&self) -> impl DoubleEndedIterator<Item = &Held> {
        self.held.values()
    }

    pub(super) fn queued(&self, moment: Moment) -> usize {
        let queued = |held: &&Held| held.status(moment.pace, moment.now) == Status::Queued;
        self.held.values().filter(queued).count()
    }

    /// Newest first; `before` and `after` strict.
    pub(super) fn list(&self, query: &ListQuery, moment: Moment) -> Listed<'_> {
        let matcher = Matcher::new(query, moment);
        let mut listed = Listed { page: Vec::new(), total: 0 };
        for held in self.candidates(query).filter(|held| matcher.takes(held)) {
            listed.total += 1;
            if listed.page.len() < usize::from(query.limit) {
                listed.page.push(held);
            }
        }
        listed
    }

    /// The pins that the indexes leave to look at, newest first.
    fn candidates(&self, query: &ListQuery) -> Box<dyn Iterator<Item = &Held> + '_> {
        let from = query.after.map_or(i64::MIN, |after| after.as_millis().saturating_add(1));
        let to = query.before.map_or(i64::MAX, Timestamp::as_millis).max(from);
        let times = Timestamp::from_millis(from)..Timestamp::from_millis(to);
        if query.cids.is_empty() {
            return Box::new(self.held.range(times).rev().map(|(_, held)| held));
        }
        let of_cids = query.cids.iter().filter_map(|content| self.contents.get(content)).flatten();
        let found: BTreeSet<Timestamp> = of_cids.filter(|at| times.contains(at)).copied().collect();
        Box::new(found.into_iter().rev().filter_map(|at| self.held.get(&at)))
    }
}

/// The filters that no index serves.
struct Matcher<'a> {
    query: &'a ListQuery,
    folded: Option<String>,
    moment: Moment,
}

impl<'a> Matcher<'a> {
    fn new(query: &'a ListQuery, moment: Moment) -> Self {
        let folded = query.name.as_ref().map(|filter| name::fold(&filter.text));
        Self { query, folded, moment }
    }

    fn takes(&self, held: &Held) -> bool {
        self.takes_status(held) && self.takes_name(held) && self.takes_meta(held)
    }

    fn takes_status(&self, held: &Held) -> bool {
        let wanted = self.query.statuses;
        wanted == StatusSet::ALL || wanted.contains(held.status(self.moment.pace, self.moment.now))
    }

    fn takes_name(&self, held: &Held) -> bool {
        let Some(NameFilter { text, matching }) = &self.query.name else { return true };
        let Some(name) = held.asked.name.as_deref() else { return false };
        let folded = self.folded.as_deref().unwrap_or_default();
        match matching {
            NameMatch::Exact => name == text,
            NameMatch::Partial => name.contains(text.as_str()),
            NameMatch::IExact => name::fold(name) == folded,
            NameMatch::IPartial => name::fold(name).contains(folded),
        }
    }

    fn takes_meta(&self, held: &Held) -> bool {
        let has = |wanted: &(String, String)| {
            let mut entries = held.asked.meta.iter().flat_map(Meta::iter);
            entries.any(|(key, value)| key == wanted.0 && value == wanted.1)
        };
        self.query.meta.is_empty() || (!self.moment.metaless && self.query.meta.iter().all(has))
    }
}
