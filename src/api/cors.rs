//! Lets pages of any origin use the API: it takes bearer tokens, never cookies, so that an origin proves nothing.

use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

/// What scripts may read beyond the plain headers.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "Retry-After, X-Ratelimit-Limit, X-Ratelimit-Remaining, X-Ratelimit-Reset, X-Request-Id",
);

/// By name: `*` does not cover `Authorization`.
const PREFLIGHT: [(HeaderName, HeaderValue); 3] = [
    (header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE, OPTIONS")),
    (header::ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("Authorization, Content-Type")),
    (header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400")),
];

/// The answer to any `OPTIONS`; a preflight carries no token.
pub fn preflight() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    response.headers_mut().extend(PREFLIGHT);
    response
}

/// Goes on every response, errors included: without it a page cannot even read why it failed.
pub fn open(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::request_id;

    #[test]
    fn a_preflight_names_authorization() {
        let response = preflight();
        assert_eq!(response.status(), 204);
        let allowed = &response.headers()[header::ACCESS_CONTROL_ALLOW_HEADERS];
        assert_eq!(allowed, "Authorization, Content-Type");
        let methods = &response.headers()[header::ACCESS_CONTROL_ALLOW_METHODS];
        assert_eq!(methods, "GET, POST, DELETE, OPTIONS");
    }

    #[test]
    fn the_request_id_is_readable_by_scripts() {
        let exposed = EXPOSED.to_str().unwrap().to_ascii_lowercase();
        assert!(exposed.contains(request_id::HEADER.as_str()));
    }
}
