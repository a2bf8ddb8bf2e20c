//! `GET /api/v1/pins/{requestid}`: why a pin is as it is, copy by copy.

use serde_json::{Value, json};

use crate::{
    model::{Doubt, Op, ProviderId, ProviderRecord, Timestamp, replica::Replica},
    store::{CopyStory, PinStory},
};

/// All of it as JSON; times are RFC 3339, and null where there is none.
pub fn explained(story: &PinStory, now: Timestamp) -> Value {
    let PinStory { pin, policy, .. } = story;
    let stored = |json: Option<&str>| json.and_then(|json| serde_json::from_str::<Value>(json).ok());
    json!({
        "requestid": pin.requestid.to_string(),
        "account": story.account.1,
        "cid": pin.cid,
        "name": pin.name,
        "meta": stored(pin.meta.as_deref()),
        "origins": stored(pin.origins.as_deref()),
        "status": pin.status.as_str(),
        "created": time(pin.created),
        "accepted": time(story.accepted),
        "was_pinned": story.was_pinned,
        "need": pin.need,
        "want": pin.want,
        "have": pin.have,
        "policy": {
            "name": policy.name,
            "revision": story.revision,
            "newest_revision": story.newest_revision,
            "copies": { "min": policy.copies.min, "max": policy.copies.max },
            "pinned_when": policy.need,
            "providers": policy.providers,
        },
        "copies": story.copies.iter().map(|copy| told(story, copy, now)).collect::<Vec<_>>(),
        "passed_over": passed_over(story, now),
    })
}

fn time(at: Timestamp) -> String {
    at.to_string()
}

fn told(story: &PinStory, copy: &CopyStory, now: Timestamp) -> Value {
    let CopyStory { replica, held_since, pins } = copy;
    let provider = story.provider_of(copy);
    let mut told = json!({
        "state": replica.state.as_str(),
        "state_since": time(replica.state_at),
        "goal": replica.goal.as_str(),
        "owned": replica.owned.as_str(),
        "held_since": held_since.map(time),
        "pins": pins,
        "why": why(story, replica.provider, held_since.is_some()),
        "attempts": replica.attempt,
        "tries": replica.tries,
        "refusals": replica.refusals,
        "refused": replica.refused(),
        "error": replica.error.as_ref().map(|error| json!({
            "class": error.class.as_str(),
            "text": error.text,
        })),
        "next": next(replica, provider, now),
        "seen": replica.seen_at.map(time),
        "verified": replica.verified_at.map(time),
        "doubt": doubt(replica),
        "upstream": replica.upstream.as_ref().map(|id| id.as_str()),
    });
    if let Some(provider) = provider {
        told["provider"] = provider.name.as_str().into();
        told["health"] = provider.health.as_str().into();
        told["health_since"] = time(provider.health_since).into();
        told["mode"] = provider.mode.as_str().into();
        told["absent_since"] = provider.absent_since.map(time).into();
        told["left_alone_until"] = blocked(provider, now).map(time).into();
    }
    told
}

/// What is due, when, and what keeps it; null while a call is under way or where nothing is due.
fn next(replica: &Replica, provider: Option<&ProviderRecord>, now: Timestamp) -> Value {
    let Some((op, at)) = replica.due else { return Value::Null };
    if replica.leased {
        return json!({ "what": op.as_str(), "at": Value::Null, "words": "a call is under way" });
    }
    let waits = provider.filter(|provider| provider.absent_since.is_some());
    let words = match (waits, provider.and_then(|provider| blocked(provider, now))) {
        (Some(_), _) => "its provider is gone from the config: nothing is sent there".to_owned(),
        (None, Some(until)) => format!("{}, once its provider may be called again at {until}", act(op)),
        (None, None) if at <= now => format!("{} as soon as its provider's turn and budget allow", act(op)),
        (None, None) => act(op).to_owned(),
    };
    json!({ "what": op.as_str(), "at": time(at), "words": words })
}

const fn act(op: Op) -> &'static str {
    match op {
        Op::Remove => "it is removed there",
        Op::Submit => "it is sent there",
        Op::Poll => "its state is asked for",
        Op::Verify => "it is looked at again",
    }
}

fn blocked(provider: &ProviderRecord, now: Timestamp) -> Option<Timestamp> {
    provider.blocked_until.filter(|until| *until > now)
}

fn doubt(replica: &Replica) -> Value {
    match replica.doubt {
        Doubt::None => Value::Null,
        doubt => json!({ "of": doubt.as_str(), "until": replica.doubt_until.map(time) }),
    }
}

/// Why there is a copy at a provider.
fn why(story: &PinStory, provider: ProviderId, held: bool) -> String {
    if held {
        return "it is held for the pin that this one replaced, until this one has its own copies".into();
    }
    match place(story, provider) {
        Some(place) => format!("{} in the policy's order", ordinal(place)),
        None => "its policy named it once, and does not any more".into(),
    }
}

/// From 1.
fn place(story: &PinStory, provider: ProviderId) -> Option<usize> {
    let provider = story.providers.iter().find(|known| known.id == provider)?;
    story.policy.providers.iter().position(|name| *name == provider.name).map(|at| at + 1)
}

fn ordinal(place: usize) -> String {
    let ending = match (place % 10, place % 100) {
        (1, n) if n != 11 => "st",
        (2, n) if n != 12 => "nd",
        (3, n) if n != 13 => "rd",
        _ => "th",
    };
    format!("{place}{ending}")
}

/// The policy's providers that hold no copy for this pin.
fn passed_over(story: &PinStory, now: Timestamp) -> Vec<Value> {
    let holds = |provider: &ProviderRecord| {
        story.copies.iter().any(|copy| copy.held_since.is_none() && copy.replica.provider == provider.id)
    };
    let named = |name: &String| story.providers.iter().find(|provider| provider.name == *name);
    let open = story.policy.providers.iter().filter_map(named).filter(|provider| !holds(provider));
    open.map(|provider| json!({ "provider": provider.name, "why": why_not(story, provider, now) })).collect()
}

fn why_not(story: &PinStory, provider: &ProviderRecord, now: Timestamp) -> String {
    if let Some(since) = provider.absent_since {
        return format!("it is gone from the config since {since}");
    }
    if provider.mode != crate::model::Mode::Active {
        return format!("its operator has made it {}", provider.mode);
    }
    if !provider.health.is_usable() {
        return format!("it is {} since {}", provider.health, provider.health_since);
    }
    if let Some(until) = blocked(provider, now) {
        return format!("it wants to be left alone until {until}");
    }
    if story.pin.want == 0 {
        return "the CID holds the data itself: there is nothing to keep".into();
    }
    "there are enough copies before it in the policy's order".into()
}
