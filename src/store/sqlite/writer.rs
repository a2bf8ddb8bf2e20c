//! The one writer thread: group commit of whatever queued during the last commit, a savepoint for each request.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::{
    errors::{again, panicked},
    tx::{Effects, Memory, Tx},
};
use crate::{
    lifecycle::Changes,
    policy::Timing,
    store::StoreError,
    telemetry::{PinMetrics, StoreMetrics},
};

/// The most requests in one transaction.
const BATCH: usize = 512;
/// The most requests that wait; more are told that the store is busy.
const QUEUE: usize = 8192;

/// Which queue a write stands in. Requests go first; background work gets one place in each transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    Request,
    Background,
}

/// Who is told of what was committed.
pub(super) struct Outlets {
    pub(super) changes: Changes,
    pub(super) pins: PinMetrics,
    pub(super) store: StoreMetrics,
    /// Set where a provider that was full is not any more.
    pub(super) room: Arc<AtomicBool>,
}

/// The callers' end of the writer thread. When it is dropped the thread does what waits, closes the database and ends.
pub(super) struct Writer {
    requests: mpsc::Sender<Box<dyn Job>>,
    background: mpsc::Sender<Box<dyn Job>>,
    thread: Option<thread::JoinHandle<()>>,
}

/// Waits for the thread: whoever opens the database next must find it closed, and its log in it.
impl Drop for Writer {
    fn drop(&mut self) {
        self.requests = mpsc::channel(1).0;
        self.background = mpsc::channel(1).0;
        if let Some(thread) = self.thread.take() {
            // A panic told of itself.
            let _ = thread.join();
        }
    }
}

impl Writer {
    /// Starts the thread on its connection. `on_exit` is dropped last: it holds the lock on the database.
    pub(super) fn start(
        conn: Connection,
        timing: Timing,
        outlets: Outlets,
        on_exit: impl Send + 'static,
    ) -> Result<Self, StoreError> {
        let (requests, request_queue) = mpsc::channel(QUEUE);
        let (background, background_queue) = mpsc::channel(QUEUE);
        let queues = Queues { requests: request_queue, background: background_queue };
        let thread = thread::Builder::new()
            .name("store-writer".into())
            .spawn(move || {
                run(&conn, &timing, queues, &outlets);
                close(conn);
                drop(on_exit);
            })
            .map_err(|error| StoreError::Unavailable(error.into()))?;
        Ok(Self { requests, background, thread: Some(thread) })
    }

    /// Runs one intention inside the next transaction and returns once that is on disk.
    pub(super) async fn write<T, F>(&self, lane: Lane, intention: F) -> Result<T, StoreError>
    where
        T: Send + 'static,
        F: FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Request { state: State::Waiting(intention), reply });
        let queue = match lane {
            Lane::Request => &self.requests,
            Lane::Background => &self.background,
        };
        queue.try_send(job).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => StoreError::Busy,
            mpsc::error::TrySendError::Closed(_) => stopped(),
        })?;
        answer.await.map_err(|_| stopped())?
    }
}

/// Brings the log into the file, which then holds everything: whoever copies it while nobody serves it misses nothing.
fn close(conn: Connection) {
    let is_busy = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
    let why = match is_busy {
        Ok(false) => None,
        Ok(true) => Some("somebody reads it".to_owned()),
        Err(error) => Some(error.to_string()),
    };
    if let Some(why) = why {
        tracing::warn!(why, "the database's log could not be brought into its file; the next start will");
    }
    drop(conn);
}

fn stopped() -> StoreError {
    StoreError::Unavailable(anyhow::anyhow!("the store's writer has stopped"))
}

struct Queues {
    requests: mpsc::Receiver<Box<dyn Job>>,
    background: mpsc::Receiver<Box<dyn Job>>,
}

