//! Walks a provider's list by overlapping pages, so that equal times and coarse clocks lose nothing.

use super::{answer::Listing, request::LIMIT};
use crate::{model::Timestamp, providers::Edge};

pub(super) fn edge(listing: &Listing) -> Edge {
    Edge {
        rows: listing.items,
        full: listing.items >= LIMIT,
        count: listing.count,
        oldest: listing.oldest,
        whole_seconds: listing.whole_seconds,
    }
}

/// Where to go on after a page that was asked for with `before`; `None` at the end. A page is the last one when it
/// is short and does not claim that there is more, or when it brings us no further. Pins repeat across pages.
pub(super) fn next(listing: &Listing, before: Option<Timestamp>) -> Option<Timestamp> {
    let edge = edge(listing);
    (listing.items > 0 && (edge.full || edge.more())).then(|| edge.overlapping(before))?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(items: usize, oldest: i64) -> Listing {
        let whole_seconds = oldest % 1000 == 0;
        Listing { items, oldest: at(oldest), whole_seconds, ..Listing::default() }
    }

    fn at(millis: i64) -> Option<Timestamp> {
        Some(Timestamp::from_millis(millis))
    }

    #[test]
    fn pages_overlap_by_one_step() {
        assert_eq!(next(&page(LIMIT, 5_517), None), at(5_518));
        assert_eq!(next(&page(LIMIT, 5_000), None), at(6_000));
        assert_eq!(next(&page(LIMIT, 5_000), at(6_000)), at(5_001));
    }

    #[test]
    fn a_short_page_and_no_progress_end_the_walk() {
        assert_eq!(next(&page(LIMIT - 1, 5_517), None), None);
        assert_eq!(next(&page(LIMIT, 5_517), at(5_518)), None);
        assert_eq!(next(&Listing::default(), None), None);
    }

    #[test]
    fn a_page_cut_shorter_than_asked_goes_on_where_the_count_says_so() {
        let cut = |before| next(&Listing { count: Some(300), ..page(100, 5_517) }, before);
        assert_eq!(cut(None), at(5_518));
        assert_eq!(cut(at(5_518)), None);
    }
}
