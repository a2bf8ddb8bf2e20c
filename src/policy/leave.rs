//! What a drain, or the taking up of a policy's newest revision, says of itself, whoever counted what is left.

use crate::model::{JobCounts, JobProgress, JobState};

/// Copies that are left at a provider that is drained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Undrained {
    /// Pins need them.
    pub wanted: u64,
    /// They are let go, and there still.
    pub removing: u64,
    /// Nobody can remove anything there, so that it is not waited for.
    pub gone: bool,
}

impl Undrained {
    pub fn is_done(&self) -> bool {
        self.wanted + self.awaited() == 0
    }

    fn awaited(&self) -> u64 {
        if self.gone { 0 } else { self.removing }
    }
}

/// What is left to do until a policy's newest revision is applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Unapplied {
    /// Pins that follow older revisions.
    pub older: u64,
    /// Pins whose copies are not those that the newest one asks for.
    pub waiting: u64,
    /// Copies of its pins' contents that are let go, and there still.
    pub removing: u64,
    /// Those of them at providers where nobody can remove anything, so that it is not waited for.
    pub stranded: u64,
    /// There are more that are let go than were looked at: some of them may be such ones.
    pub more: bool,
}

impl Unapplied {
    pub fn is_done(&self) -> bool {
        self.older + self.waiting + self.awaited() == 0 && !self.more
    }

    fn awaited(&self) -> u64 {
        self.removing - self.stranded
    }
}

/// What a drain in this state says, after what it said before.
pub fn drained(before: &JobProgress, state: JobState, left: &Undrained) -> JobProgress {
    let Undrained { wanted, removing, gone } = *left;
    let total = before.total.unwrap_or(0).max(wanted + removing);
    let copies = match state {
        JobState::Paused => "stay there until it is resumed",
        JobState::Cancelled => "stay there",
        _ => "are there until their pins have enough confirmed elsewhere",
    };
    let words = [
        some(wanted, "copies", copies),
        some(if gone { 0 } else { removing }, "copies", "are being removed there"),
        some(
            if gone { removing } else { 0 },
            "copies",
            "were let go and may still be there: it does not answer, or is not in the config",
        ),
    ];
    progress(
        (total - wanted - left.awaited(), total),
        &[("wanted", wanted), ("being_removed", removing)],
        words,
    )
}

/// What the taking up of a policy's newest revision says in this state, after what it said before.
pub fn applied(before: &JobProgress, state: JobState, policy: &str, left: &Unapplied) -> JobProgress {
    let Unapplied { older, waiting, removing, stranded, more } = *left;
    let total = before.total.unwrap_or(0).max(older + waiting);
    let hint = match state {
        JobState::Running => format!(": pinfold policy apply {policy} --dry-run tells which cannot be"),
        _ => String::new(),
    };
    let wait = format!("wait until copies are made and confirmed, and others may go{hint}");
    let going = match more {
        true => Some(format!("at least {} copies are being removed", left.awaited())),
        false => some(left.awaited(), "copies", "are being removed"),
    };
    let words = [
        some(older, "pins", "follow older revisions still"),
        some(waiting, "pins", &wait),
        going,
        some(
            stranded,
            "copies",
            "were let go and may still be there: their providers do not answer, or are not in the config",
        ),
    ];
    let counts = [("older", older), ("waiting", waiting), ("being_removed", removing)];
    progress((total - older - waiting, total), &counts, words)
}

fn some(count: u64, what: &str, words: &str) -> Option<String> {
    (count > 0).then(|| format!("{count} {what} {words}"))
}

fn progress<const N: usize>(
    (done, total): (u64, u64),
    counts: &[(&str, u64)],
    words: [Option<String>; N],
) -> JobProgress {
    let counts: JobCounts = counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    let words: Vec<String> = words.into_iter().flatten().collect();
    JobProgress { done, total: Some(total), counts, words: words.join("; ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn before() -> JobProgress {
        JobProgress { total: Some(30), words: "stale".into(), ..JobProgress::default() }
    }

    #[test]
    fn a_drain_says_what_is_left_and_what_becomes_of_it_as_it_stands() {
        let left = Undrained { wanted: 20, removing: 4, gone: false };
        let words = |state| drained(&before(), state, &left).words;
        assert_eq!(
            words(JobState::Running),
            "20 copies are there until their pins have enough confirmed elsewhere; 4 copies are being removed there"
        );
        assert_eq!(words(JobState::Cancelled), "20 copies stay there; 4 copies are being removed there");
        assert!(words(JobState::Paused).starts_with("20 copies stay there until it is resumed"));
        let told = drained(&before(), JobState::Running, &left);
        assert_eq!((told.done, told.total, told.counts["being_removed"]), (6, Some(30), 4));
        assert!(!left.is_done());
    }

    #[test]
    fn what_nobody_can_remove_is_told_and_not_waited_for() {
        let left = Undrained { removing: 4, gone: true, ..Undrained::default() };
        let told = drained(&before(), JobState::Done, &left);
        assert!(left.is_done() && told.words.starts_with("4 copies were let go"), "{told:?}");
        assert_eq!(told.done, 30);
        let left = Unapplied { removing: 4, stranded: 4, ..Unapplied::default() };
        let told = applied(&before(), JobState::Done, "p", &left);
        assert!(left.is_done() && told.words.starts_with("4 copies were let go"), "{told:?}");
    }

    #[test]
    fn a_revision_is_applied_once_what_goes_is_gone() {
        let left = Unapplied { removing: 3, ..Unapplied::default() };
        let told = applied(&before(), JobState::Running, "p", &left);
        assert_eq!((left.is_done(), told.words.as_str()), (false, "3 copies are being removed"));
        let some = applied(&before(), JobState::Paused, "p", &Unapplied { more: true, ..left });
        assert_eq!(some.words, "at least 3 copies are being removed");
        let left = Unapplied { older: 5, waiting: 2, ..left };
        let told = applied(&before(), JobState::Cancelled, "p", &left);
        assert_eq!((told.done, told.counts["waiting"]), (23, 2));
        assert!(told.words.starts_with("5 pins follow older revisions still; 2 pins wait"), "{told:?}");
        assert!(!told.words.contains("dry-run"), "it is over");
    }
}
