use std::{collections::BTreeMap, sync::Arc};

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::{
    model::{Codec, ErrorClass, Op, ReplicaState, RequestId, Status, Timestamp},
    store::{CopyRecord, Unfit},
};

const NOW: Timestamp = Timestamp::from_millis(500);

fn pin(status: Status) -> PinRecord {
    PinRecord {
        requestid: RequestId::from_bytes([7; 16]),
        status,
        created: Timestamp::from_millis(1_595_871_148_276),
        cid: "bafkqaaa".into(),
        name: None,
        meta: None,
        origins: None,
        have: 0,
        want: 2,
        need: 1,
        copies: Vec::new(),
        unfit: None,
        answered: false,
        delegates: Arc::default(),
        expires: None,
        adopted: None,
    }
}

fn copy(provider: &str, state: ReplicaState) -> CopyRecord {
    CopyRecord { provider: provider.into(), state, error: None, next: None, refused: false, is_dead: false }
}

fn read(json: &[u8]) -> Value {
    serde_json::from_slice(json).unwrap()
}

fn info(pin: &PinRecord) -> Value {
    read(&pin_status(pin, &[], NOW))["info"].clone()
}

#[test]
fn a_bare_pin_has_no_field_too_many_and_no_null() {
    let json = pin_status(&PinRecord { have: 2, ..pin(Status::Pinned) }, &[], NOW);
    assert_eq!(
        String::from_utf8(json).unwrap(),
        concat!(
            r#"{"requestid":"07070707-0707-0707-0707-070707070707","status":"pinned","created":"#,
            r#""2020-07-27T17:32:28.276Z","pin":{"cid":"bafkqaaa"},"delegates":[],"info":{"copies":"2/2"}}"#
        )
    );
}

#[test]
fn an_empty_page_is_a_page() {
    assert_eq!(
        pin_results(&PinPage { count: 0, pins: Vec::new() }, &[], NOW),
        br#"{"count":0,"results":[]}"#
    );
}

#[test]
fn a_count_stays_an_int32() {
    let page = PinPage { count: u64::MAX, pins: Vec::new() };
    assert_eq!(read(&pin_results(&page, &[], NOW))["count"], i32::MAX);
}

#[test]
fn delegates_of_the_config_stand_in_for_missing_ones_and_there_are_at_most_twenty() {
    let fallback = ["/dns/gateway.example/tcp/4001/p2p/x".to_owned()];
    let mut record = pin(Status::Queued);
    assert_eq!(read(&pin_status(&record, &fallback, NOW))["delegates"][0], fallback[0]);
    record.delegates = Arc::new((0..30).map(|n| format!("/ip4/203.0.113.{n}/tcp/1/p2p/x")).collect());
    let written = read(&pin_status(&record, &fallback, NOW));
    assert_eq!(written["delegates"].as_array().unwrap().len(), 20);
    assert_eq!(written["delegates"][0], record.delegates[0]);
}

#[test]
fn an_unsettled_pin_says_what_is_waited_for_and_when_it_is_tried() {
    let mut record = pin(Status::Pinning);
    record.copies = vec![
        CopyRecord {
            error: Some((ErrorClass::Throttled, "429 Too Many Requests".into())),
            next: Some((Op::Submit, Timestamp::from_millis(2000))),
            ..copy("beta", ReplicaState::None)
        },
        CopyRecord {
            next: Some((Op::Poll, Timestamp::from_millis(1000))),
            ..copy("alpha", ReplicaState::Pinning)
        },
    ];
    let info = info(&record);
    assert_eq!(
        info["status_details"],
        "needs 1 copy, has 0: beta asks to be called less often (429 Too Many Requests); alpha is fetching it"
    );
    assert_eq!(info["next_try"], "1970-01-01T00:00:01.000Z");
    assert_eq!(info["copy.alpha"], "pinning");
    assert_eq!(info["copy.beta"], "none; throttled: 429 Too Many Requests");
}

#[test]
fn what_is_due_already_has_no_time() {
    let mut record = pin(Status::Queued);
    record.copies = vec![CopyRecord { next: Some((Op::Submit, NOW)), ..copy("alpha", ReplicaState::None) }];
    assert_eq!(info(&record).get("next_try"), None, "it is past");
}

