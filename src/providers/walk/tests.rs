//! Walks of lists that are made up: whatever the times, nothing is missed and nothing comes twice.

use proptest::prelude::*;

use super::*;
use crate::model::{PinCid, Status};

/// How a server pages.
#[derive(Clone, Copy, Debug)]
struct Pages {
    limit: usize,
    /// What it cuts pages to, whatever it is asked for.
    cut: usize,
    inclusive: bool,
    /// It tells and compares whole seconds.
    seconds: bool,
    /// Its count is that of the page.
    counts_page: bool,
    heeds_before: bool,
}

const PLAIN: Pages =
    Pages { limit: 10, cut: 10, inclusive: false, seconds: false, counts_page: false, heeds_before: true };

impl Pages {
    fn told(self, created: i64) -> i64 {
        if self.seconds { created.div_euclid(1000) * 1000 } else { created }
    }

    /// The page of these times, which are newest first.
    fn page(self, all: &[i64], before: Option<Timestamp>) -> UpstreamPage {
        let before = before.filter(|_| self.heeds_before).map(|at| self.told(at.as_millis()));
        let is_in = |created: i64| {
            before.is_none_or(|before| created < before || self.inclusive && created == before)
        };
        let times = all.iter().map(|created| self.told(*created)).enumerate();
        let matching: Vec<(usize, i64)> = times.filter(|(_, created)| is_in(*created)).collect();
        let rows: Vec<_> = matching.iter().take(self.limit.min(self.cut)).copied().collect();
        let edge = Edge {
            rows: rows.len(),
            full: rows.len() >= self.limit,
            count: Some(if self.counts_page { rows.len() } else { matching.len() } as u64),
            oldest: rows.iter().map(|(_, created)| Timestamp::from_millis(*created)).min(),
            whole_seconds: rows.iter().all(|(_, created)| created % 1000 == 0),
        };
        UpstreamPage {
            pins: rows.into_iter().map(|(n, created)| pin(n, created)).collect(),
            next: None,
            edge,
        }
    }

    fn walk(self, mut all: Vec<i64>) -> (Vec<usize>, Walk, Onward) {
        all.sort_unstable_by_key(|created| std::cmp::Reverse(*created));
        let (mut walk, mut met) = (Walk::default(), Vec::new());
        for _ in 0..10_000 {
            // Kept between two pages, as a restart would.
            let kept = serde_json::to_string(&walk).unwrap();
            walk = serde_json::from_str(&kept).unwrap();
            let (fresh, onward) = walk.take(self.page(&all, walk.before()));
            met.extend(fresh.into_iter().map(|pin| pin.id.as_str().parse::<usize>().unwrap()));
            if onward != Onward::Page {
                return (met, walk, onward);
            }
        }
        panic!("it never ends: {walk:?}");
    }
}

fn pin(n: usize, created: i64) -> UpstreamPin {
    UpstreamPin {
        id: UpstreamId::new(n.to_string()).unwrap(),
        content: PinCid::parse("bafkqaaa").unwrap().content().clone(),
        status: Status::Pinned,
        created: Some(Timestamp::from_millis(created)),
        name: None,
        delegates: Vec::new(),
        tag: None,
        why: None,
        asked: None,
    }
}

proptest! {
    #[test]
    fn every_pin_is_met_exactly_once_whatever_the_times_or_that_is_told(
        all in proptest::collection::vec(0i64..20_000, 0..120),
        coarse in any::<bool>(),
        pages in (4usize..12, 2usize..12, any::<bool>(), any::<bool>(), any::<bool>()),
    ) {
        let (limit, cut, inclusive, seconds, counts_page) = pages;
        let all = if coarse { all.into_iter().map(|at| at / 700 * 700).collect() } else { all };
        let server = Pages { limit, cut, inclusive, seconds, counts_page, heeds_before: true };
        let (mut met, walk, onward) = server.walk(all.clone());
        prop_assert_ne!(onward, Onward::Astray);
        let length = met.len();
        met.sort_unstable();
        met.dedup();
        prop_assert_eq!(met.len(), length, "met twice");
        // One that calls the page's length its count and cuts pages in a crowd tells of neither.
        if walk.is_whole() && !(counts_page && cut < limit) {
            prop_assert_eq!(met.len(), all.len(), "not all were met");
        }
    }
}

#[test]
fn equal_times_over_a_pages_edge_lose_nothing() {
    let times: Vec<i64> = (0..30).map(|n| 1_000_000 - n / 6).collect();
    for inclusive in [false, true] {
        let (met, walk, onward) = Pages { inclusive, ..PLAIN }.walk(times.clone());
        assert_eq!((met.len(), walk.is_whole(), onward), (30, true, Onward::End));
    }
}

#[test]
fn pages_that_are_cut_shorter_than_asked_are_not_the_end() {
    let times: Vec<i64> = (0..50).collect();
    let (met, _, onward) = Pages { limit: 1000, cut: 7, counts_page: true, ..PLAIN }.walk(times);
    assert_eq!((met.len(), onward), (50, Onward::End));
}

#[test]
fn a_crowd_at_one_instant_is_told_and_not_taken_for_the_end() {
    let times: Vec<i64> = (0..40).map(|n| if n < 25 { 5_000 } else { 100 + n }).collect();
    for inclusive in [false, true] {
        let (met, walk, onward) = Pages { inclusive, ..PLAIN }.walk(times.clone());
        assert_eq!((met.len(), walk.is_whole(), onward), (25, false, Onward::End));
    }
}

#[test]
fn a_list_that_shows_its_first_page_for_ever_is_found_out() {
    let (_, _, onward) = Pages { heeds_before: false, ..PLAIN }.walk((0..40).collect());
    assert_eq!(onward, Onward::Astray);
    let (met, _, onward) = Pages { heeds_before: false, ..PLAIN }.walk((0..9).collect());
    assert_eq!((met.len(), onward), (9, Onward::End));
}

#[test]
fn an_empty_list_ends_and_one_that_counts_what_it_does_not_show_does_not() {
    let (_, walk, onward) = PLAIN.walk(Vec::new());
    assert_eq!((walk.pages(), onward), (1, Onward::End));
    let edge = Edge { count: Some(15), ..Edge::default() };
    let (_, onward) = Walk::default().take(UpstreamPage { pins: Vec::new(), next: None, edge });
    assert_eq!(onward, Onward::Astray);
}
