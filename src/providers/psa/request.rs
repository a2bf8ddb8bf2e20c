//! The requests of the API. What has a default there is said all the same: servers differ in their defaults.

use std::fmt::Write as _;

use ::http::{
    HeaderValue, Method, Request,
    header::{ACCEPT, CONTENT_TYPE},
};
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::json;

use crate::{
    model::{Timestamp, UpstreamId},
    providers::{Endpoint, Submit},
};

/// The page that is asked for: the most that the spec allows.
pub(super) const LIMIT: usize = 1000;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const STATUSES: &str = "queued,pinning,pinned,failed";

/// All but what RFC 3986 leaves unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Makes requests for one endpoint, without their credential.
pub(super) struct Requests {
    pins: String,
}

impl Requests {
    pub(super) fn new(endpoint: &Endpoint) -> Self {
        Self { pins: format!("{endpoint}/pins") }
    }

    pub(super) fn add(&self, submit: &Submit, origins: &[String]) -> Request<Bytes> {
        let mut body = json!({ "cid": submit.content.canonical(), "meta": { "pinfold": submit.tag } });
        if let Some(name) = &submit.name {
            body["name"] = json!(name);
        }
        if !origins.is_empty() {
            body["origins"] = json!(origins);
        }
        let mut request = request(Method::POST, &self.pins, Bytes::from(body.to_string()));
        request.headers_mut().insert(CONTENT_TYPE, JSON);
        request
    }

    /// Pins of these CIDs, or all pins where there are none, in any state.
    pub(super) fn list(&self, cids: &[String], before: Option<Timestamp>) -> Request<Bytes> {
        let mut uri = format!("{}?status={STATUSES}&limit={LIMIT}", self.pins);
        if !cids.is_empty() {
            // Holds: writing to a String does not fail.
            write!(uri, "&cid={}", cids.join(",")).expect("a String takes it");
        }
        if let Some(before) = before {
            write!(uri, "&before={before}").expect("a String takes it");
        }
        request(Method::GET, &uri, Bytes::new())
    }

    pub(super) fn see(&self, id: &UpstreamId) -> Request<Bytes> {
        request(Method::GET, &self.pin(id), Bytes::new())
    }

    pub(super) fn remove(&self, id: &UpstreamId) -> Request<Bytes> {
        request(Method::DELETE, &self.pin(id), Bytes::new())
    }

    fn pin(&self, id: &UpstreamId) -> String {
        format!("{}/{}", self.pins, utf8_percent_encode(id.as_str(), RESERVED))
    }
}

fn request(method: Method, uri: &str, body: Bytes) -> Request<Bytes> {
    // Holds: the endpoint is a checked URL, and what is appended is made of URL characters.
    let built = Request::builder().method(method).uri(uri).header(ACCEPT, JSON).body(body);
    built.expect("a checked endpoint with an escaped path is a URI")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_escaped_and_paths_of_endpoints_kept() {
        let requests = Requests::new(&Endpoint::parse("http://x.example/api/psa/").unwrap());
        let id = UpstreamId::new("gid://filebase/Asset/1=").unwrap();
        assert_eq!(
            requests.see(&id).uri().to_string(),
            "http://x.example/api/psa/pins/gid%3A%2F%2Ffilebase%2FAsset%2F1%3D"
        );
        let listed = requests.list(&[], Some(Timestamp::from_millis(0))).uri().to_string();
        assert_eq!(
            listed,
            "http://x.example/api/psa/pins?status=queued,pinning,pinned,failed&limit=1000\
             &before=1970-01-01T00:00:00.000Z"
        );
    }
}
