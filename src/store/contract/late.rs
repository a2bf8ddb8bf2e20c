//! Copies that take longer than their policy waits.

use std::time::Duration;

use super::{Backend, house::*};
use crate::{
    model::*,
    policy::{Deadlines, Late},
    store::*,
};

const MINUTE: i64 = 60_000;

/// Policy `one` waits ten minutes for a copy to begin, and twenty for it to be pinned.
async fn impatient<B: Backend>(late: Late) -> House<B> {
    let mut house = House::<B>::open().await;
    let mut hasty = config();
    let minutes = |minutes: u64| Some(Duration::from_secs(60 * minutes));
    hasty.policies[0].deadlines = Deadlines { queued: minutes(10), pinning: minutes(20) };
    hasty.policies[0].late = late;
    house.register(hasty, t(0)).await.unwrap();
    house
}

/// Takes up all that is late.
async fn late<B: Backend>(house: &House<B>, now: i64) -> (u64, Option<Timestamp>) {
    let step = house.store().note_late(t(now), 1000).await.unwrap();
    house.drain(t(now)).await;
    (step.replicas, step.next)
}

fn queued(claim: &Claim) -> Word {
    landed(claim, Status::Queued)
}

async fn see<B: Backend>(house: &House<B>, status: Status, now: i64) {
    for claim in house.claim(0, t(now)).await {
        house.say(&claim, Word::Seen { status, delegates: Vec::new(), why: None }, t(now)).await;
    }
}

pub(in crate::store) async fn a_copy_that_is_late_goes_to_the_next_provider<B: Backend>() {
    let house = impatient::<B>(Late::Keep).await;
    let pin = house.add(0, "one", 1, t(0)).await;
    for claim in house.claim(0, t(0)).await {
        house.say(&claim, queued(&claim), t(0)).await;
    }
    assert_eq!(late(&house, 10 * MINUTE - 1).await, (0, Some(t(10 * MINUTE))));
    see(&house, Status::Pinning, 10 * MINUTE - 1).await;
    assert_eq!(late(&house, 10 * MINUTE).await.0, 1, "it was said before it was pinning");
    assert_eq!(house.places(pin).await, ["x"], "it has another while for that");
    assert_eq!(late(&house, 30 * MINUTE).await.0, 1);
    assert_eq!(house.places(pin).await, ["x", "y"]);
    house.serve(1, t(31 * MINUTE), well).await;
    assert_eq!((house.status(pin).await, house.pin(pin).await.have), (Status::Pinned, 1));
    house.backend.check().await;
}

pub(in crate::store) async fn a_late_copy_that_comes_after_all_stays_or_goes_by_policy<B: Backend>() {
    for (policy, places) in [(Late::Keep, ["x", "y"].as_slice()), (Late::Remove, &["y"])] {
        let house = impatient::<B>(policy).await;
        let pin = house.add(0, "one", 1, t(0)).await;
        for claim in house.claim(0, t(0)).await {
            house.say(&claim, queued(&claim), t(0)).await;
        }
        late(&house, 10 * MINUTE).await;
        house.serve(1, t(11 * MINUTE), well).await;
        house.serve(1, t(DAY), well).await;
        assert_eq!(house.places(pin).await, places, "{policy:?}");
        house.backend.check().await;
    }
}

pub(in crate::store) async fn late_copies_are_taken_up_a_limit_at_a_time<B: Backend>() {
    let mut house = impatient::<B>(Late::Keep).await;
    for n in 0..5 {
        house.add(0, "one", n, t(n.cast_signed())).await;
    }
    let store = house.store();
    let step = store.note_late(t(20 * MINUTE), 2).await.unwrap();
    assert_eq!((step.replicas, step.next), (2, Some(t(10 * MINUTE + 2))));
    house.crash(t(20 * MINUTE)).await;
    assert_eq!(late(&house, 20 * MINUTE).await.0, 3);
    assert_eq!(house.claim(1, t(21 * MINUTE)).await.len(), 5, "those before the crash are not forgotten");
}
