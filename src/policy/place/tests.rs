use std::collections::{BTreeMap, HashSet};

use proptest::prelude::*;

use super::*;
use crate::{
    model::PinCid,
    policy::{Choose, Copies},
};

fn content() -> Content {
    PinCid::parse("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy").unwrap().content().clone()
}

fn view(id: i64, footing: Footing) -> ProviderView {
    let facts = Arc::default();
    ProviderView {
        id: ProviderId(id),
        footing,
        answers: true,
        listed: true,
        facts,
        copies: 0,
        has_it: false,
        leaving: false,
        allow_fewer: false,
    }
}

fn with(view: ProviderView, facts: Facts) -> ProviderView {
    ProviderView { facts: Arc::new(facts), ..view }
}

fn region(value: &str) -> Facts {
    Facts { tags: BTreeMap::from([("region".to_owned(), value.to_owned())]), ..Facts::default() }
}

fn policy(choose: Choose, spread_by: Option<&str>) -> Policy {
    let plain = Policy::plain("p", Copies { min: 1, max: 1 }, 1, Vec::new());
    Policy { choose, spread_by: spread_by.map(str::to_owned), ..plain }
}

fn choose(policy: &Policy, views: &[ProviderView], more: usize, own: &[Own]) -> Vec<i64> {
    let content = content();
    let placement = Placement { policy, content: &content, lives: None, views };
    placement.choose(more, own).map(|one| one.provider.0).collect()
}

fn footing() -> impl Strategy<Value = Footing> {
    prop::sample::select(vec![
        Footing::Usable,
        Footing::Waiting,
        Footing::Readonly,
        Footing::Absent,
        Footing::Leaving,
        Footing::Distrusted,
        Footing::Dead,
    ])
}

fn views() -> impl Strategy<Value = Vec<ProviderView>> {
    prop::collection::vec((footing(), any::<bool>(), 0u8..3, 0u64..3, prop::option::of(0u64..3)), 0..8)
        .prop_map(|providers| {
            let view = |(id, (footing, listed, region_of, copies, max_pins))| {
                let facts = Facts { max_pins, ..region(&format!("r{region_of}")) };
                ProviderView { listed, copies, ..with(view(id, footing), facts) }
            };
            (1..).zip(providers).map(view).collect()
        })
}

fn any_policy() -> impl Strategy<Value = Policy> {
    (prop::sample::select(Choose::ALL.to_vec()), any::<bool>())
        .prop_map(|(choose, spreads)| policy(choose, spreads.then_some("region")))
}

fn copy(id: i64, counts: bool) -> Own {
    Own { provider: ProviderId(id), had: counts, counts, idle: None }
}

fn own() -> impl Strategy<Value = Vec<Own>> {
    prop::collection::btree_map(1i64..8, any::<bool>(), 0..4)
        .prop_map(|own| own.into_iter().map(|(id, counts)| copy(id, counts)).collect())
}

