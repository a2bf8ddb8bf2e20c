//! A pair in use, and when it has to be renewed.

use std::time::Duration;

use ::http::HeaderValue;
use secrecy::ExposeSecret;

use super::super::{jwt, keeper::bearer, vault::Pair};
use crate::model::Timestamp;

/// How long before its end a token is renewed, at most.
const AHEAD: Duration = Duration::from_secs(60);
/// A token that is refused so soon after it was given is not the reason for the refusal.
const FRESH: Duration = Duration::from_secs(10);
/// A pair in use.
#[derive(Clone)]
pub(super) struct Live {
    pub(super) pair: Pair,
    pub(super) header: HeaderValue,
    /// By our own clock.
    ends: Option<Timestamp>,
    pub(super) renew_at: Option<Timestamp>,
}

impl Live {
    pub(super) fn of(pair: Pair) -> Self {
        let claims = jwt::claims(pair.access.expose_secret()).unwrap_or_default();
        let ends = match (claims.expires, pair.obtained) {
            // Its span counts, so that the issuer's clock need not agree with ours.
            (Some(ends), Some(obtained)) => match claims.issued.filter(|issued| *issued < ends) {
                Some(issued) => Some(obtained.plus(ends.since(issued))),
                None => Some(ends).filter(|ends| *ends > obtained),
            },
            (ends, _) => ends,
        };
        let ahead = |ends: Timestamp| {
            let span = pair.obtained.map_or(Duration::MAX, |obtained| ends.since(obtained));
            ends.minus(AHEAD.min(span / 4))
        };
        Self { header: bearer(&pair.access), ends, renew_at: ends.map(ahead), pair }
    }

    pub(super) fn has_ended(&self, now: Timestamp) -> bool {
        self.ends.is_some_and(|ends| ends <= now)
    }

    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        self.pair.obtained.is_some_and(|at| now.since(at).max(at.since(now)) < FRESH)
    }
}
