//! What grows old is forgotten in the background.

use super::world::*;
use crate::store::{EventPage, EventQuery};

async fn events(world: &World) -> EventPage {
    let query = EventQuery { limit: EventQuery::MAX_LIMIT, ..EventQuery::default() };
    world.inside().store.events(query).await.unwrap()
}

#[tokio::test]
async fn events_are_kept_for_ninety_days() {
    let mut world = World::of(1).start().await;
    world.add(1).await;
    world.add(2).await;
    world.settle().await;
    let told = events(&world).await.events;
    assert_eq!(told.len(), 2, "each was pinned: {told:?}");
    world.clock.set(told[0].at.plus(90 * DAY));
    world.step().await;
    assert_eq!(events(&world).await.events.len(), 2);
    world.clock.set(told[1].at.plus(90 * DAY + MINUTE));
    world.step().await;
    assert_eq!(events(&world).await.events, told[1..], "the newest one stays");
    world.end().await;
}
