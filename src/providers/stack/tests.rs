//! What holds for every call of every kind of provider: redirects, deadlines, further tries, and what is told of it.

use std::{sync::Arc, time::Duration};

use crate::{
    http::{
        self,
        scripted::{Act, Server},
    },
    model::{BudgetClass, Content, ErrorClass, ManualClock, Operation, PinCid, Timestamp, UpstreamId},
    presets::Presets,
    providers::*,
    telemetry::{BreakerState, Metrics},
};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const TOKEN: &str = "t0k3n-of-alpha";
const PASSWORD: &str = "correct-horse-battery";
/// The head of an answer whose body never comes.
const STALLED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{";

fn provider(preset: &str, server: &Server, tune: impl FnOnce(&mut Settings)) -> Arc<dyn Provider> {
    let mut settings = settings(preset, server);
    tune(&mut settings);
    called(settings.uncounted())
}

fn settings(preset: &str, server: &Server) -> Settings {
    let (preset, endpoint) = (Presets::known(preset), Endpoint::parse(&server.url()).unwrap());
    let credential = Credential::token(&TOKEN.into()).unwrap();
    Settings { retry_base: Duration::ZERO, ..Settings::of(preset, "alpha", endpoint, credential) }
}

fn called(settings: Settings) -> Arc<dyn Provider> {
    let client = http::Client::new(&http::Settings::default());
    connect(settings, client, Arc::new(ManualClock::at(NOW)), Metrics::new().provider("alpha"))
}

fn log_in(settings: &mut Settings) {
    let how = Presets::known("w3ipfs").login.clone().unwrap();
    let password = Some(Source::Fixed(PASSWORD.into()));
    settings.credential = Credential::Login(Login { user: "ada@example.com".into(), password, how });
}

fn content() -> Content {
    PinCid::parse("bafkqaaa").unwrap().content().clone()
}

fn submit() -> Submit {
    Submit { content: content(), name: None, origins: Vec::new(), tag: "i/1".into() }
}

/// One call of each kind.
async fn all_kinds(provider: &dyn Provider) -> Vec<ErrorClass> {
    let (id, content) = (UpstreamId::new("an-id").unwrap(), content());
    let known = Known { id: &id, content: &content, unfinished: false, name: None, origins: &[] };
    let results = [
        provider.submit(submit()).await.map(drop),
        provider.look_up(std::slice::from_ref(&content)).await.map(drop),
        provider.see(known).await.map(drop),
        provider.list(None).await.map(drop),
        provider.remove(&id).await,
    ];
    results.into_iter().filter_map(|result| result.err().map(|error| error.class)).collect()
}

#[tokio::test]
async fn a_redirect_is_never_followed_by_any_call_and_so_no_credential_goes_elsewhere() {
    let elsewhere = Server::start([]).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("location: {}/pins", elsewhere.url());
        let server = Server::answering(move |_| Act::with(status, &[&location], "")).await;
        assert!(all_kinds(&*provider("generic", &server, |_| {})).await.len() == 5, "{status}");
        assert!(server.seen().len() >= 5);
        let node = provider("kubo", &server, |_| {});
        assert!(node.look_up(&[content()]).await.is_err() && node.submit(submit()).await.is_err());
        let before = server.seen().len();
        let login = provider("w3ipfs", &server, log_in);
        assert_eq!(login.submit(submit()).await.unwrap_err().class, ErrorClass::Auth, "{status}");
        assert!(server.seen().len() > before && server.seen().last().unwrap().contains(PASSWORD));
    }
    assert!(elsewhere.seen().is_empty(), "{:?}", elsewhere.seen());
}

#[tokio::test]
async fn one_deadline_ends_whatever_takes_too_long() {
    let short = |settings: &mut Settings| settings.deadline = Duration::from_millis(100);
    // The body of an answer.
    let server = Server::answering(|_| Act::Answer(STALLED.into())).await;
    let error = provider("generic", &server, short).list(None).await.unwrap_err();
    assert_eq!((error.class, error.maybe_done), (ErrorClass::Transient, true), "{error}");
    // A login, and its answer's body.
    for act in [|| Act::Hang, || Act::Answer(STALLED.into())] {
        let server = Server::answering(move |_| act()).await;
        let login = |settings: &mut Settings| {
            log_in(settings);
            short(settings);
        };
        let error = provider("w3ipfs", &server, login).submit(submit()).await.unwrap_err();
        assert_eq!((error.class, error.maybe_done), (ErrorClass::Transient, false), "{error}");
    }
}

#[tokio::test]
async fn no_further_try_begins_that_the_deadline_would_cut_off() {
    let server = Server::start([Act::json(500, "")]).await;
    let tune = |settings: &mut Settings| {
        settings.retry_base = 2 * settings.deadline;
    };
    let error = provider("generic", &server, tune).list(None).await.unwrap_err();
    assert_eq!((error.class, server.seen().len()), (ErrorClass::Transient, 1), "{error}");
    assert!(error.text.starts_with("500"), "it is told as it is: {error}");
}