proptest! {
    #[test]
    fn placement_keeps_within_limits_and_never_takes_a_provider_twice(
        policy in any_policy(), views in views(), own in own(), more in 0usize..8,
    ) {
        let placed = choose(&policy, &views, more, &own);
        let distinct: HashSet<_> = placed.iter().collect();
        prop_assert_eq!(distinct.len(), placed.len());
        prop_assert!(placed.len() <= more);
        for id in &placed {
            let view = views.iter().find(|view| view.id.0 == *id).unwrap();
            prop_assert!(view.listed && view.footing.is_open());
            prop_assert!(view.facts.max_pins.is_none_or(|most| view.copies < most));
            prop_assert!(own.iter().all(|own| own.provider.0 != *id));
        }
    }

    #[test]
    fn copies_that_are_spread_share_nothing_with_each_other_or_with_those_that_count(
        choose_by in prop::sample::select(Choose::ALL.to_vec()), views in views(), own in own(),
    ) {
        let placed = choose(&policy(choose_by, Some("region")), &views, usize::MAX, &own);
        let mut taken: HashSet<&String> = HashSet::new();
        let region = |id: i64| views.iter().find(|view| view.id.0 == id).map(|view| &view.facts.tags["region"]);
        taken.extend(own.iter().filter(|own| own.counts).filter_map(|own| region(own.provider.0)));
        for id in placed {
            prop_assert!(taken.insert(region(id).unwrap()), "{id} shares its region");
        }
    }

    #[test]
    fn one_more_copy_moves_none_of_the_others(policy in any_policy(), views in views(), own in own(), more in 0usize..8) {
        prop_assert!(choose(&policy, &views, more + 1, &own).starts_with(&choose(&policy, &views, more, &own)));
    }

    #[test]
    fn a_provider_that_does_not_answer_is_taken_only_when_no_other_is_left(
        order in prop::sample::select(Choose::ALL.to_vec()), views in views(), more in 0usize..8,
    ) {
        let policy = policy(order, None);
        let [placed, all] = [more, usize::MAX].map(|more| choose(&policy, &views, more, &[]));
        let usable = |id: &i64| views.iter().any(|view| view.id.0 == *id && view.footing == Footing::Usable);
        let left_out = |id: &i64| usable(id) && !placed.contains(id);
        prop_assert!(placed.iter().all(usable) || !all.iter().any(left_out));
    }

    #[test]
    fn each_provider_of_the_policy_is_told_of_once(policy in any_policy(), views in views(), own in own(), more in 0usize..8) {
        let content = content();
        let placement = Placement { policy: &policy, content: &content, lives: None, views: &views };
        let told: Vec<_> = placement.consider(more, &own).iter().map(|one| one.provider).collect();
        let mut listed: Vec<_> = views.iter().filter(|view| view.listed).map(|view| view.id).collect();
        let mut sorted = told.clone();
        sorted.sort_unstable();
        listed.sort_unstable();
        prop_assert_eq!(sorted, listed);
    }
}

#[test]
fn each_reason_to_pass_over_a_provider_is_told() {
    let day = Duration::from_secs(24 * 3600);
    let raw_only = Facts { codecs: Some(vec![Codec::new(0x70)]), ..region("a") };
    let short = Facts { retention: Some(day), ..region("b") };
    let full = Facts { max_pins: Some(2), ..region("c") };
    let views = [
        view(1, Footing::Readonly),
        with(view(2, Footing::Usable), raw_only),
        with(view(3, Footing::Usable), short),
        ProviderView { copies: 2, ..with(view(4, Footing::Usable), full) },
        with(view(5, Footing::Usable), region("d")),
        with(view(6, Footing::Usable), region("d")),
        view(7, Footing::Usable),
        with(view(8, Footing::Usable), region("e")),
        with(view(9, Footing::Usable), region("f")),
    ];
    let (policy, content) = (policy(Choose::Ordered, Some("region")), content());
    let placement = Placement { policy: &policy, content: &content, lives: None, views: &views };
    let own = [copy(8, true)];
    let told: BTreeMap<i64, Option<String>> = placement
        .consider(1, &own)
        .into_iter()
        .map(|one| (one.provider.0, one.passed_over.map(|reason| reason.to_string())))
        .collect();
    let reason = |id: i64| told[&id].as_deref();
    assert_eq!(reason(1), Some("is set to get nothing new"));
    assert_eq!(reason(2), Some("takes no CIDs of codec raw"));
    assert_eq!(reason(3), Some("its pins end after 24h"));
    assert_eq!(reason(4), Some("has as many copies as it may have: 2"));
    assert_eq!(reason(5), None);
    assert_eq!(reason(6), Some("shares region=d with one that has a copy"));
    assert_eq!(reason(7), Some("has no tag region to spread copies by"));
    assert_eq!(reason(8), Some("has a copy already"));
    assert_eq!(reason(9), Some("those before it are enough"));
}

#[test]
fn a_pin_that_ends_sooner_may_go_where_pins_end() {
    let day = Duration::from_secs(24 * 3600);
    let views = [with(view(1, Footing::Usable), Facts { retention: Some(day), ..Facts::default() })];
    let (policy, content) = (policy(Choose::Ordered, None), content());
    let placed = |lives| {
        let placement = Placement { policy: &policy, content: &content, lives, views: &views };
        placement.choose(1, &[]).count()
    };
    assert_eq!([placed(None), placed(Some(day * 2)), placed(Some(day))], [0, 0, 1]);
}
