//! What follows from what was seen: pure judgement, no calls.

use crate::{
    model::Content,
    presets::{Count, Created, DefaultStatus, Delegates, Duplicates, IdKind, TimeBound},
};

use super::seen::{Page, Shown, written};

/// The kind of an id; `None` where it is none that is known.
pub(super) fn id_kind(id: &str, content: &Content) -> Option<IdKind> {
    let uuid = |text: &str| text.len() == 36 && uuid::Uuid::try_parse(text).is_ok();
    let number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let url_safe = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if super::content::is(id, content) {
        Some(IdKind::Cid)
    } else if uuid(id) {
        Some(IdKind::Uuid)
    } else if id.is_char_boundary(36)
        && id.len() > 37
        && uuid(&id[..36])
        && number(id[36..].trim_start_matches('-'))
    {
        Some(IdKind::UuidTime)
    } else if number(id) {
        Some(IdKind::Integer)
    } else if cid::multibase::Base::Base64Pad.decode(id).is_ok_and(|uri| uri.starts_with(b"gid://")) {
        Some(IdKind::Gid)
    } else if id.len() == 21 && id.bytes().all(url_safe) {
        Some(IdKind::Nanoid)
    } else {
        None
    }
}

/// Whether a filter lets through those that it should, and of our pins none that it should not.
pub(super) fn filters(page: &Page, wanted: &[&Content], others: &[&Content]) -> bool {
    let shows = |content: &&&Content| page.rows.iter().any(|row| row.content.as_ref() == Some(**content));
    wanted.iter().all(|content| shows(&content)) && !others.iter().any(|content| shows(&content))
}

/// Whether every row, whosever it is, shows a status that was asked for.
pub(super) fn shows_only(page: &Page, statuses: &[&str]) -> bool {
    page.rows.iter().all(|row| statuses.contains(&row.status.as_str()))
}

/// Whether `before` and `after` take the instant that they name: told where both say the same. A time that is kept
/// more finely than it is shown makes them differ.
pub(super) fn bound(before: &Page, after: &Page, edge: &Content) -> Option<TimeBound> {
    let shows = |page: &Page| page.rows.iter().any(|row| row.content.as_ref() == Some(edge));
    match (shows(before), shows(after)) {
        (true, true) => Some(TimeBound::Inclusive),
        (false, false) => Some(TimeBound::Strict),
        _ => None,
    }
}

/// What `count` is: `one` of a page of one row, `known` rows that there are at least, `before` of a list that leaves
/// at least one of them out.
pub(super) fn count(one: u64, known: u64, before: Option<u64>) -> Option<Count> {
    match one {
        1 if known > 1 => Some(Count::PageLength),
        2 if known > 2 => Some(Count::ResultsPlusOne),
        all if all >= known && known > 2 => match before? {
            same if same == all => Some(Count::IgnoringBefore),
            fewer if fewer < all => Some(Count::Exact),
            _ => None,
        },
        _ => None,
    }
}

/// What a list shows that asks for no status: `shown` of our pins, and `hidden` ones that other lists show.
pub(super) fn default_status(shown: &[&Shown], hidden: &[&Shown]) -> Option<DefaultStatus> {
    if shown.iter().any(|pin| !pin.is_pinned()) {
        return Some(DefaultStatus::All);
    }
    (hidden.iter().any(|pin| !pin.is_pinned())).then_some(DefaultStatus::Pinned)
}

/// Where delegates are found that a client could connect to.
pub(super) fn delegates(posted: &Shown, read: &Shown) -> Delegates {
    match (posted.is_reachable(), read.is_reachable()) {
        (_, true) => Delegates::Always,
        (true, false) => Delegates::PostOnly,
        (false, false) if posted.delegates.is_empty() && read.delegates.is_empty() => Delegates::Never,
        (false, false) => Delegates::Bare,
    }
}

/// What a second POST did: its id, and whether the first id is still known.
pub(super) fn duplicates(first: &str, second: &str, first_is_known: bool) -> Duplicates {
    if first == second {
        Duplicates::Same
    } else if first_is_known {
        Duplicates::New
    } else {
        Duplicates::Reissued
    }
}

/// Whether rows are newest first; `None` with fewer than two.
pub(super) fn ordered(rows: &[Shown]) -> Option<bool> {
    let times: Vec<_> = rows.iter().filter_map(Shown::at).collect();
    (times.len() > 1).then(|| times.is_sorted_by(|newer, older| newer >= older))
}

