//! The ledger of calls, kept in the store: what was counted there is counted after a restart, too (I9).

use std::{
    collections::HashMap,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;

use crate::{
    model::{Ask, BudgetClass, ByClass, Clock, Granted, LedgerClock, LedgerTime, Lesson},
    providers::{Ledger, LedgerError},
    store::{SharedStore, Store, StoreError},
};

/// By budget group.
type Lessons = HashMap<String, ByClass<Lesson>>;

pub struct StoreLedger {
    /// Calls that go on after a stop must not keep it open.
    store: Weak<dyn Store>,
    clock: LedgerClock,
    lessons: Mutex<Lessons>,
    /// The store fails: that was said.
    fails: AtomicBool,
}

impl StoreLedger {
    /// Goes on from where the last process left it.
    pub async fn open(store: &SharedStore, clock: Arc<dyn Clock>) -> Result<Arc<Self>, StoreError> {
        let left = store.ledger().await?;
        let clock = LedgerClock::new(clock, left.ahead);
        let mut lessons = Lessons::new();
        for (group, class, lesson) in left.lessons {
            lessons.entry(group).or_default()[class] = lesson;
        }
        let store = Arc::downgrade(store);
        Ok(Arc::new(Self { store, clock, lessons: Mutex::new(lessons), fails: AtomicBool::new(false) }))
    }

    fn known(&self) -> MutexGuard<'_, Lessons> {
        self.lessons.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn told<T>(&self, result: Result<T, StoreError>) -> Result<T, LedgerError> {
        match result {
            Ok(done) => {
                if self.fails.swap(false, Ordering::Relaxed) {
                    tracing::info!("calls to providers are counted again");
                }
                Ok(done)
            }
            Err(error) => {
                if !self.fails.swap(true, Ordering::Relaxed) {
                    tracing::error!(
                        %error,
                        "calls to providers cannot be counted, so that none leaves to those with limits until they can"
                    );
                }
                Err(LedgerError)
            }
        }
    }
}

impl fmt::Debug for StoreLedger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreLedger").finish_non_exhaustive()
    }
}

#[async_trait]
impl Ledger for StoreLedger {
    fn now(&self) -> LedgerTime {
        self.clock.now()
    }

    async fn reserve(&self, ask: Ask) -> Result<Granted, LedgerError> {
        let store = self.store.upgrade().ok_or(LedgerError)?;
        self.told(store.reserve_calls(ask).await)
    }

    fn lessons(&self, group: &str) -> ByClass<Lesson> {
        self.known().get(group).copied().unwrap_or_default()
    }

    async fn keep(&self, group: &str, class: BudgetClass, lesson: Lesson) {
        self.known().entry(group.to_owned()).or_default()[class] = lesson;
        let Some(store) = self.store.upgrade() else { return };
        if let Err(error) = store.note_lesson(group.into(), class, lesson).await {
            tracing::warn!(%error, group, %class, "what a provider's refusal taught was not kept");
        }
    }
}
