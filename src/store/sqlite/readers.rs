//! Who reads: point connections used right in the calling task, and a few threads for what takes longer.

use std::{
    collections::HashMap,
    convert::Infallible,
    ops::Deref,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicUsize, Ordering},
        mpsc::{Receiver, SyncSender, TrySendError, sync_channel},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio_util::sync::CancellationToken;

use crate::{
    model::{AccountId, ListQuery, RequestId, Timestamp},
    store::{Adoption, EventPage, EventQuery, PinPage, PinRecord, Staged, StoreError, StoreStats},
    telemetry::{InUse, Opened, StoreMetrics},
};

use super::{
    adopt, events, get,
    list::{self, Lane},
    open,
    rows::DelegateSets,
    stats,
};

/// How long a thread waits for its answer to be taken before it reads on.
const TAKEN_WITHIN: Duration = Duration::from_secs(1);

/// How much may be read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadSettings {
    /// Connections for point reads and short pages; about one a worker of the runtime, and some.
    pub point_connections: usize,
    /// Threads for long pages and scans; at least 2, so that a scan never takes the last one.
    pub threads: usize,
    /// Long reads that may wait; more are refused as [`StoreError::Busy`].
    pub queue: usize,
    /// After this a long read is stopped, its wait included.
    pub scan_timeout: Duration,
}

impl Default for ReadSettings {
    fn default() -> Self {
        Self { point_connections: 8, threads: 2, queue: 128, scan_timeout: Duration::from_secs(5) }
    }
}

/// A long read on its way to a thread.
struct Job {
    run: Box<dyn FnOnce(&Connection) + Send>,
    limit: Limit,
}

/// Until when a long read is of use.
#[derive(Clone)]
struct Limit {
    deadline: Instant,
    /// Cancelled once nobody waits for the answer.
    abandoned: CancellationToken,
}

impl Limit {
    fn is_over(&self) -> bool {
        self.abandoned.is_cancelled() || Instant::now() >= self.deadline
    }
}

/// All read connections of one database.
pub(super) struct Readers {
    points: Vec<Mutex<Connection>>,
    next: AtomicUsize,
    jobs: SyncSender<Job>,
    scans: Scans,
    sets: Arc<DelegateSets>,
    path: PathBuf,
    scan_timeout: Duration,
    taken_within: Duration,
    metrics: StoreMetrics,
    _opened: Opened,
}

/// A connection for reads of microseconds, nobody else's while it is held.
pub(super) struct Point<'a> {
    connection: MutexGuard<'a, Connection>,
    _in_use: InUse,
}

impl Deref for Point<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        &self.connection
    }
}

impl Readers {
    /// The writer must be open already.
    pub(super) fn open(
        path: &Path,
        settings: &ReadSettings,
        metrics: &StoreMetrics,
    ) -> Result<Self, StoreError> {
        let threads = settings.threads.max(2);
        let points: Result<Vec<_>, _> =
            (0..settings.point_connections.max(1)).map(|_| open::open_reader(path).map(Mutex::new)).collect();
        let (jobs, queue) = sync_channel(settings.queue);
        let queue = Arc::new(Mutex::new(queue));
        for number in 0..threads {
            let (connection, queue) = (open::open_reader(path)?, queue.clone());
            let metrics = metrics.clone();
            thread::Builder::new()
                .name(format!("store-read-{number}"))
                .spawn(move || serve(connection, &queue, &metrics))
                .map_err(|error| StoreError::Unavailable(error.into()))?;
        }
        let points = points?;
        Ok(Self {
            _opened: metrics.opened(points.len() + threads),
            metrics: metrics.clone(),
            points,
            next: AtomicUsize::new(0),
            jobs,
            scans: Scans::new(threads - 1, settings.queue),
            sets: Arc::default(),
            path: path.to_owned(),
            scan_timeout: settings.scan_timeout,
            taken_within: TAKEN_WITHIN,
        })
    }

    pub(super) fn get_pin(
        &self,
        account: AccountId,
        pin: RequestId,
    ) -> Result<Option<PinRecord>, StoreError> {
        get::get_pin(&self.point(), &self.sets, account, pin)
    }

    pub(super) async fn list_pins(
        &self,
        account: AccountId,
        query: ListQuery,
    ) -> Result<PinPage, StoreError> {
        let mut lane = Lane::first(&query);
        if lane == Lane::Here {
            if let Some(page) = list::short(&self.point(), &self.sets, account, &query)? {
                return Ok(page);
            }
            lane = Lane::after(&query);
        }
        let deadline = Instant::now() + self.scan_timeout;
        let seat = match lane {
            Lane::Scan => Some(self.scans.seat(account, deadline).await?),
            Lane::Here | Lane::Thread => None,
        };
        let sets = self.sets.clone();
        self.on_thread(deadline, move |connection| {
            // Kept while the read lasts, even if nobody waits for it any more.
            let _seat = seat;
            list::whole(connection, &sets, account, &query)
        })
        .await
    }

