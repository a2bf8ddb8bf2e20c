//! The life of one replica as a pure machine: what is due next, and what each word of its provider makes of it.
//!
//! Every way that the engine and the store change a replica goes through [`Replica::step`]; its tests walk all
//! orders of add, delete, re-add, crash and answer.

use crate::model::{
    ContentId, Doubt, ErrorClass, Goal, Op, Owned, ProviderId, ReplicaId, ReplicaState, Status, Timestamp,
    UpstreamId,
    replica::{Replica, ReplicaError},
};

use super::{Moment, merge::REFUSALS};

/// What happened to a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A pin asks for it: keep it, and if it was refused, try anew.
    Wanted,
    /// No pin needs it any more.
    Unwanted,
    /// A call is about to leave (or look-ups before it); committed before it does.
    Claimed { lease_until: Timestamp },
    /// A submit (or a delete) is about to leave; from now on it may have taken effect, at the latest by `until`.
    Sending { doubt: Doubt, until: Timestamp },
    /// Nothing was sent; look again then.
    Deferred { until: Timestamp },
    /// A submit was accepted. `existed`: the provider had a pin of it already, which is not known to be ours.
    Landed { upstream: UpstreamId, status: Status, existed: bool },
    /// A look-up found a pin of this content; `ours` where it carries our tag or the credential is ours alone.
    Found { upstream: UpstreamId, status: Status, ours: bool },
    /// A look-up that left at `asked_at` found nothing: it settles a doubt only if it left after it.
    NotFound { asked_at: Timestamp },
    /// An operator says that a pin which was listed at `seen_at` is the account's, and so ours to remove; of one that is known
    /// already nothing else changes. Only for a replica that is not claimed, and not in doubt.
    Adopted { upstream: UpstreamId, status: Status, confirmed: bool, seen_at: Timestamp },
    /// A poll or a re-check was answered; `why` it failed, where it did.
    Seen { status: Status, why: Option<String> },
    /// The provider does not know our pin any more, confirmed by a look-up.
    Gone,
    /// The provider removed our pin, or never had it.
    Removed,
    /// A call failed. `sending`: it was the submit or the delete itself, not a look.
    Erred { error: CallError, sending: bool },
}

/// A failed call, as far as a replica is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallError {
    pub class: ErrorClass,
    /// For the operator and, in `info`, for the user; holds no secret.
    pub text: String,
    /// Whether the call may have taken effect all the same.
    pub maybe_done: bool,
    /// The latest instant at which it may still take effect, where that is known to be before its deadline: the
    /// provider answered, so that nothing of it is still on its way. Wall clock.
    pub settled_by: Option<Timestamp>,
    /// The provider's own word on when to try again.
    pub retry_at: Option<Timestamp>,
}

/// What is left of a replica after an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    Keep(Box<Replica>),
    /// Nothing of it is upstream and nobody needs it: forget it.
    Forget,
}

/// The call that a due replica needs first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Look the content up before anything is sent: the first look (I13), or to settle a doubt (I7).
    Look,
    Submit,
    /// Ask for the state of our pin.
    See(UpstreamId),
    Delete(UpstreamId),
    /// There is nothing to do: say [`Event::Removed`].
    Forget,
}

impl Replica {
    /// A replica that a pin has just asked for.
    pub fn new(id: ReplicaId, provider: ProviderId, content: ContentId, now: Timestamp) -> Self {
        Self {
            id,
            provider,
            content,
            goal: Goal::Keep,
            state: ReplicaState::None,
            owned: Owned::Made,
            doubt: Doubt::None,
            doubt_until: None,
            attempt: 0,
            due: Some((Op::Submit, now)),
            leased: false,
            tries: 0,
            refusals: 0,
            error: None,
            state_at: now,
            seen_at: None,
            verified_at: None,
            upstream: None,
        }
    }

    /// Whether its provider is taken at its word that it will not have this content.
    pub fn refused(&self) -> bool {
        self.refusals >= REFUSALS
    }

    /// Whether there is nothing left to ask of a provider that refused it: neither a removal nor a doubt.
    fn is_given_up(&self) -> bool {
        self.refused() && self.goal == Goal::Keep && self.doubt == Doubt::None
    }

    /// Whether nothing of it is upstream and nothing may be.
    pub fn is_untouched(&self) -> bool {
        self.upstream.is_none() && self.doubt == Doubt::None
    }

    /// Whether a delete is ever to be sent for it (I13).
    fn is_ours(&self) -> bool {
        self.owned != Owned::Found
    }

