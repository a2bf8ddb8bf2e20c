//! What an answer that refuses a call says is too much.

use ::http::{Response, StatusCode};
use bytes::Bytes;

use crate::providers::words::Words;

/// What there was too much of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TooMuch {
    /// Calls in a span of time.
    Calls,
    /// Calls at once.
    AtOnce,
    /// Work that waits there already.
    Queued,
}

/// `None`: nothing was refused for being too much.
pub(super) fn too_much(answer: &Response<Bytes>) -> Option<TooMuch> {
    match answer.status() {
        // A service whose queue is full says so, and so does one that did not want the call to come early in its session.
        StatusCode::TOO_EARLY => Some(TooMuch::Queued),
        StatusCode::TOO_MANY_REQUESTS => {
            let words = Words::of(answer.body());
            Some(match () {
                () if words.speak_of(&["concurren", "simultaneous", "parallel", "at once"]) => {
                    TooMuch::AtOnce
                }
                () if words.speak_of(&["queue", "pending pins", "too many pins"]) => TooMuch::Queued,
                () => TooMuch::Calls,
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart_by_their_words() {
        let of = |status: u16, body: &'static str| {
            too_much(&Response::builder().status(status).body(Bytes::from_static(body.as_bytes())).unwrap())
        };
        assert_eq!(
            of(429, r#"{"error":{"reason":"TOO_MANY_REQUESTS","details":"30 a minute"}}"#),
            Some(TooMuch::Calls)
        );
        assert_eq!(of(429, r#"{"error":"too many concurrent imports"}"#), Some(TooMuch::AtOnce));
        assert_eq!(of(429, r#"{"error":{"reason":"QUEUE_FULL"}}"#), Some(TooMuch::Queued));
        assert_eq!(of(425, r#"{"error":"Mempool Full","message":"pin queue full"}"#), Some(TooMuch::Queued));
        assert_eq!((of(200, ""), of(503, "queue")), (None, None));
    }
}
