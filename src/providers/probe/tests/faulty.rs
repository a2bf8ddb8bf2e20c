//! Whatever goes wrong, nothing is left behind that is not told.

use super::*;

const STORED_BUT: [Fault; 3] = [Fault::STORED_BUT_500, Fault::STORED_BUT_RESET, Fault::HANG_AFTER];

async fn with(times: u32, routes: impl Into<Routes>, fault: Fault) -> (Trial, Report) {
    let mut trial = Trial::correct().await;
    trial.settings.try_timeout = Duration::from_millis(100);
    trial.sim.faults().next(times, routes, fault);
    let report = trial.run().await;
    (trial, report)
}

#[tokio::test]
async fn a_pin_whose_post_was_not_answered_is_found_and_removed() {
    for fault in STORED_BUT {
        for times in [1, 2, 8] {
            let (trial, report) = with(times, SimRoute::Add, fault).await;
            assert!(
                report.left.is_empty() && trial.sim.pins().is_empty(),
                "{fault}*{times}: {:?}",
                report.left
            );
            assert!(!report.is_good());
        }
    }
}

#[tokio::test]
async fn pins_are_removed_by_a_second_try_where_the_first_failed() {
    for fault in [Fault::RESET_BEFORE, Fault::STORED_BUT_RESET, Fault::status(503), Fault::HANG_BEFORE] {
        let (trial, report) = with(3, SimRoute::Remove, fault).await;
        assert!(report.left.is_empty() && trial.sim.pins().is_empty(), "{fault}: {:?}", report.left);
    }
}

#[tokio::test]
async fn what_cannot_be_removed_is_told() {
    let trial = Trial::correct().await;
    trial.sim.faults().always(SimRoute::Remove, Fault::status(500));
    let report = trial.run().await;
    let pins = trial.sim.pins();
    assert!(!pins.is_empty() && pins.iter().all(|pin| report.left.iter().any(|left| left.contains(&pin.id))));
    assert!(!report.is_good());
}

#[tokio::test]
async fn trouble_at_any_call_leaves_nothing_behind() {
    let faults = [Fault::status(500), Fault::RESET_BEFORE, Fault::STORED_BUT_RESET, Fault::GARBAGE];
    for (seed, fault) in (0..8).zip(faults.into_iter().cycle()) {
        let trial = Trial::of(GENERIC, |builder| builder.seed(seed)).await;
        trial.sim.faults().sometimes(0.2, Routes::Any, fault);
        let report = trial.run().await;
        let told = report.left.len();
        assert!(trial.sim.pins().len() <= told || report.left.iter().any(|left| left.contains("perhaps")));
    }
}

#[tokio::test]
async fn one_that_does_not_answer_is_left_alone_soon() {
    let (trial, report) = with(99, Routes::Any, Fault::RESET_BEFORE).await;
    assert_eq!((trial.sim.counts().total(), line(&report, "reachable").verdict), (1, Verdict::Failed));
    let trial = Trial::correct().await;
    trial.sim.stop().await;
    assert_eq!(line(&trial.run().await, "reachable").verdict, Verdict::Failed);
}

#[tokio::test]
async fn a_refused_credential_ends_it_after_one_call() {
    let mut trial = Trial::correct().await;
    trial.settings.credential = Credential::token(&"another".into()).unwrap();
    let report = trial.run().await;
    assert_eq!((trial.sim.counts().total(), line(&report, "credential").verdict), (1, Verdict::Failed));
    assert!(!format!("{report:?}").contains("another"));
}

#[tokio::test]
async fn a_web_page_is_no_pinning_service() {
    let trial = Trial::of("nft.storage", |builder| builder.behaviour(|is| is.retired = true)).await;
    let report = trial.run().await;
    let line = line(&report, "speaks the API");
    assert!(line.verdict == Verdict::Failed && line.seen.starts_with("a web page"), "{line:?}");
    trial.is_clean(&report);
}

#[tokio::test]
async fn a_404_is_no_list_unless_the_preset_says_so() {
    for (preset, is_list) in [(GENERIC, false), ("fula", true)] {
        let mut trial = Trial::of(preset, |builder| builder).await;
        trial.settings.endpoint = Endpoint::parse(&format!("{}/nowhere", trial.sim.endpoint())).unwrap();
        let report = trial.look().await;
        let line = line(&report, "speaks the API");
        assert_eq!(line.verdict.is_bad(), !is_list, "{preset}: {line:?}");
        if !is_list {
            assert!(line.advice.as_ref().unwrap().starts_with("correct the endpoint's host"), "{line:?}");
            assert!(!report.lines.iter().any(|line| line.check == "credential"), "nobody took it");
        }
    }
}

#[tokio::test]
async fn told_to_stop_it_cleans_up_first() {
    for after in [1, 3, 5] {
        let trial = Trial::correct().await;
        let told = Arc::new(Notify::new());
        let watch = async {
            while trial.sim.counts().calls(SimRoute::Add) < after {
                tokio::task::yield_now().await;
            }
        };
        let report = trial
            .run_until(async {
                tokio::select! { () = watch => {}, () = told.notified() => {} }
            })
            .await;
        assert!(report.stopped && report.left.is_empty() && trial.sim.pins().is_empty(), "{after}");
    }
}

#[tokio::test]
async fn a_429_is_obeyed_and_the_call_made_again() {
    let trial = Trial::correct().await;
    trial.sim.faults().next(2, Routes::Any, "429=5s".parse().unwrap());
    let report = trial.run().await;
    assert_eq!(line(&report, "reachable").verdict, Verdict::Failed);
    let trial = Trial::correct().await;
    trial.sim.faults().next(1, SimRoute::Add, "429=5s".parse().unwrap());
    let report = trial.run().await;
    trial.is_clean(&report);
    assert!(report.is_good() && report.limits.iter().any(|(name, _)| name == "retry-after"));
}

#[tokio::test]
async fn a_login_that_is_refused_is_told_as_such() {
    let preset = Presets::known("w3ipfs");
    let mut trial = Trial::of("w3ipfs", |builder| builder.user("ada@example.org", "right")).await;
    let (user, how) = ("ada@example.org".to_owned(), preset.login.clone().unwrap());
    let password = Some(crate::providers::Source::Fixed("wrong".into()));
    trial.settings.credential = Credential::Login(crate::providers::Login { user, password, how });
    let report = trial.run().await;
    let credential = line(&report, "credential");
    assert!(credential.verdict == Verdict::Failed && credential.seen.contains("login"), "{credential:?}");
    assert!(!report.lines.iter().any(|line| line.check == "reachable" && line.verdict.is_bad()));
}

#[tokio::test]
async fn a_node_is_asked_what_changes_nothing() {
    let trial = Trial::of("kubo", |builder| builder).await;
    let report = trial.run().await;
    assert!(report.is_good() && report.lines.len() == 3, "{:?}", report.lines);
    trial.is_clean(&report);
}
