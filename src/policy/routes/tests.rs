use proptest::prelude::*;

use super::*;
use crate::model::{Origins, PinCid};

const PB: &str = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n";
const RAW: &str = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";

const ADA: Sender<'_> =
    Sender { account: "ada", policy: "own", meta_controls: false, token: Some("laptop"), policies: &[] };

fn route(name: &str, policy: &str, when: When) -> Route {
    Route { name: name.into(), when, policy: policy.into() }
}

fn routes<const N: usize>(routes: [Route; N]) -> Routes {
    Routes::new(routes.into()).unwrap()
}

fn globs(pattern: &str) -> Vec<Glob> {
    vec![Glob::new(pattern).unwrap()]
}

fn meta(pairs: &[(&str, &str)]) -> Option<Meta> {
    let pairs = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Some(Meta::try_new(pairs.collect()).unwrap())
}

fn pin(cid: &str) -> PinSpec {
    PinSpec::bare(PinCid::parse(cid).unwrap())
}

fn chosen(when: When, sender: &Sender<'_>, pin: &PinSpec) -> bool {
    let routes = routes([route("one", "led", when)]);
    let choice = routes.choose(sender, pin).unwrap();
    let because = routes.tried(sender, pin).remove(0).because;
    assert_eq!(because.is_empty(), choice.by == Chooser::Route(0), "what is explained is what is done");
    choice.policy == "led"
}

#[test]
fn each_condition_tells_pins_apart() {
    let named = |name: &str| PinSpec { name: Some(name.into()), ..pin(PB) };
    let kept = |value: &str| PinSpec { meta: meta(&[("keep", value)]), ..pin(PB) };
    let with_origins = PinSpec { origins: Origins::keep_usable(["/ip4/8.8.8.8/tcp/1".into()]), ..pin(PB) };
    let cases: [(When, &PinSpec, &PinSpec); 6] = [
        (When { names: globs("photo-*"), ..When::default() }, &named("photo-1"), &named("a photo-1")),
        (When { names: globs("*"), ..When::default() }, &named(""), &pin(PB)),
        (When { meta: vec![("keep".into(), globs("y*"))], ..When::default() }, &kept("yes"), &kept("no")),
        (When { meta: vec![("keep".into(), globs("*"))], ..When::default() }, &kept(""), &pin(PB)),
        (When { codecs: vec![Codec::new(0x55)], ..When::default() }, &pin(RAW), &pin(PB)),
        (When { origins: Some(true), ..When::default() }, &with_origins, &pin(PB)),
    ];
    for (when, yes, no) in cases {
        assert!(chosen(when.clone(), &ADA, yes), "{when:?}");
        assert!(!chosen(when.clone(), &ADA, no), "{when:?}");
    }
    let without = When { origins: Some(false), ..When::default() };
    assert!(chosen(without.clone(), &ADA, &pin(PB)) && !chosen(without, &ADA, &with_origins));
}

#[test]
fn accounts_and_tokens_are_known_by_their_names() {
    let of = |account: &str| When { accounts: vec!["x".into(), account.into()], ..When::default() };
    assert!(chosen(of("ada"), &ADA, &pin(PB)) && !chosen(of("ben"), &ADA, &pin(PB)));
    let by = When { tokens: vec!["laptop".into()], ..When::default() };
    assert!(chosen(by.clone(), &ADA, &pin(PB)));
    assert!(!chosen(by.clone(), &Sender { token: Some("phone"), ..ADA }, &pin(PB)));
    assert!(!chosen(by, &Sender { token: None, ..ADA }, &pin(PB)));
}

#[test]
fn all_conditions_must_hold_and_of_meta_all_keys() {
    let when = When {
        names: globs("a*"),
        meta: vec![("k".into(), globs("1")), ("l".into(), globs("*"))],
        ..When::default()
    };
    let both = PinSpec { name: Some("a".into()), meta: meta(&[("k", "1"), ("l", "")]), ..pin(PB) };
    assert!(chosen(when.clone(), &ADA, &both));
    assert!(!chosen(when.clone(), &ADA, &PinSpec { name: None, ..both.clone() }));
    assert!(!chosen(when, &ADA, &PinSpec { meta: meta(&[("k", "1")]), ..both }));
}

