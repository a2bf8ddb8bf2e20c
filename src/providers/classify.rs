//! The one place that says what an answer, or the lack of one, means: by its words, not by its code alone.

use std::time::Duration;

use ::http::{Response, StatusCode};
use bytes::Bytes;
use thiserror::Error;

use super::{
    ProviderError,
    credential::Unusable,
    retry_after,
    secrets::Secrets,
    words::{self, Words},
};
use crate::{
    http,
    model::{ErrorClass, Operation, Timestamp},
};

/// Why a call has no answer.
#[derive(Debug, Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Transport(#[from] http::Error),
    #[error("no answer within {} ms", .0.as_millis())]
    TryTimeout(Duration),
    #[error("no success within {} ms", .0.as_millis())]
    Deadline(Duration),
    #[error("not called: it failed repeatedly, and is tried again at {0}")]
    Shut(Timestamp),
    #[error("not called: it asked to be left alone until {0}")]
    Throttled(Timestamp),
    #[error("not called: the calls that it allows are spent until {0}")]
    Spent(Timestamp),
    /// Calls are counted before they leave.
    #[error("not called: the store cannot count the call")]
    Uncounted,
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// It was answered by something else than what the endpoint is to be; nothing was done.
    #[error("{0}")]
    Elsewhere(String),
}

/// What a call is answered with when all is well, and so how a 404 is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    /// The pin that was asked for; there is no excuse.
    NewPin,
    /// A pin, or that there is none.
    Pin,
    /// A page of pins.
    Page {
        /// This provider answers 404 where it would be empty.
        empty_404: bool,
    },
    /// That a pin is gone; one that never was is gone too.
    Gone,
    /// The answer to a login; there is no excuse.
    Reply,
}

impl Expect {
    fn is_a_list(self) -> bool {
        matches!(self, Self::Page { .. })
    }
}

pub(super) type Outcome = Result<Response<Bytes>, Failure>;

/// Words that speak of money, in reasons and details.
const FUNDS: &[&str] = &[
    "insufficient_funds",
    "insufficient_credit",
    "insufficient funds",
    "insufficient credit",
    "paid_feature",
    "paid account",
    "paid plan",
    "paid feature",
    "upgrade",
    "your plan",
    "current plan",
    "subscription",
    "billing",
    "payment",
    "balance",
    "quota",
    "storage limit",
    "free tier",
    "out of credit",
    "no credit",
    "credits",
];

/// Words that speak of the credential: no hash or content has these.
const AUTH: &[&str] = &[
    "keys_must_be_strings",
    "unauthorized",
    "unauthenticated",
    "invalid_credentials",
    "invalid_token",
    "api key",
    "apikey",
    "access token",
    "authorization",
];

/// Words that speak of what was asked to be pinned, in a 403.
const CONTENT: &[&str] = &["content", "denylist", "badbits", "dmca", "copyright", "blocked cid", "cid is"];

/// Whether an answer is a good one.
pub(super) fn is_good(expect: Expect, answer: &Response<Bytes>) -> bool {
    answer.status().is_success() || is_missing(expect, answer)
}

/// Whether an answer says that there is nothing. A list's 404 does so only of a provider that is known for it, and must
/// look like a pinning service's: from all others it is a wrong address, and taking it for an empty list would count
/// every copy as lost and have pins sent twice.
pub(super) fn is_missing(expect: Expect, answer: &Response<Bytes>) -> bool {
    answer.status() == StatusCode::NOT_FOUND
        && match expect {
            Expect::NewPin | Expect::Reply => false,
            Expect::Pin | Expect::Gone => true,
            Expect::Page { empty_404 } => {
                empty_404 && serde_json::from_slice::<serde_json::Value>(answer.body()).is_ok()
            }
        }
}

/// Whether it is certain that a request did nothing: it never left, or was refused.
pub(super) fn did_nothing(outcome: &Outcome) -> bool {
    match outcome {
        Ok(answer) => {
            let status = answer.status();
            is_moved(status) || status.is_client_error() && !is_a_middlemans(status)
        }
        Err(Failure::Transport(error)) => !error.was_sent(),
        Err(_) if is_kept_back(outcome) => true,
        Err(Failure::Unusable(_) | Failure::Elsewhere(_)) => true,
        Err(_) => false,
    }
}

