use super::*;
use crate::telemetry::Metrics;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

const SETTINGS: BreakerSettings = BreakerSettings {
    in_a_row: 2,
    window: Duration::from_secs(10),
    calls: 10,
    ratio: 0.5,
    base: Duration::from_secs(1),
    max: Duration::from_secs(30),
    heal: Duration::from_secs(60),
    alone: Duration::from_secs(30),
    alone_times: 24,
};

fn breaker() -> Breaker {
    among(&Peers::default(), SETTINGS)
}

fn among(peers: &Peers, settings: BreakerSettings) -> Breaker {
    Breaker::new(settings, peers, Metrics::new().provider("alpha"), NOW)
}

fn end(breaker: &Breaker, verdict: Verdict, now: Timestamp) {
    let Ok(admission) = breaker.admit(now) else { panic!("the breaker is open at {now}") };
    admission.settle(verdict, now);
}

fn shut_until(breaker: &Breaker, now: Timestamp) -> Timestamp {
    let Gate::ShutUntil(until) = breaker.gate(now) else { panic!("not open: {:?}", breaker.gate(now)) };
    until
}

#[test]
fn failures_in_a_row_open_it_and_one_good_probe_closes_it() {
    let breaker = breaker();
    end(&breaker, Verdict::Failed, NOW);
    end(&breaker, Verdict::Answered, NOW);
    end(&breaker, Verdict::Failed, NOW);
    assert_eq!(breaker.gate(NOW), Gate::Open);
    end(&breaker, Verdict::Failed, NOW);
    let until = shut_until(&breaker, NOW);
    assert!(breaker.admit(NOW).is_err());
    assert_eq!(breaker.gate(until), Gate::OneProbe);
    let Ok(probe) = breaker.admit(until) else { panic!("no probe") };
    assert_eq!(shut_until(&breaker, until), until.plus(SETTINGS.base), "one is out");
    assert!(breaker.admit(until).is_err());
    probe.settle(Verdict::Answered, until);
    assert_eq!(breaker.gate(until), Gate::Open);
}

#[test]
fn each_failed_probe_doubles_the_wait_up_to_the_cap() {
    let breaker = breaker();
    let mut now = NOW;
    end(&breaker, Verdict::Failed, now);
    for opened in 0..10u32 {
        end(&breaker, Verdict::Failed, now);
        let until = shut_until(&breaker, now);
        let whole = Duration::from_secs(1 << opened).min(Duration::from_secs(30));
        assert!(until.since(now) >= whole / 2 && until.since(now) <= whole);
        now = until;
    }
}

#[test]
fn a_probe_given_up_lets_another_try() {
    let breaker = breaker();
    end(&breaker, Verdict::Failed, NOW);
    end(&breaker, Verdict::Failed, NOW);
    let until = shut_until(&breaker, NOW);
    drop(breaker.admit(until));
    assert_eq!(breaker.gate(until), Gate::OneProbe);
}

/// Makes a breaker open as often as `times`, each time by failures or a failed probe; the last time it is shut until.
fn fail(breaker: &Breaker, mut now: Timestamp, times: u32) -> Timestamp {
    for _ in 0..times {
        while matches!(breaker.gate(now), Gate::Open | Gate::OneProbe) {
            end(breaker, Verdict::Failed, now);
        }
        now = shut_until(breaker, now);
    }
    now
}

#[test]
fn a_share_of_failures_opens_it_though_some_are_answered_between() {
    let settings = BreakerSettings { in_a_row: 100, ..SETTINGS };
    let breaker = among(&Peers::default(), settings);
    for n in 0..9 {
        end(&breaker, if n % 2 == 0 { Verdict::Failed } else { Verdict::Answered }, NOW);
    }
    assert_eq!(breaker.gate(NOW), Gate::Open, "too few to judge by");
    end(&breaker, Verdict::Answered, NOW);
    end(&breaker, Verdict::Failed, NOW);
    shut_until(&breaker, NOW);
    assert_eq!(breaker.state(), (BreakerState::Open, NOW));
}

