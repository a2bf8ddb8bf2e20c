//! Pins as the JSON that a service shows of them.

use serde_json::{Map, Value, json};

use crate::{
    model::{Status, Timestamp},
    presets::{Created, Delegates, MetaRule, Precision},
};

use super::{
    behaviour::Behaviour,
    dialect::{Info, Nulls, Posted},
    instant::Instant,
    pins::Held,
};

/// The answer that a PinStatus is in: some services tell more in one than in another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// To a POST that made a pin.
    Posted,
    /// To a POST that made none, because it was there.
    Existing,
    /// To a GET, of one or of many.
    Read,
}

/// How long an answer to a POST comes after what is stored, in nanoseconds.
const LATER: i64 = 40_517_902;

/// A pin in this state, as a service shows it in this place.
pub(super) fn pin_status(
    held: &Held,
    status: Status,
    behaviour: &Behaviour,
    now: Timestamp,
    place: Place,
) -> Value {
    let dialect = &behaviour.dialect;
    let id = if dialect.camel_case_ids { "requestId" } else { "requestid" };
    let mut fields = Map::new();
    fields.insert(id.to_owned(), json!(held.id));
    fields.insert("status".to_owned(), json!(status.as_str()));
    fields.insert("created".to_owned(), json!(created(held, behaviour, now, place)));
    fields.insert("pin".to_owned(), pin(held, behaviour));
    fields.insert("delegates".to_owned(), delegates(behaviour, place));
    put(&mut fields, "info", info(dialect.info, status, place), dialect.nulls == Nulls::All);
    Value::Object(fields)
}

fn created(held: &Held, behaviour: &Behaviour, now: Timestamp, place: Place) -> String {
    let zone = behaviour.dialect.zone;
    let fine = Created { precision: Precision::Nanos, ..behaviour.created };
    match (behaviour.dialect.posted, place) {
        (Posted::Nanos, Place::Posted) => held.created.plus(LATER % 1000).print(fine, zone),
        (Posted::Later, Place::Posted) => {
            held.created.max(Instant::new(now, 0)).plus(LATER).print(fine, zone)
        }
        _ => held.created.print(behaviour.created, zone),
    }
}

fn delegates(behaviour: &Behaviour, place: Place) -> Value {
    let bare = || {
        behaviour
            .delegates
            .iter()
            .filter_map(|address| Some(format!("/p2p/{}", address.rsplit_once("/p2p/")?.1)))
    };
    let shown: Vec<String> = match (behaviour.delegates_rule, place) {
        (Delegates::Always, _) | (Delegates::PostOnly, Place::Posted | Place::Existing) => {
            behaviour.delegates.clone()
        }
        (Delegates::Bare, Place::Posted) => bare().take(1).collect(),
        (Delegates::PostOnly | Delegates::Bare | Delegates::Never, _) => Vec::new(),
    };
    let null = behaviour.dialect.nulls >= Nulls::Lists && place == Place::Read && shown.is_empty();
    if null { Value::Null } else { json!(shown) }
}

fn info(info: Info, status: Status, place: Place) -> Option<Value> {
    match (info, status) {
        (Info::Details, Status::Failed) => {
            Some(json!({ "status_details": "failed on purpose by the simulator" }))
        }
        (Info::Everland, _) => Some(json!({ "dag_size": "0", "failed_reason": "", "failed_message": "" })),
        (Info::Filebase, _) => Some(json!({ "size": "0" })),
        (Info::Fula, _) if place == Place::Posted => {
            Some(json!({ "status_details": "Submitted to IPFS Cluster" }))
        }
        (Info::Pinata, Status::Queued) => Some(json!({ "pinata_pinjob_status": "searching" })),
        (Info::Pinata, Status::Pinning) => Some(json!({ "pinata_pinjob_status": "retrieving" })),
        (Info::Pinata, Status::Failed) => Some(json!({ "pinata_pinjob_status": "expired" })),
        (Info::Details | Info::Pinata | Info::Fula, _) => None,
    }
}

fn pin(held: &Held, behaviour: &Behaviour) -> Value {
    let asked = &held.asked;
    let null = behaviour.dialect.nulls == Nulls::All;
    let meta = asked.meta.as_ref().filter(|_| behaviour.meta == MetaRule::Kept);
    let meta = meta.map(|meta| meta.iter().map(|(key, value)| (key.to_owned(), json!(value))).collect());
    let origins = (!asked.origins.is_empty()).then(|| json!(asked.origins));
    let mut fields = Map::new();
    fields.insert("cid".to_owned(), json!(asked.cid.as_str()));
    put(&mut fields, "name", asked.name.as_ref().map(|name| json!(name)), false);
    put(&mut fields, "meta", meta.map(Value::Object), null);
    put(&mut fields, "origins", origins, null);
    Value::Object(fields)
}

fn put(fields: &mut Map<String, Value>, key: &str, value: Option<Value>, null: bool) {
    if let Some(value) = value.or(null.then_some(Value::Null)) {
        fields.insert(key.to_owned(), value);
    }
}
