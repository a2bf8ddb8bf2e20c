use super::{super::tests::*, *};
use crate::policy::{Copies, Footing, Policy, ProviderView};

fn new(provider: ProviderId) -> CopyView {
    copy(provider.0, ReplicaState::None)
}

fn ends_by(policy: &Policy, pin: &PinView, copies: &[CopyView], views: &[ProviderView]) -> Forecast {
    let content = content();
    let placement = Placement { policy, content: &content, lives: None, views };
    super::forecast(pin, copies.to_vec(), &placement, NOW, new)
}

fn ends(copies: &[CopyView], views: &[ProviderView]) -> Forecast {
    ends_by(&asking(2), &PIN, copies, views)
}

fn pinned(providers: &[i64]) -> Vec<CopyView> {
    providers.iter().map(|provider| copy(*provider, ReplicaState::Pinned)).collect()
}

fn ids(providers: &[i64]) -> Vec<ProviderId> {
    providers.iter().map(|provider| ProviderId(*provider)).collect()
}

const LEAVING: Footing = Footing::Leaving;

#[test]
fn what_leaves_a_provider_comes_to_the_next_one_first() {
    let drained = [at(1, LEAVING), view(2, true), view(3, true)];
    let end = ends(&pinned(&[1, 2]), &drained);
    assert_eq!((end.came, end.gone, end.stuck), (ids(&[3]), vec![ReplicaId(1)], vec![]));
    assert_eq!((end.safe.len(), end.least), (2, 2));
}

#[test]
fn a_spare_copy_goes_and_none_comes() {
    let end = ends(&pinned(&[1, 2, 3]), &[at(1, LEAVING), view(2, true), view(3, true)]);
    assert_eq!((end.came, end.gone), (vec![], vec![ReplicaId(1)]));
}

#[test]
fn a_copy_with_nowhere_to_go_stays_unless_fewer_are_allowed() {
    let mut views = [at(1, LEAVING), view(2, true)];
    let end = ends(&pinned(&[1, 2]), &views);
    assert_eq!((end.gone, end.stuck, end.safe, end.least), (vec![], ids(&[1]), ids(&[2]), 2));
    views[0].allow_fewer = true;
    let end = ends(&pinned(&[1, 2]), &views);
    assert_eq!((end.gone, end.stuck, end.safe), (vec![ReplicaId(1)], vec![], ids(&[2])));
}

#[test]
fn a_provider_that_does_not_answer_helps_nobody() {
    let end = ends(&pinned(&[1, 2]), &[at(1, LEAVING), view(2, true), view(3, false)]);
    assert_eq!((end.came, end.stuck), (vec![], ids(&[1])));
    assert_eq!(end.others.last(), Some(&(ProviderId(3), None)));
}

#[test]
fn what_a_new_revision_does_not_ask_for_goes_once_the_pin_is_whole() {
    let mut views = [view(3, true), view(2, true), view(1, true)];
    views[2].listed = false;
    let pin = PinView { trim: true, ..PIN };
    let end = ends_by(&asking(2), &pin, &pinned(&[1, 2]), &views);
    assert_eq!((end.came, end.gone, end.whole), (ids(&[3]), vec![ReplicaId(1)], true));
    let end = ends_by(&asking(2), &pin, &pinned(&[1, 2]), &views[1..]);
    assert_eq!((end.came, end.gone, end.whole), (vec![], vec![], false));
}

#[test]
fn what_is_not_confirmed_yet_is_waited_for() {
    let unseen = CopyView { confirmed: false, ..copy(2, ReplicaState::Pinned) };
    let copies = [copy(1, ReplicaState::Pinned), unseen, copy(3, ReplicaState::Queued)];
    let end = ends(&copies, &[at(1, LEAVING), view(2, true), view(3, true)]);
    assert_eq!((end.came, end.gone, end.safe.len()), (vec![], vec![ReplicaId(1)], 2));
}

#[test]
fn i8_no_end_has_fewer_safe_copies_than_the_policy_asks_for() {
    let policy = Policy::plain("p", Copies { min: 2, max: 3 }, 1, Vec::new());
    let pin = PinView { want: 3, trim: true, ..PIN };
    for footing in [Footing::Usable, Footing::Waiting, Footing::Readonly, LEAVING, Footing::Dead] {
        let views = [at(1, LEAVING), at(2, footing), view(3, true), view(4, true)];
        let end = ends_by(&policy, &pin, &pinned(&[1, 2, 3]), &views);
        assert!(end.gone.is_empty() || !end.is_short(), "{footing:?}: {end:?}");
    }
}
