//! Where calls are counted before they leave, so that limits hold over restarts: a port, filled in with the store.

use std::{
    fmt::{self, Debug},
    sync::Arc,
};

use async_trait::async_trait;
use thiserror::Error;

use crate::model::{Ask, BudgetClass, ByClass, Clock, Granted, LedgerClock, LedgerTime, Lesson};

/// Counts calls. What it does not grant does not leave (I9).
#[async_trait]
pub trait Ledger: Debug + Send + Sync + 'static {
    /// The time that it counts by.
    fn now(&self) -> LedgerTime;

    /// Counts calls that are about to start, or says when there is room for some.
    async fn reserve(&self, ask: Ask) -> Result<Granted, LedgerError>;

    /// What is known of a budget's limits until now, whoever of its group learned it, and when.
    fn lessons(&self, group: &str) -> ByClass<Lesson>;

    /// Keeps what a refusal taught of a limit. Where that fails it is learned again.
    async fn keep(&self, group: &str, class: BudgetClass, lesson: Lesson);
}

/// Calls cannot be counted, so none leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("calls cannot be counted now")]
pub struct LedgerError;

/// For providers without limits: tells the time, grants nothing, and keeps nothing in mind.
#[derive(Clone)]
pub struct NoLedger(LedgerClock);

impl NoLedger {
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(LedgerClock::new(clock, 0))
    }
}

impl Debug for NoLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NoLedger").finish_non_exhaustive()
    }
}

#[async_trait]
impl Ledger for NoLedger {
    fn now(&self) -> LedgerTime {
        self.0.now()
    }

    async fn reserve(&self, _: Ask) -> Result<Granted, LedgerError> {
        Err(LedgerError)
    }

    fn lessons(&self, _: &str) -> ByClass<Lesson> {
        ByClass::default()
    }

    async fn keep(&self, _: &str, _: BudgetClass, _: Lesson) {}
}
