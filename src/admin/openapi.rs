//! `GET /api/v1/openapi.json`: what the admin API takes and answers, for programs and those who write them.

use std::sync::LazyLock;

use axum::{
    Router,
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use http::header::CONTENT_TYPE;

/// Written by hand; src/app/tests.rs holds it against the routes and their answers.
static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| {
    let document: serde_json::Value =
        // Holds: it is a part of the program, and a test reads it.
        serde_saphyr::from_str(include_str!("openapi.yaml")).expect("the document is YAML");
    document.to_string().into()
});

/// The route, below `/api/v1`.
pub(super) fn openapi_routes() -> Router {
    Router::new().route("/openapi.json", get(show))
}

async fn show() -> Response {
    ([(CONTENT_TYPE, "application/json")], DOCUMENT.clone()).into_response()
}