#[test]
fn a_copy_at_a_provider_that_is_declared_dead_is_told_as_why_one_is_missing() {
    let dead = CopyRecord { is_dead: true, ..copy("alpha", ReplicaState::Pinned) };
    let copies = vec![dead, copy("beta", ReplicaState::Pinned), copy("gamma", ReplicaState::Queued)];
    let info = info(&PinRecord { have: 1, copies, ..pin(Status::Pinned) });
    assert_eq!(
        info["status_details"],
        "pinned; short of 1 copy more: alpha is declared dead; gamma has queued it"
    );
    assert_eq!(info["copy.alpha"], "pinned; the provider is declared dead");
}

#[test]
fn each_status_tells_why_it_is_not_better() {
    assert!(
        info(&pin(Status::Queued))["status_details"].as_str().unwrap().contains("no provider can take it")
    );
    assert_eq!(
        info(&PinRecord { have: 1, ..pin(Status::Pinned) })["status_details"],
        "pinned; short of 1 copy more"
    );
    let inline = info(&PinRecord { want: 0, need: 0, ..pin(Status::Pinned) });
    assert!(inline.get("copies").is_none());
    assert!(inline["status_details"].as_str().unwrap().contains("holds the data itself"));
    let refused = CopyRecord {
        error: Some((ErrorClass::Rejected, "too large".into())),
        refused: true,
        ..copy("alpha", ReplicaState::None)
    };
    let failed = info(&PinRecord { copies: vec![refused], ..pin(Status::Failed) });
    assert_eq!(failed["status_details"], "too few providers can take it: alpha will not take it (too large)");
    assert_eq!(failed["copy.alpha"], "none; refused: too large");
}

#[test]
fn a_codec_that_providers_do_not_take_is_told_with_what_helps() {
    let unfit = |providers: &[&str]| {
        let providers = providers.iter().map(ToString::to_string).collect();
        Some(Unfit { codec: Codec::new(0x71), providers, ending: Vec::new() })
    };
    let nobody = PinRecord { unfit: unfit(&["alpha", "beta"]), ..pin(Status::Failed) };
    assert_eq!(
        info(&nobody)["status_details"],
        "too few providers can take it: alpha, beta take no CIDs of codec dag-cbor, so that it needs a policy with \
         others"
    );
    let copies = vec![copy("beta", ReplicaState::Queued)];
    let one = PinRecord { need: 2, unfit: unfit(&["alpha"]), copies, ..pin(Status::Failed) };
    let told = info(&one)["status_details"].to_string();
    assert!(told.contains("beta has queued it; alpha takes no CIDs of codec dag-cbor"), "{told}");
    let ending = Some(Unfit { codec: Codec::new(0x71), providers: vec![], ending: vec!["beta".into()] });
    let told = info(&PinRecord { unfit: ending, ..pin(Status::Failed) })["status_details"].to_string();
    assert!(told.contains("beta ends pins after a while"), "{told}");
}

#[test]
fn lists_say_nothing_of_single_copies() {
    let mut record = pin(Status::Queued);
    record.copies = vec![copy("alpha", ReplicaState::Queued)];
    let page = read(&pin_results(&PinPage { count: 1, pins: vec![record] }, &[], NOW));
    let info = &page["results"][0]["info"];
    assert_eq!(info["status_details"], "needs 1 copy, has 0: alpha has queued it");
    assert!(info.get("copy.alpha").is_none());
}

#[test]
fn a_providers_endless_words_are_cut() {
    let copies = (0..50).map(|n| CopyRecord {
        error: Some((ErrorClass::Transient, "ü".repeat(5000))),
        ..copy(&format!("p{n}"), ReplicaState::None)
    });
    let info = info(&PinRecord { copies: copies.collect(), ..pin(Status::Queued) });
    assert_eq!(info["status_details"].as_str().unwrap().chars().count(), 1000);
    assert!(info["copy.p7"].as_str().unwrap().chars().count() < 250);
}

