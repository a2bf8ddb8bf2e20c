//! A desk over a real store, and the gate that it tells.

use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};
use secrecy::ExposeSecret;

use super::*;
use crate::{
    auth::{Scope, TokenHash, TokenState, Tokens, Unauthorized},
    lifecycle::Changes,
    model::{AccountDecl, ManualClock, Peer},
    policy::{Copies, Policy},
    store::{Registration, SharedStore, sqlite::SqliteStore},
    telemetry::Metrics,
};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const HOUR: Duration = Duration::from_secs(3600);

struct House {
    store: SharedStore,
    gate: Gate,
    desk: Desk,
    clock: Arc<ManualClock>,
    accounts: Vec<(String, AccountId)>,
    _dir: tempfile::TempDir,
}

impl House {
    async fn open() -> Self {
        let dir = crate::store::sqlite::founded::founded();
        let store = SqliteStore::open(
            &dir.path().join("pins.db"),
            &Default::default(),
            Changes::default(),
            &Metrics::new(),
        );
        let store: SharedStore = Arc::new(store.unwrap());
        let policy = Policy::plain("archive", Copies { min: 1, max: 1 }, 1, vec!["alpha".into()]);
        let accounts = ["ada", "ben"].map(|name| AccountDecl::new(name, "archive")).to_vec();
        let config = Registration { accounts, policies: vec![policy], providers: vec![] };
        let accounts = store.register(config, NOW).await.unwrap().accounts;
        let clock = Arc::new(ManualClock::at(NOW));
        let gate = Gate::new(declared(&accounts), clock.clone());
        let desk = Desk::new(store.clone(), gate.clone(), clock.clone());
        Self { store, gate, desk, clock, accounts, _dir: dir }
    }

    async fn make(&self, name: &str) -> Issued {
        self.desk.create(request(name)).await.unwrap()
    }

    fn enter(&self, issued: &Issued) -> Result<String, Unauthorized> {
        let peer = Peer::at([10, 0, 0, 7].into());
        let principal = self.gate.authenticate(&bearing(&issued.secret), Some(&peer))?;
        Ok(format!("{}/{}", principal.account_name, principal.token_name))
    }

    async fn listed(&self, id: TokenId) -> Listed {
        let all = self.desk.stored(None, 100).await.unwrap();
        all.into_iter().find(|token| token.id == Some(id)).unwrap()
    }
}

fn declared(accounts: &[(String, AccountId)]) -> Tokens {
    let (name, id) = &accounts[0];
    let desk = TokenDecl::of_account(*id, name, "desk", TokenHash::of("declared"));
    Tokens::new([desk]).among(accounts, vec!["archive".into()])
}

fn request(name: &str) -> TokenRequest {
    TokenRequest {
        name: name.into(),
        account: Some("ada".into()),
        scopes: Scopes::NONE.with(Scope::PinsWrite),
        ..TokenRequest::default()
    }
}

fn bearing(secret: &Secret) -> HeaderMap {
    let mut headers = HeaderMap::new();
    let value = format!("Bearer {}", secret.expose_secret());
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&value).unwrap());
    headers
}

#[tokio::test]
async fn a_token_lets_in_as_soon_as_it_is_made_and_not_once_it_is_revoked() {
    let house = House::open().await;
    let made = house.make("laptop").await;
    assert_eq!(house.enter(&made).as_deref(), Ok("ada/laptop"));
    let id = made.token.id.to_string();
    house.desk.revoke(&id, None, false).await.unwrap();
    assert_eq!(house.enter(&made), Err(Unauthorized::Revoked));
    assert_eq!(house.listed(made.token.id).await.state, TokenState::Revoked);
    house.desk.revoke(&id, None, false).await.expect("again is no mistake");
    assert!(matches!(house.desk.revoke("nobody00", None, false).await, Err(DeskError::Unknown(_))));
    assert!(matches!(house.desk.revoke("../etc", None, false).await, Err(DeskError::Unknown(_))));
}

#[tokio::test]
async fn what_the_store_forgets_the_gate_forgets_and_operators_stay() {
    let house = House::open().await;
    let (live, revoked) = (house.make("laptop").await, house.make("phone").await);
    let operator = TokenRequest {
        name: "ops".into(),
        scopes: Scopes::NONE.with(Scope::AdminWrite),
        ..TokenRequest::default()
    };
    let operator = house.desk.create(operator).await.unwrap();
    for ended in [&revoked, &operator] {
        house.desk.revoke(ended.token.id.as_str(), None, true).await.unwrap();
    }
    let knows = |issued: &Issued| house.gate.check([issued.secret.hash()]).is_err();
    house.gate.forget(&*house.store, NOW).await.unwrap();
    assert!([&live, &revoked, &operator].into_iter().all(knows));
    house.gate.forget(&*house.store, NOW.plus(HOUR)).await.unwrap();
    assert!(knows(&live) && !knows(&revoked) && knows(&operator));
    assert_eq!(house.enter(&live).as_deref(), Ok("ada/laptop"));
    assert_eq!(house.enter(&revoked), Err(Unauthorized::Unknown));
}

