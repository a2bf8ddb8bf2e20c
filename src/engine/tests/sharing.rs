//! Accounts that need the same provider at once.

use super::world::*;
use crate::sim::Route;

/// I9: a mass import delays another account's pin by no more than what is under way already.
#[tokio::test]
async fn a_single_pin_goes_right_behind_what_a_mass_import_has_under_way() {
    let mut world = World::of(1).exclusive().start().await;
    for n in 0..300 {
        world.add_for(0, n).await;
    }
    world.step().await;
    let before = world.calls(0, Route::Add);
    assert!(before < 100, "{before}");
    world.add_for(1, 1000).await;
    world.step().await;
    assert!(
        world.sims[0].pins().iter().any(|pin| *pin.asked.cid.content() == content(1000)),
        "it waits for the import"
    );
    assert!(world.calls(0, Route::Add) <= 2 * before);
    world.settle().await;
    assert_eq!(world.held(0), 301);
    world.end().await;
}

/// I9: deletes go first, but never alone for long.
#[tokio::test]
async fn a_mass_delete_does_not_keep_new_pins_waiting() {
    let mut world = World::of(1).exclusive().start().await;
    let mut old = Vec::new();
    for n in 0..200 {
        old.push(world.add_for(0, n).await);
    }
    world.settle().await;
    for pin in old {
        world.delete_for(0, pin).await;
    }
    world.add_for(0, 1000).await;
    world.add_for(1, 1001).await;
    world.step().await;
    for new in [1000, 1001] {
        assert!(
            world.sims[0].pins().iter().any(|pin| *pin.asked.cid.content() == content(new)),
            "{new} waits"
        );
    }
    assert!(world.held(0) > 100, "{}", world.held(0));
    world.settle().await;
    assert_eq!(world.held(0), 2);
    world.end().await;
}
