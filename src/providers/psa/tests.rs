use std::time::Duration;

use super::*;
use crate::{
    http::scripted::{Act, Server},
    model::{ManualClock, PinCid, Status},
    providers::{Credential, Endpoint, Wait},
    telemetry::Metrics,
};

const CID: &str = "bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
const OLD: &str = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n";
const RAW: &str = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";
const TOKEN: &str = "t0k3n-of-alpha";
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const RESET: Act = Act::CutOff("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"requ");

struct Lab {
    server: Server,
    clock: Arc<ManualClock>,
    psa: Psa,
    metrics: Metrics,
}

impl Lab {
    async fn new(script: impl IntoIterator<Item = Act>) -> Self {
        Self::with(script, |_| {}).await
    }

    async fn with(script: impl IntoIterator<Item = Act>, tune: impl FnOnce(&mut Settings)) -> Self {
        let server = Server::start(script).await;
        let endpoint = Endpoint::parse(&format!("{}/psa/", server.url())).unwrap();
        let mut settings = Settings::new("alpha", endpoint, Credential::token(&TOKEN.into()).unwrap());
        settings.retry_base = Duration::ZERO;
        tune(&mut settings);
        let clock = Arc::new(ManualClock::at(NOW));
        let client = http::Client::new(&http::Settings::default());
        let metrics = Metrics::new();
        let psa = Psa::new(settings, client, clock.clone(), metrics.provider("alpha"));
        Self { server, clock, psa, metrics }
    }

    /// How many requests left: permits and what the server saw agree, once it has read them all.
    async fn sent(&self) -> usize {
        let granted = usize::try_from(self.psa.connection.parts.budget.granted()).unwrap();
        self.saw(granted).await;
        granted
    }

    async fn saw(&self, requests: usize) {
        let seen = async {
            while self.server.seen().len() < requests {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), seen).await.expect("the server sees them all");
        assert_eq!(self.server.seen().len(), requests);
    }

    async fn submit(&self) -> Result<UpstreamPin, ProviderError> {
        self.psa.submit(submit(&[])).await.map(|accepted| accepted.pin)
    }

    async fn see(&self) -> Result<Option<UpstreamPin>, ProviderError> {
        let (id, content) = (id(), content(OLD));
        self.psa.see(Known { id: &id, content: &content, unfinished: true, name: None, origins: &[] }).await
    }
}

fn content(cid: &str) -> Content {
    PinCid::parse(cid).unwrap().content().clone()
}

fn submit(origins: &[&str]) -> Submit {
    let origins = origins.iter().map(|&origin| origin.to_owned()).collect();
    Submit { content: content(OLD), name: Some("a name".into()), origins, tag: "inst/1".into() }
}

fn id() -> UpstreamId {
    UpstreamId::new("a/b").unwrap()
}

fn item(id: &str, cid: &str) -> String {
    format!(
        r#"{{"requestid":"{id}","status":"pinned","created":"2023-01-01T00:00:00.5Z","pin":{{"cid":"{cid}"}}}}"#
    )
}

fn list(items: &[String]) -> Act {
    Act::json(200, &format!(r#"{{"count":{},"results":[{}]}}"#, items.len(), items.join(",")))
}

#[tokio::test]
async fn a_submit_says_all_and_takes_any_2xx() {
    for status in [200, 201, 202] {
        let lab = Lab::new([Act::json(status, r#"{"requestId":7,"status":"searching"}"#)]).await;
        let Accepted { pin, existed } = lab.psa.submit(submit(&["/ip4/8.8.8.8/tcp/1"])).await.unwrap();
        assert!(!existed);
        assert_eq!((pin.id.as_str(), pin.status, pin.content), ("7", Status::Queued, content(CID)));
        let seen = &lab.server.seen()[0];
        assert!(seen.starts_with("POST /psa/pins HTTP/1.1"), "{seen}");
        assert!(seen.contains(&format!("authorization: Bearer {TOKEN}")));
        for part in
            [r#""name":"a name""#, r#""origins":["/ip4/8.8.8.8/tcp/1"]"#, r#""pinfold":"inst/1""#, CID]
        {
            assert!(seen.contains(part), "{part} in {seen}");
        }
    }
}

#[tokio::test]
async fn refused_origins_are_left_out_once() {
    let refusal = r#"{"error":{"reason":"INVALID_ORIGINS","details":"no"}}"#;
    let lab = Lab::new([Act::json(400, refusal), Act::json(202, r#"{"requestid":"a"}"#)]).await;
    assert!(lab.psa.submit(submit(&["/ip4/8.8.8.8/tcp/1"])).await.is_ok());
    assert!(!lab.server.seen()[1].contains("origins"));
    let lab = Lab::new([Act::json(400, refusal), Act::json(400, refusal)]).await;
    let error = lab.psa.submit(submit(&["/ip4/8.8.8.8/tcp/1"])).await.unwrap_err();
    assert_eq!((error.class, error.maybe_done, lab.sent().await), (ErrorClass::Rejected, false, 2));
    assert_eq!(error.text, "400: INVALID_ORIGINS: no");
}

#[tokio::test]
async fn a_submit_is_never_sent_twice_and_stays_in_doubt_unless_refused() {
    use ErrorClass::*;
    let acts = [
        (Act::json(500, "no space left"), Transient, true),
        (Act::json(503, ""), Transient, true),
        (RESET, Transient, true),
        (Act::CutOff(""), Transient, true),
        (Act::json(202, "OK"), Unknown, true),
        (Act::with(303, &["location: /x"], ""), Unknown, true),
        (Act::with(308, &["location: /x"], ""), Unknown, false),
        (Act::json(404, "<html>"), Unknown, false),
        (Act::json(400, ""), Rejected, false),
        (Act::json(401, ""), Auth, false),
        (Act::json(402, ""), Funds, false),
        (Act::json(429, ""), Throttled, false),
    ];
    for (act, class, maybe_done) in acts {
        let lab = Lab::new([act]).await;
        let error = lab.submit().await.unwrap_err();
        assert_eq!((error.class, error.maybe_done, lab.sent().await), (class, maybe_done, 1), "{error}");
    }
}

#[tokio::test]
async fn only_the_providers_own_answer_tells_that_nothing_is_under_way_any_more() {
    let acts = [
        (Act::json(500, ""), true),
        (Act::json(503, ""), true),
        (Act::json(202, "OK"), true),
        (Act::json(502, ""), false),
        (Act::json(504, "<html>"), false),
        (Act::json(524, "<html>"), false),
        (RESET, false),
        (Act::CutOff(""), false),
    ];
    for (act, answered) in acts {
        let error = Lab::new([act]).await.submit().await.unwrap_err();
        assert_eq!((error.maybe_done, error.answered), (true, answered), "{error}");
    }
}

#[tokio::test]
async fn a_hanging_submit_times_out_in_doubt() {
    let short = |settings: &mut Settings| settings.try_timeout = Duration::from_millis(250);
    let lab = Lab::with([Act::Hang], short).await;
    let error = lab.submit().await.unwrap_err();
    assert_eq!((error.class, error.maybe_done, lab.sent().await), (ErrorClass::Transient, true, 1));
}

#[tokio::test]
async fn the_total_deadline_ends_all_tries() {
    let short = |settings: &mut Settings| settings.deadline = Duration::from_millis(250);
    let lab = Lab::with([Act::Hang], short).await;
    let error = lab.psa.remove(&id()).await.unwrap_err();
    assert_eq!((error.class, error.maybe_done, lab.sent().await), (ErrorClass::Transient, true, 1));
}

#[tokio::test]
async fn waiting_for_a_permit_leaves_no_doubt() {
    let tune = |settings: &mut Settings| {
        settings.concurrency = 1;
        settings.deadline = Duration::from_millis(50);
    };
    let lab = Lab::with([], tune).await;
    let held = lab.psa.connection.parts.budget.permit(crate::model::BudgetClass::Write).await.unwrap();
    assert_eq!(lab.psa.readiness(NOW), ready(0));
    let error = lab.submit().await.unwrap_err();
    assert_eq!((error.class, error.maybe_done), (ErrorClass::Transient, false));
    assert!(lab.server.seen().is_empty());
    drop(held);
    assert_eq!(lab.psa.readiness(NOW), ready(1));
}

#[tokio::test]
async fn a_refused_connection_leaves_no_doubt() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = listener.local_addr().unwrap();
    drop(listener);
    let endpoint = Endpoint::parse(&format!("http://{closed}")).unwrap();
    let lab = Lab::with([], |settings| settings.endpoint = endpoint).await;
    let error = lab.submit().await.unwrap_err();
    assert_eq!((error.class, error.maybe_done), (ErrorClass::Transient, false), "{error}");
}

#[tokio::test]
async fn what_may_be_done_twice_is_tried_three_times() {
    let lab = Lab::new([Act::json(500, ""), RESET, list(&[item("a", CID)])]).await;
    assert_eq!(lab.psa.look_up(&[content(CID)]).await.unwrap().len(), 1);
    assert_eq!(lab.sent().await, 3);
    let lab = Lab::new([Act::json(500, ""), Act::json(502, ""), Act::json(504, "")]).await;
    assert_eq!(lab.psa.list(None).await.unwrap_err().class, ErrorClass::Transient);
    assert_eq!(lab.sent().await, 3);
    let lab = Lab::new([Act::json(400, "")]).await;
    assert_eq!(lab.psa.list(None).await.unwrap_err().class, ErrorClass::Rejected);
    assert_eq!(lab.sent().await, 1);
}

#[tokio::test]
async fn a_refusal_after_a_try_in_doubt_does_not_end_the_doubt() {
    let lab = Lab::new([RESET, Act::json(429, "")]).await;
    let error = lab.psa.remove(&id()).await.unwrap_err();
    assert_eq!((error.class, error.maybe_done, lab.sent().await), (ErrorClass::Throttled, true, 2));
}

#[tokio::test]
async fn missing_pins_are_no_errors() {
    let missing = || Act::json(404, r#"{"error":{"reason":"NOT_FOUND"}}"#);
    let acts = [missing(), missing(), missing(), Act::json(200, "OK"), Act::json(202, "{}")];
    let lab = Lab::with(acts, as_preset("fula")).await;
    assert_eq!(lab.see().await.unwrap(), None);
    assert!(lab.psa.list(None).await.unwrap().pins.is_empty());
    for _ in 0..3 {
        lab.psa.remove(&id()).await.unwrap();
    }
    assert!(lab.server.seen()[0].starts_with("GET /psa/pins/a%2Fb "));
}

#[tokio::test]
async fn a_404_to_a_list_tells_of_no_pin_that_it_is_lost() {
    let missing = || Act::json(404, r#"{"error":{"reason":"NOT_FOUND"}}"#);
    let lab = Lab::new([missing(), missing()]).await;
    let looked = lab.psa.look_up(&[content(RAW)]).await.unwrap_err();
    let listed = lab.psa.list(None).await.unwrap_err();
    assert_eq!(
        [looked.class, listed.class],
        [ErrorClass::Unknown; 2],
        "the service is at fault, not the pin"
    );
    assert_eq!(looked.text, "404 (there is no list of pins: correct the endpoint): NOT_FOUND");
}

#[tokio::test]
async fn a_seen_pin_keeps_the_id_it_was_asked_by() {
    let lab = Lab::new([Act::json(200, &item("other", RAW))]).await;
    let pin = lab.see().await.unwrap().unwrap();
    assert_eq!((pin.id, pin.status, pin.content), (id(), Status::Pinned, content(RAW)));
}

#[tokio::test]
async fn a_look_up_asks_in_the_old_spelling_only_for_what_is_missing() {
    let lab = Lab::new([list(&[item("a", CID)])]).await;
    lab.psa.look_up(&[content(CID)]).await.unwrap();
    assert!(lab.server.seen()[0].contains("status=queued,pinning,pinned,failed&limit=1000&cid=bafybei"));
    assert_eq!(lab.sent().await, 1);
    let lab = Lab::new([list(&[item("r", RAW)]), list(&[item("o", OLD)])]).await;
    let found = lab.psa.look_up(&[content(CID), content(RAW)]).await.unwrap();
    assert_eq!(found.len(), 2);
    assert!(lab.server.seen()[1].contains(&format!("&cid={OLD} ")), "{}", lab.server.seen()[1]);
}

#[tokio::test]
async fn a_provider_that_ignores_the_filter_is_walked_to_its_end() {
    let full: Vec<String> = (0..request::LIMIT).map(|n| item(&n.to_string(), RAW)).collect();
    let lab = Lab::new([list(&full), list(&[item("mine", OLD), item("0", RAW)])]).await;
    let found = lab.psa.look_up(&[content(CID)]).await.unwrap();
    assert_eq!(found.iter().map(|pin| pin.id.as_str()).collect::<Vec<_>>(), ["mine"]);
    assert!(lab.server.seen()[1].contains("&before=2023-01-01T00:00:00.501Z"));
    assert_eq!(lab.sent().await, 2);
}

#[tokio::test]
async fn retry_after_is_obeyed_and_told() {
    for (header, wait) in [
        ("retry-after: 7", 7),
        ("retry-after: Tue, 14 Nov 2023 22:13:50 GMT", 30),
        ("x-ratelimit-reset: 1700000060", 60),
    ] {
        let lab = Lab::new([Act::with(429, &[header], "")]).await;
        let until = NOW.plus(Duration::from_secs(wait));
        for _ in 0..2 {
            let error = lab.psa.list(None).await.unwrap_err();
            assert_eq!((error.class, error.retry_at), (ErrorClass::Throttled, Some(until)));
            assert_eq!((error.maybe_done, lab.sent().await), (false, 1));
        }
        assert_eq!(lab.psa.readiness(NOW), Readiness::Wait { until, why: Wait::Throttled });
        lab.clock.set(until);
        assert!(lab.psa.list(None).await.is_ok());
    }
}

#[tokio::test]
async fn what_was_used_of_a_budget_is_shown_to_go_back_while_nothing_is_asked() {
    let lab = Lab::new([list(&[])]).await;
    lab.psa.list(None).await.unwrap();
    let used = || {
        let text = lab.metrics.render();
        let line = text.lines().find(|line| line.starts_with("pinfold_provider_budget_used{class=\"any\""));
        line.and_then(|line| line.rsplit(' ').next()).unwrap().to_owned()
    };
    assert_eq!(used(), "1");
    lab.clock.advance(Duration::from_secs(3600));
    assert_eq!(lab.psa.readiness(lab.clock.now()), ready(4));
    assert_eq!(used(), "0");
}

/// I9.
#[tokio::test]
async fn a_wall_clock_that_is_turned_ends_no_pause_and_makes_none_longer() {
    let lab = Lab::new([Act::with(429, &["retry-after: 60"], "")]).await;
    let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));
    lab.psa.list(None).await.unwrap_err();
    for turned in [NOW.plus(minute + Duration::from_secs(10)), NOW.plus(hour), NOW.minus(hour)] {
        lab.clock.turn(turned);
        let error = lab.psa.list(None).await.unwrap_err();
        let until = turned.plus(minute);
        assert_eq!((error.class, error.retry_at), (ErrorClass::Throttled, Some(until)));
        assert_eq!(lab.psa.readiness(turned), Readiness::Wait { until, why: Wait::Throttled });
        assert_eq!(lab.sent().await, 1);
    }
    lab.clock.advance(minute);
    assert!(lab.psa.list(None).await.is_ok());
}

#[tokio::test]
async fn a_wall_clock_that_is_turned_does_not_close_the_breaker() {
    let lab = Lab::new((0..5).map(|_| Act::json(500, ""))).await;
    for _ in 0..5 {
        lab.submit().await.unwrap_err();
    }
    let left = shut_until(&lab, 5).await.since(NOW);
    for turned in [NOW.plus(Duration::from_secs(3600)), NOW.minus(Duration::from_secs(3600))] {
        lab.clock.turn(turned);
        assert_eq!(shut_until(&lab, 5).await, turned.plus(left));
    }
    lab.clock.advance(left);
    assert_eq!(
        lab.psa.readiness(lab.clock.now()),
        Readiness::Ready { permits: 1, trial: true, shut: Default::default() }
    );
}

/// Until when the breaker is open, as an unsent call and the readiness agree.
async fn shut_until(lab: &Lab, sent: usize) -> Timestamp {
    let error = lab.submit().await.unwrap_err();
    assert_eq!(
        (error.class, error.maybe_done, lab.sent().await),
        (ErrorClass::Transient, false, sent),
        "{error}"
    );
    let until = error.retry_at.unwrap();
    assert_eq!(lab.psa.readiness(lab.clock.now()), Readiness::Wait { until, why: Wait::Breaker });
    until
}

#[tokio::test]
async fn the_breaker_opens_tries_once_and_closes() {
    let broken = (0..6).map(|_| Act::json(500, ""));
    let lab = Lab::new(broken.chain([Act::json(403, "")])).await;
    for _ in 0..5 {
        assert!(lab.submit().await.unwrap_err().maybe_done);
    }
    let until = shut_until(&lab, 5).await;
    lab.clock.set(until);
    assert_eq!(
        lab.psa.readiness(until),
        Readiness::Ready { permits: 1, trial: true, shut: Default::default() }
    );
    assert!(lab.submit().await.unwrap_err().maybe_done);
    let until = shut_until(&lab, 6).await;
    lab.clock.set(until);
    assert_eq!(lab.submit().await.unwrap_err().class, ErrorClass::Auth);
    assert_eq!(lab.psa.readiness(until), ready(4));
}

#[tokio::test]
async fn refusals_never_open_the_breaker() {
    let lab = Lab::new((0..20).map(|_| Act::json(404, "<html>"))).await;
    for _ in 0..20 {
        assert!(lab.submit().await.is_err());
    }
    assert_eq!((lab.sent().await, lab.psa.readiness(NOW)), (20, ready(4)));
}

#[tokio::test]
async fn no_more_leave_at_once_than_were_allowed() {
    let lab = Lab::with((0..6).map(|_| Act::Hang), |settings| settings.concurrency = 2).await;
    let calls = futures::future::join_all((0..6).map(|_| lab.psa.list(None)));
    tokio::select! {
        _ = calls => panic!("nothing is ever answered"),
        () = lab.saw(2) => {}
    }
    // The calls are gone, and so are their permits.
    assert_eq!((lab.sent().await, lab.psa.connection.parts.budget.free()), (2, 2));
}

#[tokio::test]
async fn the_token_is_in_no_error_and_no_debug() {
    let echo = format!(r#"{{"error":{{"reason":"UNAUTHORIZED","details":"bad token {TOKEN}"}}}}"#);
    let lab = Lab::new([Act::json(401, &echo)]).await;
    let error = lab.submit().await.unwrap_err();
    assert_eq!(error.text, "401: UNAUTHORIZED: bad token [token]");
    assert!(!format!("{error:?} {error} {:?}", lab.psa.connection.parts.settings).contains(TOKEN));
}

fn as_preset(name: &str) -> impl FnOnce(&mut Settings) {
    let preset = crate::presets::Presets::known(name);
    move |settings| settings.preset = preset
}

#[tokio::test]
async fn the_code_for_a_pin_that_was_there_is_told_from_that_for_a_new_one() {
    for (preset, code, expected) in [("fula", 200, true), ("fula", 202, false), ("pinata", 200, false)] {
        let lab = Lab::with([Act::json(code, r#"{"requestid":"a"}"#)], as_preset(preset)).await;
        let accepted = lab.psa.submit(submit(&[])).await.unwrap();
        assert_eq!(accepted.existed, expected, "{preset} {code}");
    }
}

#[tokio::test]
async fn what_a_list_found_is_asked_for_by_id_where_lists_do_not_tell() {
    let failed = item("a", CID).replace("pinned", "failed");
    let gone = Act::json(404, r#"{"error":{"reason":"NOT_FOUND"}}"#);
    let acts = [list(&[failed, item("b", CID)]), Act::json(200, &item("a", CID)), gone];
    let lab = Lab::with(acts, as_preset("fula")).await;
    let found = lab.psa.look_up(&[content(CID)]).await.unwrap();
    let [pin] = &found[..] else { panic!("{found:?}") };
    assert_eq!((pin.id.as_str(), pin.status), ("a", Status::Pinned));
    assert!(!lab.psa.traits().lists_tell && !lab.psa.traits().sweeps);
}

#[tokio::test]
async fn a_list_without_an_order_is_not_swept() {
    let lab = Lab::with([], as_preset("ipfs-cluster")).await;
    assert!(lab.psa.traits().lists_tell && !lab.psa.traits().sweeps && lab.psa.traits().introduces);
    let lab = Lab::with([], as_preset("pinata")).await;
    assert!(lab.psa.traits().sweeps && !lab.psa.traits().introduces);
}

#[tokio::test]
async fn later_origins_are_posted_only_where_that_makes_no_second_pin() {
    let (id, content) = (UpstreamId::new("a").unwrap(), content(OLD));
    let known = Known { id: &id, content: &content, unfinished: true, name: None, origins: &[] };
    let origins = || submit(&["/ip4/8.8.8.8/tcp/1"]);
    let lab = Lab::with([], as_preset("pinata")).await;
    lab.psa.introduce(known, origins()).await.unwrap();
    assert_eq!(lab.sent().await, 0);
    let acts = [Act::json(200, r#"{"requestid":"a"}"#), Act::json(200, r#"{"requestid":"b"}"#)];
    let lab = Lab::with(acts, as_preset("ipfs-cluster")).await;
    lab.psa.introduce(known, origins()).await.unwrap();
    assert!(lab.server.seen()[0].contains("/ip4/8.8.8.8/tcp/1"));
    let error = lab.psa.introduce(known, origins()).await.unwrap_err();
    assert!(error.text.contains("refresh_origins"), "{error}");
}

#[tokio::test]
async fn a_codec_that_is_not_taken_costs_no_call() {
    let lab = Lab::with([], as_preset("web3.storage")).await;
    let key = content("bafzaajaiaejca4syrpdu6gdx4wsdnokxkprgzxf4wrstuc34gxw5k5jrag2so5gk");
    let error = lab.psa.submit(Submit { content: key, ..submit(&[]) }).await.unwrap_err();
    assert_eq!((error.class, error.maybe_done, lab.sent().await), (ErrorClass::Rejected, false, 0));
}

/// I13.
#[tokio::test]
async fn a_service_where_all_share_one_pin_is_looked_at_first_whatever_the_entry_says() {
    for (preset, looked_at_first) in [("ipfs-cluster", true), ("nft.storage", true), ("fula", false)] {
        let exclusive = |settings: &mut Settings| {
            as_preset(preset)(settings);
            settings.exclusive = true;
        };
        assert_eq!(Lab::with([], exclusive).await.psa.traits().exclusive, !looked_at_first, "{preset}");
    }
}

fn ready(permits: usize) -> Readiness {
    Readiness::Ready { permits, trial: false, shut: Default::default() }
}
