//! All orders of add, delete, re-add, replace, crash, answer and loss for one content at one provider: every world
//! that can be reached is visited once, nearest first, and held to the invariants.

mod world;

use std::{collections::HashSet, rc::Rc};

use super::*;
use world::{Call, Effect, Ghost, NOW, Rules, THEIRS, World};

/// Far more worlds than there are: beyond it, something in the model grows without end.
const MOST_WORLDS: usize = 200_000;
/// Longer than any way to rest.
const MOST_QUIET_STEPS: usize = 60;

struct Visit {
    world: Rc<World>,
    /// The visit that led here, and by what.
    from: Option<(usize, &'static str)>,
}

/// Visits all worlds that can be reached from `start`, breadth first, and fails with the shortest way to a wrong one.
fn explore(start: World, rules: Rules) -> usize {
    let start = Rc::new(start);
    let mut known = HashSet::from([Rc::clone(&start)]);
    let mut visits = vec![Visit { world: start, from: None }];
    let mut next = 0;
    while next < visits.len() {
        assert!(next < MOST_WORLDS, "no end of worlds, with {rules:?}, as after:\n{}", story(&visits, next));
        let world = Rc::clone(&visits[next].world);
        if let Err(why) = check(&world, rules) {
            panic!("{why}, with {rules:?}, after:\n{}", story(&visits, next));
        }
        for (name, reached) in world.moves(rules) {
            let reached = Rc::new(reached);
            if known.insert(Rc::clone(&reached)) {
                visits.push(Visit { world: reached, from: Some((next, name)) });
            }
        }
        next += 1;
    }
    next
}

fn story(visits: &[Visit], last: usize) -> String {
    let mut lines = vec![format!("  {:?}", visits[last].world)];
    let mut at = last;
    while let Some((from, name)) = visits[at].from {
        lines.push(format!("  {name}"));
        at = from;
    }
    lines.reverse();
    lines.join("\n")
}

fn check(world: &World, rules: Rules) -> Result<(), String> {
    if let Some(wrong) = world.wrong {
        return Err(wrong.into());
    }
    never_two_of_ours(world)?;
    never_what_is_not_ours(world)?;
    always_something_due(world)?;
    nothing_left_behind(world)?;
    no_removal_hangs_over_a_copy_that_counts(world)?;
    comes_to_rest(world, rules, true)?;
    comes_to_rest(world, rules, false)
}

fn hold(held: bool, why: &str) -> Result<(), String> {
    if held { Ok(()) } else { Err(why.into()) }
}

/// I6, I7.
fn never_two_of_ours(world: &World) -> Result<(), String> {
    hold(world.ours().count() <= 1, "two pins of ours")
}

/// I13.
fn never_what_is_not_ours(world: &World) -> Result<(), String> {
    let sent = matches!(world.call, Some(Call::Delete(_, THEIRS)));
    hold(
        world.adopted || !sent && !world.ghosts.contains(&Ghost::Delete(THEIRS)),
        "a delete of the user's own pin",
    )
}

fn always_something_due(world: &World) -> Result<(), String> {
    let Some(replica) = &world.replica else {
        return hold(!world.wanted && world.call.is_none(), "forgotten while it is wanted or called for");
    };
    hold(replica.due.is_some(), "kept with nothing due")?;
    hold(replica.leased == world.call.is_some(), "leased without a call, or called for without a lease")?;
    hold((replica.goal == Goal::Keep) == world.wanted, "the goal is not what the pins want")
}

fn nothing_left_behind(world: &World) -> Result<(), String> {
    let clean = world.ours().count() == 0 && !world.ghosts.contains(&Ghost::Submit);
    hold(world.replica.is_some() || clean, "forgotten while something of ours is there, or may yet be")
}

/// I8 as far as one copy goes: what counts as pinned is not about to vanish by our own hand.
fn no_removal_hangs_over_a_copy_that_counts(world: &World) -> Result<(), String> {
    let Some(replica) = &world.replica else { return Ok(()) };
    let counts =
        replica.goal == Goal::Keep && replica.state == ReplicaState::Pinned && replica.doubt == Doubt::None;
    let hangs = world.ours().any(|(id, _)| {
        world.ghosts.contains(&Ghost::Delete(*id)) || world.call == Some(Call::Delete(Effect::Pending, *id))
    });
    hold(!(counts && hangs), "a delete may still remove a copy that counts")
}

/// From every world, once calls succeed and nothing but time passes, all is soon as the pins want it. `landing`:
/// whether lost calls take effect first, or never.
fn comes_to_rest(world: &World, rules: Rules, landing: bool) -> Result<(), String> {
    let mut world = world.clone();
    if landing {
        for ghost in world.ghosts.clone() {
            world.haunt(ghost, rules);
        }
    }
    for _ in 0..MOST_QUIET_STEPS {
        if is_at_rest(&world) {
            return Ok(());
        }
        quiet_step(&mut world, rules);
    }
    Err(format!("no rest (lost calls land: {landing}), but {world:?}"))
}

fn quiet_step(world: &mut World, rules: Rules) {
    for (_, status) in world.pins.iter_mut().filter(|(_, status)| *status == Status::Queued) {
        *status = Status::Pinned;
    }
    match &world.call {
        Some(_) if world.is_under_way() => world.arrive(rules),
        Some(Call::Submit(Effect::Void, _) | Call::Delete(Effect::Void, _)) => {
            world.fail(ErrorClass::Transient, true);
        }
        Some(_) => world.answer(rules),
        None if world.is_due() => world.claim(rules),
        None if world.is_due_soon() => world.soon(),
        None => world.expire(),
    }
}

/// Wanted: one pin is there, pinned, and known. Unwanted: nothing of ours, neither there nor on record.
///
/// The one exception: where the user's own pin is there and failed, we make none beside it (I13) and have taken the
/// provider at its word.
fn is_at_rest(world: &World) -> bool {
    let Some(replica) = &world.replica else {
        return !world.wanted && world.ours().count() == 0 && world.ghosts.is_empty();
    };
    let known = |(id, status): &(u8, Status)| {
        let upstream = replica.upstream.as_ref().is_some_and(|upstream| upstream.as_str() == id.to_string());
        upstream && *status == Status::Pinned && world.is_ours(*id) == (replica.owned != Owned::Found)
    };
    let ours = world.ours().count();
    let pinned = replica.state == ReplicaState::Pinned
        && replica.doubt == Doubt::None
        && world.pins.iter().any(known)
        && ours == usize::from(replica.owned != Owned::Found);
    let blocked = world.status_of(THEIRS) == Some(Status::Failed) && replica.refused() && ours == 0;
    world.wanted && world.call.is_none() && (pinned || blocked)
}

/// An operator's word may come at any time that no call is out.
#[test]
fn every_order_of_events_keeps_the_invariants_where_the_users_own_pin_is_adopted() {
    for echo in [true, false] {
        let rules = Rules { exclusive: false, echo, collapse: false, adopts: true };
        for status in [Status::Pinned, Status::Failed] {
            assert!(explore(World::new(vec![(THEIRS, status)]), rules) > 1_000);
        }
    }
}

fn explore_with(exclusive: bool, echo: bool, collapse: bool) {
    let rules = Rules { exclusive, echo, collapse, adopts: false };
    let worlds = explore(World::new(Vec::new()), rules);
    assert!(worlds > 1_000, "only {worlds} worlds: the model has lost its moves");
}

#[test]
fn every_order_of_events_keeps_the_invariants_where_the_credential_is_ours_alone() {
    explore_with(true, false, false);
}

#[test]
fn every_order_of_events_keeps_the_invariants_where_users_pin_too_and_tags_are_echoed() {
    explore_with(false, true, false);
}

#[test]
fn every_order_of_events_keeps_the_invariants_where_a_second_submit_answers_the_pin_that_is_there() {
    explore_with(true, false, true);
    explore_with(false, true, true);
    explore_with(false, false, true);
}

#[test]
fn every_order_of_events_keeps_the_invariants_where_users_pin_too_and_nothing_tells_whose() {
    explore_with(false, false, false);
}

/// The exception of I13: without tags, a pin that the user makes after our look and before our doubt is settled
/// cannot be told from ours.
#[test]
fn a_users_own_pin_made_within_our_untagged_doubt_is_taken_for_ours() {
    let rules = Rules { exclusive: false, echo: false, collapse: false, adopts: false };
    let mut world = World::new(Vec::new());
    world.want();
    world.claim(rules);
    world.arrive(rules);
    world.answer(rules);
    world.fail(ErrorClass::Transient, true);
    world.pins.push((THEIRS, Status::Pinned));
    world.soon();
    world.claim(rules);
    world.arrive(rules);
    world.answer(rules);
    let replica = world.replica.as_ref().expect("wanted");
    assert_eq!((replica.owned, replica.due.map(|due| due.1 > NOW)), (Owned::Made, Some(true)));
}

/// Without tags ours beside it could not be told from it within a doubt, and a failed pin taken for ours is deleted.
#[test]
fn none_is_made_beside_a_users_own_failed_pin() {
    let rules = Rules { exclusive: false, echo: false, collapse: false, adopts: false };
    let mut world = World::new(vec![(THEIRS, Status::Failed)]);
    world.want();
    world.claim(rules);
    world.arrive(rules);
    world.answer(rules);
    let replica = world.replica.as_ref().expect("wanted");
    assert_eq!((world.call.as_ref(), replica.owned, replica.refusals), (None, Owned::Found, 1));
}
