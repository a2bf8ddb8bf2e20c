//! A gateway's answers, scripted, and what each is taken for.

use async_trait::async_trait;
use sha2::{Digest, Sha256};

use super::*;
use crate::{
    http::scripted::{Act, Server},
    model::{Ask, Granted, LedgerTime, Lesson, ManualClock, Reserved, Timestamp},
    providers::{Credential, Ledger, LedgerError},
};

const BLOCK: &str = "a block";
const RAW_TYPE: &str = "content-type: application/vnd.ipld.raw";

/// Grants so many calls.
#[derive(Debug)]
struct Grants(std::sync::Mutex<u32>);

#[async_trait]
impl Ledger for Grants {
    fn now(&self) -> LedgerTime {
        LedgerTime::default()
    }

    async fn reserve(&self, ask: Ask) -> Result<Granted, LedgerError> {
        let mut left = self.0.lock().unwrap();
        let calls = ask.want.min(*left);
        *left -= calls;
        let ends = Timestamp::from_millis(1000);
        let reserved = Reserved { class: ask.class, calls, ends, counted: ByClass::default() };
        Ok(if calls == 0 { Granted::Wait(Duration::from_secs(60)) } else { Granted::Calls(reserved) })
    }

    fn lessons(&self, _: &str) -> ByClass<Lesson> {
        ByClass::default()
    }

    async fn keep(&self, _: &str, _: BudgetClass, _: Lesson) {}
}

fn content() -> Content {
    Content::from_bytes(&[&[1, 0x55, 0x12, 32][..], &Sha256::digest(BLOCK)].concat()).unwrap()
}

fn gateway(base: &str, calls: u32) -> Gateway {
    let endpoint = Endpoint::parse("http://127.0.0.1:9").unwrap();
    let token = Credential::token(&"s3cr3t".into()).unwrap();
    let mut settings = Settings::new("alpha", endpoint, token);
    settings.budget.ledger = Some(Arc::new(Grants(calls.into())));
    let base = Endpoint::parse(base).unwrap();
    let mut gateway = GatewaySettings::new(base, http::Settings::default());
    gateway.timeout = Duration::from_millis(200);
    settings.gateway = Some(gateway);
    let client = http::Client::new(&http::Settings::default());
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
    Gateway::of(&settings, &client, &clock).unwrap()
}

async fn fetched(acts: impl IntoIterator<Item = Act>) -> (Proved, String) {
    let server = Server::start(acts).await;
    let Fetched { proved, why } = gateway(&server.url(), 60).fetch(&content()).await;
    (proved, why)
}

async fn proved(act: Act) -> Proved {
    fetched([act]).await.0
}

#[tokio::test]
async fn a_block_is_asked_for_as_the_specification_has_it_and_without_a_credential() {
    let server = Server::start([Act::with(200, &[RAW_TYPE], BLOCK)]).await;
    let fetched = gateway(&format!("{}/sub", server.url()), 60).fetch(&content()).await;
    assert_eq!(fetched, Fetched { proved: Proved::Served, why: String::new() });
    let asked = server.seen().remove(0);
    let line = format!("GET /sub/ipfs/{}?format=raw HTTP/1.1", content().canonical());
    assert!(asked.starts_with(&line), "{asked}");
    let asked = asked.to_ascii_lowercase();
    assert!(asked.contains("accept: application/vnd.ipld.raw\r\n"), "{asked}");
    assert!(!asked.contains("authorization") && !asked.contains("s3cr3t"), "{asked}");
}

#[tokio::test]
async fn what_is_not_there_or_not_the_block_is_the_providers_fault() {
    for status in [404, 410, 451] {
        assert_eq!(proved(Act::with(status, &[], "")).await, Proved::Missing, "{status}");
    }
    for headers in [&[RAW_TYPE][..], &["content-type: application/octet-stream"], &[]] {
        assert_eq!(proved(Act::with(200, headers, "b block")).await, Proved::Wrong, "{headers:?}");
    }
    assert_eq!(proved(Act::with(200, &[RAW_TYPE], "")).await, Proved::Wrong);
}

#[tokio::test]
async fn silence_is_believed_the_second_time() {
    assert_eq!(fetched([Act::Hang, Act::Hang]).await.0, Proved::Silent);
    assert_eq!(fetched([Act::with(504, &[], ""), Act::with(504, &[], "")]).await.0, Proved::Silent);
    let then = [Act::with(504, &[], ""), Act::with(200, &[RAW_TYPE], BLOCK)];
    assert_eq!(fetched(then).await.0, Proved::Served);
}

#[tokio::test]
async fn a_gateway_that_fails_or_is_not_there_says_nothing_of_the_provider() {
    for status in [500, 502, 503] {
        assert_eq!(proved(Act::with(status, &[], "")).await, Proved::Unreachable, "{status}");
    }
    assert_eq!(
        proved(Act::CutOff("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx")).await,
        Proved::Unreachable
    );
    let nobody = gateway("http://127.0.0.1:1", 60).fetch(&content()).await;
    assert_eq!(nobody.proved, Proved::Unreachable);
}

#[tokio::test]
async fn a_gateway_that_hands_out_something_else_than_blocks_is_unfit_and_no_liar() {
    let page = Act::with(200, &["content-type: text/html; charset=utf-8"], "<html>");
    assert_eq!(proved(page).await, Proved::Unfit);
    for status in [301, 307, 401, 403, 400, 406, 415] {
        assert_eq!(proved(Act::with(status, &["location: http://127.0.0.1:9/"], "")).await, Proved::Unfit);
    }
    let head = format!("HTTP/1.1 200 OK\r\n{RAW_TYPE}\r\ncontent-length: {}\r\n\r\n", BLOCK_MAX + 1);
    assert_eq!(proved(Act::Answer(head)).await, Proved::Unfit, "larger than any block");
}

#[tokio::test]
async fn i9_no_block_is_asked_for_without_a_call_that_was_counted() {
    let server = Server::start([Act::with(200, &[RAW_TYPE], BLOCK)]).await;
    let gateway = gateway(&server.url(), 1);
    assert_eq!(gateway.fetch(&content()).await.proved, Proved::Served);
    assert_eq!(gateway.fetch(&content()).await.proved, Proved::PutOff);
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_gateway_that_wants_to_be_left_alone_is() {
    let server = Server::start([Act::with(429, &["retry-after: 60"], "")]).await;
    let gateway = gateway(&server.url(), 60);
    for _ in 0..2 {
        assert_eq!(gateway.fetch(&content()).await.proved, Proved::PutOff);
    }
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn what_cannot_be_checked_is_not_asked_for() {
    let server = Server::start([]).await;
    let blake3 = Content::from_bytes(&[&[1, 0x55, 0x1e, 32][..], &[7; 32]].concat()).unwrap();
    assert_eq!(gateway(&server.url(), 60).fetch(&blake3).await.proved, Proved::Uncheckable);
    assert_eq!(server.seen().len(), 0);
}
