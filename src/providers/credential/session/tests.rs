use std::io;

use futures::future::join_all;
use serde_json::{Value, json};

use super::*;
use crate::{
    http::{
        self,
        scripted::{Act, Server},
    },
    model::{ManualClock, PinCid},
    presets::Presets,
    providers::{Credential, Endpoint, Provider, ProviderError, Submit, connect},
    telemetry::Metrics,
};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const SECOND: Duration = Duration::from_secs(1);
const USER: &str = "ada@example.com";
const PASSWORD: &str = "correct-horse-battery";

/// A service with logins, and a vault: what happened at both, in order.
struct Service {
    clock: Arc<ManualClock>,
    state: Mutex<Issued>,
    /// Seconds that an access token lasts; it is a JWT that says so.
    lasts: Option<u64>,
}

#[derive(Default)]
struct Issued {
    pairs: u32,
    access: Option<String>,
    refresh: Option<String>,
    kept: Option<Pair>,
    saves: i128,
    log: Vec<&'static str>,
    refuse: Option<u16>,
    full: bool,
}

impl Service {
    fn state(&self) -> MutexGuard<'_, Issued> {
        self.state.lock().unwrap()
    }

    fn answer(&self, request: &str) -> Act {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let now = self.clock.now();
        let mut state = self.state();
        let issue = |state: &mut Issued| {
            state.pairs += 1;
            let seconds = now.as_millis() / 1000;
            let claims = self.lasts.map(|lasts| json!({"n": state.pairs, "exp": seconds + lasts as i64}));
            let access = claims.map_or(format!("access-{}", state.pairs), |claims| jwt::unsigned(&claims));
            let refresh = format!("refresh-token-{}", state.pairs);
            (state.access, state.refresh) = (Some(access.clone()), Some(refresh.clone()));
            Act::json(200, &json!({"access_token": access, "refresh_token": refresh}).to_string())
        };
        if head.starts_with("POST /api/auth/login ") {
            state.log.push("login");
            let known = body["email"] == USER && (body["password"] == PASSWORD || body["code"] == "123456");
            return match state.refuse {
                Some(code) => Act::json(code, &json!({"error": body["password"]}).to_string()),
                None if known => issue(&mut state),
                None => Act::json(401, &json!({"message": format!("no {body}")}).to_string()),
            };
        }
        if head.starts_with("POST /api/auth/refresh ") {
            state.log.push("refresh");
            let known = body["refresh_token"].as_str().map(str::to_owned) == state.refresh;
            return if known { issue(&mut state) } else { Act::json(401, "{}") };
        }
        let shown = head.lines().find_map(|line| line.strip_prefix("authorization: Bearer "));
        if shown.is_none() || shown != state.access.as_deref() {
            state.log.push("401");
            return Act::json(401, &json!({"error": format!("bad {shown:?}")}).to_string());
        }
        state.log.push("pin");
        Act::json(202, r#"{"requestid":"a"}"#)
    }
}

impl Vault for Service {
    fn load(&self) -> io::Result<Option<Pair>> {
        Ok(self.state().kept.clone())
    }

    fn save(&self, pair: &Pair) -> io::Result<()> {
        let mut state = self.state();
        if state.full {
            return Err(io::ErrorKind::StorageFull.into());
        }
        state.log.push("save");
        state.saves += 1;
        state.kept = Some(pair.clone());
        Ok(())
    }

    fn stamp(&self) -> Option<Stamp> {
        let state = self.state();
        state.kept.is_some().then_some(Stamp([state.saves; 4]))
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Service")
    }
}

struct Lab {
    service: Arc<Service>,
    server: Server,
    provider: Arc<dyn Provider>,
}

#[derive(Clone, Copy)]
struct Setup {
    refresh: bool,
    password: bool,
    lasts: Option<u64>,
}

const PLAIN: Setup = Setup { refresh: true, password: true, lasts: None };

impl Lab {
    async fn new(setup: Setup) -> Self {
        let clock = Arc::new(ManualClock::at(NOW));
        let service = Arc::new(Service { clock, state: Mutex::default(), lasts: setup.lasts });
        let answering = service.clone();
        let server = Server::answering(move |request| answering.answer(request)).await;
        let provider = Self::connect(&service, &server, setup);
        Self { service, server, provider }
    }

    fn connect(service: &Arc<Service>, server: &Server, setup: Setup) -> Arc<dyn Provider> {
        let preset = Presets::known("w3ipfs");
        let mut how = preset.login.clone().unwrap();
        how.refresh_url = setup.refresh.then(|| "/api/auth/refresh".into());
        let password = setup.password.then(|| Source::Fixed(PASSWORD.into()));
        let endpoint = Endpoint::parse(&format!("{}/api/psa/", server.url())).unwrap();
        let credential = Credential::Login(Login { user: USER.into(), password, how });
        let mut settings = Settings::of(preset, "alpha", endpoint, credential);
        (settings.vault, settings.retries, settings.breaker.in_a_row) = (service.clone(), 0, 1000);
        let client = http::Client::new(&http::Settings::default());
        connect(settings.uncounted(), client, service.clock.clone(), Metrics::new().provider("alpha"))
    }

