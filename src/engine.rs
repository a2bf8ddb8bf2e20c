//! The reconciler that drives replicas from what is to what should be. The tick is the retry: one code path for the
//! happy case and for recovery.

mod background;
mod deaths;
mod dispatch;
mod driver;
mod fleet;
mod follow;
mod health;
mod introduce;
mod jobs;
mod ledger;
mod look;
mod plan;
mod poll;
mod prove;
mod report;
mod retrieval;
mod roster;
mod trust;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

pub use crate::providers::{LastError, Standing};
pub use fleet::{Exchange, Fleet};
pub use jobs::AdoptTerms;
pub use ledger::StoreLedger;
pub use plan::{Bill, Costed, Planner};
pub use report::TickReport;

use self::{background::Background, driver::Driver, jobs::Jobs, retrieval::Retrieval, roster::Roster};
use crate::{
    lifecycle::{Activator, Interest, Shutdown},
    model::{Clock, ProviderRecord, SureClock, Timestamp},
    providers::Provider,
    store::{SharedStore, StoreError},
    telemetry::{Metrics, Traces},
};

/// How the engine works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// How long a provider fails before it counts as down. Wall clock.
    pub down_after: Duration,
    /// The wait after a refused credential that may be passing.
    pub auth_pause: Duration,
    /// The first wait before a provider that refuses our credential, or wants money, is tried again; doubles.
    pub probe_base: Duration,
    /// The longest such wait.
    pub probe_max: Duration,
    /// The longest that one that is well is not heard of: then it is asked something.
    pub longest_silence: Duration,
    /// The soonest that a pin which its client asks about is looked at again.
    pub interest_gap: Duration,
    /// The longest sleep: bounds what a clock that jumps can delay.
    pub longest_sleep: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            down_after: Duration::from_secs(30),
            auth_pause: Duration::from_secs(5),
            probe_base: Duration::from_secs(30),
            probe_max: Duration::from_secs(900),
            longest_silence: Duration::from_secs(3600),
            interest_gap: Duration::from_secs(1),
            longest_sleep: Duration::from_secs(30),
        }
    }
}

/// What every part of the engine shares.
#[derive(Clone)]
pub struct Shared {
    pub store: SharedStore,
    pub clock: Arc<dyn Clock>,
    /// By which things end for good.
    pub sure: SureClock,
    pub activator: Activator,
    pub interest: Interest,
    pub shutdown: Shutdown,
    pub metrics: Metrics,
    pub traces: Traces,
    pub settings: Settings,
}

/// One provider to drive: how to call it, and how the store knows it.
pub struct Driven {
    pub provider: Arc<dyn Provider>,
    pub record: ProviderRecord,
}

/// One driver for each provider, so that a slow one delays nobody else, and one for what belongs to none.
pub struct Engine {
    shared: Shared,
    drivers: Vec<Driver>,
    background: Background,
    roster: Roster,
    jobs: Jobs,
    retrieval: Retrieval,
}

impl Engine {
    pub fn new(shared: Shared, driven: Vec<Driven>, absent: Vec<ProviderRecord>) -> Self {
        let background = Background::new(shared.clone());
        let unusable = driven.iter().map(|driven| &driven.record).chain(&absent);
        for record in unusable.filter(|record| !record.health.is_usable() || record.absent_since.is_some()) {
            background.respill(record.id);
        }
        let roster = Roster::default();
        let jobs = Jobs::new(shared.clone(), roster.clone(), background.spills());
        let retrieval = Retrieval::new(shared.clone(), roster.clone());
        let drivers = driven
            .into_iter()
            .map(|driven| {
                roster.enter(driven.record.id, driven.provider.clone());
                let shared = Shared { shutdown: shared.shutdown.part(), ..shared.clone() };
                Driver::new(shared, driven, background.spills())
            })
            .collect();
        Self { shared, drivers, background, roster, jobs, retrieval }
    }

    /// Who says what a change of many pins would cost.
    pub fn planner(&self) -> Planner {
        let Shared { store, clock, .. } = &self.shared;
        Planner::new(store.clone(), clock.clone(), self.roster.clone())
    }

    /// Starts everything due at `now` and waits for none of it.
    pub async fn tick(&mut self, now: Timestamp) -> Result<TickReport, StoreError> {
        let next_step = self.jobs.tick(now).await?;
        let next_sample = self.retrieval.tick(now).await?;
        let mut report = self.background.tick(now).await?;
        report.next = report.next.into_iter().chain(next_step).chain(next_sample).min();
        for driver in &mut self.drivers {
            report.add(driver.tick(now).await?);
        }
        Ok(report)
    }

    /// Ticks, and waits for all that it started: what tests step.
    pub async fn step(&mut self, now: Timestamp) -> Result<TickReport, StoreError> {
        let report = self.tick(now).await?;
        for driver in &self.drivers {
            driver.idle().await;
        }
        Ok(report)
    }

    /// Runs until stopping begins; what is under way then is tracked by the shutdown.
    pub fn spawn(self) -> Fleet {
        let planner = self.planner();
        let Self { shared, drivers, background, roster, jobs, retrieval } = self;
        let spills = background.spills();
        shared.shutdown.spawn_vital("engine background", background.run());
        shared.shutdown.spawn_vital("jobs", jobs.run());
        shared.shutdown.spawn_vital("proofs", retrieval.run());
        Fleet::new(shared, roster, spills, drivers, planner)
    }
}
