use super::*;
use crate::policy::Timing;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn at(now: Timestamp, timing: &Timing) -> Moment<'_> {
    Moment { now, jitter: 0.0, timing, verify_every: Some(timing.verify_every) }
}

fn fresh() -> Replica {
    Replica::new(ReplicaId(1), ProviderId(1), ContentId(1), NOW)
}

fn steps(mut replica: Replica, events: impl IntoIterator<Item = Event>) -> Option<Replica> {
    let timing = Timing::default();
    for event in events {
        match replica.step(event, at(NOW, &timing)) {
            Next::Keep(next) => replica = *next,
            Next::Forget => return None,
        }
    }
    Some(replica)
}

fn upstream() -> UpstreamId {
    UpstreamId::new("theirs").unwrap()
}

fn claimed() -> Event {
    Event::Claimed { lease_until: NOW.plus(std::time::Duration::from_secs(60)) }
}

#[test]
fn a_new_replica_is_looked_up_before_it_is_submitted_unless_the_credential_is_exclusive() {
    assert_eq!(fresh().work(false), Work::Look);
    assert_eq!(fresh().work(true), Work::Submit);
}

#[test]
fn what_a_first_look_finds_is_found_and_never_deleted() {
    let found = Event::Found { upstream: upstream(), status: Status::Pinned, ours: false };
    let replica = steps(fresh(), [claimed(), found]).unwrap();
    assert_eq!((replica.owned, replica.state), (Owned::Found, ReplicaState::Pinned));
    assert_eq!(steps(replica, [Event::Unwanted]), None);
}

#[test]
fn delete_while_queued_never_reaches_the_provider() {
    assert_eq!(steps(fresh(), [Event::Unwanted]), None);
}

#[test]
fn a_submit_without_an_answer_stays_in_doubt_until_a_look_settles_it() {
    let until = NOW.plus(std::time::Duration::from_secs(30));
    let error = CallError {
        class: ErrorClass::Transient,
        text: "timed out".into(),
        maybe_done: true,
        settled_by: None,
        retry_at: None,
    };
    let sending = Event::Sending { doubt: Doubt::Submit, until };
    let replica = steps(fresh(), [claimed(), sending, Event::Erred { error, sending: true }]).unwrap();
    assert_eq!(replica.doubt, Doubt::Submit);
    assert_eq!(replica.work(true), Work::Look);
    let early = steps(replica.clone(), [claimed(), Event::NotFound { asked_at: NOW }]).unwrap();
    let (_, due) = early.due.unwrap();
    assert!(early.doubt == Doubt::Submit && due >= until);
    let timing = Timing::default();
    let Next::Keep(late) = early.step(Event::NotFound { asked_at: due }, at(due, &timing)) else { panic!() };
    assert_eq!(late.doubt, Doubt::None);
}

#[test]
fn three_refusals_are_taken_at_their_word_and_a_new_pin_asks_anew() {
    let rejected = || Event::Erred {
        error: CallError {
            class: ErrorClass::Rejected,
            text: "no such codec".into(),
            maybe_done: false,
            settled_by: None,
            retry_at: None,
        },
        sending: true,
    };
    let sending = || Event::Sending { doubt: Doubt::Submit, until: NOW };
    let mut replica = fresh();
    for _ in 0..3 {
        assert!(!replica.refused());
        replica = steps(replica, [claimed(), sending(), rejected()]).unwrap();
    }
    assert!(replica.refused());
    let (op, due) = replica.due.unwrap();
    assert_eq!(op, Op::Submit);
    assert!(due.since(NOW) >= Timing::default().refused_retry);
    let again = steps(replica, [Event::Wanted]).unwrap();
    assert_eq!((again.refused(), again.due), (false, Some((Op::Submit, NOW))));
}

fn lost_answer(maybe_done: bool) -> Event {
    failed(maybe_done, None)
}

fn failed(maybe_done: bool, settled_by: Option<Timestamp>) -> Event {
    let (class, text) = (ErrorClass::Transient, "reset".into());
    Event::Erred { error: CallError { class, text, maybe_done, settled_by, retry_at: None }, sending: true }
}

#[test]
fn a_submit_answered_with_an_error_is_in_doubt_only_until_its_effect_has_settled() {
    let second = std::time::Duration::from_secs(1);
    let (settled_by, until) = (NOW.plus(second * 2), NOW.plus(second * 30));
    let sending = || Event::Sending { doubt: Doubt::Submit, until };
    let answered = steps(fresh(), [claimed(), sending(), failed(true, Some(settled_by))]).unwrap();
    assert_eq!((answered.doubt, answered.doubt_until), (Doubt::Submit, Some(settled_by)));
    let later = failed(true, Some(until.plus(second)));
    let never_put_off = steps(fresh(), [claimed(), sending(), later]).unwrap();
    assert_eq!(never_put_off.doubt_until, Some(until));
}

