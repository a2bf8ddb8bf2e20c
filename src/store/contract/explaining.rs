//! Pins as operators see them.

use super::{Backend, house::*};
use crate::{model::*, store::*};

impl<B: Backend> House<B> {
    async fn story(&self, pin: RequestId) -> PinStory {
        self.other().explain_pin(pin, t(10)).await.unwrap().expect("the pin is there")
    }
}

pub(in crate::store) async fn a_pin_is_explained_whoever_has_it<B: Backend>() {
    let mut house = House::<B>::open().await;
    let pin = house.add(1, "both", 1, t(5)).await;
    house.add(0, "one", 1, t(6)).await;
    let claim = house.claim(0, t(7)).await.remove(0);
    house.say(&claim, landed(&claim, Status::Pinned), t(8)).await;
    let newer = policy("both", 1, 1, 1);
    let policies =
        config().policies.into_iter().map(|old| if old.name == "both" { newer.clone() } else { old });
    let config = Registration { policies: policies.collect(), ..config() };
    house.register(config, t(9)).await.unwrap();
    let story = house.story(pin).await;
    assert_eq!(story.account, (house.accounts[1], ACCOUNTS[1].to_owned()));
    assert_eq!((story.pin.status, story.pin.have, story.accepted), (Status::Pinning, 1, t(5)));
    assert_eq!((story.policy.copies.max, story.revision, story.newest_revision), (2, 1, 2));
    let [first, second] = story.copies.as_slice() else { panic!("{:?}", story.copies) };
    assert_eq!((first.replica.state, first.pins, first.held_since), (ReplicaState::Pinned, 2, None));
    assert_eq!(first.replica.upstream, Some(upstream(&claim)));
    assert_eq!((second.replica.state, second.pins), (ReplicaState::None, 1));
    assert_eq!(story.provider_of(second).map(|provider| &*provider.name), Some("y"));
    assert_eq!(story.providers.len(), 3);
    let counting = crate::policy::weigh(&story.own_copies(), &story.placement(t(10)), t(10));
    assert!(counting.len() == 2 && counting.iter().all(|own| own.counts));
}

pub(in crate::store) async fn a_pin_is_explained_with_the_copies_that_it_holds<B: Backend>() {
    let house = House::<B>::open().await;
    let old = house.add(0, "one", 1, t(1)).await;
    house.serve(0, t(2), well).await;
    let new = house.replace(old, "one", 2, t(3)).await.requestid;
    let held: Vec<_> = house.story(new).await.copies.iter().map(|copy| copy.held_since).collect();
    assert_eq!(held, [None, Some(t(3))]);
    assert_eq!(house.other().explain_pin(old, t(10)).await.unwrap(), None);
}