    /// The first call of a claimed replica. `exclusive`: the credential is used by Pinfold alone, so that a first
    /// look is not needed.
    pub fn work(&self, exclusive: bool) -> Work {
        match (self.goal, self.doubt) {
            (Goal::Remove, Doubt::Submit) => Work::Look,
            (Goal::Remove, _) => match &self.upstream {
                Some(upstream) if self.is_ours() => Work::Delete(upstream.clone()),
                _ => Work::Forget,
            },
            (Goal::Keep, Doubt::Submit | Doubt::Remove) => Work::Look,
            (Goal::Keep, Doubt::None) => match (self.state, &self.upstream) {
                (ReplicaState::Queued | ReplicaState::Pinning | ReplicaState::Pinned, Some(upstream)) => {
                    Work::See(upstream.clone())
                }
                (ReplicaState::Failed, Some(upstream)) if self.is_ours() => Work::Delete(upstream.clone()),
                _ if exclusive => Work::Submit,
                _ => Work::Look,
            },
        }
    }

    /// Steps the machine by one event.
    pub fn step(mut self, event: Event, at: Moment<'_>) -> Next {
        match event {
            Event::Wanted if self.goal == Goal::Keep && !self.refused() => {
                return Next::Keep(Box::new(self));
            }
            Event::Wanted => self.want(),
            Event::Unwanted => self.goal = Goal::Remove,
            Event::Claimed { lease_until } => return self.claim(lease_until),
            Event::Sending { doubt, until } => {
                self.doubt = doubt;
                self.doubt_until = Some(until);
                return Next::Keep(Box::new(self));
            }
            Event::Deferred { until } => {
                self.leased = false;
                let op = self.op();
                self.due = Some((op, until.max(self.look_not_before(until))));
                return self.kept_unless_needless();
            }
            Event::Landed { upstream, status, existed } => {
                self.leased = false;
                let known = self.owned == Owned::Found && self.upstream.as_ref() == Some(&upstream);
                if !known {
                    self.owned = if existed { Owned::Found } else { Owned::Made };
                }
                self.settle_on(upstream, status, false, at.now);
            }
            Event::Found { upstream, status, ours } => {
                self.leased = false;
                let known = self.upstream.as_ref() == Some(&upstream);
                if self.doubt == Doubt::Submit || ours {
                    self.owned = Owned::Made;
                } else if !known {
                    self.owned = Owned::Found;
                }
                if known && self.doubt == Doubt::Remove && self.in_doubt_at(at.now) {
                    self.see(status, true, at.now);
                } else {
                    self.settle_on(upstream, status, true, at.now);
                }
            }
            Event::Adopted { upstream, status, confirmed, seen_at } => {
                self.owned = Owned::Adopted;
                if self.upstream.as_ref() == Some(&upstream) {
                    return Next::Keep(Box::new(self));
                }
                self.settle_on(upstream, status, confirmed, seen_at);
            }
            Event::NotFound { asked_at } => {
                self.leased = false;
                if self.in_doubt_at(asked_at) {
                    let op = self.op();
                    self.due = self.doubt_until.map(|until| (op, until.max(at.now)));
                    return Next::Keep(Box::new(self));
                }
                self.settle_on_nothing(ReplicaState::None, at.now);
            }
            Event::Seen { status, why } => {
                self.leased = false;
                self.see(status, true, at.now);
                self.explain(why);
            }
            Event::Gone => {
                self.leased = false;
                self.settle_on_nothing(ReplicaState::Lost, at.now);
            }
            Event::Removed => {
                self.leased = false;
                // What had failed there was cleared away to be tried once more.
                self.refusals = self.refusals.min(REFUSALS - 1);
                self.settle_on_nothing(ReplicaState::None, at.now);
            }
            Event::Erred { error, sending } => {
                self.leased = false;
                return self.err(error, sending, at);
            }
        }
        self.replan(at)
    }

    /// Whether a call whose answer was not seen may still take effect.
    pub fn in_doubt_at(&self, now: Timestamp) -> bool {
        self.doubt != Doubt::None && self.doubt_until.is_some_and(|until| now < until)
    }

    fn want(&mut self) {
        if self.refused() {
            self.refusals = 0;
            self.tries = 0;
        }
        self.goal = Goal::Keep;
    }

    fn claim(mut self, lease_until: Timestamp) -> Next {
        self.attempt += 1;
        self.leased = true;
        self.due = Some((self.op(), lease_until));
        Next::Keep(Box::new(self))
    }

    /// Takes a provider's word that it has our pin.
    fn settle_on(&mut self, upstream: UpstreamId, status: Status, confirmed: bool, now: Timestamp) {
        self.upstream = Some(upstream);
        self.doubt = Doubt::None;
        self.doubt_until = None;
        self.verified_at = None;
        self.see(status, confirmed, now);
    }

    /// Takes a provider's word that it has nothing of ours.
    fn settle_on_nothing(&mut self, state: ReplicaState, now: Timestamp) {
        self.upstream = None;
        self.doubt = Doubt::None;
        self.doubt_until = None;
        self.verified_at = None;
        self.owned = Owned::Made;
        self.enter(state, now);
    }

