use std::{sync::Arc, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::{
    model::{Content, Facts, PinCid, ReplicaState},
    policy::{Copies, Deadlines, Policy, ProviderView},
};

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
pub(super) const PIN: PinView = PinView { need: 1, want: 2, was_pinned: false, trim: false };

pub(super) fn at(id: i64, footing: Footing) -> ProviderView {
    let facts = Arc::default();
    ProviderView {
        id: ProviderId(id),
        footing,
        answers: true,
        listed: true,
        facts,
        copies: 0,
        has_it: false,
        leaving: footing == Footing::Leaving,
        allow_fewer: false,
    }
}

pub(super) fn view(id: i64, usable: bool) -> ProviderView {
    let footing = if usable { Footing::Usable } else { Footing::Waiting };
    ProviderView { answers: usable, ..at(id, footing) }
}

pub(super) fn well() -> [ProviderView; 3] {
    [view(1, true), view(2, true), view(3, true)]
}

pub(super) fn copy(provider: i64, state: ReplicaState) -> CopyView {
    CopyView {
        replica: ReplicaId(provider),
        provider: ProviderId(provider),
        state,
        refused: false,
        stalled: false,
        untouched: state == ReplicaState::None,
        answered: state != ReplicaState::None,
        confirmed: state == ReplicaState::Pinned,
        state_at: NOW.minus(Duration::from_secs(60)),
    }
}

pub(super) fn content() -> Content {
    PinCid::parse("bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy").unwrap().content().clone()
}

pub(super) fn asking(min: u16) -> Policy {
    Policy::plain("p", Copies { min, max: min }, 1, Vec::new())
}

fn settle_by(policy: &Policy, pin: &PinView, copies: &[CopyView], views: &[ProviderView]) -> Verdict {
    let content = content();
    let placement = Placement { policy, content: &content, lives: None, views };
    super::settle(pin, copies, &placement, NOW)
}

fn settle(pin: &PinView, copies: &[CopyView], views: &[ProviderView]) -> Verdict {
    settle_by(&asking(pin.want), pin, copies, views)
}

#[test]
fn a_new_pin_waits_for_its_copies() {
    let copies = [copy(1, ReplicaState::None), copy(2, ReplicaState::None)];
    let verdict = settle(&PIN, &copies, &well());
    assert_eq!(verdict.status, Status::Queued);
    assert!(verdict.link.is_empty() && verdict.unlink.is_empty() && !verdict.answered);
}

#[test]
fn a_copy_at_a_provider_that_is_down_spills_to_the_next() {
    let copies = [copy(1, ReplicaState::None), copy(2, ReplicaState::Pinned)];
    let down = [view(1, false), view(2, true), view(3, true)];
    let verdict = settle(&PIN, &copies, &down);
    assert_eq!(verdict.link, [ProviderId(3)]);
    assert_eq!(verdict.status, Status::Pinned);
    let nowhere_to_go = settle(&PIN, &copies, &down[..2]);
    assert!(nowhere_to_go.link.is_empty() && nowhere_to_go.answered);
}

#[test]
fn a_refused_or_stalled_copy_spills_to_the_next() {
    let refused = CopyView { refused: true, ..copy(1, ReplicaState::None) };
    let stalled = CopyView { stalled: true, ..copy(1, ReplicaState::None) };
    for sick in [refused, stalled] {
        let verdict = settle(&PIN, &[sick, copy(2, ReplicaState::Queued)], &well());
        assert_eq!(verdict.link, [ProviderId(3)]);
    }
}

#[test]
fn once_whole_a_copy_that_was_never_sent_is_let_go() {
    let copies = [copy(1, ReplicaState::None), copy(2, ReplicaState::Pinned), copy(3, ReplicaState::Pinned)];
    let verdict = settle(&PIN, &copies, &well());
    assert_eq!(verdict.unlink, [ReplicaId(1)]);
    assert_eq!(verdict.have, 2);
}

#[test]
fn a_copy_that_a_delete_may_still_remove_is_waited_for_and_not_let_go() {
    let doubtful = CopyView { untouched: false, ..copy(1, ReplicaState::None) };
    let waiting = settle(&PIN, &[doubtful, copy(2, ReplicaState::Queued)], &well());
    assert_eq!((waiting.status, waiting.have), (Status::Queued, 0));
    assert!(waiting.link.is_empty() && !waiting.answered);
    let whole =
        settle(&PIN, &[doubtful, copy(2, ReplicaState::Pinned), copy(3, ReplicaState::Pinned)], &well());
    assert!(whole.unlink.is_empty());
}

#[test]
fn a_pin_fails_only_when_nobody_is_left_to_ask() {
    let refused = |provider| CopyView { refused: true, ..copy(provider, ReplicaState::Failed) };
    let some = settle(&PIN, &[refused(1), refused(2)], &well());
    assert_eq!((some.status, some.link.as_slice()), (Status::Queued, [ProviderId(3)].as_slice()));
    let all = settle(&PIN, &[refused(1), refused(2), refused(3)], &well());
    assert_eq!(all.status, Status::Failed);
}

#[test]
fn an_open_provider_that_is_down_keeps_a_pin_from_failing() {
    let refused = CopyView { refused: true, ..copy(1, ReplicaState::Failed) };
    let verdict = settle(&PIN, &[refused], &[view(1, true), view(2, false)]);
    assert_eq!(verdict.status, Status::Queued);
    assert!(verdict.link.is_empty());
}

fn copies() -> impl Strategy<Value = Vec<CopyView>> {
    let states = prop::sample::select(ReplicaState::ALL);
    let one = (states, any::<[bool; 4]>());
    prop::collection::vec(one, 0..5).prop_map(|copies| {
        (1..)
            .zip(copies)
            .map(|(provider, (state, [refused, stalled, confirmed, untouched]))| {
                let copy = copy(provider, state);
                let untouched = untouched && copy.untouched;
                CopyView { refused, stalled, confirmed: confirmed && copy.confirmed, untouched, ..copy }
            })
            .collect()
    })
}

fn footing() -> impl Strategy<Value = Footing> {
    prop::sample::select(vec![
        Footing::Usable,
        Footing::Usable,
        Footing::Waiting,
        Footing::Readonly,
        Footing::Absent,
        Footing::Leaving,
        Footing::Distrusted,
        Footing::Dead,
    ])
}

prop_compose! {
    fn any_view()(footing in footing(), listed in prop::bool::weighted(0.8), allow_fewer in any::<bool>()) -> ProviderView {
        let answers = footing != Footing::Waiting && footing != Footing::Dead;
        ProviderView { listed, answers, allow_fewer, ..at(0, footing) }
    }
}

fn views() -> impl Strategy<Value = Vec<ProviderView>> {
    prop::collection::vec(any_view(), 6).prop_map(|views| {
        (1..).zip(views).map(|(id, view)| ProviderView { id: ProviderId(id), ..view }).collect()
    })
}

prop_compose! {
    fn any_policy()(min in 1u16..4, late in prop::sample::select(Late::ALL.to_vec()), has_deadline in any::<bool>()) -> Policy {
        let deadlines = Deadlines { queued: has_deadline.then_some(Duration::from_secs(30)), pinning: None };
        Policy { late, deadlines, ..asking(min) }
    }
}

/// What is left where a verdict is carried out: what was linked is not sent yet.
fn carried_out(copies: &[CopyView], verdict: &Verdict) -> Vec<CopyView> {
    let stays = |copy: &&CopyView| !verdict.unlink.contains(&copy.replica);
    let linked = verdict
        .link
        .iter()
        .map(|provider| CopyView { state_at: NOW, ..copy(provider.0, ReplicaState::None) });
    copies.iter().filter(stays).cloned().chain(linked).collect()
}

proptest! {
    /// One word on what a pin has: whoever counts its copies comes to the same number.
    #[test]
    fn what_a_pin_has_is_told_alike_by_its_status_its_number_and_each_copy(
        policy in any_policy(), copies in copies(), mut views in views(), regions in prop::collection::vec(0..3, 6),
        spreads in any::<bool>(), need in 1u16..4, was_pinned in any::<bool>(),
    ) {
        for (view, region) in views.iter_mut().zip(regions) {
            let tags = [("region".to_owned(), format!("r{region}"))].into();
            view.facts = Arc::new(Facts { tags, ..Facts::default() });
        }
        let policy = Policy { spread_by: spreads.then(|| "region".to_owned()), late: Late::Keep, ..policy };
        let pin = PinView { want: policy.copies.min, need, was_pinned, trim: false };
        let verdict = settle_by(&policy, &pin, &copies, &views);
        let content = content();
        let placement = Placement { policy: &policy, content: &content, lives: None, views: &views };
        let stays = |copy: &&CopyView| !verdict.unlink.contains(&copy.replica);
        let staying: Vec<_> = copies.iter().filter(stays).copied().collect();
        let own = weigh(&staying, &placement, NOW);
        prop_assert_eq!(had(&own), verdict.have);
        for (own, copy) in own.iter().zip(&staying) {
            let view = views.iter().find(|view| view.id == own.provider).unwrap();
            let is_pinned = copy.state == ReplicaState::Pinned;
            prop_assert!(!own.had || is_pinned && view.footing.is_had(), "{:?} is had at {:?}", copy, view);
            prop_assert!(!(own.counts && is_pinned) || own.had, "what counts and is pinned is had");
            prop_assert!(own.idle.is_none() || !(own.had || own.counts));
        }
        let had_all = had(&weigh(&copies, &placement, NOW));
        if !was_pinned {
            prop_assert_eq!(verdict.status == Status::Pinned, had_all >= need);
        }
    }

    /// Settling is idempotent: after its verdict is applied, nothing more follows.
    #[test]
    fn settling_twice_changes_nothing_more(
        policy in any_policy(), copies in copies(), views in views(), extra in 0u16..2, trim in any::<bool>(),
    ) {
        let pin = PinView { want: policy.copies.min + extra, trim, ..PIN };
        let first = settle_by(&policy, &pin, &copies, &views);
        let second = settle_by(&policy, &pin, &carried_out(&copies, &first), &views);
        prop_assert!(second.link.is_empty(), "links again: {:?}", second.link);
        prop_assert!(second.unlink.is_empty(), "unlinks again: {:?} after {:?}", second.unlink, first);
        prop_assert_eq!((second.have, second.missing), (first.have, first.missing));
    }

    #[test]
    fn i8_what_is_let_go_leaves_as_many_confirmed_elsewhere_as_the_policy_asks(
        policy in any_policy(), copies in copies(), views in views(), extra in 0u16..2, trim in any::<bool>(),
    ) {
        let pin = PinView { want: policy.copies.min + extra, trim, ..PIN };
        let verdict = settle_by(&policy, &pin, &copies, &views);
        let view = |copy: &CopyView| views.iter().find(|view| view.id == copy.provider).unwrap();
        let goes = |copy: &&CopyView| verdict.unlink.contains(&copy.replica);
        let safe = |copy: &&CopyView| {
            let stays = [Footing::Usable, Footing::Readonly, Footing::Waiting].contains(&view(copy).footing);
            copy.confirmed && stays && view(copy).answers && !goes(copy)
        };
        let left = copies.iter().filter(safe).count();
        for copy in copies.iter().filter(goes).filter(|copy| copy.state == ReplicaState::Pinned) {
            let least = if view(copy).allow_fewer { 1 } else { policy.copies.min.into() };
            prop_assert!(left >= least, "{copy:?} goes and leaves {left}");
        }
    }

    #[test]
    fn a_policy_that_keeps_and_no_provider_that_leaves_means_that_no_pinned_copy_goes(
        copies in copies(), views in views(), min in 1u16..4,
    ) {
        let pin = PinView { want: min, ..PIN };
        let verdict = settle(&pin, &copies, &views);
        let leaves = |copy: &CopyView| views.iter().any(|view| view.id == copy.provider && view.footing == Footing::Leaving);
        for copy in copies.iter().filter(|copy| copy.state == ReplicaState::Pinned && !leaves(copy)) {
            prop_assert!(!verdict.unlink.contains(&copy.replica));
        }
    }
}

#[test]
fn a_pinned_copy_of_a_dead_provider_is_neither_counted_nor_let_go() {
    let copies = [copy(1, ReplicaState::Pinned), copy(2, ReplicaState::Pinned)];
    let views = [at(1, Footing::Dead), view(2, true), view(3, true)];
    let verdict = settle(&PinView { was_pinned: true, ..PIN }, &copies, &views);
    assert_eq!((verdict.status, verdict.have), (Status::Pinned, 1));
    assert_eq!(
        (verdict.link.as_slice(), verdict.unlink.as_slice()),
        ([ProviderId(3)].as_slice(), [].as_slice())
    );
}

#[test]
fn a_late_copy_goes_on_elsewhere_and_stays_or_goes_as_the_policy_says() {
    let hour = Duration::from_secs(3600);
    let late = CopyView { state_at: NOW.minus(hour), untouched: false, ..copy(1, ReplicaState::Queued) };
    let [mut policy, pin] = [asking(2), asking(2)];
    policy.deadlines = Deadlines { queued: Some(hour), pinning: None };
    let first = settle_by(&policy, &PIN, &[late, copy(2, ReplicaState::Pinned)], &well());
    assert_eq!(first.link, [ProviderId(3)]);
    let whole = [late, copy(2, ReplicaState::Pinned), copy(3, ReplicaState::Pinned)];
    assert!(settle_by(&policy, &PIN, &whole, &well()).unlink.is_empty());
    policy.late = Late::Remove;
    assert_eq!(settle_by(&policy, &PIN, &whole, &well()).unlink, [ReplicaId(1)]);
    assert!(settle_by(&pin, &PIN, &whole, &well()).link.is_empty());
}

#[test]
fn a_copy_that_is_waited_for_says_until_when() {
    let policy = Policy {
        deadlines: Deadlines {
            queued: Some(Duration::from_secs(90)),
            pinning: Some(Duration::from_secs(300)),
        },
        ..asking(2)
    };
    let copies =
        [copy(1, ReplicaState::Queued), copy(2, ReplicaState::Pinning), copy(3, ReplicaState::Pinned)];
    let told = settle_by(&policy, &PIN, &copies, &well()).late_at;
    let until = |seconds| NOW.plus(Duration::from_secs(seconds));
    assert_eq!(told, [(ReplicaId(1), until(30)), (ReplicaId(2), until(240))]);
}

#[test]
fn i8_a_copy_leaves_a_draining_provider_once_another_is_confirmed() {
    let views = [at(1, Footing::Leaving), view(2, true), view(3, true)];
    let pin = PinView { was_pinned: true, ..PIN };
    let own = [copy(1, ReplicaState::Pinned), copy(2, ReplicaState::Pinned)];
    let begun = settle(&pin, &own, &views);
    assert_eq!((begun.link.as_slice(), begun.unlink.len()), ([ProviderId(3)].as_slice(), 0));
    let unconfirmed = CopyView { confirmed: false, ..copy(3, ReplicaState::Pinned) };
    assert!(settle(&pin, &[own[0], own[1], unconfirmed], &views).unlink.is_empty());
    let confirmed = [own[0], own[1], copy(3, ReplicaState::Pinned)];
    assert_eq!(settle(&pin, &confirmed, &views).unlink, [ReplicaId(1)]);
}

#[test]
fn i8_where_too_few_providers_remain_a_drain_waits_unless_fewer_will_do() {
    let leaving = at(1, Footing::Leaving);
    let own = [copy(1, ReplicaState::Pinned), copy(2, ReplicaState::Pinned)];
    let few = |leaving: &ProviderView| settle(&PIN, &own, &[leaving.clone(), view(2, true)]).unlink;
    assert!(few(&leaving).is_empty());
    assert_eq!(few(&ProviderView { allow_fewer: true, ..leaving.clone() }), [ReplicaId(1)]);
    let last = settle(&PIN, &own[..1], &[ProviderView { allow_fewer: true, ..leaving }]);
    assert!(last.unlink.is_empty(), "the last copy stays");
}

#[test]
fn trimming_lets_go_of_what_the_policy_does_not_ask_for_the_least_preferred_first() {
    let pin = PinView { trim: true, ..PIN };
    let outside = ProviderView { listed: false, ..view(4, true) };
    let views = [view(1, true), view(2, true), view(3, true), outside];
    let all = [1, 2, 3, 4].map(|provider| copy(provider, ReplicaState::Pinned));
    let verdict = settle(&pin, &all, &views);
    assert_eq!(verdict.unlink, [ReplicaId(4), ReplicaId(3)]);
    assert!(verdict.trimmed);
    assert!(settle(&PIN, &all, &views).unlink.is_empty());
}

#[test]
fn what_is_pinned_outside_of_the_policy_is_had_but_not_counted() {
    let outside = ProviderView { listed: false, ..view(3, true) };
    let verdict = settle(&PIN, &[copy(3, ReplicaState::Pinned)], &[view(1, true), view(2, true), outside]);
    assert_eq!((verdict.status, verdict.have), (Status::Pinned, 1));
    assert_eq!(verdict.link, [ProviderId(1), ProviderId(2)]);
}

#[test]
fn a_copy_that_is_not_trusted_is_not_had_and_keeps_a_pin_that_was_pinned() {
    let own = [copy(1, ReplicaState::Pinned), copy(2, ReplicaState::Queued)];
    let views = [at(1, Footing::Distrusted), view(2, true), view(3, true)];
    let new = settle(&PIN, &own, &views);
    assert_eq!((new.status, new.have, new.link.as_slice()), (Status::Pinning, 0, &[ProviderId(3)][..]));
    let old = settle(&PinView { was_pinned: true, ..PIN }, &own, &views);
    assert_eq!((old.status, old.have), (Status::Pinned, 0));
}

#[test]
fn a_copy_that_leaves_is_had_until_another_has_taken_its_place() {
    let own = [copy(1, ReplicaState::Pinned), copy(2, ReplicaState::Pinned)];
    let verdict = settle(&PIN, &own, &[at(1, Footing::Leaving), view(2, true), view(3, true)]);
    assert_eq!((verdict.have, verdict.link.as_slice()), (2, &[ProviderId(3)][..]));
}

#[test]
fn of_copies_that_one_accident_can_take_one_is_had_and_goes_for_no_other() {
    let tagged = |id: i64, region: &str, footing| {
        let tags = [("region".to_owned(), region.to_owned())].into();
        ProviderView { facts: Arc::new(Facts { tags, ..Facts::default() }), ..at(id, footing) }
    };
    let policy = Policy { spread_by: Some("region".to_owned()), ..asking(2) };
    let views = [
        tagged(1, "eu", Footing::Usable),
        tagged(2, "eu", Footing::Usable),
        tagged(3, "us", Footing::Leaving),
    ];
    let own = [1, 2, 3].map(|id| copy(id, ReplicaState::Pinned));
    let verdict = settle_by(&policy, &PIN, &own, &views);
    assert_eq!(
        (verdict.have, verdict.unlink.len()),
        (2, 0),
        "I8: one in eu and one in us, until there is another"
    );
}