#[test]
fn failures_of_long_ago_count_for_nothing() {
    let settings = BreakerSettings { in_a_row: 100, ..SETTINGS };
    let breaker = among(&Peers::default(), settings);
    let mut now = NOW;
    for _ in 0..50 {
        end(&breaker, Verdict::Failed, now);
        now = now.plus(Duration::from_millis(1200));
    }
    assert_eq!(breaker.gate(now), Gate::Open, "never ten in ten seconds");
    for _ in 0..12 {
        end(&breaker, Verdict::Answered, now);
    }
    end(&breaker, Verdict::Failed, now);
    assert_eq!(breaker.gate(now), Gate::Open, "not half of them");
}

#[test]
fn what_breaks_again_soon_is_left_alone_for_longer_and_for_less_long_once_it_was_well() {
    let breaker = breaker();
    let until = fail(&breaker, NOW, 4);
    end(&breaker, Verdict::Answered, until);
    let again = fail(&breaker, until, 1);
    assert!(again.since(until) >= Duration::from_secs(8), "{:?}", again.since(until));
    end(&breaker, Verdict::Answered, again);
    let well = again.plus(10 * SETTINGS.heal);
    let anew = fail(&breaker, well, 1);
    assert!(anew.since(well) <= Duration::from_secs(1), "{:?}", anew.since(well));
}

#[test]
fn while_no_other_is_known_to_be_well_each_is_tried_at_a_steady_pace() {
    let (peers, alone) = (Peers::default(), Duration::from_secs(5));
    let settings = BreakerSettings { alone, ..SETTINGS };
    let [one, two, _idle] = [0; 3].map(|_| among(&peers, settings));
    let steady = |breaker: &Breaker| {
        let since = breaker.state().1;
        shut_until(breaker, since).since(since) <= alone
    };
    fail(&one, NOW, 9);
    assert!(steady(&one), "those that were never called say nothing");
    let now = one.state().1;
    end(&two, Verdict::Answered, now);
    assert!(!steady(&one), "there is another one");
    assert_eq!(one.gate(now.plus(Duration::from_secs(14))), Gate::ShutUntil(shut_until(&one, now)));
    fail(&two, now, 1);
    assert!(steady(&one));
    let back = shut_until(&two, two.state().1);
    end(&two, Verdict::Answered, back);
    assert!(!steady(&one));
    drop(two);
    assert!(steady(&one), "the other one left");
}

/// It would be asked 720 times an hour, for as long as it is down.
#[test]
fn one_that_stays_sick_is_left_alone_for_longer_though_no_other_is_known_to_be_well() {
    let alone = Duration::from_secs(5);
    let breaker = among(&Peers::default(), BreakerSettings { alone, ..SETTINGS });
    let last = |until: Timestamp| until.since(breaker.state().1);
    assert!(last(fail(&breaker, NOW, 24)) <= alone);
    assert!(last(fail(&breaker, breaker.state().1.plus(alone), 1)) >= SETTINGS.max / 2);
    // As soon as that is forgotten again as it ever was.
    let well = shut_until(&breaker, breaker.state().1);
    end(&breaker, Verdict::Answered, well);
    let sick = well.plus(24 * SETTINGS.heal);
    let until = fail(&breaker, sick, 1);
    assert!(until.since(sick) <= 2 * SETTINGS.base, "{:?}", until.since(sick));
}

#[test]
fn who_answered_long_ago_is_not_known_to_be_well() {
    let peers = Peers::default();
    let (one, two) =
        (among(&peers, BreakerSettings { alone: SETTINGS.base, ..SETTINGS }), among(&peers, SETTINGS));
    end(&two, Verdict::Answered, NOW);
    fail(&one, NOW, 7);
    let since = one.state().1;
    assert!(shut_until(&one, since).since(since) > SETTINGS.base);
    let later = NOW.plus(Duration::from_secs(600));
    let until = fail(&one, later, 1);
    assert!(until.since(later) <= SETTINGS.base);
}
