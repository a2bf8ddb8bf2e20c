//! All that a simulated provider is and has, behind one lock; it outlives its listener.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::Rng;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;

use crate::model::{Clock, Status, Timestamp};

use super::{
    behaviour::{Behaviour, FailRule},
    observe::{Outcome, Seen, SimPin, SimPins},
    pins::{Asked, Moment, Pins},
    route::Route,
    trouble::Trouble,
};

pub(super) struct World {
    clock: Arc<dyn Clock>,
    token: SecretString,
    down: watch::Sender<bool>,
    inside: Mutex<Inside>,
}

/// What the lock guards.
pub(super) struct Inside {
    pub(super) behaviour: Behaviour,
    pub(super) pins: Pins,
    pub(super) trouble: Trouble,
    pub(super) seen: Seen,
}

impl World {
    pub(super) fn new(
        clock: Arc<dyn Clock>,
        token: SecretString,
        behaviour: Behaviour,
        trouble: Trouble,
    ) -> Self {
        let inside = Inside { behaviour, pins: Pins::default(), trouble, seen: Seen::default() };
        Self { clock, token, down: watch::Sender::new(false), inside: Mutex::new(inside) }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn is_token(&self, token: &str) -> bool {
        self.token.expose_secret() == token
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
        let inside = self.inside();
        let moment = inside.moment(self.now());
        let show = |held: &super::pins::Held| SimPin {
            id: held.id.clone(),
            asked: held.asked.clone(),
            status: held.status(moment.pace, moment.now),
            created: held.created,
        };
        SimPins(inside.pins.oldest_first().map(show).collect())
    }
}

impl Inside {
    pub(super) fn moment(&self, now: Timestamp) -> Moment {
        Moment { now, pace: self.behaviour.pin_after, metaless: self.behaviour.drop_meta }
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
    pub(super) fn forget(&mut self, content: &crate::model::Content) -> usize {
        let ids = self.pins.ids_of(content);
        ids.iter().filter_map(|id| self.pins.remove(id)).count()
    }

    pub(super) fn force(&mut self, content: &crate::model::Content, status: Option<Status>) {
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