#[test]
fn the_first_route_that_fits_counts_and_the_rest_is_not_tried() {
    let first = route("raws", "cheap", When { codecs: vec![Codec::new(0x55)], ..When::default() });
    let routes =
        routes([first, route("rest", "good", When::default()), route("never", "x", When::default())]);
    let choose = |pin: &PinSpec| routes.choose(&ADA, pin).unwrap().by;
    assert_eq!((choose(&pin(RAW)), choose(&pin(PB))), (Chooser::Route(0), Chooser::Route(1)));
    let spec = pin(PB);
    let tried = routes.tried(&ADA, &spec);
    assert_eq!(tried.len(), 2);
    assert_eq!(tried[0].because, ["the codec is dag-pb, not raw"]);
}

#[test]
fn without_a_route_the_tokens_first_policy_counts_and_then_the_accounts() {
    let listed = ["one".to_owned(), "two".to_owned()];
    let choose = |policies| {
        let (routes, spec, sender) = (Routes::default(), pin(PB), Sender { policies, ..ADA });
        let Choice { policy, by } = routes.choose(&sender, &spec).unwrap();
        (policy.to_owned(), by)
    };
    assert_eq!(choose(&[]), ("own".into(), Chooser::Account));
    assert_eq!(choose(&listed), ("one".into(), Chooser::Token));
}

#[test]
fn no_route_leads_a_token_beyond_its_list() {
    let listed = ["one".to_owned(), "two".to_owned()];
    let sender = Sender { policies: &listed, ..ADA };
    let routes = routes([route("all", "gold", When::default()), route("two", "two", When::default())]);
    assert_eq!(routes.choose(&sender, &pin(PB)).unwrap().by, Chooser::Route(1));
    assert_eq!(routes.tried(&sender, &pin(PB))[0].because, ["the token may not use gold, only one or two"]);
    assert_eq!(routes.choose(&ADA, &pin(PB)).unwrap().by, Chooser::Route(0));
}

#[test]
fn a_client_may_ask_for_what_its_token_lists_before_any_route() {
    let listed = ["one".to_owned(), "two".to_owned()];
    let routes = routes([route("all", "one", When::default())]);
    let asks = |policy: &str| PinSpec { meta: meta(&[("policy", policy)]), ..pin(PB) };
    let sender = Sender { meta_controls: true, policies: &listed, ..ADA };
    let two = asks("two");
    let choice = routes.choose(&sender, &two).unwrap();
    assert_eq!(choice, Choice { policy: "two", by: Chooser::Client });
    assert!(routes.tried(&sender, &two).is_empty());
    for wrong in ["gold", "", "own"] {
        let why = routes.choose(&sender, &asks(wrong)).unwrap_err().to_string();
        assert!(why.contains("send one of one, two,"), "{why}");
    }
}

#[test]
fn without_a_list_a_client_may_ask_for_the_accounts_own_policy_only() {
    let asks = |policy: &str| PinSpec { meta: meta(&[("policy", policy)]), ..pin(PB) };
    let (own, led) = (asks("own"), asks("led"));
    let routes = routes([route("all", "led", When::default())]);
    let sender = Sender { meta_controls: true, ..ADA };
    assert_eq!(routes.choose(&sender, &own).unwrap().by, Chooser::Client);
    assert_eq!(routes.choose(&sender, &led).unwrap_err().allowed, ["own"]);
}

#[test]
fn without_meta_controls_a_policy_in_meta_is_plain_meta() {
    let spec = PinSpec { meta: meta(&[("policy", "gold")]), ..pin(PB) };
    assert_eq!(Routes::default().choose(&ADA, &spec).unwrap().by, Chooser::Account);
    let when = When { meta: vec![("policy".into(), globs("gold"))], ..When::default() };
    assert!(chosen(when, &ADA, &spec), "a route may go by it");
}

proptest! {
    #[test]
    fn what_is_chosen_is_always_allowed(
        wanted in prop::collection::vec(0..4usize, 0..6),
        listed in prop::collection::vec(0..4usize, 0..3),
        asked in prop::option::of(0..5usize),
        meta_controls: bool,
    ) {
        let names = ["a", "b", "own", "d", "nobody's"];
        let routes = Routes::new(wanted.iter().map(|n| route("r", names[*n], When::default())).collect()).unwrap();
        let policies: Vec<String> = listed.iter().map(|n| names[*n].to_owned()).collect();
        let sender = Sender { meta_controls, policies: &policies, ..ADA };
        let spec = PinSpec { meta: asked.and_then(|n| meta(&[("policy", names[n])])), ..pin(PB) };
        if let Ok(choice) = routes.choose(&sender, &spec) {
            prop_assert!(policies.is_empty() || policies.iter().any(|policy| policy == choice.policy));
        } else {
            prop_assert!(meta_controls && asked.is_some());
        }
    }
}
