//! The fetches that go on at a node, each in a task of its own, so many at once and so many waiting.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::task::JoinHandle;

use super::{
    fetch::{Fetch, Pace, State},
    rpc::Rpc,
    slots::Slots,
};
use crate::model::Content;

/// Fetches that go on at once: a node that fetches too much at once fetches nothing.
const SLOTS: usize = 16;

/// Fetches that are kept in mind, most of them waiting.
const LINE: usize = 10_000;

/// A fetch and its task, which ends with it.
struct Entry {
    fetch: Arc<Fetch>,
    task: JoinHandle<()>,
}

impl Entry {
    /// `None` where its task died: then it is begun anew.
    fn state(&self) -> Option<State> {
        let state = self.fetch.state();
        (state.is_over() || !self.task.is_finished()).then_some(state)
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// As many fetches go on as may.
#[derive(Debug)]
pub(super) struct Full;

pub(super) struct Fetches {
    rpc: Arc<Rpc>,
    pace: Pace,
    slots: Arc<Slots>,
    line: usize,
    entries: Mutex<HashMap<Content, Entry>>,
}

impl Fetches {
    pub(super) fn new(rpc: Arc<Rpc>, pace: Pace) -> Self {
        Self { rpc, pace, slots: Arc::new(Slots::new(SLOTS)), line: LINE, entries: Mutex::default() }
    }

    #[cfg(test)]
    pub(super) fn bounded(self, slots: usize, line: usize) -> Self {
        Self { slots: Arc::new(Slots::new(slots)), line, ..self }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Content, Entry>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How the fetch of a content stands, if there is one.
    pub(super) fn state(&self, content: &Content) -> Option<State> {
        self.lock().get(content).and_then(Entry::state)
    }

    /// As [`state`](Self::state); one that is over is forgotten.
    pub(super) fn take_state(&self, content: &Content) -> Option<State> {
        let mut entries = self.lock();
        let state = entries.get(content)?.state();
        if state.as_ref().is_none_or(State::is_over) {
            entries.remove(content);
        }
        state
    }

    /// Begins a fetch, in place of one that is over.
    pub(super) fn begin(
        &self,
        content: &Content,
        name: Option<&str>,
        origins: &[String],
    ) -> Result<State, Full> {
        let mut entries = self.lock();
        let goes_on = entries.get(content).and_then(Entry::state).filter(|state| !state.is_over());
        if let Some(state) = goes_on {
            return Ok(state);
        }
        if entries.len() >= self.line && !entries.contains_key(content) {
            return Err(Full);
        }
        let fetch = Arc::new(Fetch::new(content.clone(), name.map(str::to_owned), origins.to_vec()));
        let (running, rpc, slots, pace) = (fetch.clone(), self.rpc.clone(), self.slots.clone(), self.pace);
        let task = tokio::spawn(async move { running.run(&rpc, &slots, pace).await });
        // Its task has not run yet: whether it will have to wait is told by the slots.
        let first = if self.slots.are_free() { State::Running } else { State::Waiting };
        entries.insert(content.clone(), Entry { fetch, task });
        Ok(first)
    }

    /// Tells a fetch that goes on of peers who have its content.
    pub(super) fn introduce(&self, content: &Content, origins: &[String]) {
        if let Some(entry) = self.lock().get(content) {
            entry.fetch.origins.send_if_modified(|known| {
                let news = known != origins;
                origins.clone_into(known);
                news
            });
        }
    }

    /// Ends the fetch of a content and returns when its connection is closed and the node has had time to notice. A
    /// node that had just come to the end has pinned it all the same.
    pub(super) async fn cancel(&self, content: &Content) {
        let Some(mut entry) = self.lock().remove(content) else { return };
        if entry.fetch.state().is_over() {
            return;
        }
        entry.task.abort();
        // It ends so, or had panicked, which told of itself.
        let _ = (&mut entry.task).await;
        tokio::time::sleep(self.pace.grace).await;
    }
}