#[tokio::test]
async fn the_last_token_that_may_do_everything_goes_by_force_only() {
    let house = House::open().await;
    let operator = |name: &str| TokenRequest {
        name: name.into(),
        scopes: Scopes::NONE.with(Scope::AdminWrite),
        ..TokenRequest::default()
    };
    let (first, second) = (operator("first-admin"), operator("ops"));
    let first = house.desk.create(first).await.unwrap().token.id.to_string();
    house.make("laptop").await;
    let refused = house.desk.revoke(&first, None, false).await.unwrap_err();
    assert!(matches!(&refused, DeskError::LastOperator(id) if id.to_string() == first));
    assert!(refused.to_string().contains("--force"), "{refused}");
    let second = house.desk.create(second).await.unwrap().token.id.to_string();
    house.desk.revoke(&first, None, false).await.unwrap();
    let third = house.desk.rotate(&second, HOUR, None, None).await.unwrap().token.id.to_string();
    assert!(house.desk.revoke(&third, None, false).await.is_err(), "its predecessor ends soon");
    house.desk.revoke(&second, None, false).await.unwrap();
    assert!(house.desk.revoke(&third, None, true).await.unwrap().revoked.is_some());
}

#[tokio::test]
async fn a_token_lets_in_until_it_expires() {
    let house = House::open().await;
    let expiring = TokenRequest { expires: Some(Expiry::In(HOUR)), ..request("laptop") };
    let made = house.desk.create(expiring).await.unwrap();
    house.clock.advance(HOUR - Duration::from_millis(1));
    assert!(house.enter(&made).is_ok());
    house.clock.advance(Duration::from_millis(1));
    assert_eq!(house.enter(&made), Err(Unauthorized::Expired));
    assert_eq!(house.listed(made.token.id).await.state, TokenState::Expired);
}

#[tokio::test]
async fn a_rotated_token_and_its_successor_both_let_in_for_the_overlap() {
    let house = House::open().await;
    let expiring = TokenRequest { expires: Some(Expiry::In(48 * HOUR)), ..request("laptop") };
    let old = house.desk.create(expiring).await.unwrap();
    house.clock.advance(HOUR);
    let new = house.desk.rotate(&old.token.id.to_string(), HOUR, None, None).await.unwrap();
    assert_eq!(new.token.expires, Some(NOW.plus(49 * HOUR)), "as long a life as the old one was given");
    assert_eq!(house.listed(old.token.id).await.state, TokenState::Replaced);
    assert!(house.enter(&old).is_ok() && house.enter(&new).is_ok());
    let again = house.desk.rotate(&old.token.id.to_string(), HOUR, None, None).await;
    assert!(matches!(again, Err(DeskError::Ended(_))), "{again:?}");
    house.clock.advance(HOUR);
    assert_eq!(house.enter(&old), Err(Unauthorized::Expired));
    assert!(house.enter(&new).is_ok());
    let at_once = house.desk.rotate(&new.token.id.to_string(), Duration::ZERO, None, None).await.unwrap();
    assert_eq!(house.enter(&new), Err(Unauthorized::Expired));
    assert!(house.enter(&at_once).is_ok());
}

#[tokio::test]
async fn another_gate_on_the_store_learns_of_changes_when_it_looks() {
    let house = House::open().await;
    let other = Gate::new(declared(&house.accounts), house.clock.clone());
    let made = house.make("laptop").await;
    let enter = || other.authenticate(&bearing(&made.secret), None).map(drop);
    assert_eq!(enter(), Err(Unauthorized::Unknown));
    assert_eq!(other.refresh(&*house.store).await.unwrap(), 1);
    assert_eq!(enter(), Ok(()));
    house.desk.revoke(&made.token.id.to_string(), None, false).await.unwrap();
    assert_eq!(other.refresh(&*house.store).await.unwrap(), 1);
    assert_eq!(enter(), Err(Unauthorized::Revoked));
    assert_eq!(other.refresh(&*house.store).await.unwrap(), 0);
}

#[tokio::test]
async fn a_token_of_an_account_that_left_the_config_lets_nobody_in_until_it_is_back() {
    let house = House::open().await;
    let ben = TokenRequest { account: Some("ben".into()), ..request("laptop") };
    let made = house.desk.create(ben).await.unwrap();
    house.gate.declare(declared(&house.accounts[..1]));
    assert_eq!(house.enter(&made), Err(Unauthorized::NotServed));
    house.gate.declare(declared(&house.accounts));
    assert_eq!(house.enter(&made).as_deref(), Ok("ben/laptop"));
}

