//! Jobs as data: a restart goes on with those that were running.

use async_trait::async_trait;

use super::StoreError;
use crate::model::{Job, JobCommand, JobId, JobProgress, JobState, NewJob, Timestamp};

/// What a step of a job leaves for the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub state: JobState,
    pub cursor: Option<String>,
    pub progress: JobProgress,
}

/// The intentions about jobs; each is atomic and, once it has returned `Ok`, on disk (I1).
#[async_trait]
pub trait JobStore: Send + Sync + 'static {
    /// Records a job, which runs from now on. [`StoreError::Taken`]: one of this kind, for the same provider, or
    /// on the same terms where it is about none, has not ended; [`StoreError::Unknown`]: no such provider or account.
    async fn create_job(&self, job: NewJob, now: Timestamp) -> Result<Job, StoreError>;

    /// Jobs older than one, newest first; those that have not ended only, or all.
    async fn jobs(&self, before: Option<JobId>, ended: bool, limit: u32) -> Result<Vec<Job>, StoreError>;

    async fn job(&self, id: JobId) -> Result<Option<Job>, StoreError>;

    /// Saves how far a running job came. `false`: an operator told it otherwise meanwhile, and nothing was saved.
    async fn checkpoint_job(
        &self,
        id: JobId,
        checkpoint: Checkpoint,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Tells a job what to do. `None`: there is none with this id; a job to which that says nothing stays as it is.
    async fn command_job(
        &self,
        id: JobId,
        command: JobCommand,
        by: Option<String>,
        now: Timestamp,
    ) -> Result<Option<Job>, StoreError>;

    /// Says that the provider of a drain is leaving, if the job still runs: `false` where it does not any more. Told to
    /// pause, the job sets the provider readonly; told to cancel, active.
    async fn drain(&self, job: JobId, allow_fewer: bool, now: Timestamp) -> Result<bool, StoreError>;

    /// Forgets jobs that ended before a time, and what ended ones have left behind, a bounded number. Background lane.
    async fn forget_jobs(&self, ended_before: Timestamp) -> Result<u64, StoreError>;
}
