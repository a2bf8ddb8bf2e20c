//! What a provider holds already becomes pins: once each, oldest first, and whatever happens meanwhile.

use super::{
    Backend,
    house::{DAY, House, cid, landed, t, upstream, well},
};
use crate::{model::*, policy::replica::Work, store::*};

fn id(text: &str) -> UpstreamId {
    UpstreamId::new(text).unwrap()
}

fn listed(upstream: &str, n: u64, name: &str, status: Status, created: i64) -> ListedPin {
    let name = Some(name.to_owned()).filter(|name| !name.is_empty());
    let spec = PinSpec { name, ..PinSpec::bare(cid(n)) };
    ListedPin { upstream: id(upstream), spec, is_cut: false, status, created: Some(t(created)) }
}

fn pinned(upstream: &str, n: u64, name: &str, created: i64) -> ListedPin {
    listed(upstream, n, name, Status::Pinned, created)
}

impl<B: Backend> House<B> {
    /// A job that adopts what the first provider has for the first account.
    async fn adoption(&self, policy: &str) -> Adoption {
        let job = NewJob {
            kind: JobKind::Adopt,
            provider: Some(self.providers[0]),
            account: Some(self.accounts[0]),
            terms: "{}".into(),
            by: None,
        };
        Adoption {
            job: self.store().create_job(job, t(0)).await.unwrap().id,
            provider: self.providers[0],
            account: self.accounts[0],
            policy: policy.into(),
            is_telling: true,
            is_dry: false,
        }
    }

    async fn stage(&self, adoption: &Adoption, pins: &[ListedPin], now: i64) -> u64 {
        self.store().stage_pins(adoption.clone(), pins.to_vec(), t(now)).await.unwrap()
    }

    async fn adopt(&self, adoption: &Adoption, now: i64) -> Adopted {
        self.other().adopt_pins(adoption.clone(), 100, t(now)).await.unwrap()
    }

    async fn staged(&self, adoption: &Adoption) -> Staged {
        self.other().staged(adoption.clone()).await.unwrap()
    }

    async fn end_job(&self, adoption: &Adoption) {
        self.store().command_job(adoption.job, JobCommand::Cancel, None, t(0)).await.unwrap();
    }

    /// The first account's pins, oldest first.
    async fn adopted_pins(&self) -> Vec<PinRecord> {
        let mut pins = self.list(0, StatusSet::ALL).await.pins;
        pins.reverse();
        pins
    }

    async fn names(&self) -> Vec<String> {
        self.adopted_pins().await.into_iter().filter_map(|pin| pin.name).collect()
    }

    async fn surplus(&self, now: i64) -> Vec<UpstreamId> {
        self.store().claim_surplus(self.providers[0], 9, t(now), t(now)).await.unwrap()
    }
}

pub(in crate::store) async fn what_is_listed_becomes_pins_the_oldest_first_with_their_copies<B: Backend>() {
    let house = House::<B>::open().await;
    let adoption = house.adoption("two").await;
    let page =
        [pinned("u3", 3, "c", -10), pinned("u1", 1, "a", -30), listed("u2", 2, "b", Status::Queued, -20)];
    assert_eq!(house.stage(&adoption, &page, 1).await, 3);
    assert_eq!(house.adopt(&adoption, 2).await, Adopted { decided: 3, made: 3, waiting: 0, doubles: 0 });
    assert_eq!(house.adopt(&adoption, 2).await, Adopted::default());
    let pins = house.adopted_pins().await;
    assert_eq!(house.names().await, ["a", "b", "c"]);
    let times: Vec<_> = pins.iter().map(|pin| (pin.created, pin.adopted)).collect();
    // I3: by our own clock.
    assert_eq!(times, [(t(2), Some(t(-30))), (t(3), Some(t(-20))), (t(4), Some(t(-10)))]);
    let statuses: Vec<_> = pins.iter().map(|pin| pin.status).collect();
    assert_eq!(statuses, [Status::Pinned, Status::Queued, Status::Pinned]);
    // Nothing is sent again there; the second copies are asked for elsewhere.
    assert!(house.claim(0, t(3)).await.is_empty());
    assert_eq!(house.claim(1, t(3)).await.len(), 3);
    house.backend.check().await;
}