/// Whether a call was kept here, by the breaker or the budget.
pub(super) fn is_kept_back(outcome: &Outcome) -> bool {
    matches!(outcome, Err(Failure::Shut(_) | Failure::Throttled(_) | Failure::Spent(_) | Failure::Uncounted))
}

fn is_moved(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 307 | 308)
}

/// Whether an answer is that of a proxy in front of the provider, which may have stopped waiting for it: bad gateway,
/// gateway timeout, and what content delivery networks say beyond the standard's codes.
fn is_a_middlemans(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 502 | 504 | 520..)
}

/// Whether the provider is to blame as a whole: no answer, or a 5xx, unless it says when it is there again.
pub(super) fn is_sick(outcome: &Outcome, now: Timestamp) -> bool {
    match outcome {
        Ok(answer) => answer.status().is_server_error() && !is_away(answer, now),
        Err(Failure::Transport(http::Error::TooLarge { .. })) => false,
        Err(failure) => matches!(failure, Failure::Transport(_) | Failure::TryTimeout(_)),
    }
}

/// A service that is there again by and by, as it says.
fn is_away(answer: &Response<Bytes>, now: Timestamp) -> bool {
    answer.status() == StatusCode::SERVICE_UNAVAILABLE && retry_after::asked_until(answer, now).is_some()
}

/// The class of an outcome, for labels; `Ok` for a good answer.
pub(super) fn class(expect: Expect, outcome: &Outcome, now: Timestamp) -> Result<(), ErrorClass> {
    match outcome {
        Ok(answer) if is_good(expect, answer) => Ok(()),
        Ok(answer) => Err(of_answer(expect, answer, &Words::of(answer.body()), now)),
        Err(failure) => Err(of_failure(failure)),
    }
}

fn of_failure(failure: &Failure) -> ErrorClass {
    match failure {
        Failure::Throttled(_) | Failure::Spent(_) | Failure::Uncounted => ErrorClass::Throttled,
        Failure::Unusable(why) => why.class,
        Failure::Transport(http::Error::TooLarge { .. }) | Failure::Elsewhere(_) => ErrorClass::Unknown,
        _ => ErrorClass::Transient,
    }
}

fn of_answer(expect: Expect, answer: &Response<Bytes>, words: &Words, now: Timestamp) -> ErrorClass {
    match answer.status().as_u16() {
        425 | 429 => ErrorClass::Throttled,
        503 if is_away(answer, now) => ErrorClass::Throttled,
        408 | 500.. => ErrorClass::Transient,
        401 => ErrorClass::Auth,
        402 => ErrorClass::Funds,
        403 => forbidden(words),
        404 | 405 if words.page => ErrorClass::Unknown,
        404 | 405 | 410 if expect.is_a_list() => ErrorClass::Unknown,
        409 if words.speak_of(FUNDS) || words.speak_of(&["funds"]) => ErrorClass::Funds,
        400..500 => by_reason(words),
        _ => ErrorClass::Unknown,
    }
}

/// Some refuse a wrong token so, some a plan that is too small, some a content.
fn forbidden(words: &Words) -> ErrorClass {
    if words.speak_of(FUNDS) {
        ErrorClass::Funds
    } else if words.speak_of(CONTENT) && !words.speak_of(AUTH) {
        ErrorClass::Rejected
    } else {
        ErrorClass::Auth
    }
}

/// Codes that mean one thing under whatever status they come.
fn by_reason(words: &Words) -> ErrorClass {
    let code = Words { reason: words.reason.clone(), ..Words::default() };
    let bare = words.reason.is_empty() && words.speak_of(&["keys_must_be_strings"]);
    if bare || code.speak_of(AUTH) {
        ErrorClass::Auth
    } else if code.speak_of(FUNDS) {
        ErrorClass::Funds
    } else {
        ErrorClass::Rejected
    }
}

/// Whose error it is, and what must not be in it.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) provider: &'a str,
    pub(super) operation: Operation,
    pub(super) secrets: &'a Secrets,
    /// Whether any try left.
    pub(super) was_called: bool,
    /// Whether any try may have taken effect.
    pub(super) maybe_done: bool,
    pub(super) now: Timestamp,
}