    fn see(&mut self, status: Status, confirmed: bool, now: Timestamp) {
        self.seen_at = Some(now);
        self.tries = 0;
        match status {
            Status::Failed => {
                if self.state != ReplicaState::Failed || !self.is_ours() {
                    self.refusals = self.refusals.saturating_add(1);
                }
                let text = "the provider could not pin it".to_owned();
                self.error = Some(ReplicaError { class: ErrorClass::Rejected, text });
            }
            Status::Pinned => {
                self.refusals = 0;
                self.error = None;
                if confirmed {
                    self.verified_at = Some(now);
                }
            }
            Status::Queued | Status::Pinning => self.error = None,
        }
        self.enter(status.into(), now);
    }

    /// Adds a provider's own words to a failure.
    fn explain(&mut self, why: Option<String>) {
        if let (Some(error), Some(why)) = (&mut self.error, why) {
            error.text = format!("{}: {why}", error.text);
        }
    }

    fn enter(&mut self, state: ReplicaState, now: Timestamp) {
        // A state from after now is from a clock that was wrong: its age would be zero for as long.
        if self.state != state || self.state_at > now {
            self.state = state;
            self.state_at = now;
        }
    }

    fn err(mut self, error: CallError, sending: bool, at: Moment<'_>) -> Next {
        let submitting = sending && self.doubt == Doubt::Submit;
        // An earlier delete whose answer was lost may still remove the pin: only a submit is known to be the first.
        if submitting {
            self.doubt_less(&error);
        }
        if error.class != ErrorClass::Throttled {
            self.tries = self.tries.saturating_add(1);
        }
        if error.class == ErrorClass::Rejected && submitting {
            self.refusals = self.refusals.saturating_add(1);
        }
        let wait = if self.is_given_up() { at.refused() } else { at.retry(self.tries.max(1)) };
        let due = wait.max(error.retry_at.unwrap_or(wait)).max(self.look_not_before(wait));
        self.due = Some((self.op(), due));
        self.error = Some(ReplicaError { class: error.class, text: error.text });
        self.kept_unless_needless()
    }

    /// What a failed submit tells of its own doubt.
    fn doubt_less(&mut self, error: &CallError) {
        if !error.maybe_done {
            self.doubt = Doubt::None;
            self.doubt_until = None;
        } else if let Some(by) = error.settled_by {
            self.doubt_until = self.doubt_until.map(|until| until.min(by));
        }
    }

    /// A delete that may still be under way would remove what a look-up has just found: look after it.
    fn look_not_before(&self, otherwise: Timestamp) -> Timestamp {
        let deleting = self.goal == Goal::Keep && self.doubt == Doubt::Remove;
        self.doubt_until.filter(|_| deleting).unwrap_or(otherwise)
    }

    /// Keeps the replica with the schedule that it has, unless nothing of it is left to remove.
    fn kept_unless_needless(self) -> Next {
        if self.is_needless() { Next::Forget } else { Next::Keep(Box::new(self)) }
    }

    fn is_needless(&self) -> bool {
        let nothing_of_ours = self.upstream.is_none() || !self.is_ours();
        self.goal == Goal::Remove && !self.leased && self.doubt != Doubt::Submit && nothing_of_ours
    }

    /// Sets what is due from the state alone; a leased replica keeps its lease.
    fn replan(mut self, at: Moment<'_>) -> Next {
        if self.is_needless() {
            return Next::Forget;
        }
        if !self.leased {
            self.due = self.due_at(at).map(|due| (self.op(), due));
        } else if let Some((op, _)) = &mut self.due {
            *op = Self::op_of(self.goal, self.doubt, self.state, self.upstream.is_some());
        }
        Next::Keep(Box::new(self))
    }

    fn op(&self) -> Op {
        Self::op_of(self.goal, self.doubt, self.state, self.upstream.is_some())
    }

    fn op_of(goal: Goal, doubt: Doubt, state: ReplicaState, upstream: bool) -> Op {
        match (goal, doubt, state) {
            (Goal::Remove, _, _) => Op::Remove,
            (Goal::Keep, Doubt::None, ReplicaState::Queued | ReplicaState::Pinning) if upstream => Op::Poll,
            (Goal::Keep, Doubt::None, ReplicaState::Pinned) if upstream => Op::Verify,
            (Goal::Keep, _, _) => Op::Submit,
        }
    }

    /// `None`: nothing is, until a sweep finds that it is not there.
    fn due_at(&self, at: Moment<'_>) -> Option<Timestamp> {
        let soonest = match self.op() {
            Op::Submit if self.doubt == Doubt::Remove => self.look_not_before(at.now),
            Op::Submit if self.is_given_up() => at.refused(),
            Op::Submit if self.state == ReplicaState::Failed => at.retry(self.refusals.max(1)),
            Op::Remove | Op::Submit if self.tries > 0 => at.retry(self.tries),
            Op::Remove | Op::Submit => at.now,
            Op::Poll => at.poll(at.now.since(self.state_at)),
            Op::Verify => at.verify(self.verified_at.is_some())?,
        };
        Some(soonest.max(at.now))
    }
}

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
