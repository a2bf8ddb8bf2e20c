//! What a look-up's answer means for one claim: which of the pins found is meant, or what to do where there is none.

use crate::{
    model::{Doubt, Goal, InstanceId, Status, Timestamp},
    providers::UpstreamPin,
    store::{Claim, Word},
};

/// What follows from a look-up.
#[derive(Debug)]
pub(super) enum Decision {
    /// Record this.
    Word(Word),
    /// Nothing is there and nothing may come: submit.
    Submit,
}

/// Tells our pins from others'.
#[derive(Clone, Debug)]
pub(super) struct Tags {
    prefix: String,
    exclusive: bool,
}

impl Tags {
    pub(super) fn new(instance: InstanceId, exclusive: bool) -> Self {
        Self { prefix: format!("{instance}/"), exclusive }
    }

    /// The tag of one submit.
    pub(super) fn of(&self, claim: &Claim) -> String {
        format!("{}{}.{}", self.prefix, claim.key.replica, claim.key.attempt)
    }

    pub(super) fn is_ours(&self, pin: &UpstreamPin) -> bool {
        self.exclusive || pin.tag.as_ref().is_some_and(|tag| tag.starts_with(&self.prefix))
    }

    /// Tagged by another Pinfold: certainly not ours.
    fn is_foreign(&self, pin: &UpstreamPin) -> bool {
        !self.is_ours(pin) && pin.tag.is_some()
    }
}

/// Decides for one claim on the pins that a look-up, which left at `asked_at`, found.
pub(super) fn decide(claim: &Claim, pins: &[UpstreamPin], tags: &Tags, asked_at: Timestamp) -> Decision {
    let mut candidates: Vec<&UpstreamPin> = pins
        .iter()
        .filter(|pin| pin.content == claim.content)
        .filter(|pin| is_meant(claim, pin, tags))
        .collect();
    candidates.sort_by_key(|pin| std::cmp::Reverse(rank(claim, pin, tags)));
    let Some((first, others)) = candidates.split_first() else {
        return nothing(claim, asked_at);
    };
    let doubles = others.iter().filter(|pin| tags.is_ours(pin)).map(|pin| pin.id.clone()).collect();
    Decision::Word(Word::Found {
        upstream: first.id.clone(),
        status: first.status,
        delegates: first.delegates.clone(),
        ours: tags.is_ours(first),
        doubles,
    })
}

/// Whether a pin can be the one that is looked for. A first look takes any, a failed one too: ours beside it could
/// not be told from it within a doubt, where tags are not echoed (I13). A doubt wants the one that we may have made,
/// which no other Pinfold's is.
fn is_meant(claim: &Claim, pin: &UpstreamPin, tags: &Tags) -> bool {
    match claim.doubt {
        Doubt::None => true,
        Doubt::Submit => !tags.is_foreign(pin),
        Doubt::Remove => claim.upstream.as_ref() == Some(&pin.id) || tags.is_ours(pin),
    }
}

/// The pin already known first, then ours, then the further along, then the newer.
fn rank(claim: &Claim, pin: &UpstreamPin, tags: &Tags) -> (bool, bool, u8, Option<Timestamp>) {
    let progress = match pin.status {
        Status::Failed => 0,
        Status::Queued => 1,
        Status::Pinning => 2,
        Status::Pinned => 3,
    };
    (claim.upstream.as_ref() == Some(&pin.id), tags.is_ours(pin), progress, pin.created)
}

fn nothing(claim: &Claim, asked_at: Timestamp) -> Decision {
    let in_doubt = claim.doubt != Doubt::None && claim.doubt_until.is_some_and(|until| asked_at < until);
    if claim.goal == Goal::Keep && claim.upstream.is_none() && !in_doubt {
        return Decision::Submit;
    }
    Decision::Word(Word::NotFound { asked_at })
}