/// I13: by the operator's word they are ours to remove.
pub(in crate::store) async fn adopted_copies_go_with_their_last_pin<B: Backend>() {
    let house = House::<B>::open().await;
    let adoption = house.adoption("one").await;
    house.stage(&adoption, &[pinned("u1", 1, "a", 0)], 1).await;
    house.adopt(&adoption, 1).await;
    let pin = house.adopted_pins().await[0].requestid;
    assert!(house.delete(0, pin, t(2)).await);
    let claims = house.claim(0, t(3)).await;
    assert_eq!(claims[0].work, Work::Delete(id("u1")));
}

pub(in crate::store) async fn adopting_twice_and_over_crashes_makes_each_pin_once<B: Backend>() {
    let mut house = House::<B>::open().await;
    let adoption = house.adoption("one").await;
    let page: Vec<_> = (1..=5).map(|n| pinned(&format!("u{n}"), n, &format!("n{n}"), n as i64)).collect();
    assert_eq!(house.stage(&adoption, &page[..3], 1).await, 3);
    house.crash(t(2)).await;
    assert_eq!(house.stage(&adoption, &page, 3).await, 2);
    let some = house.store().adopt_pins(adoption.clone(), 2, t(4)).await.unwrap();
    assert_eq!(some.decided, 2);
    house.crash(t(5)).await;
    assert_eq!(house.adopt(&adoption, 6).await.decided, 3);
    assert_eq!(house.stage(&adoption, &page, 7).await, 0);
    house.end_job(&adoption).await;
    let again = house.adoption("one").await;
    house.stage(&again, &page, 8).await;
    assert_eq!(house.adopt(&again, 9).await, Adopted::default());
    let holders = vec![(super::house::ACCOUNTS[0].to_owned(), 5)];
    assert_eq!(house.staged(&again).await, Staged { both: 5, holders, ..Staged::default() });
    assert_eq!(house.names().await, ["n1", "n2", "n3", "n4", "n5"]);
    house.backend.check().await;
}

/// I6: one stands for the copy, the best; no name is lost.
pub(in crate::store) async fn further_pins_of_one_content_become_pins_of_one_copy<B: Backend>() {
    let house = House::<B>::open().await;
    let adoption = house.adoption("one").await;
    let page = [
        listed("u1", 1, "a", Status::Queued, 1),
        pinned("u2", 1, "b", 2),
        pinned("u3", 1, "c", 3),
        pinned("u4", 1, "c", 4),
    ];
    house.stage(&adoption, &page, 1).await;
    assert_eq!(house.adopt(&adoption, 2).await, Adopted { decided: 4, made: 3, waiting: 0, doubles: 3 });
    assert_eq!(house.names().await, ["a", "b", "c"]);
    let staged = house.staged(&adoption).await;
    assert_eq!((staged.made, staged.had, staged.both, staged.doubles), (3, 1, 0, 3));
    assert!(house.adopted_pins().await.iter().all(|pin| pin.status == Status::Pinned));
    let mut surplus = house.surplus(3).await;
    surplus.sort_by_key(|id| id.as_str().to_owned());
    assert_eq!(surplus, [id("u1"), id("u3"), id("u4")]);
    house.end_job(&adoption).await;
    let again = house.adoption("one").await;
    house.stage(&again, &page, 4).await;
    assert_eq!(house.staged(&again).await.both, 4);
    house.backend.check().await;
}

/// I8: what a list said that is not believed is looked at before anything beside it goes.
pub(in crate::store) async fn a_double_goes_only_beside_one_that_is_confirmed<B: Backend>() {
    let house = House::<B>::open().await;
    let adoption = Adoption { is_telling: false, ..house.adoption("one").await };
    house.stage(&adoption, &[pinned("u1", 1, "a", 1), pinned("u2", 1, "b", 2)], 1).await;
    house.adopt(&adoption, 2).await;
    assert!(house.surplus(3).await.is_empty());
    let looks = house.claim(0, t(DAY)).await;
    assert_eq!(looks[0].work, Work::See(id("u1")));
    house.say(&looks[0], well(&looks[0]), t(DAY)).await;
    assert_eq!(house.surplus(DAY + 1).await, [id("u2")]);
}

