//! What operators read of an adoption: ours only, theirs only, both, and what was made.

use super::Cursor;
use crate::{
    model::{JobCounts, JobProgress, span::show_span},
    store::{Adoption, Staged},
};

/// While the list is read; `told`: how many pins the provider says there are.
pub(super) fn listing(cursor: &Cursor, told: u64) -> JobProgress {
    let counts = counts([
        ("listed", cursor.listed),
        ("unreadable", cursor.unreadable),
        ("ours_only", cursor.ours_only),
    ]);
    let words = "reading the provider's list".to_owned();
    JobProgress { done: cursor.listed, total: Some(told.max(cursor.listed)), counts, words }
}

/// While pins are made.
pub(super) fn making(cursor: &Cursor, before: &JobProgress, waiting: u64) -> JobProgress {
    let words = match waiting {
        0 => "making pins, the oldest first".to_owned(),
        waiting => format!("{waiting} wait for calls that are under way"),
    };
    JobProgress { done: cursor.decided, total: Some(cursor.listed), counts: before.counts.clone(), words }
}

/// At the end.
pub(super) fn whole(cursor: &Cursor, staged: &Staged, adoption: &Adoption) -> JobProgress {
    let theirs = staged.open + staged.made + staged.had + staged.gone;
    let mut all = counts([
        ("listed", cursor.listed),
        ("theirs_only", theirs),
        ("both", staged.both),
        ("ours_only", cursor.ours_only),
        ("pins", staged.made),
        ("pinned_before", staged.had),
        ("surplus", staged.doubles),
    ]);
    let odd = [
        ("unreadable", cursor.unreadable),
        ("crowded", cursor.crowded),
        ("inline", staged.inline),
        ("gone", staged.gone),
        ("cut", staged.cut),
    ];
    all.extend(counts(odd).into_iter().filter(|(_, count)| *count > 0));
    if adoption.is_dry {
        all.insert("copies".to_owned(), staged.copies);
    }
    if let Some(span) = staged.ends_after {
        all.insert("ends_after_seconds".to_owned(), span.as_secs());
    }
    JobProgress {
        done: cursor.listed,
        total: Some(cursor.listed),
        counts: all,
        words: words(cursor, staged, adoption),
    }
}

fn words(cursor: &Cursor, staged: &Staged, adoption: &Adoption) -> String {
    let mut words = match adoption.is_dry {
        true => format!("would make {} pins, and {} copies elsewhere", staged.made, staged.copies),
        false => format!("{} pins were made", staged.made),
    };
    if let Some(span) = staged.ends_after.filter(|_| staged.made > 0) {
        let policy = &adoption.policy;
        words.push_str(&format!(
            " (they end {} after their adoption, by expire_after of the policy {policy}, and their copies at the provider \
             with them: adopt by a policy without it to keep them)",
            show_span(span)
        ));
    }
    words.push_str(&why_no_more(staged));
    if cursor.crowded > 0 {
        let crowded = cursor.crowded;
        words.push_str(&format!(
            "; at {crowded} instants there are more pins than a page shows: some may be missing"
        ));
    }
    words
}

/// Why what is listed became no pins.
fn why_no_more(staged: &Staged) -> String {
    let holders: Vec<_> = staged.holders.iter().map(|(name, pins)| format!("{pins} for {name}")).collect();
    let mut why = String::new();
    if staged.both > 0 {
        why.push_str(&format!("; {} are on record already", staged.both));
    }
    if !holders.is_empty() {
        why.push_str(&format!(" ({})", holders.join(", ")));
    }
    if staged.had > 0 {
        why.push_str(&format!("; of {} the account has the same pin", staged.had));
    }
    why
}

fn counts<const N: usize>(counts: [(&str, u64); N]) -> JobCounts {
    counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}
