//! What a simulated provider saw: calls by route and outcome, calls at once, a log, the pins it holds.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
};

use crate::model::{Content, Status, Timestamp};

use super::{asked::Asked, route::Route};

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    Answered(u16),
    /// The connection was reset on purpose.
    Reset,
    /// Left without an answer on purpose.
    Hung,
    /// The caller went away first.
    Abandoned,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answered(code) => code.fmt(f),
            Self::Reset => f.write_str("reset"),
            Self::Hung => f.write_str("hung"),
            Self::Abandoned => f.write_str("abandoned"),
        }
    }
}

/// Calls so far.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    pub(super) calls: BTreeMap<Route, u64>,
    pub(super) outcomes: BTreeMap<(Route, Outcome), u64>,
    pub(super) max_concurrency: usize,
    pub(super) violations: u64,
}

impl Counts {
    /// Calls that came in on this route.
    pub fn calls(&self, route: Route) -> u64 {
        self.calls.get(&route).copied().unwrap_or(0)
    }

    /// Calls that came in.
    pub fn total(&self) -> u64 {
        self.calls.values().sum()
    }

    /// Calls on this route that ended so.
    pub fn ended(&self, route: Route, outcome: Outcome) -> u64 {
        self.outcomes.get(&(route, outcome)).copied().unwrap_or(0)
    }

    /// Calls on this route that were answered with this code.
    pub fn answered(&self, route: Route, code: u16) -> u64 {
        self.ended(route, Outcome::Answered(code))
    }

    /// The most calls that were in flight at once.
    pub fn max_concurrency(&self) -> usize {
        self.max_concurrency
    }

    /// Calls that came in over a rate limit.
    pub fn violations(&self) -> u64 {
        self.violations
    }
}

/// One call that came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    pub at: Timestamp,
    pub route: Route,
    /// What it was about, where that can be told.
    pub content: Option<Content>,
}

/// A pin that was removed by a caller's DELETE or replace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deleted {
    pub at: Timestamp,
    pub id: String,
    pub content: Content,
}

/// Counts, and bounded memories.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) counts: Counts,
    pub(super) log: VecDeque<LogEntry>,
    pub(super) deleted: VecDeque<Deleted>,
    in_flight: usize,
}

impl Seen {
    /// The log and the list of deletes forget what is older than this many entries.
    const REMEMBERED: usize = 500_000;

    pub(super) fn begin(&mut self, route: Route) {
        *self.counts.calls.entry(route).or_default() += 1;
        self.in_flight += 1;
        self.counts.max_concurrency = self.counts.max_concurrency.max(self.in_flight);
    }

    pub(super) fn end(&mut self, route: Route, outcome: Outcome) {
        *self.counts.outcomes.entry((route, outcome)).or_default() += 1;
        self.in_flight -= 1;
    }

    pub(super) fn log(&mut self, entry: LogEntry) {
        push_bounded(&mut self.log, entry);
    }

    pub(super) fn deleted(&mut self, deleted: Deleted) {
        push_bounded(&mut self.deleted, deleted);
    }

    pub(super) fn forget(&mut self) {
        let in_flight = self.in_flight;
        *self = Self { in_flight, ..Self::default() };
    }
}

fn push_bounded<T>(list: &mut VecDeque<T>, entry: T) {
    if list.len() == Seen::REMEMBERED {
        list.pop_front();
    }
    list.push_back(entry);
}

/// A live pin as the provider holds it, with the meta that was sent even where clients do not get it back.
#[derive(Clone, Debug)]
pub struct SimPin {
    pub id: String,
    pub asked: Asked,
    pub status: Status,
    pub created: Timestamp,
}

/// The live pins, oldest first.
#[derive(Clone, Debug, Default)]
pub struct SimPins(pub Vec<SimPin>);

impl SimPins {
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &SimPin> {
        self.0.iter()
    }

    /// How many pins each content has.
    pub fn by_content(&self) -> HashMap<Content, usize> {
        let mut counts = HashMap::new();
        for pin in &self.0 {
            *counts.entry(pin.asked.cid.content().clone()).or_default() += 1;
        }
        counts
    }

    /// How many pins each `meta.pinfold` has; those without one are not counted.
    pub fn by_tag(&self) -> HashMap<String, usize> {
        let mut counts = HashMap::new();
        for tag in self.0.iter().filter_map(|pin| pin.asked.tag()) {
            *counts.entry(tag.to_owned()).or_default() += 1;
        }
        counts
    }

    /// Contents that one instance of Pinfold pinned here more than once, each with those pins' ids. The instance is
    /// what stands before the slash in `meta.pinfold`.
    pub fn made_twice(&self) -> Vec<(Content, Vec<String>)> {
        let mut made: BTreeMap<(&Content, &str), Vec<String>> = BTreeMap::new();
        for pin in &self.0 {
            let instance = pin.asked.tag().and_then(|tag| tag.split('/').next());
            if let Some(instance) = instance {
                made.entry((pin.asked.cid.content(), instance)).or_default().push(pin.id.clone());
            }
        }
        made.into_iter()
            .filter(|(_, ids)| ids.len() > 1)
            .map(|((content, _), ids)| (content.clone(), ids))
            .collect()
    }
}
