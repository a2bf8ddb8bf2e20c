//! How far an audit is, as it is kept between two steps.

use serde::{Deserialize, Serialize};

use crate::{
    model::{JobCounts, JobProgress, JobState},
    providers::Walk,
};

/// So many copies may be missing before an audit asks; of many copies, one in a hundred.
const FEW: u64 = 100;

/// How far an audit is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Cursor {
    pub(super) began: i64,
    /// The credential that reached our copies then: with another one it begins anew.
    pub(super) proven: Option<[u8; 32]>,
    /// Calls in a row that failed.
    pub(super) failures: u32,
    /// Times in a row that it gave way to what is new.
    pub(super) gave_way: u32,
    pub(super) tally: Tally,
    pub(super) stage: Stage,
}

/// What came of it until now.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct Tally {
    /// On record when it began, on their way there too.
    pub(super) expected: u64,
    /// On the list.
    pub(super) listed: u64,
    /// On record as pinned there.
    pub(super) copies: u64,
    pub(super) suspects: u64,
    pub(super) lost: u64,
    pub(super) found: u64,
    /// Their looks kept failing.
    #[serde(default)]
    pub(super) unanswered: u64,
    pub(super) orphans: u64,
    /// The whole list was shown.
    pub(super) swept: bool,
    /// An operator knows that many are missing.
    pub(super) accepted: bool,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    Sweep(Walk),
    /// The whole list was met: whatever it did not show is suspect.
    Weigh {
        after: i64,
    },
    /// Suspects are looked at; `next`: further copies that no list told of.
    Look {
        since: i64,
        next: Option<i64>,
    },
}

/// How many copies may be missing of so many.
pub(super) fn most(copies: u64) -> u64 {
    FEW.max(copies / 100)
}

impl Cursor {
    /// For operators.
    pub(super) fn progress(&self, state: JobState) -> JobProgress {
        let Tally { expected, listed, copies, suspects, lost, found, unanswered, orphans, swept, .. } =
            self.tally;
        let counts = [
            ("copies", copies),
            ("listed", listed),
            ("suspect", suspects),
            ("lost", lost),
            ("found", found),
            ("unanswered", unanswered),
            ("orphans", orphans),
            ("swept", u64::from(swept)),
        ];
        let counts: JobCounts = counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
        let looked = lost + found + unanswered;
        let done = match self.stage {
            _ if state == JobState::Done => copies,
            Stage::Sweep(_) | Stage::Weigh { .. } => listed,
            Stage::Look { .. } => copies.saturating_sub(suspects.saturating_sub(looked)),
        };
        let total = if state == JobState::Done { copies } else { expected.max(done) };
        JobProgress { done, total: Some(total), counts, words: String::new() }
    }
}
