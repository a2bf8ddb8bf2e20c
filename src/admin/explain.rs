//! `GET /api/v1/pins/{requestid}`: why a pin is as it is, copy by copy.

use serde_json::{Value, json};

use crate::{
    model::{Doubt, Health, ProviderId, ProviderRecord, Timestamp, replica::Replica},
    policy::{self, Considered, Footing, Own, replica::Work},
    store::{CopyStory, PinStory},
};

/// All of it as JSON; times are RFC 3339, and null where there is none.
pub fn explained(story: &PinStory, now: Timestamp) -> Value {
    let PinStory { pin, policy, .. } = story;
    let weighed = Weighed::new(story, now);
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
        "expires": pin.expires.map(time),
        "was_pinned": story.was_pinned,
        "need": pin.need,
        "want": pin.want,
        "have": policy::had(&weighed.own),
        "policy": {
            "name": policy.name,
            "revision": story.revision,
            "newest_revision": story.newest_revision,
            "copies": { "min": policy.copies.min, "max": policy.copies.max },
            "pinned_when": policy.need,
            "choose": policy.choose.as_str(),
            "spread_by": policy.spread_by,
            "providers": policy.providers,
        },
        "copies": story.copies.iter().map(|copy| told(&weighed, copy, now)).collect::<Vec<_>>(),
        "others": weighed.others(),
    })
}

/// What placement makes of a pin now.
struct Weighed<'a> {
    story: &'a PinStory,
    /// Its own copies.
    own: Vec<Own>,
    /// The policy's providers, in the order in which they are asked.
    order: Vec<Considered>,
}

impl<'a> Weighed<'a> {
    fn new(story: &'a PinStory, now: Timestamp) -> Self {
        let placement = story.placement(now);
        let own = policy::weigh(&story.own_copies(), &placement, now);
        let counting = own.iter().filter(|own| own.counts).count();
        let missing = usize::from(story.pin.want).saturating_sub(counting);
        Self { story, order: placement.consider(missing, &own), own }
    }

    /// `None`: it is no copy of its own.
    fn own(&self, copy: &CopyStory) -> Option<&Own> {
        let is_own = |own: &&Own| copy.held_since.is_none() && own.provider == copy.replica.provider;
        self.own.iter().find(is_own)
    }

    /// From 1.
    fn place(&self, provider: ProviderId) -> Option<usize> {
        self.order.iter().position(|considered| considered.provider == provider).map(|at| at + 1)
    }

    /// Why there is a copy at a provider.
    fn why(&self, copy: &CopyStory) -> String {
        if copy.held_since.is_some() {
            return "it is held for the pin that this one replaced, until this one has its own copies".into();
        }
        match self.place(copy.replica.provider) {
            Some(place) => {
                let (of, choose) = (self.order.len(), self.story.policy.choose.as_str());
                format!("{place} of {of} in the order that its policy asks them in now ({choose})")
            }
            None => "its policy does not name this provider".into(),
        }
    }

    /// The policy's providers that hold no copy of its own, and why.
    fn others(&self) -> Vec<Value> {
        let holds = |considered: &&Considered| self.own.iter().any(|own| own.provider == considered.provider);
        let others = self.order.iter().filter(|considered| !holds(considered));
        others.map(|other| self.other(other)).collect()
    }

    fn other(&self, other: &Considered) -> Value {
        let known = self.story.providers.iter().find(|known| known.id == other.provider);
        let why = match (&other.passed_over, other.footing) {
            _ if self.story.pin.want == 0 => "the CID holds the data itself: there is nothing to keep".into(),
            (Some(reason), _) => reason.to_string(),
            (None, Footing::Usable) => "gets a copy next".to_owned(),
            (None, _) => {
                "would get a copy next, but is of no use now: `pinfold provider ls` tells why".to_owned()
            }
        };
        json!({
            "provider": known.map(|known| known.name.as_str()),
            "health": known.map(|known| known.health.as_str()),
            "mode": known.map(|known| known.mode.as_str()),
            "place": self.place(other.provider),
            "why": why,
        })
    }
}

