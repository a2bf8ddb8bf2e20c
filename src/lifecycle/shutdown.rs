//! How the process stops: a soft token to drain, a hard one to abort, a tracker of what still runs.

use std::{
    future::Future,
    sync::{Arc, OnceLock},
    time::Duration,
};

use tokio::task::JoinHandle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Shared by everything that must end before the process does. Children of the hard token abort at once.
#[derive(Clone, Debug)]
pub struct Shutdown {
    /// Of the whole process; a part's `soft` is a child of it.
    root: CancellationToken,
    soft: CancellationToken,
    hard: CancellationToken,
    tasks: TaskTracker,
    failed: Arc<OnceLock<&'static str>>,
}

impl Default for Shutdown {
    fn default() -> Self {
        let root = CancellationToken::new();
        Self {
            soft: root.clone(),
            root,
            hard: CancellationToken::default(),
            tasks: TaskTracker::default(),
            failed: Arc::default(),
        }
    }
}

impl Shutdown {
    /// A part that can be asked to finish while the rest goes on. It stops with the whole, which waits for its tasks.
    pub fn part(&self) -> Self {
        Self { soft: self.soft.child_token(), ..self.clone() }
    }

    /// Asks everything to finish what it began and take nothing new.
    pub fn begin(&self) {
        self.soft.cancel();
    }

    /// Stops everything where it stands.
    pub fn abort(&self) {
        self.root.cancel();
        self.hard.cancel();
    }

    pub fn has_begun(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// Returns once stopping has begun.
    pub async fn begun(&self) {
        self.soft.cancelled().await;
    }

    /// Returns once everything is to stop where it stands.
    pub async fn aborted(&self) {
        self.hard.cancelled().await;
    }

    /// Runs a task that the process waits for when it stops, until it is aborted.
    pub fn spawn<F>(&self, task: F) -> JoinHandle<Option<F::Output>>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        let hard = self.hard.clone();
        self.tasks.spawn(async move { hard.run_until_cancelled(task).await })
    }

    /// Runs a task that must not end before stopping begins: if it does, by a panic too, everything stops.
    pub fn spawn_vital<F>(&self, name: &'static str, task: F) -> JoinHandle<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (running, this) = (self.spawn(task), self.clone());
        self.tasks.spawn(async move {
            let ended = running.await;
            if !this.has_begun() {
                let how = ended.err().map_or_else(|| "it returned".to_owned(), |error| error.to_string());
                tracing::error!(task = name, how, "a task that must not end has ended; stopping");
                this.failed.get_or_init(|| name);
                this.root.cancel();
            }
        })
    }

    /// The vital task whose end made everything stop.
    pub fn failure(&self) -> Option<&'static str> {
        self.failed.get().copied()
    }

    /// Waits until all tasks have ended; after `grace`, aborts what is left. Returns whether all ended by themselves.
    pub async fn drained(&self, grace: Duration) -> bool {
        self.begin();
        self.tasks.close();
        if tokio::time::timeout(grace, self.tasks.wait()).await.is_ok() {
            return !self.hard.is_cancelled();
        }
        self.abort();
        self.tasks.wait().await;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_does_not_end_in_time_is_aborted() {
        let shutdown = Shutdown::default();
        let stuck = shutdown.spawn(std::future::pending::<()>());
        assert!(!shutdown.drained(Duration::from_secs(5)).await);
        assert_eq!(stuck.await.unwrap(), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_vital_task_that_panics_stops_everything() {
        let shutdown = Shutdown::default();
        shutdown.spawn_vital("the engine", async { panic!("a bug") });
        shutdown.begun().await;
        assert_eq!(shutdown.failure(), Some("the engine"));
        assert!(shutdown.drained(Duration::from_secs(5)).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_part_ends_alone_and_with_the_whole_and_its_failure_is_everybodys() {
        let shutdown = Shutdown::default();
        let (one, two) = (shutdown.part(), shutdown.part());
        let waits = |part: &Shutdown| {
            let inner = part.clone();
            part.spawn_vital("a part", async move { inner.begun().await })
        };
        let (first, second) = (waits(&one), waits(&two));
        one.begin();
        first.await.unwrap();
        assert!(!shutdown.has_begun() && !two.has_begun());
        shutdown.begin();
        second.await.unwrap();
        assert_eq!(shutdown.failure(), None);
        let whole = Shutdown::default();
        drop(whole.part().spawn_vital("a part", async { panic!("a bug") }));
        whole.begun().await;
        assert_eq!(whole.failure(), Some("a part"));
    }

    #[tokio::test(start_paused = true)]
    async fn what_ends_by_itself_is_waited_for() {
        let shutdown = Shutdown::default();
        let inner = shutdown.clone();
        let polite = shutdown.spawn(async move { inner.begun().await });
        assert!(shutdown.drained(Duration::from_secs(5)).await);
        assert_eq!(polite.await.unwrap(), Some(()));
    }
}
