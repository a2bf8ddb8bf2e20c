//! The endpoints on `/pins` and `/pins/{requestid}`.

mod acceptance;
mod add;
mod get;
mod list;
mod placement;
mod remove;
mod replace;

use axum::{body::Body, response::Response};
use http::{HeaderValue, Method, StatusCode, header, request::Parts};

pub use list::list_for_operators;

use super::{errors::ApiError, front::Caller, json, route::Route};
use crate::{
    auth::{Scope, Scopes},
    lifecycle::Activator,
    model::RequestId,
};

/// What a request asks for, by its route and method. An id that is none of ours is `None`: it is only said to be
/// unknown to those who may ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    List,
    Add,
    Get(Option<RequestId>),
    Replace(Option<RequestId>),
    Remove(Option<RequestId>),
}

impl Endpoint {
    pub fn of(route: Route, method: &Method) -> Result<Self, ApiError> {
        match (route, method.as_str()) {
            (Route::Pins, "GET" | "HEAD") => Ok(Self::List),
            (Route::Pins, "POST") => Ok(Self::Add),
            (Route::Pin(id), "GET" | "HEAD") => Ok(Self::Get(id)),
            (Route::Pin(id), "POST") => Ok(Self::Replace(id)),
            (Route::Pin(id), "DELETE") => Ok(Self::Remove(id)),
            (Route::Unknown, _) => Err(ApiError::NoSuchRoute),
            (Route::Pins | Route::Pin(_), _) => Err(ApiError::Method(route)),
        }
    }

    const fn scope(self) -> Scope {
        match self {
            Self::List | Self::Get(_) => Scope::PinsRead,
            Self::Add | Self::Replace(_) | Self::Remove(_) => Scope::PinsWrite,
        }
    }

    pub fn check_scope(self, scopes: Scopes) -> Result<(), ApiError> {
        let needed = self.scope();
        if scopes.allow(needed) { Ok(()) } else { Err(ApiError::Forbidden(needed)) }
    }

    pub async fn handle(self, caller: &Caller<'_>, head: &Parts, body: Body) -> Result<Response, ApiError> {
        let known = |id: Option<RequestId>| id.ok_or(ApiError::NoSuchPin);
        match self {
            Self::List => list::handle(caller, head.uri.query()).await,
            Self::Add => add::handle(caller, &head.headers, body).await,
            Self::Get(id) => get::handle(caller, known(id)?).await,
            Self::Replace(id) => replace::handle(caller, known(id)?, &head.headers, body).await,
            Self::Remove(id) => remove::handle(caller, known(id)?).await,
        }
    }
}

/// Wakes the engine when it goes out of scope: also when the client left while the store was at work, since what
/// was asked for may be on disk by then.
struct WakeEngine<'a>(&'a Activator);

impl Drop for WakeEngine<'_> {
    fn drop(&mut self) {
        self.0.poke();
    }
}

fn json_response(status: StatusCode, json: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(json));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, json::CONTENT_TYPE);
    response
}

/// A success that says nothing, and so has no content type.
fn empty_response(status: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
    response
}
