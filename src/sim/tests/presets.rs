//! Each service as its preset says, and each of its quirks, on the wire.

use super::*;
use crate::presets::{IdKind, Precision, Presets, Protocol};

mod cluster;
mod crust;
mod estuary;
mod everland;
mod filebase;
mod fula;
mod helia;
mod nft_storage;
mod pinata;
mod scaleway;
mod w3ipfs;
mod web3_storage;

const V0: &str = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n";
const V1_OF_V0: &str = "bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
const USER: &str = "me@example.com";
const PASSWORD: &str = "swordfish";

/// A service that pins ten seconds after a POST by a clock that stands.
struct Played {
    sim: Sim,
    caller: Caller,
    clock: Arc<ManualClock>,
}

impl Played {
    async fn new(preset: &str) -> Self {
        Self::with(preset, |builder| builder).await
    }

    async fn with(preset: &str, change: impl FnOnce(Builder) -> Builder) -> Self {
        let clock = standing_clock();
        let builder = Sim::playing(&Presets::known(preset), TOKEN).clock(clock.clone()).user(USER, PASSWORD);
        let sim = change(builder.pin_after(Duration::from_secs(10))).start().await;
        let caller = Caller::of(&sim);
        Self { sim, caller, clock }
    }

    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    /// Adds the first `n` contents, a second apart.
    async fn add_many(&self, n: u8) {
        for n in 1..=n {
            assert!(self.caller.add(n).await.code < 300);
            self.pass(1);
        }
    }

    async fn see(&self, id: &str) -> client::Seen {
        self.caller.get(&format!("/pins/{id}")).await
    }

    async fn replace(&self, id: &str, cid: &str) -> client::Seen {
        self.caller.post(&format!("/pins/{id}"), json!({ "cid": cid })).await
    }

    async fn add_cid(&self, cid: &str) -> client::Seen {
        self.caller.post("/pins", json!({ "cid": cid })).await
    }

    async fn add_named(&self, n: u8, name: &str) -> client::Seen {
        self.caller.post("/pins", json!({ "cid": cid(n).as_str(), "name": name })).await
    }
}

fn looks_like(kind: IdKind, id: &str) -> bool {
    let uuid = |text: &str| uuid::Uuid::parse_str(text).is_ok();
    match kind {
        IdKind::Uuid => uuid(id),
        IdKind::Cid => id == cid(1).as_str(),
        IdKind::Integer => id.parse::<u32>().is_ok(),
        IdKind::Nanoid => id.len() == 21,
        IdKind::Gid => multibase::Base::Base64Pad.decode(id).unwrap().starts_with(b"gid://filebase/Asset/"),
        IdKind::UuidTime => uuid(&id[..36]) && id[37..].parse::<u64>().is_ok(),
    }
}

/// The digits of a second's fraction.
fn digits(created: &str) -> usize {
    let fraction = created.split_once('.').map_or("", |(_, fraction)| fraction);
    fraction.bytes().take_while(u8::is_ascii_digit).count()
}

