//! `GET /api/v1/policy/explain`: how a pin would be placed, and why so.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use axum::{
    Router,
    extract::{RawQuery, State},
    response::Response,
    routing::get,
};
use http::StatusCode;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use thiserror::Error;

use super::{Failure, json_response};
use crate::{
    model::{Meta, Origins, PinCid, PinSpec, Timestamp, known, name},
    policy::{NotAllowed, Policy, controls::BadEnd},
    store::StoreError,
};

/// Who knows how pins are placed.
#[async_trait]
pub trait Policies: Send + Sync + 'static {
    async fn explain(&self, question: Question) -> Result<Explained, ExplainError>;
}

/// A pin that somebody might send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// May be left out where there is one account only.
    pub account: Option<String>,
    /// The name of the token or certificate; left out: one without a list of policies.
    pub token: Option<String>,
    pub pin: PinSpec,
}

/// How it would be placed now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Explained {
    pub account: String,
    /// The routes that are tried, in their order: the last is the one that fits, if any does.
    pub routes: Vec<RouteTried>,
    /// Who chose the policy, in words.
    pub chosen: String,
    pub policy: Policy,
    /// When the pin would go away by itself.
    pub until: Option<Timestamp>,
    /// The policy's providers in the order in which they are asked.
    pub providers: Vec<ProviderConsidered>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteTried {
    pub name: String,
    pub policy: String,
    /// Why it does not fit; nothing where it does.
    pub because: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderConsidered {
    pub name: String,
    /// Whether it would get a copy.
    pub taken: bool,
    pub why: String,
}

/// Why nothing can be explained.
#[derive(Debug, Error)]
pub enum ExplainError {
    #[error("say which account: {}", known(.0))]
    WhichAccount(Vec<String>),
    #[error("the config has no account {account:?}: {}", self::known(known))]
    Account { account: String, known: Vec<String> },
    #[error("the account {account:?} has no live token or certificate {token:?}: see `pinfold token ls`")]
    Token { account: String, token: String },
    #[error("the policy {0:?} is not in the config any more: its pins follow its last revision")]
    Gone(String),
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    #[error(transparent)]
    End(#[from] BadEnd),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<ExplainError> for Failure {
    fn from(error: ExplainError) -> Self {
        match error {
            ExplainError::Store(error) => error.into(),
            ExplainError::Account { .. } | ExplainError::Token { .. } | ExplainError::Gone(_) => {
                Self::not_found(error)
            }
            ExplainError::WhichAccount(_) | ExplainError::NotAllowed(_) | ExplainError::End(_) => {
                Self::bad_request(error)
            }
        }
    }
}

/// `GET /policy/explain`.
pub fn policy_routes(policies: Arc<dyn Policies>) -> Router {
    Router::new().route("/policy/explain", get(explain)).with_state(policies)
}

async fn explain(
    State(policies): State<Arc<dyn Policies>>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let question = Question::parse(query.as_deref().unwrap_or_default()).map_err(Failure::bad_request)?;
    Ok(json_response(StatusCode::OK, &policies.explain(question).await?.to_json()))
}

/// Stands for whatever a client might send: which they are makes no difference.
const ANY_ORIGIN: &str = "/dns4/origin.example/tcp/4001";

impl Question {
    fn parse(query: &str) -> Result<Self, String> {
        let mut pairs = decode(query)?;
        let mut take = |key: &str| pairs.remove(key);
        let (account, token, name) = (take("account"), take("token"), take("name"));
        if name.as_deref().is_some_and(|name| !name::fits(name)) {
            return Err(format!("name is longer than {} characters", name::MAX_CHARS));
        }
        let cid = take("cid")
            .ok_or("write cid=CID, and as you like name, meta (JSON), account, token, origins=true")?;
        let cid = PinCid::parse(&cid).map_err(|error| format!("cid: {error}"))?;
        let meta = take("meta").map(|json| meta(&json)).transpose()?;
        let origins = match take("origins").as_deref() {
            None | Some("false") => Origins::default(),
            Some("true") => Origins::keep_usable([ANY_ORIGIN.to_owned()]),
            Some(_) => return Err("origins is true or false".to_owned()),
        };
        match pairs.into_keys().next() {
            Some(key) => Err(format!("{key} is not known here")),
            None => Ok(Self { account, token, pin: PinSpec { cid, name, meta, origins } }),
        }
    }
}

fn meta(json: &str) -> Result<Meta, String> {
    let entries: BTreeMap<String, String> = serde_json::from_str(json)
        .map_err(|_| "meta is not a JSON object of strings, such as {\"app\":\"photos\"}".to_owned())?;
    Meta::try_new(entries).map_err(|error| error.to_string())
}

/// The pairs of a query, each key at most once.
fn decode(query: &str) -> Result<BTreeMap<String, String>, String> {
    let text = |encoded: &str| {
        let spaced = encoded.replace('+', " ");
        let decoded = percent_decode_str(&spaced).decode_utf8();
        decoded.map(std::borrow::Cow::into_owned).map_err(|_| "the query is not UTF-8".to_owned())
    };
    let mut pairs = BTreeMap::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        if pairs.insert(text(key)?, text(value)?).is_some() {
            return Err(format!("{key} is given twice"));
        }
    }
    Ok(pairs)
}

impl Explained {
    fn to_json(&self) -> Value {
        let Self { account, routes, chosen, policy, until, providers } = self;
        let route = |route: &RouteTried| {
            json!({
                "name": route.name,
                "policy": route.policy,
                "fits": route.because.is_empty(),
                "because": route.because,
            })
        };
        let provider = |provider: &ProviderConsidered| json!({ "name": provider.name, "taken": provider.taken, "why": provider.why });
        json!({
            "account": account,
            "routes": routes.iter().map(route).collect::<Vec<_>>(),
            "policy": {
                "name": policy.name,
                "chosen": chosen,
                "copies": { "min": policy.copies.min, "max": policy.copies.max },
                "pinned_when": policy.need,
            },
            "pinned_until": until.map(|until| until.to_string()),
            "providers": providers.iter().map(provider).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CID: &str = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";

    #[test]
    fn a_question_is_read_with_all_that_may_matter() {
        let query = format!(
            "cid={CID}&name=a%20b+c&meta=%7B%22k%22%3A%22v%3D1%22%7D&account=ada&token=laptop&origins=true"
        );
        let Question { account, token, pin } = Question::parse(&query).unwrap();
        assert_eq!((account.as_deref(), token.as_deref()), (Some("ada"), Some("laptop")));
        assert_eq!((pin.name.as_deref(), pin.meta_value("k")), (Some("a b c"), Some("v=1")));
        assert!(!pin.origins.is_empty());
        let bare = Question::parse(&format!("cid={CID}")).unwrap();
        assert_eq!(bare.pin, PinSpec::bare(PinCid::parse(CID).unwrap()));
    }

    #[test]
    fn what_is_no_question_is_told() {
        for (query, words) in [
            ("".to_owned(), "write cid=CID"),
            ("cid=Qm".to_owned(), "cid: this is not a CID"),
            (format!("cid={CID}&meta=k"), "meta is not a JSON object of strings"),
            (format!("cid={CID}&meta=%7B%22k%22%3A1%7D"), "meta is not a JSON object of strings"),
            (format!("cid={CID}&origins=some"), "origins is true or false"),
            (format!("cid={CID}&nmae=x"), "nmae is not known here"),
            (format!("cid={CID}&name=a&name=b"), "name is given twice"),
            (format!("cid={CID}&name=%ff"), "not UTF-8"),
        ] {
            let why = Question::parse(&query).unwrap_err();
            assert!(why.contains(words), "{query}: {why}");
        }
    }
}
