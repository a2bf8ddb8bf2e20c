//! Routes, and who may choose by meta.

use super::*;
use crate::model::{Codec, Origins, PinCid, PinSpec};
use crate::policy::{Chooser, Sender, When};

const POLICIES: &str = "policies: [ { name: default, copies: 1 }, { name: archive, copies: 1 } ]\n";

fn routed(routes: &str) -> String {
    alpha(&format!("{POLICIES}routes:\n{routes}"))
}

fn warned(routes: &str) -> Vec<String> {
    let warnings = good(&routed(routes)).warnings;
    let of_routes = warnings.iter().filter(|warning| warning.path.starts_with("routes"));
    of_routes.map(|warning| warning.line("config.yaml")).collect()
}

const WHOLE: &str = r#"  - name: photos
    when:
      account: default
      token: [laptop, phone]
      name: ["photo-*", "?.jpg"]
      meta: { app: [camera, "scan*"], keep: "*" }
      codec: [raw, 0x71, 112]
      origins: false
    policy: archive
  - { name: rest, policy: default }
"#;

#[test]
fn every_condition_is_read_and_written_back() {
    let settings = good(&routed(WHOLE)).settings;
    let [photos, rest] = settings.routes.as_slice() else { panic!("{:?}", settings.routes) };
    let When { accounts, tokens, names, meta, codecs, origins } = &photos.when;
    assert_eq!((accounts.as_slice(), tokens.len(), names.len()), (["default".to_owned()].as_slice(), 2, 2));
    assert_eq!((meta[0].0.as_str(), meta[0].1.len(), meta[1].1[0].to_string()), ("app", 2, "*".to_owned()));
    assert_eq!(codecs, &[Codec::new(0x55), Codec::new(0x71), Codec::new(0x70)]);
    assert_eq!((*origins, photos.policy.as_str()), (Some(false), "archive"));
    assert!(rest.when.is_always());
    let shown = settings.effective();
    let again = read(&shown.replace("***", "x"), &environment([])).expect("what is shown can be read");
    assert_eq!(again.settings.routes, settings.routes);
}

#[test]
fn all_mistakes_of_routes_are_told_at_once_with_what_was_meant() {
    let wrong = r#"  - { name: one, when: { account: defualt, codec: dagpb }, policy: archiv }
  - { name: one, when: { names: "a*", origins: some, meta: app }, policy: archive }
  - { name: two, when: { name: [], meta: { app: [] } } }
"#;
    insta::assert_snapshot!(bad(&routed(wrong)), @r#"
    config.yaml:9:35: routes[0].when.account: there is no account of that name; did you mean `default`?
    config.yaml:9:51: routes[0].when.codec: no such codec; did you mean `dag-pb`?
    config.yaml:9:68: routes[0].policy: there is no policy of that name; did you mean `archive`?
    config.yaml:10:13: routes[1].name: routes[0] is called `one` too; give it another name
    config.yaml:10:26: routes[1].when.names: unknown key; did you mean `name`?
    config.yaml:10:48: routes[1].when.origins: neither true nor false; write true or false
    config.yaml:10:60: routes[1].when.meta: expected a map, found a single value; write keys and patterns of their values, such as meta: { app: "photos*", keep: "*" }
    config.yaml:11:5: routes[2]: `policy` is missing; write policy: and the name of one
    config.yaml:11:32: routes[2].when.name: names nothing, so that no pin would fit; write one value or a list of them, or remove the key: then any will do
    config.yaml:11:49: routes[2].when.meta.app: names nothing, so that no pin would fit; write one value or a list of them, or remove the key: then any will do
    "#);
}

#[test]
fn a_route_that_no_pin_comes_to_is_warned_of() {
    let rest = "  - { name: rest, policy: default }\n";
    let raws = "  - { name: raws, when: { codec: raw }, policy: archive }\n";
    assert_eq!(warned(&format!("{raws}{rest}")), [""; 0]);
    let told = warned(&format!("{rest}{raws}"));
    assert!(told.len() == 1 && told[0].contains("routes[1]: no pin comes to it: `rest`"), "{told:?}");
    let twice = warned(&format!("{raws}{}{rest}", raws.replace("name: raws", "name: again")));
    assert!(twice.len() == 1 && twice[0].contains("`raws` takes all"), "{twice:?}");
}

#[test]
fn a_route_is_reached_by_tokens_whose_lists_pass_the_others_by() {
    let routes = "  - { name: rest, policy: default }\n  - { name: next, policy: archive }\n";
    let source = routed(routes).replace("secret: t-laptop", "secret: t-laptop, policies: [archive]");
    let loaded = good(&source);
    assert!(loaded.warnings.iter().all(|warning| !warning.path.starts_with("routes")));
    let token = &loaded.settings.tokens[0];
    let sender = Sender {
        account: "default",
        policy: "default",
        meta_controls: false,
        token: Some(&token.name),
        policies: &token.policies,
    };
    let pin = PinSpec { origins: Origins::default(), ..PinSpec::bare(PinCid::parse("bafkqaaa").unwrap()) };
    assert_eq!(loaded.settings.routes.choose(&sender, &pin).unwrap().by, Chooser::Route(1));
}

#[test]
fn a_tokens_name_that_looks_like_a_slip_is_warned_of_and_any_other_is_taken() {
    let by = |token: &str| format!("  - {{ name: one, when: {{ token: {token} }}, policy: archive }}\n");
    let told = warned(&by("latpop"));
    assert!(told.len() == 1 && told[0].contains("did you mean `laptop`?"), "{told:?}");
    assert_eq!(warned(&by("made-later")), [""; 0]);
}

#[test]
fn there_are_no_more_routes_than_are_tried_for_a_pin() {
    let many: String = (0..=200)
        .map(|n| format!("  - {{ name: r{n}, when: {{ name: \"{n}\" }}, policy: archive }}\n"))
        .collect();
    assert!(
        bad(&routed(&many)).contains("routes: are 201, of which every pin tries each; write at most 200")
    );
}

#[test]
fn another_order_is_a_change() {
    let (one, two) = (
        "  - { name: one, when: { codec: raw }, policy: archive }\n",
        "  - { name: two, policy: default }\n",
    );
    let old = good(&routed(&format!("{one}{two}"))).settings;
    let told = |new: &str| -> Vec<String> {
        old.changes(&good(&routed(new)).settings).iter().map(ToString::to_string).collect()
    };
    assert_eq!(told(&format!("{one}{two}")), [""; 0]);
    assert_eq!(told(&format!("{two}{one}")), ["routes: [two, one] (was [one, two])"]);
    assert_eq!(
        told(one),
        ["routes[two].name: removed (was two)", "routes[two].policy: removed (was default)"]
    );
}

#[test]
fn clients_choose_by_meta_only_where_their_account_says_so() {
    assert!(!good(&alpha("")).settings.terms[0].meta_controls);
    let source = alpha("").replace("name: default\n", "name: default\n    meta_controls: true\n");
    let settings = good(&source).settings;
    assert!(settings.terms[0].meta_controls && settings.effective().contains("meta_controls: true"));
    let wrong = source.replace("meta_controls: true", "meta_controls: yes");
    assert!(bad(&wrong).contains("accounts[0].meta_controls: neither true nor false"));
}