    pub(super) async fn events(&self, query: EventQuery) -> Result<EventPage, StoreError> {
        let deadline = Instant::now() + self.scan_timeout;
        self.on_thread(deadline, move |connection| events::page(connection, &query)).await
    }

    pub(super) async fn stats(&self, now: Timestamp) -> Result<StoreStats, StoreError> {
        let path = self.path.clone();
        let deadline = Instant::now() + self.scan_timeout;
        self.on_thread(deadline, move |connection| stats::stats(connection, &path, now)).await
    }

    /// A read of some time that is nobody's request.
    pub(super) async fn long<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.on_thread(Instant::now() + self.scan_timeout, read).await
    }

    pub(super) async fn staged(&self, adoption: Adoption) -> Result<Staged, StoreError> {
        let deadline = Instant::now() + self.scan_timeout;
        self.on_thread(deadline, move |connection| adopt::staged(connection, &adoption)).await
    }

    /// Whether the database can be read.
    pub(super) fn ping(&self) -> Result<(), StoreError> {
        open::instance(&self.point()).map(drop)
    }

    /// A connection for a read of microseconds: the first free one, which is nearly always the first tried.
    pub(super) fn point(&self) -> Point<'_> {
        Point { connection: self.free_point(), _in_use: self.metrics.in_use() }
    }

    fn free_point(&self) -> MutexGuard<'_, Connection> {
        let first = self.next.fetch_add(1, Ordering::Relaxed);
        let slot = |nth: usize| &self.points[first.wrapping_add(nth) % self.points.len()];
        for nth in 0..self.points.len() {
            match slot(nth).try_lock() {
                Ok(connection) => return connection,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        slot(0).lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn on_thread<T: Send + 'static>(
        &self,
        deadline: Instant,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let limit = Limit { deadline, abandoned: CancellationToken::new() };
        let _abandon_on_drop = limit.abandoned.clone().drop_guard();
        let ((taken, until_taken), within) = (sync_channel::<Infallible>(0), self.taken_within);
        let run = Box::new(move |connection: &Connection| {
            // An answer that nobody waits for any more is dropped. Where tasks are slow to take theirs, threads that read
            // on would fill the memory with pages.
            if reply.send(read(connection)).is_ok() {
                let _either_way = until_taken.recv_timeout(within);
            }
        });
        self.jobs.try_send(Job { run, limit }).map_err(|refused| match refused {
            TrySendError::Full(_) => StoreError::Busy,
            TrySendError::Disconnected(_) => StoreError::Unavailable(anyhow!("the readers have stopped")),
        })?;
        let answer = answer.await;
        drop(taken);
        // A job that was dropped unrun had waited until its time was over.
        answer.unwrap_or(Err(StoreError::Busy))
    }
}

/// Runs long reads until the [`Readers`] are gone.
fn serve(mut connection: Connection, queue: &Mutex<Receiver<Job>>, metrics: &StoreMetrics) {
    /// Steps of SQLite's machine between looks at the limit: some tens of microseconds.
    const STEPS: i32 = 4096;
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { run, limit }) = next else { return };
        if limit.is_over() {
            continue;
        }
        let _in_use = metrics.in_use();
        // A handler of its own for each job, where an interrupt from outside could hit the next one.
        match connection.progress_handler(STEPS, Some(move || limit.is_over())) {
            Ok(()) => run(&connection),
            Err(error) => tracing::error!(%error, "a long read could not be given a limit and was dropped"),
        }
    }
}

/// Who may scan: one read of an account at a time, and never on all threads.
struct Scans {
    threads: Arc<Semaphore>,
    waiting: Semaphore,
    accounts: Mutex<HashMap<AccountId, Arc<Semaphore>>>,
}

/// The right to scan, until it is dropped.
type Seat = (OwnedSemaphorePermit, OwnedSemaphorePermit);

impl Scans {
    fn new(threads: usize, waiting: usize) -> Self {
        Self {
            threads: Arc::new(Semaphore::new(threads)),
            waiting: Semaphore::new(waiting),
            accounts: Mutex::default(),
        }
    }

    async fn seat(&self, account: AccountId, deadline: Instant) -> Result<Seat, StoreError> {
        let _waiting = self.waiting.try_acquire().map_err(|_| StoreError::Busy)?;
        let account = self.account(account);
        let threads = self.threads.clone();
        let seat = async move { Ok((account.acquire_owned().await?, threads.acquire_owned().await?)) };
        match tokio::time::timeout_at(deadline.into(), seat).await {
            Ok(seat) => {
                seat.map_err(|error: tokio::sync::AcquireError| StoreError::Unavailable(error.into()))
            }
            Err(_) => Err(StoreError::Busy),
        }
    }

    fn account(&self, account: AccountId) -> Arc<Semaphore> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        accounts.entry(account).or_insert_with(|| Arc::new(Semaphore::new(1))).clone()
    }
}

#[cfg(test)]
mod tests;