    fn pass(&self, span: Duration) {
        self.service.clock.set(self.service.clock.now().plus(span));
    }

    /// All tokens end at once, unannounced.
    fn revoke(&self) {
        self.service.state().access = None;
        self.pass(60 * SECOND);
    }

    async fn pin(&self) -> Result<(), ProviderError> {
        let content = PinCid::parse("bafkqaaa").unwrap().content().clone();
        let submit = Submit { content, name: None, origins: Vec::new(), tag: "i/1".into() };
        self.provider.submit(submit).await.map(drop)
    }

    async fn pins(&self, n: usize) -> Vec<Result<(), ProviderError>> {
        join_all((0..n).map(|_| self.pin())).await
    }

    fn count(&self, what: &str) -> usize {
        self.service.state().log.iter().filter(|seen| **seen == what).count()
    }

    fn clear(&self) {
        self.service.state().log.clear();
    }

    async fn until(&self, reached: impl Fn() -> bool) {
        let turns = async {
            while !reached() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(30 * SECOND, turns).await.expect("the state is reached");
    }
}

#[tokio::test]
async fn fifty_calls_at_the_start_log_in_once_and_keep_the_pair_before_they_use_it() {
    let lab = Lab::new(PLAIN).await;
    assert!(lab.pins(50).await.iter().all(Result::is_ok));
    assert_eq!((lab.count("login"), lab.count("pin"), lab.count("401")), (1, 50, 0));
    assert_eq!(lab.service.state().log[..3], ["login", "save", "pin"]);
}

#[tokio::test]
async fn fifty_401s_at_once_make_one_refresh_and_lose_nothing() {
    let lab = Lab::new(PLAIN).await;
    lab.pin().await.unwrap();
    lab.revoke();
    lab.clear();
    assert!(lab.pins(50).await.iter().all(Result::is_ok));
    assert_eq!((lab.count("refresh"), lab.count("login"), lab.count("pin")), (1, 0, 50));
}

#[tokio::test]
async fn fifty_401s_at_once_make_one_login_where_nobody_knows_how_to_refresh() {
    let lab = Lab::new(Setup { refresh: false, ..PLAIN }).await;
    lab.pin().await.unwrap();
    lab.revoke();
    lab.clear();
    assert!(lab.pins(50).await.iter().all(Result::is_ok));
    assert_eq!((lab.count("refresh"), lab.count("login"), lab.count("pin")), (0, 1, 50));
}

#[tokio::test]
async fn a_refresh_that_is_refused_is_followed_by_a_login() {
    let lab = Lab::new(PLAIN).await;
    lab.pin().await.unwrap();
    lab.service.state().refresh = None;
    lab.revoke();
    lab.clear();
    lab.pin().await.unwrap();
    assert_eq!(lab.service.state().log, ["401", "refresh", "login", "save", "pin"]);
}

#[tokio::test]
async fn a_refused_login_is_shared_told_plainly_and_tried_again_ever_more_slowly() {
    let lab = Lab::new(PLAIN).await;
    lab.service.state().refuse = Some(403);
    for result in lab.pins(50).await {
        let error = result.unwrap_err();
        assert_eq!((error.class, error.maybe_done), (ErrorClass::Auth, false));
        assert_eq!(error.text, "the login was refused: 403: [token]");
    }
    assert_eq!((lab.count("login"), lab.server.seen().len()), (1, 1));
    for (wait, logins) in [(4, 1), (1, 2), (9, 2), (1, 3)] {
        lab.pass(wait * SECOND);
        lab.pin().await.unwrap_err();
        assert_eq!(lab.count("login"), logins);
    }
    lab.service.state().refuse = None;
    lab.pass(20 * SECOND);
    lab.pin().await.unwrap();
}

#[tokio::test]
async fn a_login_page_that_is_down_is_no_fault_of_the_credential() {
    let lab = Lab::new(PLAIN).await;
    lab.service.state().refuse = Some(502);
    assert_eq!(lab.pin().await.unwrap_err().class, ErrorClass::Transient);
    lab.service.state().refuse = Some(400);
    lab.pass(5 * SECOND);
    assert_eq!(lab.pin().await.unwrap_err().class, ErrorClass::Auth);
}

#[tokio::test]
async fn a_new_token_that_is_refused_as_well_does_not_go_round_in_circles() {
    let lab = Lab::new(PLAIN).await;
    lab.pin().await.unwrap();
    lab.service.state().access = None;
    lab.clear();
    for result in lab.pins(5).await {
        assert_eq!(result.unwrap_err().class, ErrorClass::Auth);
    }
    assert_eq!((lab.count("refresh"), lab.count("login"), lab.count("401")), (0, 0, 5));
}

#[tokio::test]
async fn a_token_that_says_when_it_ends_is_renewed_before_while_calls_go_on_with_it() {
    let lab = Lab::new(Setup { lasts: Some(600), ..PLAIN }).await;
    lab.pin().await.unwrap();
    lab.pass(539 * SECOND);
    lab.pin().await.unwrap();
    assert_eq!(lab.count("refresh"), 0);
    lab.pass(SECOND);
    lab.clear();
    lab.pin().await.ok();
    lab.until(|| lab.count("save") == 1).await;
    assert!(lab.pins(20).await.iter().all(Result::is_ok));
    assert_eq!((lab.count("refresh"), lab.count("login")), (1, 0));
}

#[tokio::test]
async fn a_token_that_has_ended_is_renewed_before_anything_is_sent() {
    let lab = Lab::new(Setup { lasts: Some(600), ..PLAIN }).await;
    lab.pin().await.unwrap();
    lab.pass(601 * SECOND);
    lab.clear();
    assert!(lab.pins(50).await.iter().all(Result::is_ok));
    assert_eq!((lab.count("refresh"), lab.count("401"), lab.count("pin")), (1, 0, 50));
}

#[tokio::test]
async fn a_restart_goes_on_with_the_pair_that_was_kept() {
    let mut lab = Lab::new(PLAIN).await;
    lab.pin().await.unwrap();
    lab.provider = Lab::connect(&lab.service, &lab.server, PLAIN);
    lab.pin().await.unwrap();
    lab.revoke();
    lab.pin().await.unwrap();
    assert_eq!((lab.count("login"), lab.count("refresh")), (1, 1));
}

#[tokio::test]
async fn a_pair_that_cannot_be_kept_is_used_and_kept_later() {
    let lab = Lab::new(PLAIN).await;
    lab.service.state().full = true;
    lab.pin().await.unwrap();
    lab.provider.credential().await;
    assert!(lab.service.state().kept.is_none());
    lab.service.state().full = false;
    lab.provider.credential().await;
    let kept = lab.service.state().kept.clone().unwrap();
    assert_eq!(kept.access.expose_secret(), "access-1");
}

#[tokio::test]
async fn without_a_password_an_operator_is_asked_and_the_pair_they_bring_is_taken_up() {
    let lab = Lab::new(Setup { password: false, ..PLAIN }).await;
    let error = lab.pin().await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Auth);
    assert!(error.text.contains("run `pinfold provider login alpha`"), "{}", error.text);
    assert!(lab.server.seen().is_empty());
    let before = lab.provider.credential().await;
    lab.service.state().access = Some("pasted".into());
    lab.service.save(&Pair { access: "pasted".into(), refresh: None, obtained: None }).unwrap();
    let after = lab.provider.credential().await;
    assert_eq!(after.identity, before.identity);
    assert_ne!(after.revision, before.revision);
    lab.pin().await.unwrap();
    lab.revoke();
    assert!(lab.pin().await.unwrap_err().text.contains("pinfold provider login"));
}