pub(in crate::store) async fn what_was_found_there_becomes_adopted_and_its_pin_is_not_doubled<B: Backend>() {
    let house = House::<B>::open().await;
    let pin = house.add(0, "one", 1, t(1)).await;
    let looking = ClaimRequest { exclusive: false, ..house.due(0, t(2)) };
    let claims = house.store().claim_due(looking).await.unwrap().claims;
    let found = Word::Found {
        upstream: id("u1"),
        status: Status::Pinned,
        delegates: vec![],
        ours: false,
        doubles: vec![],
    };
    house.say(&claims[0], found, t(3)).await;
    let adoption = house.adoption("one").await;
    house.stage(&adoption, &[pinned("u1", 1, "", 1)], 4).await;
    assert_eq!(house.adopt(&adoption, 5).await.decided, 1);
    let staged = house.staged(&adoption).await;
    assert_eq!((staged.had, staged.doubles, house.list(0, StatusSet::ALL).await.count), (1, 0, 1));
    house.delete(0, pin, t(6)).await;
    assert_eq!(house.claim(0, t(7)).await[0].work, Work::Delete(id("u1")));
    house.backend.check().await;
}

pub(in crate::store) async fn a_pin_that_a_client_made_meanwhile_is_not_doubled<B: Backend>() {
    let house = House::<B>::open().await;
    let adoption = house.adoption("one").await;
    house.stage(&adoption, &[pinned("u1", 1, "", 1), pinned("u2", 2, "", 2)], 1).await;
    let pin = house.add(0, "one", 1, t(2)).await;
    house.serve(0, t(3), well).await;
    assert_eq!(house.adopt(&adoption, 4).await, Adopted { decided: 2, made: 1, waiting: 0, doubles: 1 });
    let pins = house.adopted_pins().await;
    assert_eq!((pins.len(), pins[0].requestid), (2, pin));
    // Ours was said to be pinned by its own submit only.
    assert!(house.surplus(5).await.is_empty());
    house.serve(0, t(DAY), well).await;
    assert_eq!(house.surplus(DAY + 1).await, [id("u1")]);
    house.backend.check().await;
}

pub(in crate::store) async fn what_a_client_deletes_meanwhile_does_not_come_back<B: Backend>() {
    let house = House::<B>::open().await;
    let (first, second) = (house.add(0, "one", 1, t(1)).await, house.add(0, "one", 2, t(1)).await);
    let claims = house.claim(0, t(2)).await;
    let ids: Vec<_> = claims.iter().map(|claim| upstream(claim).as_str().to_owned()).collect();
    for claim in &claims {
        house.say(claim, landed(claim, Status::Pinned), t(3)).await;
    }
    let adoption = house.adoption("one").await;
    let page = [pinned(&ids[0], 1, "old name", 1), pinned(&ids[1], 2, "old name", 2)];
    // One is staged before its removal, of the other one the list was read before and comes to be staged after it.
    assert_eq!(house.stage(&adoption, &page[..1], 4).await, 1);
    house.delete(0, first, t(5)).await;
    house.delete(0, second, t(5)).await;
    house.serve(0, t(6), well).await;
    assert_eq!(house.stage(&adoption, &page, 7).await, 0);
    assert_eq!(house.adopt(&adoption, 8).await, Adopted::default());
    assert_eq!(house.list(0, StatusSet::ALL).await.count, 0);
    house.backend.check().await;
}