#[test]
fn a_failure_has_a_reason_and_details_and_nothing_else() {
    let written = read(&failure("BAD_REQUEST", "cid \"x\" is\nno CID"));
    assert_eq!(
        written,
        serde_json::json!({"error": {"reason": "BAD_REQUEST", "details": "cid \"x\" is\nno CID"}})
    );
}

fn copies() -> impl Strategy<Value = Vec<CopyRecord>> {
    let states = proptest::sample::select(ReplicaState::ALL);
    let errors = proptest::option::of((proptest::sample::select(ErrorClass::ALL), any::<String>()));
    let next = proptest::option::of(proptest::sample::select(Op::ALL));
    let one = (states, errors, next, any::<bool>());
    proptest::collection::vec(one, 0..4).prop_map(|copies| {
        let record = |(n, (state, error, op, refused)): (usize, (_, _, Option<Op>, _))| CopyRecord {
            provider: format!("p{n}"),
            state,
            error,
            next: op.map(|op| (op, Timestamp::from_millis(n as i64))),
            refused,
            is_dead: false,
        };
        copies.into_iter().enumerate().map(record).collect()
    })
}

prop_compose! {
    fn records()(
        id in any::<[u8; 16]>(),
        status in proptest::sample::select(&Status::ALL[..]),
        created in 0i64..253_402_300_800_000,
        name in proptest::option::of(any::<String>()),
        meta in proptest::option::of(proptest::collection::btree_map(any::<String>(), any::<String>(), 0..3)),
        origins in proptest::option::of(proptest::collection::vec(any::<String>(), 1..3)),
        (have, want, need) in (0u16..3, 0u16..3, 0u16..3),
        copies in copies(),
        delegates in proptest::collection::vec(any::<String>(), 0..3),
    ) -> PinRecord {
        PinRecord {
            requestid: RequestId::from_bytes(id),
            created: Timestamp::from_millis(created),
            name,
            meta: meta.map(|meta| serde_json::to_string(&meta).unwrap()),
            origins: origins.map(|origins| serde_json::to_string(&origins).unwrap()),
            have,
            want,
            need,
            copies,
            delegates: Arc::new(delegates),
            ..pin(status)
        }
    }
}

/// What the spec's document demands of a PinStatus.
fn assert_is_pin_status(written: &Value) {
    let fields: Vec<&str> = written.as_object().unwrap().keys().map(String::as_str).collect();
    for required in ["requestid", "status", "created", "pin", "delegates"] {
        assert!(fields.contains(&required), "{required} is missing");
    }
    assert!(
        fields
            .iter()
            .all(|field| { ["requestid", "status", "created", "pin", "delegates", "info"].contains(field) })
    );
    assert!(["queued", "pinning", "pinned", "failed"].contains(&written["status"].as_str().unwrap()));
    assert!(written["info"].as_object().unwrap().values().all(Value::is_string));
}

proptest! {
    #[test]
    fn what_is_written_reads_back(records in proptest::collection::vec(records(), 0..4)) {
        let page = PinPage { count: 7, pins: records };
        let written = read(&pin_results(&page, &[], NOW));
        prop_assert_eq!(&written["count"], 7);
        for (written, record) in written["results"].as_array().unwrap().iter().zip(&page.pins) {
            assert_is_pin_status(written);
            assert_is_pin_status(&read(&pin_status(record, &[], NOW)));
            prop_assert_eq!(written["requestid"].as_str().unwrap(), record.requestid.to_string());
            prop_assert_eq!(written["created"].as_str().unwrap(), record.created.to_string());
            prop_assert_eq!(written["pin"]["cid"].as_str().unwrap(), &record.cid);
            prop_assert_eq!(written["pin"].get("name").map(|name| name.as_str().unwrap()), record.name.as_deref());
            let meta = record.meta.as_deref().map(|meta| serde_json::from_str::<BTreeMap<String, String>>(meta).unwrap());
            let read_meta = written["pin"].get("meta").map(|meta| serde_json::from_value(meta.clone()).unwrap());
            prop_assert_eq!(read_meta, meta);
            let delegates: Vec<String> = serde_json::from_value(written["delegates"].clone()).unwrap();
            prop_assert_eq!(&delegates, &*record.delegates);
        }
    }
}
