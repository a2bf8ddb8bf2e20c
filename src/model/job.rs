//! Long operations that an operator starts, watches, pauses, and may end.

use std::{collections::BTreeMap, fmt, str::FromStr};

use super::{AccountId, JobId, ProviderId, Timestamp, provider::codes};

codes! {
    /// What a job does.
    JobKind {
        /// Moves every copy off a provider.
        Drain = 0 "drain",
        /// Makes pins of what a provider holds already.
        Adopt = 1 "adopt",
        /// Compares what a provider has with what is on record.
        Audit = 2 "audit",
        /// Has pins follow the newest revision of their policy.
        Apply = 3 "apply",
    }
}

codes! {
    /// How a job stands.
    JobState {
        /// It goes on by itself, over restarts too.
        Running = 0 "running",
        /// By an operator.
        Paused = 1 "paused",
        /// It found something that an operator must accept before it goes on.
        Asking = 2 "asking",
        Done = 3 "done",
        /// By an operator.
        Cancelled = 4 "cancelled",
        Failed = 5 "failed",
    }
}

impl JobState {
    pub const fn has_ended(self) -> bool {
        matches!(self, Self::Done | Self::Cancelled | Self::Failed)
    }
}

codes! {
    /// What an operator tells a job.
    JobCommand {
        Pause = 0 "pause",
        Resume = 1 "resume",
        Cancel = 2 "cancel",
        /// Go on with what it asks about.
        Accept = 3 "accept",
    }
}

impl JobCommand {
    /// The state after it; `None` where it makes no sense in this one.
    pub const fn step(self, state: JobState) -> Option<JobState> {
        match (self, state) {
            (Self::Pause, JobState::Running) => Some(JobState::Paused),
            (Self::Resume, JobState::Paused) | (Self::Accept, JobState::Asking) => Some(JobState::Running),
            (Self::Cancel, JobState::Running | JobState::Paused | JobState::Asking) => {
                Some(JobState::Cancelled)
            }
            _ => None,
        }
    }
}

impl FromStr for JobCommand {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|command| command.as_str() == text).ok_or_else(|| {
            let all: Vec<_> = Self::ALL.iter().map(|command| command.as_str()).collect();
            format!("{text:?} is nothing to tell a job: write one of {}", all.join(", "))
        })
    }
}

/// Numbers of a job by their names, such as `copies` or `pins_short`.
pub type JobCounts = BTreeMap<String, u64>;

/// How far a job is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JobProgress {
    pub done: u64,
    /// `None`: not known yet.
    pub total: Option<u64>,
    pub counts: JobCounts,
    /// One sentence on what it waits for or asks about; empty where there is nothing to say.
    pub words: String,
}

/// A job on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    pub id: JobId,
    pub kind: JobKind,
    pub state: JobState,
    /// At which provider.
    pub provider: Option<(ProviderId, String)>,
    /// For whose pins.
    pub account: Option<(AccountId, String)>,
    /// What it was started with: a JSON object of its kind's own.
    pub terms: String,
    /// How far it came, of its kind's own; kept with what it describes.
    pub cursor: Option<String>,
    pub progress: JobProgress,
    /// An operator accepted what it asked about.
    pub accepted: bool,
    /// Who started it.
    pub by: Option<String>,
    pub created: Timestamp,
    pub updated: Timestamp,
}

/// A job to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewJob {
    pub kind: JobKind,
    pub provider: Option<ProviderId>,
    pub account: Option<AccountId>,
    pub terms: String,
    pub by: Option<String>,
}

impl fmt::Display for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_ended_is_told_nothing_more() {
        for state in JobState::ALL.iter().filter(|state| state.has_ended()) {
            assert!(JobCommand::ALL.iter().all(|command| command.step(*state).is_none()));
        }
    }

    #[test]
    fn every_state_that_goes_on_can_be_cancelled() {
        for state in JobState::ALL.iter().filter(|state| !state.has_ended()) {
            assert_eq!(JobCommand::Cancel.step(*state), Some(JobState::Cancelled));
        }
    }
}
