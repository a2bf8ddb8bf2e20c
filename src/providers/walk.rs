//! Walks the whole list of a provider by overlapping pages, so that equal times, coarse clocks and bounds that include
//! their instant lose nothing. Pure, and small enough to be kept between two pages.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{UpstreamPage, UpstreamPin};
use crate::model::{Timestamp, UpstreamId};

/// The most pins that are kept in mind because the next page may show them again.
const EDGE: usize = 10_000;
/// In ms.
const SECOND: i64 = 1000;

/// What a page says of its place in the list, its unreadable rows included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Edge {
    /// Rows on it.
    pub rows: usize,
    /// It has as many rows as were asked for.
    pub full: bool,
    /// How many the provider says there are; not to be relied on.
    pub count: Option<u64>,
    /// The earliest time on it, rounded down to whole milliseconds.
    pub oldest: Option<Timestamp>,
    /// No time on it has a fraction.
    pub whole_seconds: bool,
}

impl Edge {
    /// Whether the provider says that there are more.
    pub fn more(&self) -> bool {
        self.count.is_some_and(|count| count > self.rows as u64)
    }

    /// From where on to ask so that nothing is passed over: a step after the earliest time, which is thus shown again.
    /// `None`: that brings a walk that is at `before` no further.
    pub(super) fn overlapping(&self, before: Option<Timestamp>) -> Option<Timestamp> {
        // Who tells whole seconds may compare whole seconds as well.
        let steps: &[i64] = if self.whole_seconds { &[1000, 1] } else { &[1] };
        self.step(steps, before)
    }

    /// The first of these steps, in ms from the earliest time, that leads further.
    fn step(&self, steps: &[i64], before: Option<Timestamp>) -> Option<Timestamp> {
        let oldest = self.oldest?.as_millis();
        let mut candidates = steps.iter().map(|step| Timestamp::from_millis(oldest.saturating_add(*step)));
        candidates.find(|next| before.is_none_or(|before| *next < before))
    }
}

/// What follows a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Onward {
    /// Ask for the page before [`Walk::before`].
    Page,
    /// All that can be reached was shown.
    End,
    /// The list cannot be walked: it does not heed where it is asked from, or says nothing of times.
    Astray,
}

/// One way through a list, newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    /// In ms; `None` before the first page.
    before: Option<i64>,
    /// Pins that may be shown again, by a mark of their ids, and their times in ms.
    edge: Vec<(u64, i64)>,
    pages: u64,
    risk: Option<Risk>,
    /// Instants with more pins than a page shows, of which some were passed over.
    crowds: u64,
}

/// An instant that a step may have passed over before all of it was shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Risk {
    at: i64,
    /// Where only the provider's count said that there was more.
    count: Option<u64>,
}

impl Risk {
    fn came_true(&self, pins: &[UpstreamPin], edge: &Edge) -> bool {
        let shown_again = pins.iter().any(|pin| created(pin).is_some_and(|at| at >= self.at));
        // A count that stays is of all pins, wherever it is asked from: it told of nothing more.
        let told_nothing = self.count.is_some() && self.count == edge.count;
        !shown_again && !told_nothing
    }
}

impl Walk {
    /// Where the next page is asked from.
    pub fn before(&self) -> Option<Timestamp> {
        self.before.map(Timestamp::from_millis)
    }

    pub fn pages(&self) -> u64 {
        self.pages
    }

    /// Instants of which some pins were passed over, since a page does not show as many.
    pub fn crowds(&self) -> u64 {
        self.crowds
    }

    /// Whether nothing was passed over until now.
    pub fn is_whole(&self) -> bool {
        self.crowds == 0
    }

    /// Takes the page that was asked for; returns what of it was not shown before, each once.
    pub fn take(&mut self, page: UpstreamPage) -> (Vec<UpstreamPin>, Onward) {
        let UpstreamPage { pins, edge, .. } = page;
        self.pages += 1;
        let oldest = edge.oldest.map(Timestamp::as_millis);
        self.crowds += u64::from(self.risk.take().is_some_and(|risk| risk.came_true(&pins, &edge)));
        let mut known: HashSet<u64> = self.edge.iter().map(|(mark, _)| *mark).collect();
        let mut fresh = Vec::new();
        for pin in pins {
            let (mark, at) = (mark(&pin.id), created(&pin));
            if !self.is_asked_for(at) || !known.insert(mark) {
                continue;
            }
            self.edge.push((mark, at.or(oldest).unwrap_or(i64::MIN)));
            fresh.push(pin);
        }
        let onward = self.step(&edge, !fresh.is_empty());
        self.forget();
        (fresh, onward)
    }

    /// Some show their first page whatever they are asked for.
    fn is_asked_for(&self, created: Option<i64>) -> bool {
        self.before.zip(created).is_none_or(|(before, at)| at <= before.saturating_add(SECOND))
    }

    fn step(&mut self, edge: &Edge, news: bool) -> Onward {
        let before = self.before();
        let Some(oldest) = edge.oldest else {
            // An empty page is the end, unless it says that it is not.
            let is_broken = edge.full || edge.more() && (edge.rows > 0 || before.is_none());
            return if is_broken { Onward::Astray } else { Onward::End };
        };
        let (safe, risky): (&[i64], &[i64]) =
            if edge.whole_seconds { (&[SECOND], &[1, 0, -1]) } else { (&[1], &[0, -1]) };
        if let Some(next) = edge.step(safe, before) {
            // Some cut pages short and call that the count: only a page that shows nothing new is the end.
            return if news || edge.full { self.go(next) } else { Onward::End };
        }
        if !edge.full && !edge.more() {
            return Onward::End;
        }
        match edge.step(risky, before) {
            Some(next) => {
                self.risk = Some(Risk { at: oldest.as_millis(), count: edge.count.filter(|_| !edge.full) });
                self.go(next)
            }
            // Some count all that there are, wherever they are asked from.
            None if !edge.full && !news => Onward::End,
            None => Onward::Astray,
        }
    }

    fn go(&mut self, next: Timestamp) -> Onward {
        self.before = Some(next.as_millis());
        Onward::Page
    }

    /// Keeps in mind only what the next page may show again.
    fn forget(&mut self) {
        let until = self.before.unwrap_or(i64::MAX).saturating_add(SECOND);
        self.edge.retain(|(_, created)| *created <= until);
        self.edge.sort_unstable_by_key(|(_, created)| *created);
        self.edge.truncate(EDGE);
    }
}

fn created(pin: &UpstreamPin) -> Option<i64> {
    pin.created.map(Timestamp::as_millis)
}

/// Lasts over restarts; two ids that share it are as good as never met.
fn mark(id: &UpstreamId) -> u64 {
    let hash = Sha256::digest(id.as_str());
    u64::from_be_bytes(std::array::from_fn(|n| hash[n]))
}

#[cfg(test)]
mod tests;