#[tokio::test]
async fn no_token_of_a_login_is_passed_on_neither_the_new_nor_the_old_one() {
    let lab = Lab::new(PLAIN).await;
    lab.pin().await.unwrap();
    lab.service.state().access = None;
    let error = lab.pin().await.unwrap_err();
    assert_eq!(error.text, "401: bad Some(\"[token]\")");
}

#[tokio::test]
async fn the_password_is_not_passed_on_however_many_tokens_came_after_it() {
    let lab = Lab::new(PLAIN).await;
    lab.pin().await.unwrap();
    for _ in 0..20 {
        lab.revoke();
        lab.pin().await.unwrap();
    }
    assert_eq!((lab.count("login"), lab.count("refresh")), (1, 20));
    (lab.service.state().refresh, lab.service.state().refuse) = (None, Some(403));
    lab.revoke();
    assert_eq!(lab.pin().await.unwrap_err().text, "the login was refused: 403: [token]");
}

#[tokio::test]
async fn a_pair_that_could_not_be_kept_does_not_overwrite_one_that_an_operator_brought_meanwhile() {
    let lab = Lab::new(PLAIN).await;
    lab.service.state().full = true;
    lab.pin().await.unwrap();
    lab.service.state().full = false;
    lab.service.save(&Pair { access: "pasted".into(), refresh: None, obtained: None }).unwrap();
    lab.provider.credential().await;
    let kept = lab.service.state().kept.clone().unwrap();
    assert_eq!(kept.access.expose_secret(), "pasted");
}

#[tokio::test]
async fn a_pair_that_could_not_be_kept_does_not_give_way_to_the_older_one_that_was() {
    let lab = Lab::new(PLAIN).await;
    lab.pin().await.unwrap();
    lab.service.state().full = true;
    lab.revoke();
    lab.pin().await.unwrap();
    lab.revoke();
    lab.pin().await.unwrap();
    assert_eq!((lab.count("login"), lab.count("refresh"), lab.count("401")), (1, 2, 2));
}
