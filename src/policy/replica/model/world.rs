//! The modelled world: one gateway with at most one replica, one provider, and calls whose answers may be lost.
//!
//! The clock stands still: `NOW` is always now, and what is planned lies in a few classes after it, so that worlds
//! which differ only in their history are one world.

use std::{
    hash::{Hash, Hasher},
    time::Duration,
};

use super::super::*;
use crate::policy::Timing;

pub(super) const NOW: Timestamp = Timestamp::from_millis(1_000_000_000);
const SOON: Duration = Duration::from_secs(1);
/// From a call's leaving to its last possible effect.
const SETTLE: Duration = Duration::from_secs(30);
const LEASE: Duration = Duration::from_secs(60);
/// Before any look that is still out has left.
const LONG_OVER: Timestamp = Timestamp::ZERO;
/// The id of the pin that the user made; ours count from 1.
pub(super) const THEIRS: u8 = 0;

/// What kind of provider, and on what terms.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// The credential is ours alone: no first look, and nobody else makes pins.
    pub(super) exclusive: bool,
    /// Look-ups echo our tag, and we know that they do.
    pub(super) echo: bool,
    /// A second submit of a content makes no second pin, and its answer says so.
    pub(super) collapse: bool,
    /// An operator may say that the user's pin is the account's.
    pub(super) adopts: bool,
}

/// Whether a write reached the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Effect {
    Pending,
    Done,
    /// A submit made nothing: the pin was there.
    Existed,
    /// Its deadline passed: it will never take effect.
    Void,
}

/// The call of the claim that is out. A read takes its snapshot at one moment and is answered at a later one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Call {
    /// When it left, and what it saw.
    Look(Timestamp, Option<Vec<(u8, Status)>>),
    See(u8, Option<Option<Status>>),
    Submit(Effect, u8),
    Delete(Effect, u8),
}

/// A call that nobody waits for any more, and that may still take effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Ghost {
    Submit,
    Delete(u8),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct World {
    pub(super) replica: Option<Replica>,
    pub(super) wanted: bool,
    /// What the provider holds, by id.
    pub(super) pins: Vec<(u8, Status)>,
    pub(super) call: Option<Call>,
    /// Half of the lease is over.
    late: bool,
    pub(super) ghosts: Vec<Ghost>,
    /// The pin that the user made is ours by an operator's word.
    pub(super) adopted: bool,
    /// A call was sent that should not have been.
    pub(super) wrong: Option<&'static str>,
}

impl Hash for World {
    fn hash<H: Hasher>(&self, to: &mut H) {
        if let Some(replica) = &self.replica {
            let Replica { goal, state, owned, doubt, doubt_until, due, leased, tries, refusals, .. } =
                replica;
            (goal, state, owned, doubt, doubt_until, due, leased, tries, refusals).hash(to);
            replica.upstream.as_ref().map(UpstreamId::as_str).hash(to);
        }
        (self.wanted, &self.pins, &self.call, self.late, &self.ghosts, self.adopted, self.wrong).hash(to);
    }
}

fn id_of(upstream: &UpstreamId) -> u8 {
    upstream.as_str().parse().expect("the model's ids are numbers")
}

fn upstream(id: u8) -> UpstreamId {
    UpstreamId::new(id.to_string()).expect("a number is an id")
}

/// Drops what has no influence on the machine, and puts times into their classes.
fn normalised(mut replica: Replica) -> Replica {
    replica.attempt = 0;
    replica.tries = replica.tries.min(1);
    replica.refusals = replica.refusals.min(REFUSALS);
    replica.error = None;
    replica.state_at = NOW;
    replica.seen_at = None;
    replica.verified_at = None;
    replica.doubt_until = replica.doubt_until.map(|until| match until {
        until if until > NOW => NOW.plus(SETTLE),
        // Apart from what was over before, since a look that is out may have left before it was.
        NOW => NOW,
        _ => LONG_OVER,
    });
    let settled = replica.doubt_until.filter(|until| *until > NOW);
    let leased = replica.leased;
    replica.due = replica.due.map(|(op, at)| match settled {
        _ if leased => (op, NOW.plus(LEASE)),
        _ if at <= NOW => (op, NOW),
        Some(until) if at >= until => (op, until),
        _ => (op, NOW.plus(SOON)),
    });
    replica
}

