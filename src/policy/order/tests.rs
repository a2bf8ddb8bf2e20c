use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;

use super::super::place::Footing;
use super::*;
use crate::model::{Cost, Facts, ProviderId, Weight};

fn view(id: i64, facts: Facts) -> ProviderView {
    ProviderView {
        id: ProviderId(id),
        footing: Footing::Usable,
        answers: true,
        listed: true,
        facts: Arc::new(facts),
        copies: 0,
        has_it: false,
        leaving: false,
        allow_fewer: false,
    }
}

fn weighing(weight: u32) -> Facts {
    Facts { weight: Weight::new(weight).unwrap(), ..Facts::default() }
}

fn tagged(tags: &[(&str, &str)]) -> Facts {
    let tags = tags.iter().map(|(tag, value)| ((*tag).to_owned(), (*value).to_owned()));
    Facts { tags: BTreeMap::from_iter(tags), ..Facts::default() }
}

fn content(n: u64) -> Content {
    let digest = Sha256::digest(n.to_be_bytes());
    Content::from_bytes(&[&[1, 0x55, 0x12, 0x20][..], &digest[..]].concat()).unwrap()
}

fn order(choose: Choose, views: &[ProviderView], content: &Content) -> Vec<i64> {
    let mut views: Vec<_> = views.iter().collect();
    choose.order(&mut views, content);
    views.iter().map(|view| view.id.0).collect()
}

fn views() -> impl Strategy<Value = Vec<ProviderView>> {
    prop::collection::vec((1u32..=100, 0u64..50, prop::option::of(0u32..5), 0u8..3, 0u8..3), 1..8).prop_map(
        |providers| {
            let view =
                |(id, (weight, copies, cost, region, operator)): (i64, (u32, u64, Option<u32>, u8, u8))| {
                    let (region, operator) = (region.to_string(), operator.to_string());
                    let facts = Facts {
                        weight: Weight::new(weight).unwrap(),
                        cost: cost.and_then(|cost| Cost::new(cost.into())),
                        ..tagged(&[("region", &region), ("operator", &operator)])
                    };
                    ProviderView { copies, ..view(id, facts) }
                };
            (1..).zip(providers).map(view).collect()
        },
    )
}

proptest! {
    #[test]
    fn every_order_is_a_permutation_and_the_same_each_time(views in views(), n in any::<u64>()) {
        for choose in Choose::ALL {
            let ordered = order(choose, &views, &content(n));
            let mut sorted = ordered.clone();
            sorted.sort_unstable();
            prop_assert_eq!(&sorted, &views.iter().map(|view| view.id.0).collect::<Vec<_>>());
            prop_assert_eq!(&ordered, &order(choose, &views, &content(n)));
        }
    }

    #[test]
    fn a_provider_more_changes_no_order_among_the_others(views in views(), n in any::<u64>()) {
        let fewer = &views[..views.len() - 1];
        let last = views.len() as i64;
        for choose in [Choose::Ordered, Choose::Weighted, Choose::LeastLoaded, Choose::Hash, Choose::Cheapest] {
            let mut with = order(choose, &views, &content(n));
            with.retain(|id| *id != last);
            prop_assert_eq!(with, order(choose, fewer, &content(n)));
        }
    }

    #[test]
    fn how_the_list_is_written_changes_no_hashed_order(views in views(), n in any::<u64>()) {
        let reversed: Vec<_> = views.iter().rev().cloned().collect();
        for choose in [Choose::Weighted, Choose::Hash] {
            prop_assert_eq!(order(choose, &views, &content(n)), order(choose, &reversed, &content(n)));
        }
    }

    #[test]
    fn the_emptiest_for_its_weight_comes_first(views in views(), n in any::<u64>()) {
        let by_id = |id: &i64| views.iter().find(|view| view.id.0 == *id).unwrap();
        let ordered = order(Choose::LeastLoaded, &views, &content(n));
        for pair in ordered.windows(2) {
            let [a, b] = [by_id(&pair[0]), by_id(&pair[1])];
            let fill = |one: &ProviderView, other: &ProviderView| one.copies * u64::from(other.facts.weight.get());
            prop_assert!(fill(a, b) <= fill(b, a));
        }
    }
}

/// Of 30,000 contents each provider is the first of as many as its part says, to a twentieth.
fn shares(choose: Choose, weights: &[u32], expected: &[f64]) {
    const CONTENTS: u32 = 30_000;
    let views: Vec<_> = (1..).zip(weights).map(|(id, weight)| view(id, weighing(*weight))).collect();
    let mut firsts = BTreeMap::new();
    for n in 0..CONTENTS {
        *firsts.entry(order(choose, &views, &content(n.into()))[0]).or_insert(0u32) += 1;
    }
    for (id, part) in (1..).zip(expected) {
        let share = f64::from(firsts[&id]) / f64::from(CONTENTS);
        assert!((share / part - 1.0).abs() < 0.05, "{choose:?}: {id} has {share}, not {part}");
    }
}

#[test]
fn weights_divide_the_contents() {
    shares(Choose::Weighted, &[1, 2, 7], &[0.1, 0.2, 0.7]);
    shares(Choose::Hash, &[1, 2, 7], &[1.0 / 3.0; 3]);
}

#[test]
fn a_provider_that_comes_takes_from_the_others_no_more_than_its_part() {
    let views: Vec<_> = (1..=5).map(|id| view(id, weighing(1))).collect();
    for choose in [Choose::Weighted, Choose::Hash] {
        let moved = (0..10_000).filter(|n| {
            let [few, all] = [&views[..4], &views[..]].map(|views| order(choose, views, &content(*n))[0]);
            assert!(few == all || all == 5, "what moves goes to the new one");
            few != all
        });
        let moved = moved.count();
        assert!((1_900..2_100).contains(&moved), "{choose:?}: {moved} of 10,000 moved to one of five");
    }
}

#[test]
fn the_cheapest_comes_first_and_what_has_no_cost_last() {
    let costing = |id, cost| view(id, Facts { cost: Cost::new(cost), ..Facts::default() });
    let views = [view(1, Facts::default()), costing(2, 0.2), costing(3, 0.15), costing(4, 0.2)];
    assert_eq!(order(Choose::Cheapest, &views, &content(1)), [3, 2, 4, 1]);
}

#[test]
fn spread_goes_on_with_what_has_the_least_in_common() {
    let views = [
        view(1, tagged(&[("region", "eu"), ("operator", "one")])),
        view(2, tagged(&[("region", "eu"), ("operator", "one")])),
        view(3, tagged(&[("region", "eu"), ("operator", "two")])),
        view(4, tagged(&[("region", "us"), ("operator", "three")])),
    ];
    assert_eq!(order(Choose::Spread, &views, &content(1)), [1, 4, 3, 2]);
}