#[tokio::test]
async fn a_sick_provider_is_called_a_fifth_more_and_not_three_times_as_much() {
    let server = Server::answering(|_| Act::json(500, "")).await;
    let provider = provider("generic", &server, |settings| {
        (settings.breaker.in_a_row, settings.breaker.calls) = (u32::MAX, u32::MAX);
    });
    for _ in 0..200 {
        provider.list(None).await.unwrap_err();
    }
    let seen = server.seen().len();
    assert!((240..=251).contains(&seen), "{seen} calls");
}

#[tokio::test]
async fn it_is_told_how_a_provider_stands_and_what_it_last_failed_by() {
    let echo = format!(r#"{{"error":{{"reason":"OOPS","details":"no luck with {TOKEN}"}}}}"#);
    let server = Server::answering(move |_| Act::json(500, &echo)).await;
    let provider = provider("generic", &server, |settings| settings.breaker.in_a_row = 1);
    assert_eq!(
        provider.standing(NOW),
        Standing {
            breaker: BreakerState::Closed,
            since: NOW,
            until: None,
            last_error: None,
            rates: Default::default()
        }
    );
    provider.submit(submit()).await.unwrap_err();
    // Not called, which is no failure of the provider's.
    provider.list(None).await.unwrap_err();
    let standing = provider.standing(NOW);
    assert_eq!((standing.breaker, standing.since), (BreakerState::Open, NOW));
    assert!(standing.until.is_some_and(|until| until > NOW));
    let error = standing.last_error.unwrap();
    assert_eq!((error.at, error.operation, error.class), (NOW, Operation::Submit, ErrorClass::Transient));
    assert!(error.text.contains("no luck") && !error.text.contains(TOKEN), "{}", error.text);
}

/// I9.
#[tokio::test]
async fn a_failure_that_names_a_time_is_obeyed_and_is_a_failure_all_the_same() {
    let server = Server::answering(|_| Act::with(502, &["retry-after: 9"], "")).await;
    let provider = provider("generic", &server, |settings| settings.breaker.in_a_row = 1);
    let (error, until) = (provider.list(None).await.unwrap_err(), NOW.plus(Duration::from_secs(9)));
    assert_eq!((error.class, error.retry_at), (ErrorClass::Transient, Some(until)));
    assert_eq!(provider.readiness(NOW), Readiness::Wait { until, why: Wait::Throttled });
    assert_eq!(provider.standing(NOW).breaker, BreakerState::Open);
    assert!(!provider.list(None).await.unwrap_err().was_called);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_try_that_the_breaker_would_keep_here_is_not_begun_and_the_failure_told_as_it_is() {
    let server = Server::answering(|_| Act::json(500, "")).await;
    let provider = provider("generic", &server, |settings| settings.breaker.in_a_row = 1);
    let error = provider.list(None).await.unwrap_err();
    assert!(error.was_called && error.text.starts_with("500"), "{error}");
    let error = provider.list(None).await.unwrap_err();
    assert!(!error.was_called && error.text.starts_with("not called"), "{error}");
}

/// I7: whoever says so in the provider's place does not know what became of it.
#[tokio::test]
async fn a_submit_that_a_middleman_gave_up_on_may_have_been_done() {
    for status in [408, 502, 504, 524] {
        let server = Server::answering(move |_| Act::json(status, "")).await;
        let error = provider("generic", &server, |_| {}).submit(submit()).await.unwrap_err();
        assert!(error.maybe_done && !error.answered, "{error}");
    }
}

#[tokio::test]
async fn a_provider_that_hangs_until_the_deadline_opens_its_breaker() {
    let server = Server::answering(|_| Act::Hang).await;
    let provider = provider("generic", &server, |settings| {
        (settings.deadline, settings.try_timeout) = (Duration::from_millis(50), Duration::from_secs(30));
        settings.breaker.in_a_row = 2;
    });
    for _ in 0..2 {
        let error = provider.submit(submit()).await.unwrap_err();
        assert_eq!((error.class, error.maybe_done), (ErrorClass::Transient, true), "{error}");
    }
    assert_eq!(provider.standing(NOW).breaker, BreakerState::Open);
}

#[tokio::test]
async fn a_call_that_the_budget_kept_here_is_no_failure_to_be_told() {
    let server = Server::start([]).await;
    let mut settings = settings("generic", &server);
    // Its ledger cannot count.
    settings.budget.rates[BudgetClass::Any] = Some("10/min".parse().unwrap());
    let provider = called(settings);
    let error = provider.submit(submit()).await.unwrap_err();
    assert_eq!((error.class, provider.standing(NOW).last_error), (ErrorClass::Throttled, None));
}
