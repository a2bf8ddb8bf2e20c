//! A provider's trustless gateway, asked for the root block of a copy: the hash tells whether it came. It is sent no
//! credential, and its calls have a budget of their own (I9), so that they take none from pinning.

use std::{fmt, sync::Arc, time::Duration};

use ::http::{HeaderMap, Request, Response, StatusCode, header};
use bytes::Bytes;
use tokio::time::timeout;

use super::{
    BudgetSettings, Endpoint, Settings,
    budget::{Budget, NoPermit},
};
use crate::{
    http,
    model::{BLOCK_MAX, BudgetClass, ByClass, Clock, Content, Proved, Rate, Timestamp},
};

/// What a gateway may hand out as a raw block.
const RAW: &str = "application/vnd.ipld.raw";
const BYTES: &str = "application/octet-stream";
/// So many calls at once, and in a minute.
const AT_ONCE: usize = 2;
const A_MINUTE: Rate = Rate { calls: 60, per: Duration::from_secs(60) };
/// The longest wait for one answer: what a provider has pinned it need not look for.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Silence is asked again so many times before it is believed.
const TRIES: u32 = 2;

/// Where a gateway is, and how.
#[derive(Clone, Debug)]
pub struct GatewaySettings {
    /// To which `/ipfs/` and a CID are appended.
    pub base: Endpoint,
    /// How its client is made: proxy, roots.
    pub http: http::Settings,
    /// The longest wait for one answer.
    pub timeout: Duration,
}

impl GatewaySettings {
    pub fn new(base: Endpoint, http: http::Settings) -> Self {
        Self { base, http, timeout: TIMEOUT }
    }
}

/// One gateway. Clones share its budget.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    settings: GatewaySettings,
    client: http::Client,
    budget: Budget,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Gateway").field(&self.0.settings.base).finish()
    }
}

/// What became of asking for one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    pub proved: Proved,
    /// Why it is not served, for operators; empty where it is. Holds no words of the gateway's own.
    pub why: String,
}

impl Fetched {
    fn new(proved: Proved, why: impl Into<String>) -> Self {
        Self { proved, why: why.into() }
    }
}

impl Gateway {
    /// That of a provider, where its settings name one. Nothing is sent before the first call.
    pub(super) fn of(settings: &Settings, client: &http::Client, clock: &Arc<dyn Clock>) -> Option<Self> {
        let gateway = settings.gateway.clone()?;
        let is_same_way = *client.settings() == gateway.http;
        let client = if is_same_way { client.clone() } else { http::Client::new(&gateway.http) };
        let mut rates = ByClass::default();
        rates[BudgetClass::Any] = Some(A_MINUTE);
        let group = format!("gateway/{}", settings.name).into();
        let windows = BudgetSettings { group, rates, ledger: settings.budget.ledger.clone() };
        let budget = Budget::new(AT_ONCE, windows, clock, None);
        Some(Self(Arc::new(Inner { settings: gateway, client, budget, clock: clock.clone() })))
    }

    /// Asks for the root block of a content, and checks it.
    pub async fn fetch(&self, content: &Content) -> Fetched {
        if !content.is_checkable() {
            return Fetched::new(Proved::Uncheckable, "the hash of its CID cannot be computed here");
        }
        let mut fetched = self.try_once(content).await;
        for _ in 1..TRIES {
            if fetched.proved != Proved::Silent {
                break;
            }
            fetched = self.try_once(content).await;
        }
        fetched
    }

    async fn try_once(&self, content: &Content) -> Fetched {
        let Inner { settings, client, budget, clock } = &*self.0;
        let permit = match budget.permit(BudgetClass::Any).await {
            Ok(permit) => permit,
            Err(refused) => return Fetched::new(Proved::PutOff, words(refused, clock.now())),
        };
        let Some(request) = request(&settings.base, content) else {
            return Fetched::new(Proved::Unfit, "its address makes no URL");
        };
        let answer = match timeout(settings.timeout, client.send(request, BLOCK_MAX)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return failed(&error),
            Err(_) => return silent(settings.timeout),
        };
        budget.learn((permit.class, permit.began), &answer).await;
        drop(permit);
        read(content, &answer)
    }
}

fn request(base: &Endpoint, content: &Content) -> Option<Request<Bytes>> {
    let url = format!("{base}/ipfs/{}?format=raw", content.canonical());
    Request::get(url).header(header::ACCEPT, RAW).body(Bytes::new()).ok()
}

fn words(refused: NoPermit, now: Timestamp) -> String {
    match refused {
        NoPermit::Throttled(span) => {
            format!("the gateway wants to be left alone until {}", now.plus(span))
        }
        NoPermit::Spent(span) => format!("the calls for it are spent until {}", now.plus(span)),
        NoPermit::Uncounted => "calls cannot be counted now".to_owned(),
    }
}

fn silent(waited: Duration) -> Fetched {
    Fetched::new(Proved::Silent, format!("no answer within {} ms, {TRIES} times", waited.as_millis()))
}

fn failed(error: &http::Error) -> Fetched {
    match error {
        // What is larger than any block is a file, or a page: the gateway does not speak of blocks.
        http::Error::TooLarge { .. } => Fetched::new(Proved::Unfit, error.to_string()),
        _ => Fetched::new(Proved::Unreachable, error.to_string()),
    }
}

fn read(content: &Content, answer: &Response<Bytes>) -> Fetched {
    let status = answer.status();
    let told = |proved, what: &str| Fetched::new(proved, format!("{}: {what}", status.as_u16()));
    match status {
        StatusCode::OK => check(content, answer),
        StatusCode::NOT_FOUND | StatusCode::GONE | StatusCode::UNAVAILABLE_FOR_LEGAL_REASONS => {
            told(Proved::Missing, "the gateway does not have it")
        }
        // So gateways say that nobody answered them in time.
        StatusCode::GATEWAY_TIMEOUT => told(Proved::Silent, "the gateway did not find it in time"),
        StatusCode::TOO_MANY_REQUESTS => told(Proved::PutOff, "the gateway wants to be left alone"),
        status if status.is_server_error() => told(Proved::Unreachable, "the gateway failed"),
        status if status.is_redirection() => {
            told(Proved::Unfit, "the gateway sends elsewhere, where it is not followed: give that address")
        }
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            told(Proved::Unfit, "the gateway wants a credential, and is sent none")
        }
        _ => told(Proved::Unfit, "the gateway hands out no raw blocks"),
    }
}

fn check(content: &Content, answer: &Response<Bytes>) -> Fetched {
    match content.is_block(answer.body()) {
        Some(true) => Fetched::new(Proved::Served, ""),
        Some(false) if says_block(answer.headers()) => {
            Fetched::new(Proved::Wrong, format!("{} bytes that are not its block", answer.body().len()))
        }
        Some(false) => Fetched::new(Proved::Unfit, "the gateway answers with something else than raw blocks"),
        None => Fetched::new(Proved::Uncheckable, "the hash of its CID cannot be computed here"),
    }
}

/// Whether an answer means to be a block: a page of a middleman's is no lie of the provider's.
fn says_block(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(header::CONTENT_TYPE) else { return true };
    let kind = kind.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case(RAW) || kind.eq_ignore_ascii_case(BYTES)
}

#[cfg(test)]
mod tests;
