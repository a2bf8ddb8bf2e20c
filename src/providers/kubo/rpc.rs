//! The calls of a node's RPC API that pinning takes. All are POSTs with their arguments in the query.

use std::time::Duration;

use ::http::{HeaderValue, Method, Request, header::TE};
use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::time::Instant;

use super::super::{ProviderError, classify::Expect, connection::Connection, stack::Answer};
use crate::{http::Lines, model::Operation};

/// All but what RFC 3986 leaves unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The longest line of progress, in bytes.
const LINE: usize = 64 << 10;

/// The longest name that Kubo takes, in bytes.
const NAME: usize = 255;

/// The longest wait for a connection to an origin.
const CONNECT: Duration = Duration::from_secs(5);

/// How a node holds a content, apart from what it holds for the sake of something above it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hold {
    Recursive,
    /// This block alone.
    Direct,
}

impl Hold {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Recursive => "recursive",
            Self::Direct => "direct",
        }
    }
}

pub(super) struct Rpc {
    pub(super) connection: Connection,
    base: String,
}

impl Rpc {
    pub(super) fn new(connection: Connection) -> Self {
        let base = format!("{}/api/v0", connection.settings().endpoint);
        Self { connection, base }
    }

    /// Whether the node has a pin of this CID, in just this spelling: Kubo takes v0 and v1 for two.
    pub(super) async fn holds(&self, cid: &str, hold: Hold) -> Result<bool, ProviderError> {
        let request = self.request("pin/ls", &[("arg", cid), ("type", hold.as_str())]);
        let deadline = self.connection.deadline();
        let Answer::Body { body, .. } =
            self.connection.call(Operation::Look, Expect::Pin, request, deadline).await?
        else {
            return Ok(false);
        };
        let keys = serde_json::from_slice::<Value>(&body).ok().and_then(|value| value.get("Keys").cloned());
        match keys {
            Some(Value::Object(keys)) => Ok(!keys.is_empty()),
            _ => {
                Err(self.connection.senseless(Operation::Look, "the answer to pin/ls is none of a Kubo node"))
            }
        }
    }

    /// Has the node fetch and pin a content; its answer goes on until that is done, and closing it ends the fetch.
    pub(super) async fn add(&self, cid: &str, name: Option<&str>) -> Result<Lines, ProviderError> {
        let mut arguments = vec![("arg", cid), ("recursive", "true"), ("progress", "true")];
        arguments.extend(name.map(|name| ("name", &name[..name.floor_char_boundary(NAME)])));
        let mut request = self.request("pin/add", &arguments);
        // What goes wrong on the way is told in a trailer.
        request.headers_mut().insert(TE, HeaderValue::from_static("trailers"));
        self.connection.open(Operation::Submit, request, LINE).await
    }

    /// Takes a recursive pin away.
    pub(super) async fn unpin(&self, cid: &str) -> Result<(), ProviderError> {
        let request = self.request("pin/rm", &[("arg", cid)]);
        let deadline = self.connection.deadline();
        self.connection.call(Operation::Remove, Expect::Gone, request, deadline).await.map(drop)
    }

    /// Connects the node to a peer. Not tried again: it may be gone.
    pub(super) async fn connect(&self, origin: &str) -> Result<(), ProviderError> {
        let request = self.request("swarm/connect", &[("arg", origin)]);
        let deadline = Instant::now() + CONNECT;
        self.connection.call(Operation::Submit, Expect::NewPin, request, deadline).await.map(drop)
    }

    /// The addresses at which the node says that it can be reached, each ending in `/p2p/ID`.
    pub(super) async fn addresses(&self) -> Result<Vec<String>, ProviderError> {
        let (request, deadline) = (self.request("id", &[]), self.connection.deadline());
        let answer = self.connection.call(Operation::Look, Expect::NewPin, request, deadline).await?;
        let told = match &answer {
            Answer::Body { body, .. } => addresses_of(body),
            Answer::Missing => None,
        };
        told.ok_or_else(|| {
            self.connection.senseless(Operation::Look, "the answer to id is none of a Kubo node")
        })
    }

    fn request(&self, command: &str, arguments: &[(&str, &str)]) -> Request<Bytes> {
        let query: Vec<_> = arguments
            .iter()
            .map(|(key, value)| format!("{key}={}", utf8_percent_encode(value, RESERVED)))
            .collect();
        let uri = format!("{}/{command}?{}", self.base, query.join("&"));
        // Holds: the endpoint is a checked URL, and what is appended is made of URL characters.
        let built = Request::builder().method(Method::POST).uri(uri).body(Bytes::new());
        built.expect("a checked endpoint with an escaped query is a URI")
    }
}

fn addresses_of(body: &[u8]) -> Option<Vec<String>> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let id = value.get("ID")?.as_str()?;
    // Null while the node listens nowhere.
    let addresses = value.get("Addresses").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let named = |address: &str| match address.contains("/p2p/") {
        true => address.to_owned(),
        false => format!("{address}/p2p/{id}"),
    };
    Some(addresses.iter().filter_map(Value::as_str).map(named).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_given_the_nodes_id_where_they_lack_one() {
        let body = br#"{"ID":"12D3","Addresses":["/ip4/8.8.8.8/tcp/1/p2p/12D3","/ip4/8.8.4.4/tcp/1"]}"#;
        let told = addresses_of(body).unwrap();
        assert_eq!(told, ["/ip4/8.8.8.8/tcp/1/p2p/12D3", "/ip4/8.8.4.4/tcp/1/p2p/12D3"]);
        assert_eq!(addresses_of(br#"{"ID":"12D3","Addresses":null}"#), Some(Vec::new()));
        assert_eq!(addresses_of(b"<html>"), None);
    }
}