impl Context<'_> {
    pub(super) fn failed(self, failure: &Failure) -> ProviderError {
        let retry_at = match failure {
            Failure::Shut(until) | Failure::Throttled(until) | Failure::Spent(until) => Some(*until),
            _ => None,
        };
        let class = of_failure(failure);
        self.error(class, words::plain(&failure.to_string(), self.secrets), retry_at, false)
    }

    /// `blocked`: until when the budget lets nothing leave.
    pub(super) fn refused(
        self,
        expect: Expect,
        answer: &Response<Bytes>,
        blocked: Option<Timestamp>,
    ) -> ProviderError {
        let words = Words::of(answer.body());
        let class = of_answer(expect, answer, &words, self.now);
        let status = answer.status();
        let place = answer.headers().get(::http::header::LOCATION).filter(|_| status.is_redirection());
        let ours = match place.and_then(|place| place.to_str().ok()) {
            // What follows the path may be anything that was sent.
            Some(place) => format!(
                "{} (moved to {}: correct the endpoint)",
                status.as_u16(),
                place.split(['?', '#']).next().unwrap_or_default()
            ),
            None if status == StatusCode::NOT_FOUND && expect.is_a_list() => {
                "404 (there is no list of pins: correct the endpoint)".to_owned()
            }
            None => status.as_u16().to_string(),
        };
        let asked = retry_after::asked_until(answer, self.now);
        let retry_at = match class {
            ErrorClass::Throttled => blocked.or(asked),
            _ => asked.filter(|_| status.is_server_error()),
        };
        self.error(class, words.after(&ours, self.secrets), retry_at, !is_a_middlemans(status))
    }

    /// What no answer's head told of.
    pub(super) fn unanswered(self, class: ErrorClass, why: &str) -> ProviderError {
        self.error(class, words::plain(why, self.secrets), None, true)
    }

    /// A 2xx that makes no sense: it may well have been done.
    pub(super) fn senseless(self, why: &str) -> ProviderError {
        let text = words::plain(why, self.secrets);
        Self { maybe_done: true, ..self }.error(ErrorClass::Unknown, text, None, true)
    }

    fn error(
        self,
        class: ErrorClass,
        text: String,
        retry_at: Option<Timestamp>,
        answered: bool,
    ) -> ProviderError {
        ProviderError {
            provider: self.provider.to_owned(),
            operation: self.operation,
            class,
            text,
            was_called: self.was_called,
            maybe_done: self.maybe_done,
            answered,
            retry_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class_of(status: u16, body: &'static str) -> ErrorClass {
        let answer = Response::builder().status(status).body(Bytes::from_static(body.as_bytes())).unwrap();
        class(Expect::NewPin, &Ok(answer), Timestamp::ZERO).unwrap_err()
    }

    #[test]
    fn classes_go_by_meaning() {
        use ErrorClass::*;
        let cases = [
            (401, "", Auth),
            (403, r#"{"error":{"reason":"FORBIDDEN","details":"invalid token"}}"#, Auth),
            (403, "", Auth),
            (400, r#"{"error":{"reason":"KEYS_MUST_BE_STRINGS","details":"pinata_api_key"}}"#, Auth),
            (402, r#"{"error":{"reason":"INSUFFICIENT_CREDITS"}}"#, Funds),
            (409, r#"{"error":{"reason":"INSUFFICIENT_FUNDS","details":"x"}}"#, Funds),
            (409, r#"{"error":{"reason":"CONFLICT","details":"already there"}}"#, Rejected),
            (403, r#"{"error":{"reason":"FORBIDDEN","details":"requires a paid account"}}"#, Funds),
            (403, r#"{"error":{"reason":"PAID_FEATURE_ONLY"}}"#, Funds),
            (403, r#"{"error":{"reason":"FORBIDDEN","details":"this content is on a denylist"}}"#, Rejected),
            (429, "", Throttled),
            (425, "", Throttled),
            (400, r#"{"error":{"reason":"BAD_REQUEST","details":["cid"]}}"#, Rejected),
            (404, r#""document not found""#, Rejected),
            (404, "<html></html>", Unknown),
            (451, "", Rejected),
            (500, "", Transient),
            (503, "", Transient),
            (408, "", Transient),
            (301, "", Unknown),
        ];
        for (status, body, expected) in cases {
            assert_eq!(class_of(status, body), expected, "{status} {body}");
        }
    }

    /// What services were seen or documented to answer, by who does.
    #[test]
    fn every_dialect_is_understood() {
        use ErrorClass::*;
        let cases = [
            (
                "4everland",
                401,
                r#"{"error":{"reason":"UNAUTHORIZED","details":"Access token is missing or invalid"}}"#,
                Auth,
            ),
            ("fula", 402, r#"{"error":{"reason":"INSUFFICIENT_CREDITS","details":"top up"}}"#, Funds),
            ("fula 2024", 401, r#""invalid token""#, Auth),
            ("fula 2024", 422, r#""required field 'cid' is zero value.""#, Rejected),
            ("fula docs", 429, r#"{"error":"RATE_LIMITED","retry_after":60}"#, Throttled),
            (
                "nft.storage",
                400,
                r#"{"error":{"reason":"VALIDATION_ERROR","details":["limit","cid"]}}"#,
                Rejected,
            ),
            ("nft.storage, wrong host", 404, "<!DOCTYPE html><title>404</title>", Unknown),
            ("nft.storage, wrong host", 405, "", Rejected),
            ("web3.storage", 400, r#"{"error":{"reason":"PSA_REQUIRED_DATA","details":"status"}}"#, Rejected),
            ("web3.storage", 500, r#"{"error":{"details":"500 Internal Server Error"}}"#, Transient),
            (
                "pinata",
                400,
                r#"{"error":{"reason":"KEYS_MUST_BE_STRINGS","details":"pinata_api_key"}}"#,
                Auth,
            ),
            ("pinata", 401, r#"{"error":{"reason":"INVALID_CREDENTIALS","details":"x"}}"#, Auth),
            ("pinata", 403, r#"{"error":{"reason":"PAID_FEATURE_ONLY","details":"upgrade"}}"#, Funds),
            ("pinata", 400, r#"{"error":{"reason":"INVALID_ORIGINS","details":"x"}}"#, Rejected),
            ("filebase", 401, r#"{"error":{"reason":"ERR_INVALID_TOKEN"}}"#, Auth),
            (
                "filebase",
                403,
                r#"{"error":{"reason":"FORBIDDEN","details":"requires a paid account"}}"#,
                Funds,
            ),
            ("crust", 401, r#"{"error":{"reason":"UNAUTHORIZED","details":"Empty Signature"}}"#, Auth),
            ("estuary", 500, r#"{"error":"no space left on device"}"#, Transient),
            ("ipfs-cluster", 500, r#"{"error":{"reason":"error parsing status","details":""}}"#, Transient),
            ("ipfs-cluster", 401, r#"{"error":{"reason":"Unauthorized"}}"#, Auth),
            ("helia", 400, "<!DOCTYPE html><pre>Bad Request</pre>", Rejected),
            ("filecoin-pin", 403, r#"{"error":{"reason":"FORBIDDEN","details":"Invalid token"}}"#, Auth),
            ("blockfrost", 425, r#"{"error":"Mempool Full","message":"pin queue full"}"#, Throttled),
            ("pinner", 401, r#"{"error":"unauthorized","message":"x"}"#, Auth),
        ];
        for (who, status, body, expected) in cases {
            assert_eq!(class_of(status, body), expected, "{who}: {status} {body}");
        }
    }

    #[test]
    fn a_404_is_an_empty_list_only_where_that_is_known_and_never_a_web_page() {
        let answer =
            |body: &'static str| Response::builder().status(404).body(Bytes::from_static(body.as_bytes()));
        let (known, unknown) = (Expect::Page { empty_404: true }, Expect::Page { empty_404: false });
        let missing = || answer(r#"{"error":{"reason":"NOT_FOUND"}}"#).unwrap();
        assert!(is_good(known, &missing()) && !is_good(unknown, &missing()));
        assert_eq!(class(unknown, &Ok(missing()), Timestamp::ZERO), Err(ErrorClass::Unknown));
        assert!(!is_good(known, &answer("<html>404</html>").unwrap()));
        assert!(is_good(Expect::Gone, &answer("<html>404</html>").unwrap()));
        assert!(!is_good(Expect::NewPin, &answer("{}").unwrap()));
    }
}
