//! The remote control of a simulated provider: `/_sim/` on its own listener, without a token, also while it is down.
//!
//! | request | does |
//! |---|---|
//! | `GET /_sim/stats` | calls, outcomes, rate-limit violations, pins held, contents pinned twice by one instance, the most pins that one content ever had |
//! | `GET /_sim/pins` | every live pin, oldest first, with the `meta` that was sent |
//! | `GET /_sim/deletes` | every pin that a caller removed: `[{"at", "requestid", "cid"}]` |
//! | `GET /_sim/log` | every call: `[{"at", "route", "cid"}]` |
//! | `GET /_sim/faults` | what is switched on, in the form that POST takes |
//! | `POST /_sim/faults` | changes it; every key is optional, and they are applied in this order: |
//! | | `"clear": true` drops all faults and brings the provider up |
//! | | `"add": ["add:503*3", "any:reset@0.1"]` adds faults ([`FaultRule`]) |
//! | | `"rate_limits": ["list:30/1m"]` replaces all rate limits ([`RateLimit`]) |
//! | | `"down": true` resets every call, those in flight too, until `false` |
//! | | `"forget": ["bafy..."]` makes all pins of these CIDs vanish |
//! | | `"status": {"bafy...": "failed"}` holds their pins in that state; `null` lets them go |
//! | `GET /_sim/behaviour` | the [`Behaviour`](super::Behaviour) |
//! | `POST /_sim/behaviour` | changes the fields that are named, such as `{"pin_after": "never"}` or `{"filters": {"cid": false}}` |
//! | `POST /_sim/blocks` | the body is a block that its gateway hands out at `/ipfs/` once it is pinned: `{"cid": "bafk..."}` |
//! | `POST /_sim/token` | `{"token": "..."}`: the old token is 401 from now on |
//! | `GET /_sim/mail` | the code for a log-in that was last sent: `{"code": "123456"}`, or `null` |
//! | `POST /_sim/reset_stats` | counts, log and deletes start anew |
//!
//! Errors are 400 or 404 with `{"error": {"reason", "details"}}`.

use std::collections::BTreeMap;

use http::{Method, Request};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::model::{PinCid, Status};

use super::{
    errors::{Errors, Problem},
    faults::{FaultRule, RateLimit},
    observe::{SimPin, SimPins},
    reply::{self, Answer},
    world::World,
};

pub(super) const PREFIX: &str = "/_sim/";

const MAX_BODY: usize = 4 << 20;

pub(super) async fn answer(world: &World, request: Request<Incoming>) -> Answer {
    let method = request.method().clone();
    let what = request.uri().path().strip_prefix(PREFIX).unwrap_or_default().to_owned();
    let body = match Limited::new(request.into_body(), MAX_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) => return wrong(error.to_string()),
    };
    let result = match (&method, what.as_str()) {
        (&Method::GET, "stats") => Ok(stats(world)),
        (&Method::GET, "pins") => Ok(world.pins().iter().map(pin).collect()),
        (&Method::GET, "deletes") => Ok(deletes(world)),
        (&Method::GET, "log") => Ok(log(world)),
        (&Method::GET, "faults") => Ok(faults(world)),
        (&Method::POST, "faults") => change_faults(world, &body).map(|()| faults(world)),
        (&Method::GET, "behaviour") => Ok(json!(world.inside().behaviour)),
        (&Method::POST, "behaviour") => change_behaviour(world, &body),
        (&Method::POST, "blocks") => stock(world, body),
        (&Method::POST, "token") => change_token(world, &body),
        (&Method::GET, "mail") => Ok(json!({ "code": world.inside().credentials.mailed() })),
        (&Method::POST, "reset_stats") => {
            world.inside().seen.forget();
            Ok(json!({}))
        }
        _ => return Errors::Spec.answer(&Problem::NoSuchPath),
    };
    result.map_or_else(wrong, |value| reply::json(200, &value))
}

fn wrong(what: String) -> Answer {
    Errors::Spec.answer(&Problem::BadBody(what))
}

fn stats(world: &World) -> Value {
    let pins = world.pins();
    let (counts, most) = {
        let inside = world.inside();
        (inside.seen.counts.clone(), inside.pins.most_of_one())
    };
    let mut outcomes: BTreeMap<&str, BTreeMap<String, u64>> = BTreeMap::new();
    for ((route, outcome), count) in &counts.outcomes {
        outcomes.entry(route.as_str()).or_default().insert(outcome.to_string(), *count);
    }
    let calls: BTreeMap<&str, u64> =
        counts.calls.iter().map(|(route, count)| (route.as_str(), *count)).collect();
    json!({
        "calls": calls,
        "total": counts.total(),
        "outcomes": outcomes,
        "max_concurrency": counts.max_concurrency,
        "violations": counts.violations,
        "pins": pins.len(),
        "contents": pins.by_content().len(),
        "statuses": statuses(&pins),
        "made_twice": made_twice(&pins),
        "most_of_one_content": most,
    })
}

