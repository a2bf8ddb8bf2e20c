//! Brings answers of other APIs into the codes of the pinning API, by which everything above reads them.

use ::http::{Response, StatusCode};
use bytes::Bytes;
use serde_json::{Value, json};

use super::classify::{Failure, Outcome};
use crate::{model::Operation, presets::Protocol};

/// Whose codes and words answers are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Psa,
    /// The RPC API of a Kubo node: every error is a 500, and its words tell what it is.
    Kubo,
}

/// What an error of a Kubo node means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    NotPinned,
    /// It is about what was asked for: the same again would be answered the same.
    Refusal,
    /// It is about the moment: a limit of time, a full disk, a node that is stopping.
    Passing,
    Unknown,
}

/// Words that are met in Kubo 0.42's errors, in lower case.
const NOT_PINNED: &[&str] = &["is not pinned", "not pinned or pinned indirectly"];
const REFUSALS: &[&str] = &[
    "could not find",
    "invalid path",
    "invalid cid",
    "no decoder registered",
    "unrecognized object type",
    "already pinned",
];
const PASSING: &[&str] = &[
    "context deadline exceeded",
    "context canceled",
    "shutting down",
    "closed",
    "no space left",
    "storage limit",
    "too many open files",
    "timeout",
];

impl Meaning {
    pub(super) fn of(message: &str) -> Self {
        let message = message.to_lowercase();
        let any = |words: &[&str]| words.iter().any(|word| message.contains(word));
        // Why a peer cannot be reached is no news of the node, whose breaker dead origins must not open.
        let of_a_peer = message.starts_with("connect ") && message.contains(" failure: ");
        if any(NOT_PINNED) {
            Self::NotPinned
        } else if of_a_peer || any(REFUSALS) {
            Self::Refusal
        } else if any(PASSING) {
            Self::Passing
        } else {
            Self::Unknown
        }
    }

    /// The code under which the pinning API would say it. What is unknown is the fault of what was asked for only
    /// where that was to fetch something.
    fn code(self, operation: Operation) -> StatusCode {
        match self {
            Self::NotPinned => StatusCode::NOT_FOUND,
            Self::Refusal => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Unknown if operation == Operation::Submit => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Passing | Self::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl Dialect {
    pub(super) const fn of(protocol: Protocol) -> Self {
        match protocol {
            Protocol::Psa => Self::Psa,
            Protocol::Kubo => Self::Kubo,
        }
    }

    pub(super) fn read(self, operation: Operation, answer: Response<Bytes>) -> Outcome {
        match self {
            Self::Psa => Ok(answer),
            Self::Kubo if answer.status().is_success() => Ok(answer),
            Self::Kubo => kubo(operation, answer),
        }
    }
}

fn kubo(operation: Operation, answer: Response<Bytes>) -> Outcome {
    let code = answer.status();
    if matches!(code, StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED) {
        return Err(Failure::Elsewhere(format!(
            "{}: this is not the RPC API of a Kubo node: write the address under Addresses.API in its config, such \
             as http://127.0.0.1:5001 (its gateway has another port, and a pinning service speaks otherwise)",
            code.as_u16()
        )));
    }
    let Some(message) = message(answer.body()) else { return Ok(answer) };
    let code = match code {
        StatusCode::INTERNAL_SERVER_ERROR => Meaning::of(&message).code(operation),
        other => other,
    };
    let (mut parts, _) = answer.into_parts();
    parts.status = code;
    let body = json!({ "error": { "details": message } });
    Ok(Response::from_parts(parts, Bytes::from(body.to_string())))
}

/// The words of an error as Kubo writes it: `{"Message": "...", "Code": 0, "Type": "error"}`.
pub(super) fn message(body: &[u8]) -> Option<String> {
    let value: Value = serde_json::from_slice(body).ok()?;
    let is_error = value.get("Type").and_then(Value::as_str) == Some("error");
    value.get("Message").filter(|_| is_error)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(operation: Operation, code: u16, body: &str) -> Outcome {
        let answer = Response::builder().status(code).body(Bytes::copy_from_slice(body.as_bytes())).unwrap();
        Dialect::Kubo.read(operation, answer)
    }

    fn code(operation: Operation, message: &str) -> u16 {
        let body = json!({ "Message": message, "Code": 0, "Type": "error" }).to_string();
        read(operation, 500, &body).unwrap().status().as_u16()
    }

    #[test]
    fn errors_of_a_kubo_node_are_read_by_their_words() {
        use Operation::{Look, Remove, Submit};
        assert_eq!(code(Look, "path 'bafkqaaa' is not pinned"), 404);
        assert_eq!(code(Remove, "not pinned or pinned indirectly"), 404);
        let offline = "pin: block was not found locally (offline): ipld: could not find bafkqaaa";
        assert_eq!(code(Submit, offline), 422);
        assert_eq!(code(Submit, r#"invalid path "nonsense": path does not have enough components"#), 422);
        assert_eq!(code(Submit, "pin: context deadline exceeded"), 500);
        assert_eq!(code(Submit, "pin: promise channel was closed"), 500);
        assert_eq!((code(Look, "what?"), code(Submit, "what?")), (500, 422));
        let dead =
            "connect 12D3KooW failure: failed to dial: all dials failed: dial tcp4 8.8.8.8:4001: i/o timeout";
        assert_eq!(code(Submit, dead), 422);
    }

    #[test]
    fn a_gateway_or_a_pinning_service_is_told_from_an_rpc_api() {
        for (code, body) in [(404, "404 page not found"), (405, "read only"), (404, r#"{"error":{}}"#)] {
            let Err(Failure::Elsewhere(words)) = read(Operation::Look, code, body) else {
                panic!("taken for a node")
            };
            assert!(words.contains("5001") && words.starts_with(&code.to_string()), "{words}");
        }
        assert_eq!(read(Operation::Look, 403, "Kubo RPC Access Denied").unwrap().status(), 403);
    }
}