#[tokio::test]
async fn the_last_use_of_a_token_of_the_config_is_kept_over_a_reload_that_keeps_the_token() {
    let house = House::open().await;
    let last_use = || house.desk.declared().into_iter().find(|token| token.name == "desk").unwrap().last_use;
    assert_eq!(last_use(), None);
    let mut headers = HeaderMap::new();
    headers.insert(AUTHORIZATION, HeaderValue::from_static("Bearer declared"));
    let peer = Peer::at([10, 0, 0, 7].into());
    house.gate.authenticate(&headers, Some(&peer)).unwrap();
    let used = Some((NOW, peer.address));
    assert_eq!(last_use(), used);
    house.gate.declare(declared(&house.accounts));
    assert_eq!(last_use(), used);
    house.gate.declare(Tokens::new([]).among(&house.accounts, vec![]));
    house.gate.declare(declared(&house.accounts));
    assert_eq!(last_use(), None, "it is another one of that secret");
}

#[tokio::test]
async fn the_last_use_is_seen_at_once_and_written_down_later() {
    let house = House::open().await;
    let made = house.make("laptop").await;
    assert_eq!(house.listed(made.token.id).await.last_use, None);
    house.clock.advance(HOUR);
    house.enter(&made).unwrap();
    let used = Some((NOW.plus(HOUR), [10, 0, 0, 7].into()));
    assert_eq!(house.listed(made.token.id).await.last_use, used);
    let on_record = || async { house.store.token(made.token.id).await.unwrap().unwrap().last_use };
    assert_eq!(on_record().await, None);
    house.gate.flush_uses(&*house.store).await.unwrap();
    assert_eq!(on_record().await, used);
    house.clock.advance(Duration::from_millis(999));
    house.enter(&made).unwrap();
    assert_eq!(house.listed(made.token.id).await.last_use, used, "at most once a second");
}

#[tokio::test]
async fn a_secret_of_the_store_cannot_be_the_configs_too_even_when_it_is_revoked() {
    let house = House::open().await;
    let made = house.make("laptop").await;
    let hashes = [TokenHash::of("declared"), made.secret.hash()];
    assert_eq!(house.gate.check(hashes).unwrap_err().0, made.token.id);
    house.desk.revoke(&made.token.id.to_string(), None, false).await.unwrap();
    assert!(house.gate.check(hashes).is_err());
    assert_eq!(house.gate.check([TokenHash::of("declared")]), Ok(()));
}

#[tokio::test]
async fn what_cannot_be_made_is_told_with_what_to_do() {
    let house = House::open().await;
    house.make("laptop").await;
    let wrong: [(TokenRequest, &str); 10] = [
        (request("Laptop"), "1 to 64 of a-z"),
        (request(""), "1 to 64 of a-z"),
        (request("laptop"), "revoke or rotate it"),
        (request("desk"), "already"),
        (TokenRequest { scopes: Scopes::NONE, ..request("a") }, "needs a scope"),
        (TokenRequest { account: None, ..request("a") }, "needs an account"),
        (TokenRequest { account: Some("eve".into()), ..request("a") }, "no account \"eve\""),
        (TokenRequest { policies: vec!["archiv".into()], ..request("a") }, "no policy \"archiv\""),
        (TokenRequest { expires: Some(Expiry::At(NOW)), ..request("a") }, "nobody in"),
        (
            TokenRequest {
                account: None,
                scopes: Scopes::NONE.with(Scope::AdminRead),
                policies: vec!["archive".into()],
                ..request("a")
            },
            "places no pins",
        ),
    ];
    for (request, words) in wrong {
        let told = house.desk.create(request.clone()).await.map(drop).unwrap_err().to_string();
        assert!(told.contains(words), "{request:?}: {told}");
    }
    let made = house.make("phone").await;
    let long = house.desk.rotate(&made.token.id.to_string(), 91 * 24 * HOUR, None, None).await;
    assert!(matches!(long, Err(DeskError::Overlap)));
    let fitting = TokenRequest { policies: vec!["archive".into()], ..request("a") };
    let made = house.desk.create(fitting).await.unwrap();
    let principal = house.gate.authenticate(&bearing(&made.secret), None).unwrap();
    assert_eq!(principal.policies, ["archive"]);
}

#[tokio::test]
async fn neither_what_is_listed_nor_debug_shows_a_secret_or_hash() {
    let house = House::open().await;
    let made = house.make("laptop").await;
    let (id, hash) = (made.token.id, format!("{:x}", made.secret.hash()));
    let secret = made.secret.expose_secret();
    let rest = &secret[crate::auth::PREFIX.len() + TokenId::LENGTH..];
    let shown =
        [format!("{made:?}"), house.listed(id).await.to_json().to_string(), format!("{:?}", house.gate)];
    for text in shown {
        assert!(!text.contains(rest) && !text.contains(&hash), "{text}");
    }
    assert!(house.desk.declared().iter().any(|token| token.id.is_none() && token.name == "desk"));
}