fn statuses(pins: &SimPins) -> BTreeMap<&'static str, usize> {
    let mut counts: BTreeMap<_, _> = Status::ALL.map(|status| (status.as_str(), 0)).into();
    for pin in pins.iter() {
        *counts.entry(pin.status.as_str()).or_default() += 1;
    }
    counts
}

fn made_twice(pins: &SimPins) -> BTreeMap<String, Vec<String>> {
    pins.made_twice().into_iter().map(|(content, ids)| (content.canonical(), ids)).collect()
}

fn pin(pin: &SimPin) -> Value {
    let meta = pin.asked.meta.iter().flat_map(|meta| meta.iter());
    let meta: BTreeMap<&str, &str> = meta.collect();
    json!({
        "requestid": pin.id,
        "cid": pin.asked.cid.as_str(),
        "canonical_cid": pin.asked.cid.content().canonical(),
        "name": pin.asked.name,
        "meta": meta,
        "origins": pin.asked.origins,
        "status": pin.status.as_str(),
        "created": pin.created.to_string(),
    })
}

fn deletes(world: &World) -> Value {
    let inside = world.inside();
    let all = inside.seen.deleted.iter().map(|deleted| {
        let cid = deleted.content.canonical();
        json!({ "at": deleted.at.to_string(), "requestid": deleted.id, "cid": cid })
    });
    all.collect()
}

fn log(world: &World) -> Value {
    let inside = world.inside();
    let all = inside.seen.log.iter().map(|entry| {
        let cid = entry.content.as_ref().map(crate::model::Content::canonical);
        json!({ "at": entry.at.to_string(), "route": entry.route.as_str(), "cid": cid })
    });
    all.collect()
}

fn faults(world: &World) -> Value {
    let down = world.is_down();
    let inside = world.inside();
    json!({ "add": inside.trouble.rules(), "rate_limits": inside.trouble.limits(), "down": down })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Change {
    clear: bool,
    add: Vec<FaultRule>,
    rate_limits: Option<Vec<RateLimit>>,
    down: Option<bool>,
    forget: Vec<String>,
    status: BTreeMap<String, Option<String>>,
}

fn change_faults(world: &World, body: &[u8]) -> Result<(), String> {
    let change: Change = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    // All is read before anything is changed.
    let forget = change.forget.iter().map(|cid| parse_cid(cid)).collect::<Result<Vec<_>, _>>()?;
    let forced = change.status.iter().map(parse_forced).collect::<Result<Vec<_>, _>>()?;
    let mut inside = world.inside();
    if change.clear {
        inside.trouble.clear();
        world.set_down(false);
    }
    change.add.into_iter().for_each(|rule| inside.trouble.add(rule));
    if let Some(limits) = change.rate_limits {
        inside.trouble.limit(&limits);
    }
    if let Some(down) = change.down {
        world.set_down(down);
    }
    for cid in &forget {
        inside.forget(cid.content());
    }
    for (cid, status) in &forced {
        inside.force(cid.content(), *status);
    }
    Ok(())
}

fn parse_cid(text: &str) -> Result<PinCid, String> {
    PinCid::parse(text).map_err(|error| error.to_string())
}

fn parse_forced((cid, status): (&String, &Option<String>)) -> Result<(PinCid, Option<Status>), String> {
    let parse = |text: &String| Status::parse(text).ok_or_else(|| format!("no status {text:?}"));
    Ok((parse_cid(cid)?, status.as_ref().map(parse).transpose()?))
}

fn stock(world: &World, block: bytes::Bytes) -> Result<Value, String> {
    let cid = world.inside().shelf.stock(block).ok_or("the block is too large, or there are too many")?;
    Ok(json!({ "cid": cid.as_str() }))
}

fn change_behaviour(world: &World, body: &[u8]) -> Result<Value, String> {
    let patch: Map<String, Value> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let mut inside = world.inside();
    inside.behaviour = inside.behaviour.patched(patch)?;
    Ok(json!(inside.behaviour))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewToken {
    token: String,
}

fn change_token(world: &World, body: &[u8]) -> Result<Value, String> {
    let NewToken { token } = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    world.inside().credentials.reset_token(SecretString::from(token));
    Ok(json!({}))
}