impl Queues {
    /// Waits for work, then takes all requests that stand there, up to a batch, and one background job.
    fn next_batch(&mut self) -> Option<Vec<Box<dyn Job>>> {
        let first = futures::executor::block_on(async {
            tokio::select! {
                biased;
                Some(job) = self.requests.recv() => Some(job),
                Some(job) = self.background.recv() => Some(job),
                else => None,
            }
        })?;
        let mut batch = vec![first];
        while batch.len() < BATCH {
            match self.requests.try_recv() {
                Ok(job) => batch.push(job),
                Err(_) => break,
            }
        }
        batch.extend(self.background.try_recv());
        Some(batch)
    }
}

fn run(conn: &Connection, timing: &Timing, mut queues: Queues, outlets: &Outlets) {
    let mut memory = Memory::default();
    let _opened = outlets.store.opened(1);
    while let Some(mut batch) = queues.next_batch() {
        let _in_use = outlets.store.in_use();
        match commit(conn, timing, &mut memory, &mut batch) {
            Ok(effects) => {
                outlets.room.fetch_or(effects.made_room(), Ordering::Relaxed);
                effects.tell(&outlets.changes, &outlets.pins);
                for job in batch {
                    job.finish(None);
                }
            }
            Err(error) => {
                memory = Memory::default();
                roll_back(conn);
                for job in batch {
                    job.finish(Some(again(&error)));
                }
            }
        }
    }
}

fn roll_back(conn: &Connection) {
    if !conn.is_autocommit()
        && let Err(error) = conn.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "a failed transaction could not be rolled back");
    }
}

/// Runs a batch in one transaction. A request that fails is rolled back alone; the others go on.
fn commit(
    conn: &Connection,
    timing: &Timing,
    memory: &mut Memory,
    batch: &mut [Box<dyn Job>],
) -> Result<Effects, StoreError> {
    conn.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
    let mut effects = Effects::default();
    for job in batch {
        conn.prepare_cached("SAVEPOINT request")?.execute([])?;
        let mut tx = Tx::new(conn, timing, memory, &effects);
        match job.run(&mut tx) {
            Ok(()) => {
                let own = tx.into_effects();
                effects.absorb(own);
            }
            // The whole transaction is gone, as it may be when the disk is full.
            Err(error) if conn.is_autocommit() => return Err(error),
            Err(_) => {
                *memory = Memory::default();
                conn.prepare_cached("ROLLBACK TO request")?.execute([])?;
            }
        }
        conn.prepare_cached("RELEASE request")?.execute([])?;
    }
    effects.flush(conn)?;
    conn.prepare_cached("COMMIT")?.execute([])?;
    Ok(effects)
}

/// One queued intention, whatever it returns.
trait Job: Send {
    /// Runs it; where it fails its savepoint is to be rolled back, and its caller is told its own error.
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError>;

    /// Answers the caller after the commit, or with the commit's error.
    fn finish(self: Box<Self>, error: Option<StoreError>);
}

struct Request<F, T> {
    state: State<F, T>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

enum State<F, T> {
    Waiting(F),
    Done(Result<T, StoreError>),
    Running,
}

impl<F, T> Job for Request<F, T>
where
    F: FnOnce(&mut Tx<'_>) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let State::Waiting(intention) = std::mem::replace(&mut self.state, State::Running) else {
            return Err(stopped());
        };
        // Safe to unwind from: what it left half done is rolled back, and what it remembered is forgotten.
        let result = catch_unwind(AssertUnwindSafe(|| intention(tx)));
        let result = result.unwrap_or_else(|panic| Err(panicked(&*panic)));
        let failure = result.as_ref().err().map(again);
        self.state = State::Done(result);
        failure.map_or(Ok(()), Err)
    }

    fn finish(self: Box<Self>, error: Option<StoreError>) {
        let result = match (error, self.state) {
            // Its own error tells more than that of the transaction which it was rolled back from.
            (_, State::Done(Err(own))) => Err(own),
            (Some(error), _) => Err(error),
            (None, State::Done(done)) => done,
            (None, State::Waiting(_) | State::Running) => Err(stopped()),
        };
        // A caller that went away does not hear of it; what was committed stays.
        drop(self.reply.send(result));
    }
}

#[cfg(test)]
mod tests;
