//! Gateways, and policies that ask for proofs.

use super::*;
use crate::{model::Sampling, policy::Proof};

fn gateway(entry: &str, rest: &str) -> String {
    with(&format!("{ENDPOINT}, token: t-alpha{entry}"), "secret: t-laptop", rest)
}

const ASKS: &str = "policies: [ { name: default, copies: 1, proof: required } ]\n";

#[test]
fn a_gateway_is_asked_for_twenty_copies_an_hour_unless_its_entry_says_otherwise() {
    let of = |entry: &str| good(&gateway(entry, "")).settings.providers.remove(0);
    assert_eq!((of("").gateway, of("").facts.proof), (None, None));
    let plain = of(", gateway: \"https://IPFS.example.com/\"");
    assert_eq!(plain.gateway.map(|gateway| gateway.url).as_deref(), Some("https://ipfs.example.com"));
    assert_eq!(plain.facts.proof, Some(Sampling { every: Duration::from_secs(3600), sample: 20 }));
    let said = of(", gateway: \"https://ipfs.example.com/x\", proof: { every: 10m, sample: 5 }");
    assert_eq!(said.facts.proof, Some(Sampling { every: Duration::from_secs(600), sample: 5 }));
}

#[test]
fn slips_about_gateways_are_told_with_what_to_write() {
    for (entry, told) in [
        (", gateway: ipfs.example.com", "gateway: not a whole address; write gateway: and the address"),
        (", gateway: \"https://ipfs.example.com/ipfs/\"", "gateway: ends in /ipfs, which is added to it"),
        (", gateway: \"https://me:hush@ipfs.example.com\"", "gateway: holds a user or password"),
        (", proof: { every: 1h }", "proof: there is no gateway to ask for copies; write gateway:"),
        (
            ", gateway: \"https://x.example\", proof: { every: 1s }",
            "proof.every: too often; write at least 1m",
        ),
        (", gateway: \"https://x.example\", proof: { sample: 2 }", "write a whole number from 3 to 100"),
        (
            ", gateway: \"https://x.example\", proof: { evry: 1h }",
            "proof.evry: unknown key; did you mean `every`?",
        ),
    ] {
        let text = bad(&gateway(entry, ""));
        assert!(text.contains(told) && !text.contains("hush"), "{entry}: {text}");
    }
}

#[test]
fn a_policy_asks_for_proofs_and_is_warned_of_where_nobody_can_give_one() {
    let read = |entry: &str| good(&gateway(entry, ASKS));
    let told = |loaded: &Loaded| {
        let warning = loaded.warnings.iter().find(|warning| warning.path == "policies[0].proof");
        warning.map(|warning| warning.what.clone())
    };
    let (with_one, without) = (read(", gateway: \"https://x.example\""), read(""));
    assert_eq!((with_one.settings.policies[0].proof, told(&with_one)), (Proof::Required, None));
    assert!(told(&without).is_some_and(|what| what.starts_with("none of its providers has a gateway")));
    assert!(bad(&gateway("", &ASKS.replace("required", "requird"))).contains("did you mean `required`?"));
}

#[test]
fn what_is_shown_of_gateways_and_proofs_reads_back() {
    let entry =
        ", gateway: \"https://x.example/y\", proof: { every: 10m, sample: 5 }, declare_dead_after: 3d";
    let rest = ASKS.replace(" }", ", deadlines: { queued: 30m }, upstream_name: cid }");
    let first = good(&gateway(entry, &rest)).settings;
    let shown = first.effective();
    let again = good(&shown.replace("\"***\"", "\"x\"")).settings;
    assert_eq!(again.effective(), shown);
    assert_eq!((&again.policies, &again.providers[0].facts), (&first.policies, &first.providers[0].facts));
    assert_eq!(again.providers[0].gateway, first.providers[0].gateway);
}

#[test]
fn another_gateway_has_its_provider_exchanged() {
    let old = good(&gateway(", gateway: \"https://x.example\"", "")).settings;
    let new = good(&gateway(", gateway: \"https://y.example\"", "")).settings;
    let told: Vec<_> = old.changes(&new).iter().map(ToString::to_string).collect();
    assert_eq!(told, ["providers[alpha].gateway: https://y.example (was https://x.example)"]);
    assert!(old.changed_providers(&new).contains("alpha"));
}