#[tokio::test]
async fn every_service_adds_shows_lists_and_deletes_as_its_preset_promises() {
    for preset in Presets::built_in().iter().filter(|preset| preset.protocol == Protocol::Psa) {
        let name = &preset.name;
        let played = Played::new(name).await;
        let codes = preset.codes.unwrap_or_default();
        let added = played.caller.add(1).await;
        assert_eq!(added.code, codes.add, "{name}");
        let id = added.id();
        assert!(looks_like(preset.requestid.unwrap_or_default(), &id), "{name}: {id}");
        played.pass(10);
        let got = played.see(&id).await;
        assert_eq!((got.code, got.status().as_str(), got.id()), (200, "pinned", id.clone()), "{name}");
        assert_eq!(got.json()["pin"]["cid"], cid(1).as_str(), "{name}");
        let created = got.json()["created"].as_str().unwrap().to_owned();
        let expected = match preset.created.unwrap_or_default().precision {
            Precision::Seconds => 0,
            Precision::Millis => 3,
            Precision::Micros => 6,
            Precision::Nanos => 9,
        };
        assert_eq!(digits(&created), expected, "{name}: {created}");
        let listed = played.caller.list(&format!("limit=10&{ALL}")).await;
        assert_eq!((listed.code, listed.cids()), (200, vec![cid(1).as_str().to_owned()]), "{name}");
        assert_eq!(played.caller.delete(&id).await.code, codes.remove, "{name}");
        assert_eq!(played.see(&id).await.code, 404, "{name}");
        assert_eq!(played.sim.deletes().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn every_service_is_under_its_own_path_and_at_the_root() {
    for (preset, base) in [("w3ipfs", "/api/psa"), ("pinata", "/psa"), ("filebase", "/v1/ipfs"), ("fula", "")]
    {
        let Played { sim, caller, .. } = Played::new(preset).await;
        assert_eq!(sim.endpoint(), format!("{}{base}", sim.url()));
        for path in [format!("{base}/pins"), "/pins".to_owned(), format!("{base}/pins/")] {
            assert_eq!(caller.get(&path).await.code, 200, "{preset} {path}");
        }
        assert_eq!(caller.get(&format!("{base}/x/pins")).await.code, 404);
    }
}

#[tokio::test]
async fn a_service_that_has_ended_answers_with_a_page_or_with_nothing() {
    let played = Played::new("nft.storage").await;
    let id = played.caller.add(1).await.id();
    played.sim.set(|is| is.retired = true);
    let got = played.see(&id).await;
    assert_eq!((got.code, got.header("content-type")), (404, Some("text/html")));
    assert_eq!(played.caller.get("/elsewhere").await.header("content-type"), Some("text/html"));
    for gone in [played.caller.add(2).await, played.caller.delete(&id).await] {
        assert_eq!((gone.code, gone.text.as_str()), (405, ""));
    }
    played.sim.set(|is| is.retired = false);
    assert_eq!(played.see(&id).await.code, 200);
}

#[tokio::test]
async fn a_node_of_kubo_speaks_its_rpc_api_and_not_the_pinning_api() {
    let sim = Sim::playing(&Presets::known("kubo"), TOKEN).start().await;
    let caller = Caller::of(&sim);
    let call = |command: &str| {
        let (caller, path) = (caller.clone(), format!("/api/v0/{command}"));
        async move { caller.post(&path, json!({})).await }
    };
    let none = call(&format!("pin/ls?arg={V0}&type=recursive")).await;
    let message = format!("path '{V0}' is not pinned");
    assert_eq!((none.code, none.json()["Message"].as_str()), (500, Some(message.as_str())));
    let added = call(&format!("pin/add?arg={V0}&progress=true")).await;
    assert_eq!((added.code, &added.json()["Pins"]), (200, &json!([V0])));
    assert_eq!(call(&format!("pin/ls?arg={V0}")).await.json()["Keys"][V0]["Type"], "recursive");
    // Kubo takes two spellings for two pins.
    assert_eq!(call(&format!("pin/rm?arg={V1_OF_V0}")).await.code, 500);
    assert_eq!(call(&format!("pin/rm?arg={V0}")).await.code, 200);
    assert_eq!(sim.deletes().len(), 1);
    assert_eq!((caller.list("").await.code, call("nonsense").await.code), (404, 404));
    assert_eq!(caller.get("/api/v0/id").await.code, 405);
    let stranger = caller.clone().with_token("wrong");
    assert_eq!(stranger.post("/api/v0/id", json!({})).await.code, 403);
}

#[tokio::test]
async fn quirks_are_switched_on_and_off_over_http() {
    let played = Played::new("generic").await;
    let patch = json!({ "dialect": { "errors": "pinata", "removed": "ok" }, "codes": { "remove": 200 } });
    let changed = played.caller.post("/_sim/behaviour", patch).await.json();
    assert_eq!((&changed["codes"]["add"], &changed["codes"]["remove"]), (&json!(202), &json!(200)));
    assert_eq!(played.see("none").await.reason(), "OBJECT_NOT_FOUND");
    assert_eq!(played.caller.post("/_sim/token", json!({ "token": "new" })).await.code, 200);
    assert_eq!(played.caller.list("").await.code, 401);
    assert_eq!(played.caller.with_token("new").list("").await.code, 200);
}

#[tokio::test]
async fn a_service_may_take_basic_authentication_or_no_credential_at_all() {
    let played = Played::new("generic").await;
    let basic = played.caller.clone().with_basic(USER, PASSWORD);
    assert_eq!(basic.list("").await.code, 200);
    assert_eq!(played.caller.clone().with_basic(USER, "guess").list("").await.code, 401);
    let nobody = played.caller.clone().with_authorization(None);
    assert_eq!(nobody.list("").await.code, 401);
    played.sim.set(|is| is.open = true);
    assert_eq!(nobody.list("").await.code, 200);
    let bearer_only = Played::new("4everland").await;
    assert_eq!(bearer_only.caller.with_basic(USER, PASSWORD).list("").await.code, 401);
}
