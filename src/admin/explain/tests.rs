//! Stories that the store could tell, and what is made of them.

use super::*;
use crate::{
    model::*,
    policy::{Copies, Policy, Proof},
    store::PinRecord,
};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn provider(id: i64, name: &str) -> ProviderRecord {
    ProviderRecord {
        id: ProviderId(id),
        name: name.into(),
        fingerprint: Fingerprint::new(name, None),
        mode: Mode::Active,
        health: Health::Healthy,
        health_since: NOW,
        absent_since: None,
        blocked_until: None,
        proven: None,
        facts: Default::default(),
        allow_fewer: false,
        proof: ProofRecord::default(),
        swept_at: None,
        audited_at: None,
        audits_from: None,
        orphans: 0,
        unplanned: false,
    }
}

fn replica(provider: i64) -> Replica {
    Replica::new(ReplicaId(provider), ProviderId(provider), ContentId(1), NOW)
}

/// A pin that wants two copies of `x`, `y` and `z`, in this order.
fn story(copies: Vec<CopyStory>, change: impl FnOnce(&mut [ProviderRecord])) -> PinStory {
    let mut providers: Vec<_> = (1..).zip(["x", "y", "z"]).map(|(id, name)| provider(id, name)).collect();
    change(&mut providers);
    let names = ["x", "y", "z"].map(String::from).to_vec();
    let policy = Policy::plain("p", Copies { min: 2, max: 2 }, 1, names);
    let cid = PinCid::parse("QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n").unwrap();
    PinStory {
        account: (AccountId(1), "ada".into()),
        pin: PinRecord {
            requestid: RequestId::mint(NOW),
            status: Status::Queued,
            created: NOW,
            cid: cid.as_str().into(),
            name: None,
            meta: Some(r#"{"app":"x"}"#.into()),
            origins: None,
            adopted: None,
            have: 0,
            want: 2,
            need: 1,
            copies: Vec::new(),
            unfit: None,
            answered: true,
            delegates: Default::default(),
            expires: Some(NOW.plus(std::time::Duration::from_secs(60))),
        },
        content: cid.content().clone(),
        accepted: NOW,
        was_pinned: false,
        views: policy.views(&providers, NOW),
        policy,
        revision: 1,
        newest_revision: 1,
        copies,
        providers,
    }
}

fn own(replica: Replica) -> CopyStory {
    CopyStory { replica, held_since: None, pins: 1, proved: None }
}

#[test]
fn every_provider_of_the_policy_is_told_of_with_its_reason() {
    let story = story(vec![own(replica(1)), own(replica(2))], |_| {});
    let told = explained(&story, NOW);
    assert_eq!((&told["account"], &told["meta"]["app"]), (&json!("ada"), &json!("x")));
    assert_eq!(told["expires"], "2023-11-14T22:14:20.000Z");
    let first = &told["copies"][0];
    assert_eq!(
        (&first["provider"], &first["counts"], &first["owned"]),
        (&json!("x"), &json!(true), &json!("made"))
    );
    assert!(first["why"].as_str().unwrap().starts_with("1 of 3"), "{first}");
    assert_eq!(told["others"].as_array().map(Vec::len), Some(1));
    assert_eq!(told["others"][0]["why"], "those before it are enough");
}

#[test]
fn a_provider_that_is_to_get_a_copy_is_told_from_one_that_cannot() {
    let ill = |providers: &mut [ProviderRecord]| {
        providers[1].health = Health::Down;
        providers[2].mode = Mode::Readonly;
    };
    let told = explained(&story(vec![own(replica(1))], ill), NOW);
    let why = |n: usize| told["others"][n]["why"].as_str().unwrap().to_owned();
    assert_eq!(
        (why(0), why(1)),
        (
            "would get a copy next, but is of no use now: `pinfold provider ls` tells why".into(),
            "is set to get nothing new".into()
        )
    );
    let told = explained(&story(vec![own(replica(1))], |_| {}), NOW);
    assert_eq!(told["others"][0]["why"], "gets a copy next");
}

#[test]
fn a_copy_tells_its_last_error_its_doubt_and_what_is_next() {
    let failed = Replica {
        attempt: 4,
        tries: 3,
        error: Some(crate::model::replica::ReplicaError {
            class: ErrorClass::Transient,
            text: "503: busy".into(),
        }),
        doubt: Doubt::Submit,
        doubt_until: Some(NOW),
        upstream: UpstreamId::new("up-1"),
        ..replica(1)
    };
    let told = explained(&story(vec![own(failed.clone())], |_| {}), NOW);
    let copy = &told["copies"][0];
    assert_eq!((&copy["error"]["text"], &copy["doubt"]["of"]), (&json!("503: busy"), &json!("submit")));
    assert_eq!(
        (&copy["attempts"], &copy["tries"], &copy["counts"]),
        (&json!(4), &json!(3), &json!(false)),
        "stalled"
    );
    assert_eq!((&copy["upstream"], &copy["next"]["what"]), (&json!("up-1"), &json!("submit")));
    assert!(copy["next"]["words"].as_str().unwrap().starts_with("it is looked up"), "{copy}");
    let leased = Replica { leased: true, ..failed.clone() };
    let told = explained(&story(vec![own(leased)], |_| {}), NOW);
    let next = &told["copies"][0]["next"];
    assert_eq!((&next["words"], &next["at"]), (&json!("a call is under way"), &Value::Null));
    let poor = |providers: &mut [ProviderRecord]| providers[0].health = Health::NoFunds;
    let told =
        explained(&story(vec![own(failed.clone())], poor), NOW.plus(std::time::Duration::from_secs(9)));
    let next = &told["copies"][0]["next"];
    assert_eq!(
        (&next["at"], &next["due_since"]),
        (&Value::Null, &json!("2023-11-14T22:13:20.000Z")),
        "no time is told that is past"
    );
    assert!(next["words"].as_str().unwrap().contains("takes pins again, which asks for payment"), "{next}");
    let gone = |providers: &mut [ProviderRecord]| providers[0].absent_since = Some(NOW);
    let told = explained(&story(vec![own(failed)], gone), NOW);
    assert!(told["copies"][0]["next"]["words"].as_str().unwrap().contains("gone from the config"));
}

#[test]
fn what_a_pin_has_is_the_copies_that_count_and_each_that_does_not_says_why() {
    let pinned = |provider| own(Replica { state: ReplicaState::Pinned, ..replica(provider) });
    let asks = |providers: &mut [ProviderRecord], proof: Proof| {
        let mut story = story(vec![pinned(1), pinned(2)], |_| {});
        story.policy.proof = proof;
        story.views = story.policy.views(providers, NOW);
        story.providers = providers.to_vec();
        explained(&story, NOW)
    };
    let mut providers = vec![provider(1, "x"), provider(2, "y"), provider(3, "z")];
    providers[0].proof.state = ProofState::Unproven;
    let told = asks(&mut providers, Proof::Required);
    assert_eq!((&told["have"], &told["copies"][0]["counts"]), (&json!(1), &json!(false)));
    assert_eq!(told["copies"][0]["counts_not_because"], "did not serve what it says is pinned");
    let told = asks(&mut providers, Proof::Ignore);
    assert_eq!((&told["have"], &told["copies"][0]["counts"]), (&json!(2), &json!(true)));
    providers[0].mode = Mode::Draining;
    let told = asks(&mut providers, Proof::Ignore);
    let first = &told["copies"][0];
    assert_eq!(
        (&told["have"], &first["counts"], &first["is_to_be_replaced"]),
        (&json!(2), &json!(true), &json!(true))
    );
    assert_eq!(told["others"][0]["why"], "gets a copy next");
}

#[test]
fn a_held_copy_is_none_of_its_own() {
    let held = CopyStory { held_since: Some(NOW), ..own(replica(1)) };
    let told = explained(&story(vec![held], |_| {}), NOW);
    let copy = &told["copies"][0];
    assert_eq!((&copy["counts"], copy["held_since"].is_string()), (&json!(false), true));
    assert!(copy["why"].as_str().unwrap().contains("replaced"));
    assert_eq!(told["others"].as_array().map(Vec::len), Some(3), "its provider may get one, too");
}
