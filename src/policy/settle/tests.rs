use proptest::prelude::*;

use super::*;

const WELL: [ProviderView; 3] = [view(1, true), view(2, true), view(3, true)];

const fn view(id: i64, usable: bool) -> ProviderView {
    ProviderView { id: ProviderId(id), wanted: true, usable }
}

fn copy(provider: i64, state: ReplicaState) -> CopyView {
    CopyView {
        replica: ReplicaId(provider),
        provider: ProviderId(provider),
        state,
        refused: false,
        stalled: false,
        untouched: state == ReplicaState::None,
        answered: state != ReplicaState::None,
    }
}

const PIN: PinView = PinView { need: 1, want: 2, was_pinned: false };

#[test]
fn a_new_pin_waits_for_its_copies() {
    let copies = [copy(1, ReplicaState::None), copy(2, ReplicaState::None)];
    let verdict = settle(&PIN, &copies, &WELL);
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
        let verdict = settle(&PIN, &[sick, copy(2, ReplicaState::Queued)], &WELL);
        assert_eq!(verdict.link, [ProviderId(3)]);
    }
}

#[test]
fn once_whole_a_copy_that_was_never_sent_is_let_go() {
    let copies = [copy(1, ReplicaState::None), copy(2, ReplicaState::Pinned), copy(3, ReplicaState::Pinned)];
    let verdict = settle(&PIN, &copies, &WELL);
    assert_eq!(verdict.unlink, [ReplicaId(1)]);
    assert_eq!(verdict.have, 2);
}

#[test]
fn a_copy_that_a_delete_may_still_remove_is_waited_for_and_not_let_go() {
    let doubtful = CopyView { untouched: false, ..copy(1, ReplicaState::None) };
    let waiting = settle(&PIN, &[doubtful, copy(2, ReplicaState::Queued)], &WELL);
    assert_eq!((waiting.status, waiting.have), (Status::Queued, 0));
    assert!(waiting.link.is_empty() && !waiting.answered);
    let whole =
        settle(&PIN, &[doubtful, copy(2, ReplicaState::Pinned), copy(3, ReplicaState::Pinned)], &WELL);
    assert!(whole.unlink.is_empty());
}

#[test]
fn a_pin_fails_only_when_nobody_is_left_to_ask() {
    let refused = |provider| CopyView { refused: true, ..copy(provider, ReplicaState::Failed) };
    let some = settle(&PIN, &[refused(1), refused(2)], &WELL);
    assert_eq!((some.status, some.link.as_slice()), (Status::Queued, [ProviderId(3)].as_slice()));
    let all = settle(&PIN, &[refused(1), refused(2), refused(3)], &WELL);
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
    let one = (states, any::<bool>(), any::<bool>());
    prop::collection::vec(one, 0..5).prop_map(|copies| {
        (1..)
            .zip(copies)
            .map(|(provider, (state, refused, stalled))| CopyView {
                refused,
                stalled,
                ..copy(provider, state)
            })
            .collect()
    })
}

proptest! {
    /// Settling is idempotent: after its verdict is applied, nothing more follows.
    #[test]
    fn settling_twice_changes_nothing_more(copies in copies(), need in 1u16..3, extra in 0u16..3, usable in any::<[bool; 6]>()) {
        let pin = PinView { need, want: need + extra, was_pinned: false };
        let providers: Vec<_> = (1..).zip(usable).map(|(id, usable)| view(id, usable)).collect();
        let first = settle(&pin, &copies, &providers);
        let mut after: Vec<_> =
            copies.into_iter().filter(|copy| !first.unlink.contains(&copy.replica)).collect();
        after.extend(first.link.iter().map(|provider| copy(provider.0, ReplicaState::None)));
        let second = settle(&pin, &after, &providers);
        prop_assert!(second.link.is_empty(), "links again: {:?}", second.link);
        prop_assert!(second.unlink.is_empty(), "unlinks again: {:?}", second.unlink);
        prop_assert_eq!(second.have, first.have);
    }

    /// Only copies that hold nothing are dropped here, so no pin has fewer afterwards (I8).
    #[test]
    fn settling_never_lets_go_of_a_pinned_copy(copies in copies(), need in 1u16..3) {
        let pin = PinView { need, want: need, was_pinned: true };
        let verdict = settle(&pin, &copies, &WELL);
        for copy in copies.iter().filter(|copy| copy.state == ReplicaState::Pinned) {
            prop_assert!(!verdict.unlink.contains(&copy.replica));
        }
    }
}