/// How times are written: the finest of them, since some leave out zeros.
pub(super) fn created<'a>(rows: impl IntoIterator<Item = &'a Shown>) -> Option<Created> {
    let written = rows.into_iter().filter_map(|row| written(row.created.as_deref()?));
    written.max_by_key(|created| created.precision)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::content, *};
    use crate::presets::{Offset, Precision};

    fn pin(content: &Content, status: &str, created: &str) -> Shown {
        Shown {
            id: "x".to_owned(),
            content: Some(content.clone()),
            status: status.to_owned(),
            created: Some(created.to_owned()),
            ..Shown::default()
        }
    }

    fn page(contents: &[&Content]) -> Page {
        let rows = contents.iter().map(|content| pin(content, "queued", "2026-01-01T00:00:00Z")).collect();
        Page { rows, items: contents.len(), count: None }
    }

    #[test]
    fn ids_are_told_by_their_looks() {
        let cid = content::block();
        let kind = |id: &str| id_kind(id, cid.content());
        assert_eq!(kind(cid.as_str()), Some(IdKind::Cid));
        assert_eq!(kind("7f8b1c9e-3f0a-4a51-9b6f-0c8f3f9f2a11"), Some(IdKind::Uuid));
        assert_eq!(kind("7f8b1c9e-3f0a-4a51-9b6f-0c8f3f9f2a11-1700000000000"), Some(IdKind::UuidTime));
        assert_eq!(kind("12345"), Some(IdKind::Integer));
        assert_eq!(kind("V1StGXR8_Z5jdHi6B-myT"), Some(IdKind::Nanoid));
        assert_eq!(kind("Z2lkOi8vZmlsZWJhc2UvQXNzZXQvMQ=="), Some(IdKind::Gid));
        assert_eq!(kind("pin/7"), None);
    }

    #[test]
    fn a_filter_works_that_shows_what_it_should_and_nothing_else() {
        let [a, b] = [content::block(), content::block()];
        let (a, b) = (a.content(), b.content());
        assert!(filters(&page(&[a]), &[a], &[b]));
        assert!(!filters(&page(&[a, b]), &[a], &[b]));
        assert!(!filters(&page(&[]), &[a], &[b]));
    }

    #[test]
    fn bounds_are_told_where_both_sides_agree() {
        let cid = content::block();
        let (with, without) = (page(&[cid.content()]), page(&[]));
        assert_eq!(bound(&with, &with, cid.content()), Some(TimeBound::Inclusive));
        assert_eq!(bound(&without, &without, cid.content()), Some(TimeBound::Strict));
        assert_eq!(bound(&without, &with, cid.content()), None);
    }

    #[test]
    fn a_list_without_status_is_judged_by_what_it_hides() {
        let cid = content::block();
        let at = |status| pin(cid.content(), status, "2026-01-01T00:00:00Z");
        let (queued, pinned) = (at("queued"), at("pinned"));
        assert_eq!(default_status(&[&queued, &pinned], &[]), Some(DefaultStatus::All));
        assert_eq!(default_status(&[&pinned], &[&queued]), Some(DefaultStatus::Pinned));
        assert_eq!(default_status(&[&pinned], &[]), None);
        assert_eq!(default_status(&[], &[&pinned]), None);
    }

    #[test]
    fn the_finest_time_tells_the_precision() {
        let cid = content::block();
        let rows: Vec<Shown> = ["2026-01-01T00:00:02.1Z", "2026-01-01T00:00:01.123456Z"]
            .map(|at| pin(cid.content(), "queued", at))
            .into();
        let expected = Created { precision: Precision::Micros, offset: Offset(0) };
        assert_eq!((created(&rows), ordered(&rows)), (Some(expected), Some(true)));
        assert_eq!(ordered(&rows[..1]), None);
    }

    proptest! {
        #[test]
        fn every_way_of_counting_is_told_from_the_others(all in 4u64..5000, newer in 1u64..4) {
            let seen = |mode| match mode {
                Count::Exact => (all, all - newer),
                Count::PageLength => (1, 1),
                Count::ResultsPlusOne => (2, 2),
                Count::IgnoringBefore => (all, all),
            };
            for mode in [Count::Exact, Count::PageLength, Count::ResultsPlusOne, Count::IgnoringBefore] {
                let (one, before) = seen(mode);
                prop_assert_eq!(count(one, 4, Some(before)), Some(mode));
            }
        }
    }
}
