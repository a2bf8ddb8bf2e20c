//! `/api/v1/tokens`: makes, lists, rotates and revokes tokens. A secret is in the one answer that made it, and nowhere
//! else.

use std::{collections::HashMap, sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    extract::{Path, RawQuery, State},
    response::{IntoResponse, Response},
    routing::{delete, get, post},
};
use http::{HeaderValue, StatusCode, header::CACHE_CONTROL};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;

use super::{Failure, Sent, json_response};
use crate::{
    auth::{Desk, DeskError, Issued, Listed, Operator, Scope, Scopes, TokenRequest},
    model::{Expiry, Span, TokenId},
};

/// The most tokens that are listed at once.
const PAGE: u32 = 1000;

/// How long a rotated token lives on, unless it is said otherwise.
const OVERLAP: Duration = Duration::from_secs(24 * 3600);

/// The routes, below `/api/v1`.
pub fn tokens(desk: Desk) -> Router {
    Router::new()
        .route("/tokens", get(list).post(create))
        .route("/tokens/{id}", delete(revoke))
        .route("/tokens/{id}/rotate", post(rotate))
        .with_state(desk)
}

/// Who did it, for the log: the guard lets no write pass without a name.
type By = Option<Extension<Arc<Operator>>>;

async fn list(State(desk): State<Desk>, RawQuery(query): RawQuery) -> Result<Response, Failure> {
    let (after, limit) = page(query.as_deref().unwrap_or_default())?;
    let mut stored = desk.stored(after, limit + 1).await?;
    let more = stored.len() > limit as usize;
    stored.truncate(limit as usize);
    let next = stored.last().filter(|_| more).and_then(|token| token.id);
    let declared = if after.is_none() { desk.declared() } else { Vec::new() };
    let tokens: Vec<_> = declared.iter().chain(&stored).map(Listed::to_json).collect();
    let next = next.map(|id| id.to_string());
    Ok(json_response(StatusCode::OK, &json!({ "tokens": tokens, "next": next })))
}

fn page(query: &str) -> Result<(Option<TokenId>, u32), Failure> {
    let pairs = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut pairs: HashMap<_, _> = pairs.collect();
    let wrong = || Failure::bad_request(format!("write after=ID, and limit= from 1 to {PAGE}"));
    let after = pairs.remove("after").map(|id| TokenId::parse(id).ok_or_else(wrong)).transpose()?;
    let limit = match pairs.remove("limit").map(str::parse) {
        None => PAGE,
        Some(Ok(limit)) if (1..=PAGE).contains(&limit) => limit,
        Some(_) => return Err(wrong()),
    };
    if pairs.is_empty() { Ok((after, limit)) } else { Err(wrong()) }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Create {
    name: String,
    account: Option<String>,
    scopes: Option<Vec<String>>,
    expires: Option<String>,
    #[serde(default)]
    policies: Vec<String>,
}

async fn create(State(desk): State<Desk>, by: By, Sent(body): Sent<Create>) -> Result<Response, Failure> {
    let Create { name, account, scopes, expires, policies } = body;
    let scopes = match scopes {
        Some(words) => words.iter().map(|word| word.parse()).collect::<Result<Scopes, _>>(),
        None if account.is_some() => Ok(Scopes::NONE.with(Scope::PinsWrite)),
        None => Ok(Scopes::NONE),
    };
    let request = TokenRequest {
        name,
        account,
        scopes: scopes.map_err(Failure::bad_request)?,
        expires: expires.map(|text| text.parse()).transpose().map_err(Failure::bad_request)?,
        policies,
        by: who(&by),
    };
    let made = desk.create(request).await?;
    tell(&by, &made.token.id, &made.token.name, "a token was made");
    Ok(issued(&desk, made))
}

async fn revoke(
    State(desk): State<Desk>,
    by: By,
    Path(id): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failure> {
    let force = match query.as_deref() {
        None | Some("" | "force=false") => false,
        Some("force=true") => true,
        Some(_) => return Err(Failure::bad_request("write force=true, or nothing")),
    };
    let token = desk.revoke(&id, who(&by), force).await?;
    tell(&by, &token.id, &token.name, "a token was revoked");
    Ok(json_response(StatusCode::OK, &desk.show(token).to_json()))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rotate {
    overlap: Option<String>,
    expires: Option<String>,
}

async fn rotate(
    State(desk): State<Desk>,
    by: By,
    Path(id): Path<String>,
    Sent(body): Sent<Rotate>,
) -> Result<Response, Failure> {
    let overlap = match body.overlap.as_deref().map(str::parse) {
        None => OVERLAP,
        Some(Ok(Expiry::In(span))) => span,
        Some(_) => return Err(Failure::bad_request("overlap is no span: write 24h, 7d or 0s")),
    };
    let expires: Option<Expiry> =
        body.expires.map(|text| text.parse()).transpose().map_err(Failure::bad_request)?;
    let made = desk.rotate(&id, overlap, expires, who(&by)).await?;
    let overlap = Span(overlap);
    tracing::info!(old = id, new = %made.token.id, name = made.token.name, %overlap, by = who(&by).as_deref(), "a token was rotated");
    Ok(issued(&desk, made))
}

fn tell(by: &By, id: &TokenId, token: &str, what: &str) {
    tracing::info!(%id, name = token, by = who(by).as_deref(), "{what}");
}

fn who(by: &By) -> Option<Arc<str>> {
    by.as_ref().map(|Extension(operator)| operator.token_name.clone())
}

/// The one answer with a secret in it; nobody on the way is to keep it.
fn issued(desk: &Desk, made: Issued) -> Response {
    let Issued { token, secret } = made;
    let mut body = desk.show(token).to_json();
    body["secret"] = secret.expose_secret().into();
    let mut response = json_response(StatusCode::CREATED, &body).into_response();
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl From<DeskError> for Failure {
    fn from(error: DeskError) -> Self {
        match error {
            DeskError::Unknown(_) => Self::not_found(error),
            DeskError::Taken(_)
            | DeskError::Ended(_)
            | DeskError::NotServed(_)
            | DeskError::LastOperator(_) => Self::conflict(error),
            DeskError::Store(error) => error.into(),
            _ => Self::bad_request(error),
        }
    }
}
