//! A caller of a simulated provider that sees the bare HTTP.

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::{Value, json};

use crate::{
    model::{Content, PinCid},
    sim::Sim,
};

pub(super) const TOKEN: &str = "sesame";

/// The n-th of many contents.
pub(super) fn cid(n: u8) -> PinCid {
    numbered_cid(n.into())
}

pub(super) fn numbered_cid(n: u32) -> PinCid {
    let mut digest = [0; 32];
    digest[..4].copy_from_slice(&n.to_be_bytes());
    let hash = multihash::Multihash::<64>::wrap(0x12, &digest).unwrap();
    PinCid::parse(&cid::Cid::new_v1(0x55, hash).to_string()).unwrap()
}

pub(super) fn content(n: u8) -> Content {
    cid(n).content().clone()
}

#[derive(Debug)]
pub(super) struct Seen {
    pub(super) code: u16,
    pub(super) headers: HeaderMap,
    pub(super) text: String,
}

impl Seen {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error} in {}", self.text))
    }

    /// In either spelling of its key.
    pub(super) fn id(&self) -> String {
        let json = self.json();
        let id = json.get("requestid").or_else(|| json.get("requestId"));
        id.and_then(Value::as_str).unwrap_or_else(|| panic!("no id in {}", self.text)).to_owned()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    pub(super) fn status(&self) -> String {
        self.json()["status"].as_str().unwrap().to_owned()
    }

    /// The error's reason.
    pub(super) fn reason(&self) -> String {
        self.json()["error"]["reason"].as_str().unwrap().to_owned()
    }

    /// The CIDs of a list's results.
    pub(super) fn cids(&self) -> Vec<String> {
        let results = self.json()["results"].as_array().unwrap().clone();
        results.iter().map(|result| result["pin"]["cid"].as_str().unwrap().to_owned()).collect()
    }
}

/// Keeps no connection, so that no answer depends on another's.
#[derive(Clone)]
pub(super) struct Caller {
    client: Client<HttpConnector, Full<Bytes>>,
    url: String,
    authorization: Option<String>,
}

impl Caller {
    pub(super) fn of(sim: &Sim) -> Self {
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http();
        Self { client, url: sim.url(), authorization: None }.with_token(TOKEN)
    }

    pub(super) fn with_token(self, token: &str) -> Self {
        self.with_authorization(Some(format!("Bearer {token}")))
    }

    pub(super) fn with_basic(self, name: &str, password: &str) -> Self {
        let pair = multibase::Base::Base64Pad.encode(format!("{name}:{password}"));
        self.with_authorization(Some(format!("Basic {pair}")))
    }

    pub(super) fn with_authorization(self, authorization: Option<String>) -> Self {
        Self { authorization, ..self }
    }

    /// `None` where no answer came.
    pub(super) async fn send(&self, method: Method, path: &str, body: String) -> Option<Seen> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("content-type", "application/json");
        if let Some(authorization) = &self.authorization {
            request = request.header("authorization", authorization);
        }
        let request = request.body(Full::from(body)).unwrap();
        let response = self.client.request(request).await.ok()?;
        let (head, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.ok()?.to_bytes().into()).unwrap();
        Some(Seen { code: head.status.as_u16(), headers: head.headers, text })
    }

    pub(super) async fn get(&self, path: &str) -> Seen {
        self.send(Method::GET, path, String::new()).await.expect("an answer")
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Seen {
        self.send(Method::POST, path, body.to_string()).await.expect("an answer")
    }

    pub(super) async fn delete(&self, id: &str) -> Seen {
        self.send(Method::DELETE, &format!("/pins/{id}"), String::new()).await.expect("an answer")
    }

    pub(super) async fn add(&self, n: u8) -> Seen {
        self.post("/pins", json!({ "cid": cid(n).as_str() })).await
    }

    /// A POST that may stay without an answer.
    pub(super) async fn try_add(&self, n: u8) -> Option<Seen> {
        self.send(Method::POST, "/pins", json!({ "cid": cid(n).as_str() }).to_string()).await
    }

    /// The PSA's list with the query as it stands, commas and all.
    pub(super) async fn list(&self, query: &str) -> Seen {
        self.get(&format!("/pins?{query}")).await
    }
}

/// Returns once `reached` holds; fails the test where it never does.
pub(super) async fn until(reached: impl Fn() -> bool) {
    let turns = async {
        while !reached() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), turns).await.expect("the state is reached");
}