/// The store's rule for a submit that follows an empty look, its lease and attempt apart: the model answers no call
/// of an older claim.
fn may_begin(replica: &Replica, asked_at: Timestamp) -> bool {
    replica.leased
        && replica.goal == Goal::Keep
        && replica.upstream.is_none()
        && !replica.in_doubt_at(asked_at)
}

impl World {
    pub(super) fn new(pins: Vec<(u8, Status)>) -> Self {
        let (replica, call, ghosts, wrong) = (None, None, Vec::new(), None);
        Self { replica, wanted: false, pins, call, late: false, ghosts, adopted: false, wrong }
    }

    fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut next = self.clone();
        change(&mut next);
        let Self { ghosts, pins, .. } = &mut next;
        // Ids are not used again, so that a delete of what is gone is nothing.
        ghosts.retain(|ghost| !matches!(ghost, Ghost::Delete(id) if pins.iter().all(|pin| pin.0 != *id)));
        next.ghosts.sort_unstable();
        next.ghosts.dedup_by(|a, b| a == b && *a != Ghost::Submit);
        next.pins.sort_unstable();
        next
    }

    pub(super) fn step(&mut self, event: Event) {
        let timing = Timing::default();
        let at = Moment { now: NOW, jitter: 0.0, timing: &timing, verify_every: Some(timing.verify_every) };
        let replica = self.replica.take().expect("only a replica that is kept is stepped");
        if let Next::Keep(next) = replica.step(event, at) {
            self.replica = Some(normalised(*next));
        }
    }

    pub(super) fn ours(&self) -> impl Iterator<Item = &(u8, Status)> {
        self.pins.iter().filter(|(id, _)| self.is_ours(*id))
    }

    pub(super) fn is_ours(&self, id: u8) -> bool {
        self.adopted || id != THEIRS
    }

    /// Whether an operator's word is taken now: nothing of the replica is on its way.
    fn may_be_adopted(&self, rules: Rules) -> bool {
        let settled = |replica: &Replica| replica.doubt == Doubt::None && replica.goal == Goal::Keep;
        let quiet = self.call.is_none() && self.replica.as_ref().is_none_or(settled);
        rules.adopts && !self.adopted && quiet && self.ours().count() == 0 && self.status_of(THEIRS).is_some()
    }

    /// A pin is made of the one that the user made, as an adoption does.
    fn adopt(&mut self) {
        self.want();
        self.adopted = true;
        let (upstream, status) = (upstream(THEIRS), self.status_of(THEIRS).expect("it is there"));
        self.step(Event::Adopted { upstream, status, confirmed: true, seen_at: NOW });
    }

    pub(super) fn status_of(&self, id: u8) -> Option<Status> {
        self.pins.iter().find(|pin| pin.0 == id).map(|pin| pin.1)
    }

    /// An id that nothing refers to.
    fn mint(&self) -> u8 {
        let known = self.replica.iter().filter_map(|replica| replica.upstream.as_ref()).map(id_of);
        let deleted = self.ghosts.iter().filter_map(|ghost| match ghost {
            Ghost::Delete(id) => Some(*id),
            Ghost::Submit => None,
        });
        let seen = match &self.call {
            Some(Call::Look(_, Some(seen))) => seen.as_slice(),
            _ => &[],
        };
        let pins = self.pins.iter().chain(seen).map(|pin| pin.0);
        let taken: Vec<u8> = known.chain(deleted).chain(pins).collect();
        (1..).find(|id| !taken.contains(id)).expect("few ids are in use")
    }

    fn make(&mut self) -> u8 {
        let id = self.mint();
        self.pins.push((id, Status::Queued));
        id
    }

    fn remove(&mut self, id: u8) {
        self.pins.retain(|pin| pin.0 != id);
    }

    pub(super) fn haunt(&mut self, ghost: Ghost, rules: Rules) {
        match ghost {
            Ghost::Submit if rules.collapse && !self.pins.is_empty() => {}
            Ghost::Submit => _ = self.make(),
            Ghost::Delete(id) => self.remove(id),
        }
        let place = self.ghosts.iter().position(|other| *other == ghost);
        place.map(|place| self.ghosts.remove(place));
    }

    /// A pin asks for the content.
    pub(super) fn want(&mut self) {
        self.wanted = true;
        match self.replica {
            Some(_) => self.step(Event::Wanted),
            None => {
                let new = Replica::new(ReplicaId(1), ProviderId(1), ContentId(1), NOW);
                self.replica = Some(normalised(new));
            }
        }
    }

    /// The last pin that needed it is deleted.
    pub(super) fn unwant(&mut self) {
        self.wanted = false;
        if self.replica.is_some() {
            self.step(Event::Unwanted);
        }
    }

    pub(super) fn is_due(&self) -> bool {
        self.replica
            .as_ref()
            .is_some_and(|replica| !replica.leased && replica.due.is_some_and(|due| due.1 <= NOW))
    }

    /// The engine takes the replica: what is about to leave is committed first.
    pub(super) fn claim(&mut self, rules: Rules) {
        let replica = self.replica.as_ref().expect("claimed when due");
        let work = replica.work(rules.exclusive);
        let held = replica.state == ReplicaState::Pinned && replica.upstream.is_some();
        self.late = false;
        self.step(Event::Claimed { lease_until: NOW.plus(LEASE) });
        self.call = match work {
            Work::Look => Some(Call::Look(NOW, None)),
            Work::See(id) => Some(Call::See(id_of(&id), None)),
            Work::Submit => Some(self.send(Doubt::Submit, Call::Submit(Effect::Pending, 0))),
            Work::Delete(id) => {
                if self.wanted && held {
                    self.wrong = Some("a delete was sent for a pinned copy that a pin needs");
                }
                Some(self.send(Doubt::Remove, Call::Delete(Effect::Pending, id_of(&id))))
            }
            Work::Forget => {
                self.step(Event::Removed);
                None
            }
        };
    }

    fn send(&mut self, doubt: Doubt, call: Call) -> Call {
        self.step(Event::Sending { doubt, until: NOW.plus(SETTLE) });
        call
    }

    /// The call that is out reaches the provider.
    pub(super) fn arrive(&mut self, rules: Rules) {
        let there = self.pins.first().map(|pin| pin.0).filter(|_| rules.collapse);
        self.call = match self.call.take() {
            Some(Call::Look(asked_at, None)) => Some(Call::Look(asked_at, Some(self.pins.clone()))),
            Some(Call::See(id, None)) => Some(Call::See(id, Some(self.status_of(id)))),
            Some(Call::Submit(Effect::Pending, _)) => Some(match there {
                Some(id) => Call::Submit(Effect::Existed, id),
                None => Call::Submit(Effect::Done, self.make()),
            }),
            Some(Call::Delete(Effect::Pending, id)) => {
                self.remove(id);
                Some(Call::Delete(Effect::Done, id))
            }
            other => other,
        };
    }

    /// Whether the call that is out has yet to reach the provider, and still can.
    pub(super) fn is_under_way(&self) -> bool {
        matches!(
            self.call,
            Some(
                Call::Look(_, None)
                    | Call::See(_, None)
                    | Call::Submit(Effect::Pending, _)
                    | Call::Delete(Effect::Pending, _)
            )
        )
    }

    /// The answer of a call that reached the provider is read.
    pub(super) fn answer(&mut self, rules: Rules) {
        match self.call.take() {
            Some(Call::Look(asked_at, Some(seen))) => self.looked(asked_at, &seen, rules),
            Some(Call::See(_, Some(Some(status)))) => self.step(Event::Seen { status, why: None }),
            Some(Call::See(_, Some(None))) => self.step(Event::Gone),
            Some(Call::Submit(Effect::Done, id)) => {
                self.step(Event::Landed { upstream: upstream(id), status: Status::Queued, existed: false });
            }
            Some(Call::Submit(Effect::Existed, id)) => {
                let ours = rules.exclusive || (rules.echo && id != THEIRS);
                let status = self.status_of(id).unwrap_or(Status::Queued);
                self.step(Event::Landed { upstream: upstream(id), status, existed: !ours });
            }
            Some(Call::Delete(Effect::Done, _)) => self.step(Event::Removed),
            other => self.call = other,
        }
    }

    /// As the engine reads a look-up: the pin that is known before one with our tag before any other. A first look
    /// takes any, a delete's doubt the one that was to go. Where tags are known to be echoed, a pin
    /// without ours does not settle a submit's doubt.
    fn looked(&mut self, asked_at: Timestamp, seen: &[(u8, Status)], rules: Rules) {
        let replica = self.replica.as_ref().expect("a claimed replica is kept");
        let known = replica.upstream.as_ref().map(id_of);
        let ours = |id: u8| rules.exclusive || (rules.echo && id != THEIRS);
        let is_meant = |(id, _): &&(u8, Status)| match replica.doubt {
            Doubt::None => true,
            Doubt::Submit => !rules.echo || ours(*id),
            Doubt::Remove => Some(*id) == known || ours(*id),
        };
        let best = seen.iter().filter(is_meant).max_by_key(|pin| (Some(pin.0) == known, ours(pin.0)));
        let may_submit = may_begin(replica, asked_at);
        match best {
            Some(&(id, status)) => {
                self.step(Event::Found { upstream: upstream(id), status, ours: ours(id) });
            }
            None if may_submit => {
                self.call = Some(self.send(Doubt::Submit, Call::Submit(Effect::Pending, 0)))
            }
            None => self.step(Event::NotFound { asked_at }),
        }
    }

    /// The call fails in the gateway's eyes.
    pub(super) fn fail(&mut self, class: ErrorClass, maybe_done: bool) {
        let call = self.call.take();
        if maybe_done {
            self.ghosts.extend(Self::ghost_of(call.as_ref()));
        }
        self.err(call.as_ref(), class, maybe_done, None);
    }

    /// The provider answers with an error, whether it did what was asked or not: nothing is on its way any more.
    pub(super) fn answer_with_an_error(&mut self) {
        let call = self.call.take();
        self.err(call.as_ref(), ErrorClass::Transient, true, Some(NOW));
    }

    fn err(
        &mut self,
        call: Option<&Call>,
        class: ErrorClass,
        maybe_done: bool,
        settled_by: Option<Timestamp>,
    ) {
        let sending = matches!(call, Some(Call::Submit(..) | Call::Delete(..)));
        let error = CallError { class, text: String::new(), maybe_done, settled_by, retry_at: None };
        self.step(Event::Erred { error, sending });
    }

    fn ghost_of(call: Option<&Call>) -> Option<Ghost> {
        match call {
            Some(Call::Submit(Effect::Pending, _)) => Some(Ghost::Submit),
            Some(Call::Delete(Effect::Pending, id)) => Some(Ghost::Delete(*id)),
            _ => None,
        }
    }

    /// The gateway dies and starts again, or its lease runs out.
    fn crash(&mut self) {
        self.ghosts.extend(Self::ghost_of(self.call.take().as_ref()));
        self.step(Event::Deferred { until: NOW });
    }

    /// What was due soon is due now.
    pub(super) fn soon(&mut self) {
        if let Some((_, at)) = self.replica.as_mut().and_then(|replica| replica.due.as_mut()) {
            *at = NOW;
        }
    }

    /// The settle time passes: what has not taken effect by now never will.
    pub(super) fn expire(&mut self) {
        self.ghosts.clear();
        self.late = self.call.is_some();
        self.call = self.call.take().map(|call| match call {
            Call::Look(asked_at, seen) => Call::Look(asked_at.minus(SETTLE), seen),
            Call::Submit(Effect::Pending, id) => Call::Submit(Effect::Void, id),
            Call::Delete(Effect::Pending, id) => Call::Delete(Effect::Void, id),
            other => other,
        });
        if let Some(mut replica) = self.replica.take() {
            replica.doubt_until = replica.doubt_until.map(|until| until.minus(SETTLE));
            replica.due = replica.due.map(|(op, at)| (op, at.minus(SETTLE)));
            self.replica = Some(normalised(replica));
        }
    }

    pub(super) fn is_due_soon(&self) -> bool {
        let soon = NOW.plus(SOON);
        self.replica
            .as_ref()
            .is_some_and(|replica| !replica.leased && replica.due.is_some_and(|due| due.1 == soon))
    }

    /// A user's own pin is made; never at an exclusive provider, and not within our own doubt unless tags tell them
    /// apart: see `a_users_own_pin_made_within_our_untagged_doubt_is_taken_for_ours`.
    fn may_be_made_by_the_user(&self, rules: Rules) -> bool {
        let doubt = self.replica.as_ref().is_some_and(|replica| replica.doubt == Doubt::Submit);
        let looked = matches!(&self.call, Some(Call::Look(_, Some(_))));
        let apart = !self.adopted && (!rules.collapse || self.pins.is_empty());
        !rules.exclusive && self.status_of(THEIRS).is_none() && apart && (rules.echo || !(doubt || looked))
    }

    /// All that can happen next.
    pub(super) fn moves(&self, rules: Rules) -> Vec<(&'static str, Self)> {
        let mut moves = Vec::new();
        match self.wanted {
            true => moves.push(("unwanted", self.with(Self::unwant))),
            false => moves.push(("wanted", self.with(Self::want))),
        }
        if self.is_due() {
            moves.push(("claimed", self.with(|world| world.claim(rules))));
        }
        if self.is_due_soon() {
            moves.push(("a moment passes", self.with(Self::soon)));
        }
        if !self.late || self.call.is_none() {
            moves.push(("the settle time passes", self.with(Self::expire)));
        }
        for ghost in &self.ghosts {
            moves.push(("a lost call takes effect", self.with(|world| world.haunt(*ghost, rules))));
        }
        self.call_moves(rules, &mut moves);
        self.provider_moves(rules, &mut moves);
        moves
    }

    fn call_moves(&self, rules: Rules, moves: &mut Vec<(&'static str, Self)>) {
        let Some(call) = &self.call else { return };
        moves.push(("crash", self.with(Self::crash)));
        moves.push(("answered with an error", self.with(Self::answer_with_an_error)));
        moves.push(("failed, maybe done", self.with(|world| world.fail(ErrorClass::Transient, true))));
        if self.is_under_way() {
            moves.push(("arrives", self.with(|world| world.arrive(rules))));
            moves.push(("throttled", self.with(|world| world.fail(ErrorClass::Throttled, false))));
            moves.push(("rejected", self.with(|world| world.fail(ErrorClass::Rejected, false))));
            moves.push(("never sent", self.with(|world| world.fail(ErrorClass::Transient, false))));
        } else if !matches!(call, Call::Submit(Effect::Void, _) | Call::Delete(Effect::Void, _)) {
            moves.push(("answered", self.with(|world| world.answer(rules))));
        }
    }

    fn provider_moves(&self, rules: Rules, moves: &mut Vec<(&'static str, Self)>) {
        for (place, (_, status)) in self.pins.iter().enumerate() {
            let turned = |to| self.with(|world| world.pins[place].1 = to);
            if *status == Status::Queued {
                moves.push(("pinned by the provider", turned(Status::Pinned)));
            }
            if *status != Status::Failed {
                moves.push(("failed by the provider", turned(Status::Failed)));
            }
            moves.push(("lost by the provider", self.with(|world| _ = world.pins.remove(place))));
        }
        if self.may_be_adopted(rules) {
            moves.push(("adopted", self.with(Self::adopt)));
        }
        if self.may_be_made_by_the_user(rules) {
            moves.push(("pinned by the user", self.with(|world| world.pins.push((THEIRS, Status::Pinned)))));
        }
    }
}
