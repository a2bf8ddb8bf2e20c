//! All that a simulated provider is and has, behind one lock; it outlives its listener.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::Rng;
use tokio::sync::watch;

use crate::{
    model::{Clock, Content, Status, Timestamp},
    presets::{Precision, Protocol},
};

use super::{
    asked::Asked,
    backends::Backends,
    behaviour::Behaviour,
    credentials::Credentials,
    fate::FailRule,
    gateway::Shelf,
    ids,
    instant::Instant,
    kubo::Node,
    observe::{Outcome, Seen, SimPin, SimPins},
    pins::{Held, New, Pins},
    route::Route,
    trouble::Trouble,
};

pub(super) struct World {
    clock: Arc<dyn Clock>,
    pub(super) protocol: Protocol,
    down: watch::Sender<bool>,
    inside: Mutex<Inside>,
}

/// What the lock guards.
pub(super) struct Inside {
    pub(super) behaviour: Behaviour,
    pub(super) pins: Pins,
    pub(super) trouble: Trouble,
    pub(super) backends: Backends,
    pub(super) credentials: Credentials,
    pub(super) seen: Seen,
    pub(super) node: Node,
    pub(super) shelf: Shelf,
}

impl World {
    pub(super) fn new(
        clock: Arc<dyn Clock>,
        protocol: Protocol,
        credentials: Credentials,
        behaviour: Behaviour,
        trouble: Trouble,
    ) -> Self {
        let inside = Inside {
            behaviour,
            pins: Pins::default(),
            trouble,
            backends: Backends::default(),
            credentials,
            seen: Seen::default(),
            node: Node::default(),
            shelf: Shelf::default(),
        };
        Self { clock, protocol, down: watch::Sender::new(false), inside: Mutex::new(inside) }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_down(&self, down: bool) {
        self.down.send_replace(down);
    }

    pub(super) fn is_down(&self) -> bool {
        *self.down.borrow()
    }

    /// Returns once the provider is down.
    pub(super) async fn down(&self) {
        let mut down = self.down.subscribe();
        if down.wait_for(|down| *down).await.is_err() {
            std::future::pending().await
        }
    }

    /// Counts a call in; the guard counts it out.
    pub(super) fn begin(&self, route: Route) -> Call<'_> {
        self.inside().seen.begin(route);
        Call { world: self, route, outcome: Outcome::Abandoned }
    }

    pub(super) fn pins(&self) -> SimPins {
        let (inside, now) = (self.inside(), self.now());
        let show = |held: &Held| SimPin {
            id: held.id.clone(),
            asked: held.asked.clone(),
            status: held.status(inside.behaviour.pin_after, now),
            created: held.created.timestamp(),
        };
        SimPins(inside.pins.oldest_first().map(show).collect())
    }
}

impl Inside {
    /// Puts a new pin there; its id.
    pub(super) fn insert(&mut self, asked: Asked, now: Timestamp) -> String {
        let doomed = self.dooms(&asked);
        self.put(asked, doomed, now)
    }

    /// As [`insert`](Self::insert), with its fate decided.
    pub(super) fn put(&mut self, asked: Asked, doomed: bool, now: Timestamp) -> String {
        let (kind, serial) = (self.behaviour.requestid, self.pins.serial());
        let id = ids::mint(kind, &asked.cid, serial, now, &mut self.trouble.dice);
        let precision = self.behaviour.created.precision;
        let created = match precision {
            Precision::Seconds => now,
            _ => self.pins.next_created(now),
        };
        // Digits that the clock does not have, never the same twice running.
        let below = (i64::try_from(serial).unwrap_or(0) + 1) * 618_033 % 1_000_000;
        let created = Instant::new(created, below).cut(precision);
        let stuck = self.sticks(&asked, now);
        self.pins.insert(New { id, asked, created, accepted: now, doomed, stuck }).id.clone()
    }

    /// Whether a new pin is to fail.
    pub(super) fn dooms(&mut self, asked: &Asked) -> bool {
        let dice = &mut self.trouble.dice;
        let by_rule = self.behaviour.fail.iter().any(|rule| match rule {
            FailRule::Cid(cid) => cid.content() == asked.cid.content(),
            FailRule::NamePrefix(prefix) => {
                asked.name.as_deref().is_some_and(|name| name.starts_with(prefix.as_str()))
            }
            FailRule::Rate(rate) => dice.random_bool(*rate),
        });
        by_rule || self.behaviour.fail_if.iter().any(|predicate| predicate.0(asked))
    }

    /// Makes all pins of a content vanish, as a provider does that lost them. How many there were.
    pub(super) fn forget(&mut self, content: &Content) -> usize {
        let ids: Vec<String> = self.pins.of(content).map(|held| held.id.clone()).collect();
        ids.iter().filter_map(|id| self.pins.remove(id)).count()
    }

    pub(super) fn force(&mut self, content: &Content, status: Option<Status>) {
        self.pins.force(content, status);
    }
}

/// A call in flight.
pub(super) struct Call<'a> {
    world: &'a World,
    pub(super) route: Route,
    outcome: Outcome,
}

impl Call<'_> {
    pub(super) fn ends(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }
}

impl Drop for Call<'_> {
    fn drop(&mut self) {
        self.world.inside().seen.end(self.route, self.outcome);
    }
}
