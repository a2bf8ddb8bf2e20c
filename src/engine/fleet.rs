//! The engine at work: its drivers can be exchanged, one provider at a time, while the others go on.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::ArcSwap;
use tokio::task::JoinHandle;

use super::{Driven, Planner, Shared, background::Spills, driver::Driver, roster::Roster};
use crate::{
    lifecycle::Shutdown,
    model::{Facts, ProviderId, ProviderRecord, Timestamp},
    providers::{Provider, Standing},
};

/// What a new config means for the engine.
#[derive(Default)]
pub struct Exchange {
    /// Providers that are new, back, or called otherwise than before.
    pub driven: Vec<Driven>,
    /// Providers that are called as before, but of which something else is declared.
    pub declared: Vec<ProviderRecord>,
    /// Providers that the config does not name any more.
    pub gone: Vec<ProviderId>,
}

/// The drivers of a running engine.
pub struct Fleet {
    shared: Shared,
    roster: Roster,
    spills: Spills,
    planner: Planner,
    seats: Mutex<BTreeMap<ProviderId, Seat>>,
}

/// One provider's driver.
struct Seat {
    /// `None`: it left the config, and lives only until its calls have ended.
    provider: Option<Arc<dyn Provider>>,
    facts: Arc<ArcSwap<Facts>>,
    part: Shutdown,
    task: JoinHandle<()>,
}

impl Fleet {
    pub(super) fn new(
        shared: Shared,
        roster: Roster,
        spills: Spills,
        drivers: Vec<Driver>,
        planner: Planner,
    ) -> Self {
        let seat = |driver: Driver| {
            let (id, provider) = (driver.id(), Some(driver.provider().clone()));
            let (facts, part) = (driver.facts().clone(), driver.part().clone());
            let task = part.spawn_vital("provider driver", driver.run());
            (id, Seat { provider, facts, part, task })
        };
        let seats = drivers.into_iter().map(seat).collect();
        Self { shared, roster, spills, planner, seats: Mutex::new(seats) }
    }

    /// Takes up a new config. A driver that goes claims nothing more and finishes its calls; whoever takes its seat
    /// begins after that, so that the provider is never called by both.
    pub fn exchange(&self, change: Exchange) {
        let mut seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        for gone in change.gone {
            // Its seat is kept: whoever comes back to it waits until its calls have ended.
            if let Some(seat) = seats.get_mut(&gone) {
                seat.part.begin();
                seat.provider = None;
            }
            // After its end began, before which it might still enter.
            self.roster.leave(gone);
            self.spills.add(gone);
        }
        for declared in change.declared {
            if let Some(seat) = seats.get(&declared.id) {
                seat.facts.store(declared.facts);
            }
            self.spills.add(declared.id);
        }
        for driven in change.driven {
            let id = driven.record.id;
            let before = seats.remove(&id).map(|seat| {
                seat.part.begin();
                seat.task
            });
            // What waited elsewhere for want of this provider, or here for another one, is looked at anew.
            self.spills.add(id);
            seats.insert(id, self.seat(driven, before));
        }
        drop(seats);
        self.shared.activator.poke();
    }

    /// Who says what a change of many pins would cost.
    pub fn planner(&self) -> Planner {
        self.planner.clone()
    }

    /// There is something to do, such as a job that was just started.
    pub fn poke(&self) {
        self.shared.activator.poke();
    }

    /// How each provider that is driven stands, by its name.
    pub fn standings(&self, now: Timestamp) -> BTreeMap<String, Standing> {
        let seats = self.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let driven = seats.values().filter_map(|seat| seat.provider.as_ref());
        driven.map(|provider| (provider.name().to_owned(), provider.standing(now))).collect()
    }

    fn seat(&self, mut driven: Driven, before: Option<JoinHandle<()>>) -> Seat {
        let part = self.shared.shutdown.part();
        let shared = Shared { shutdown: part.clone(), ..self.shared.clone() };
        let (spills, provider) = (self.spills.clone(), Some(driven.provider.clone()));
        let facts = Arc::new(ArcSwap::from(driven.record.facts.clone()));
        let (roster, declared) = (self.roster.clone(), facts.clone());
        if before.is_none() {
            roster.enter(driven.record.id, driven.provider.clone());
        }
        let task = part.spawn_vital("provider driver", async move {
            if let Some(before) = before {
                // Its panic was dealt with where it happened.
                let _ = before.await;
                // Jobs, too, call the one before for as long as its calls last, so that no more are made at once.
                let is_wanted = || !shared.shutdown.has_begun();
                roster.enter_if(is_wanted, driven.record.id, &driven.provider);
                refresh(&shared, &mut driven).await;
            }
            Driver::new(shared, driven, spills).declared(declared).run().await;
        });
        Seat { provider, facts, part, task }
    }
}

/// The driver that went may have learned something since the record was read.
async fn refresh(shared: &Shared, driven: &mut Driven) {
    match shared.store.providers().await {
        Ok(records) => {
            let newer = records.into_iter().find(|record| record.id == driven.record.id);
            driven.record = newer.unwrap_or_else(|| driven.record.clone());
        }
        Err(error) => {
            let provider = driven.record.name.as_str();
            tracing::warn!(%error, provider, "a provider's record could not be read again");
        }
    }
}