#[test]
fn a_delete_answered_with_an_error_leaves_the_doubt_of_an_earlier_one() {
    let mut events = pinned_then_deleting();
    events.push(failed(true, Some(NOW)));
    let replica = steps(fresh(), events).unwrap();
    assert_eq!(replica.doubt_until, Some(NOW.plus(std::time::Duration::from_secs(30))));
}

fn pinned_then_deleting() -> Vec<Event> {
    let until = NOW.plus(std::time::Duration::from_secs(30));
    let landed = Event::Landed { upstream: upstream(), status: Status::Pinned, existed: false };
    vec![claimed(), landed, Event::Unwanted, claimed(), Event::Sending { doubt: Doubt::Remove, until }]
}

#[test]
fn an_empty_look_that_left_within_the_doubt_does_not_settle_it_when_answered_after() {
    let until = NOW.plus(std::time::Duration::from_secs(30));
    let sending = Event::Sending { doubt: Doubt::Submit, until };
    let looking = steps(fresh(), [claimed(), sending, lost_answer(true), claimed()]).unwrap();
    let timing = Timing::default();
    let late = at(until.plus(std::time::Duration::from_secs(1)), &timing);
    let answer = |asked_at| match looking.clone().step(Event::NotFound { asked_at }, late) {
        Next::Keep(next) => (next.doubt, next.due),
        Next::Forget => panic!("a pin needs it"),
    };
    assert_eq!(answer(NOW), (Doubt::Submit, Some((Op::Submit, late.now))));
    assert_eq!(answer(until).0, Doubt::None);
}

#[test]
fn a_look_within_a_doubt_does_not_put_off_its_end() {
    let until = NOW.plus(std::time::Duration::from_secs(30));
    let sending = Event::Sending { doubt: Doubt::Submit, until };
    let looking = steps(fresh(), [claimed(), sending, lost_answer(true), claimed()]).unwrap();
    assert_eq!(looking.doubt_until, Some(until));
}

#[test]
fn a_copy_wanted_again_while_its_delete_may_land_is_not_looked_up_before_that_even_after_a_crash() {
    let mut events = pinned_then_deleting();
    events.extend([Event::Wanted, Event::Deferred { until: NOW }]);
    let replica = steps(fresh(), events).unwrap();
    assert_eq!(replica.due, Some((Op::Submit, NOW.plus(std::time::Duration::from_secs(30)))));
}

#[test]
fn a_pin_seen_while_its_lost_delete_may_still_land_is_looked_at_again() {
    let mut events = pinned_then_deleting();
    let found = Event::Found { upstream: upstream(), status: Status::Pinned, ours: false };
    events.extend([lost_answer(true), Event::Wanted, claimed(), found]);
    let replica = steps(fresh(), events).unwrap();
    assert_eq!((replica.doubt, replica.work(true)), (Doubt::Remove, Work::Look));
}

#[test]
fn a_delete_turned_away_leaves_the_doubt_of_an_earlier_one() {
    let mut events = pinned_then_deleting();
    events.extend([lost_answer(true), claimed(), Event::Wanted, lost_answer(false)]);
    assert_eq!(steps(fresh(), events).unwrap().doubt, Doubt::Remove);
}

#[test]
fn a_failed_pin_that_is_not_ours_is_a_refusal_each_time_it_is_found() {
    let found = || Event::Found { upstream: upstream(), status: Status::Failed, ours: false };
    let replica = steps(fresh(), [found(), found(), found()]).unwrap();
    assert!(replica.refused());
}

/// I13: somebody pinned it between our look and our submit.
#[test]
fn a_pin_that_was_there_when_ours_was_submitted_is_never_deleted() {
    let landed = |existed| Event::Landed { upstream: upstream(), status: Status::Pinned, existed };
    let theirs = steps(fresh(), [claimed(), landed(true)]).unwrap();
    assert_eq!(theirs.owned, Owned::Found);
    assert!(steps(theirs, [Event::Unwanted]).is_none());
    let ours = steps(fresh(), [claimed(), landed(false), Event::Unwanted]).unwrap();
    assert_eq!(ours.work(false), Work::Delete(upstream()));
}

#[test]
fn why_a_provider_failed_is_told_in_its_own_words() {
    let seen = |status, why: Option<&str>| Event::Seen { status, why: why.map(str::to_owned) };
    let failed = steps(fresh(), [claimed(), seen(Status::Failed, Some("no peer has it"))]).unwrap();
    assert_eq!(failed.error.as_ref().unwrap().text, "the provider could not pin it: no peer has it");
    let pinned = steps(failed, [claimed(), seen(Status::Pinned, Some("what"))]).unwrap();
    assert_eq!(pinned.error, None);
}