fn time(at: Timestamp) -> String {
    at.to_string()
}

fn told(weighed: &Weighed<'_>, copy: &CopyStory, now: Timestamp) -> Value {
    let CopyStory { replica, held_since, pins, proved } = copy;
    let (provider, own) = (weighed.story.provider_of(copy), weighed.own(copy));
    let mut told = json!({
        "state": replica.state.as_str(),
        "state_since": time(replica.state_at),
        "goal": replica.goal.as_str(),
        "owned": replica.owned.as_str(),
        "held_since": held_since.map(time),
        "pins": pins,
        "counts": own.is_some_and(|own| own.had || own.counts),
        "counts_not_because": own.and_then(|own| own.idle.as_ref()).map(ToString::to_string),
        "is_to_be_replaced": own.is_some_and(|own| own.had && !own.counts),
        "why": weighed.why(copy),
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
        "verified": replica.verified(provider.and_then(|provider| provider.swept_at)).map(time),
        "proved": proved.map(|(proved, at)| json!({ "outcome": proved.as_str(), "at": time(at) })),
        "doubt": doubt(replica),
        "upstream": replica.upstream.as_ref().map(|id| id.as_str()),
    });
    if let Some(provider) = provider {
        told["provider"] = provider.name.as_str().into();
        told["health"] = provider.health.as_str().into();
        told["health_since"] = time(provider.health_since).into();
        told["proof"] = provider.facts.proof.map(|_| provider.proof.state.as_str()).into();
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
        return json!({ "what": op.as_str(), "at": null, "due_since": null, "words": "a call is under way" });
    }
    // Whether a first look is spared depends on the credential, and makes no difference to who reads this.
    let act = act(&replica.work(true));
    let is_due = at <= now;
    let (at, words) = match provider.and_then(|provider| waits(provider, now)) {
        Some(Wait::Forever) => {
            (None, "its provider is gone from the config: nothing is sent there".to_owned())
        }
        Some(Wait::Until(until)) => {
            (Some(at.max(until)), format!("{act}, once its provider may be called again at {until}"))
        }
        Some(Wait::For(what)) => {
            (Some(at), format!("{act}, once its provider {what}: that is tried now and then"))
        }
        None if is_due => (Some(at), format!("{act} as soon as its provider's turn and budget allow")),
        None => (Some(at), act.to_owned()),
    };
    json!({
        "what": op.as_str(),
        "at": at.filter(|at| *at > now).map(time),
        "due_since": replica.due.filter(|_| is_due).map(|(_, at)| time(at)),
        "words": words,
    })
}

/// What a due call waits for, beside its provider's turn and budget.
enum Wait {
    Forever,
    Until(Timestamp),
    /// In words that go on after the provider's name.
    For(&'static str),
}

fn waits(provider: &ProviderRecord, now: Timestamp) -> Option<Wait> {
    if provider.absent_since.is_some() {
        return Some(Wait::Forever);
    }
    let until = blocked(provider, now).map(Wait::Until);
    until.or(match provider.health {
        Health::Healthy | Health::Degraded => None,
        Health::Down => Some(Wait::For("answers again")),
        Health::AuthFailed => Some(Wait::For("takes the gateway's credential again")),
        Health::NoFunds => Some(Wait::For("takes pins again, which asks for payment now")),
        Health::Dead => Some(Wait::For("answers again, which is declared dead")),
    })
}

const fn act(work: &Work) -> &'static str {
    match work {
        Work::Look => "it is looked up, as it is not known whether it is there",
        Work::Submit => "it is sent there",
        Work::See(_) => "its state is asked for",
        Work::Delete(_) => "it is removed there",
        Work::Forget => "it is forgotten, as nothing there is ours",
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

#[cfg(test)]
mod tests;