/// I8: the one that stands for the copy is lost and nobody knows, but that it was not listed is known.
pub(in crate::store) async fn i8_what_was_listed_stands_for_a_copy_that_was_not<B: Backend>() {
    let house = House::<B>::open().await;
    let pin = house.add(0, "one", 1, t(1)).await;
    let claims = house.claim(0, t(2)).await;
    let ours = upstream(&claims[0]);
    house.say(&claims[0], landed(&claims[0], Status::Pinned), t(2)).await;
    let adoption = house.adoption("one").await;
    house.stage(&adoption, &[pinned("u1", 1, "theirs", 1)], 3).await;
    assert_eq!(house.adopt(&adoption, 4).await, Adopted { decided: 1, made: 1, waiting: 0, doubles: 0 });
    house.drain(t(4)).await;
    assert_eq!((house.status(pin).await, house.pin(pin).await.have), (Status::Pinned, 1));
    assert_eq!(house.surplus(5).await, [ours], "the listed one is kept");
    house.backend.check().await;
}

pub(in crate::store) async fn nothing_is_decided_on_while_a_call_is_under_way<B: Backend>() {
    let house = House::<B>::open().await;
    let adoption = house.adoption("one").await;
    house.add(0, "one", 1, t(1)).await;
    let claims = house.claim(0, t(2)).await;
    house.stage(&adoption, &[pinned("u1", 1, "theirs", 1)], 3).await;
    assert_eq!(house.adopt(&adoption, 4).await, Adopted { decided: 0, made: 0, waiting: 1, doubles: 0 });
    house.say(&claims[0], landed(&claims[0], Status::Queued), t(5)).await;
    assert_eq!(house.adopt(&adoption, 6).await, Adopted { decided: 1, made: 1, waiting: 0, doubles: 0 });
    house.drain(t(6)).await;
    let pins = house.adopted_pins().await;
    assert!(pins.len() == 2 && pins.iter().all(|pin| pin.status == Status::Pinned), "the pinned one stands");
    assert_eq!(house.surplus(7).await, [upstream(&claims[0])]);
    house.backend.check().await;
}

pub(in crate::store) async fn a_dry_run_counts_pins_and_copies_and_makes_nothing<B: Backend>() {
    let house = House::<B>::open().await;
    house.add(0, "two", 3, t(1)).await;
    house.serve(0, t(1), well).await;
    let adoption = Adoption { is_dry: true, ..house.adoption("two").await };
    let inline =
        ListedPin { spec: PinSpec::bare(PinCid::parse("bafkqaaa").unwrap()), ..pinned("u9", 9, "", 9) };
    let page = [
        pinned("u1", 1, "a", 1),
        pinned("u2", 1, "b", 2),
        ListedPin { is_cut: true, ..pinned("u3", 2, "c", 3) },
        pinned("u4", 3, "d", 4),
        inline,
    ];
    house.stage(&adoption, &page, 2).await;
    let compared = house.store().compare_copies(adoption.clone(), ContentId(0), 100).await.unwrap();
    assert_eq!(compared, Compared { ours_only: 1, next: None });
    while house.adopt(&adoption, 3).await.decided > 0 {}
    let counted = Staged { made: 4, inline: 1, cut: 1, doubles: 1, copies: 2, ..Staged::default() };
    assert_eq!(house.staged(&adoption).await, counted);
    assert_eq!((house.list(0, StatusSet::ALL).await.count, house.surplus(4).await.len()), (1, 0));
    assert_eq!(house.store().clear_staged(adoption.job, 3).await.unwrap(), 3);
    assert_eq!(house.store().clear_staged(adoption.job, 3).await.unwrap(), 2);
    house.backend.check().await;
}

pub(in crate::store) async fn what_a_cancelled_job_staged_is_forgotten<B: Backend>() {
    let house = House::<B>::open().await;
    let adoption = house.adoption("one").await;
    house.stage(&adoption, &[pinned("u1", 1, "", 1)], 1).await;
    assert_eq!(house.store().forget_jobs(t(0)).await.unwrap(), 0);
    house.end_job(&adoption).await;
    assert_eq!(house.store().forget_jobs(t(-1)).await.unwrap(), 1);
    assert_eq!(house.staged(&adoption).await, Staged::default());
}
