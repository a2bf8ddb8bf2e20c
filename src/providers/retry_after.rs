//! Reads how long a provider asks to be left alone: Retry-After or a rate-limit header.

use std::time::Duration;

use ::http::{HeaderMap, Response, StatusCode};
use bytes::Bytes;

use crate::model::Timestamp;

/// No word of a provider keeps us away for longer.
const MAX: Duration = Duration::from_secs(24 * 3600);

/// Above this, a number of seconds is a time since 1970 and no span (2001 against 31 years).
const EPOCH_FROM: f64 = 1e9;

/// Above this, a time since 1970 is in milliseconds.
const MILLIS_FROM: f64 = 1e11;

/// Until when an answer asks for no further requests; `None` where it does not, or names a time that is over.
pub(super) fn asked_until(answer: &Response<Bytes>, now: Timestamp) -> Option<Timestamp> {
    asked_for(answer, now).map(|span| now.plus(span))
}

/// For how long an answer that came `now`, by the wall clock, asks for that.
pub(super) fn asked_for(answer: &Response<Bytes>, now: Timestamp) -> Option<Duration> {
    let headers = answer.headers();
    let refused = matches!(answer.status(), StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE);
    let told = if refused || answer.status() == StatusCode::TOO_EARLY {
        [retry_after(headers, now), reset(headers, now), in_body(answer)]
    } else {
        let failed = answer.status().is_server_error();
        [failed.then(|| retry_after(headers, now)), spent(headers).then(|| reset(headers, now)), None]
            .map(Option::flatten)
    };
    told.into_iter().flatten().find(|wait| !wait.is_zero()).map(|wait| wait.min(MAX))
}

/// Seconds, or an HTTP date: that is compared with the answer's own `Date`, so that clocks need not agree.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = headers.get(::http::header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<f64>() {
        return span(seconds);
    }
    let then = date(text)?;
    let sent = headers.get(::http::header::DATE).and_then(|date| date.to_str().ok()).and_then(date);
    Some(then.since(sent.unwrap_or(now)))
}

fn date(text: &str) -> Option<Timestamp> {
    let since = httpdate::parse_http_date(text).ok()?.duration_since(std::time::UNIX_EPOCH).ok()?;
    Some(Timestamp::ZERO.plus(since))
}

/// `x-ratelimit-reset` is a span in seconds with some, a time since 1970 with others.
fn reset(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let seconds = number(headers, "x-ratelimit-reset").or_else(|| number(headers, "ratelimit-reset"))?;
    if seconds < EPOCH_FROM {
        return span(seconds);
    }
    let millis = if seconds < MILLIS_FROM { seconds * 1000.0 } else { seconds };
    Some(Timestamp::from_millis(millis as i64).since(now))
}

fn spent(headers: &HeaderMap) -> bool {
    let remaining =
        number(headers, "x-ratelimit-remaining").or_else(|| number(headers, "ratelimit-remaining"));
    remaining.is_some_and(|remaining| remaining <= 0.0)
}

fn number(headers: &HeaderMap, name: &str) -> Option<f64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

fn in_body(answer: &Response<Bytes>) -> Option<Duration> {
    let body: serde_json::Value = serde_json::from_slice(answer.body()).ok()?;
    span(body.get("retry_after")?.as_f64()?)
}

fn span(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds.clamp(0.0, MAX.as_secs_f64())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    fn asked(status: u16, headers: &[(&str, &str)], body: &'static str) -> Option<Duration> {
        let mut answer = Response::builder().status(status);
        for (name, value) in headers {
            answer = answer.header(*name, *value);
        }
        asked_until(&answer.body(Bytes::from_static(body.as_bytes())).unwrap(), NOW)
            .map(|until| until.since(NOW))
    }

    #[test]
    fn retry_after_is_read_in_every_form() {
        let seconds = |n| Some(Duration::from_secs(n));
        assert_eq!(asked(429, &[("retry-after", "7")], ""), seconds(7));
        assert_eq!(asked(503, &[("retry-after", "Tue, 14 Nov 2023 22:13:50 GMT")], ""), seconds(30));
        let skewed =
            [("retry-after", "Tue, 14 Nov 2023 23:00:05 GMT"), ("date", "Tue, 14 Nov 2023 23:00:00 GMT")];
        assert_eq!(asked(429, &skewed, ""), seconds(5));
        assert_eq!(asked(429, &[("x-ratelimit-reset", "12")], ""), seconds(12));
        assert_eq!(asked(429, &[("x-ratelimit-reset", "1700000060")], ""), seconds(60));
        assert_eq!(asked(429, &[("x-ratelimit-reset", "1700000060000")], ""), seconds(60));
        assert_eq!(asked(429, &[], r#"{"error":"RATE_LIMITED","retry_after":60}"#), seconds(60));
        assert_eq!(asked(429, &[("retry-after", "999999999")], ""), Some(MAX));
    }

    #[test]
    fn a_time_that_is_over_is_none() {
        for over in ["0", "-5", "Tue, 14 Nov 2023 22:13:10 GMT"] {
            assert_eq!(asked(503, &[("retry-after", over)], ""), None, "{over}");
        }
        assert_eq!(
            asked(429, &[("retry-after", "0"), ("x-ratelimit-reset", "12")], ""),
            Some(Duration::from_secs(12))
        );
        assert_eq!(asked(429, &[("x-ratelimit-reset", "1600000000")], ""), None);
    }

    #[test]
    fn a_failure_that_names_a_time_is_obeyed_too() {
        for status in [500, 502, 504, 524] {
            assert_eq!(asked(status, &[("retry-after", "9")], ""), Some(Duration::from_secs(9)));
            assert_eq!(asked(status, &[("retry-after", "999999999")], ""), Some(MAX));
            assert_eq!(asked(status, &[("x-ratelimit-reset", "9")], ""), None);
        }
        assert_eq!(asked(404, &[("retry-after", "9")], ""), None);
    }

    #[test]
    fn a_spent_budget_is_heeded_before_it_is_overdrawn() {
        let spent = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "9")];
        assert_eq!(asked(200, &spent, ""), Some(Duration::from_secs(9)));
        assert_eq!(asked(200, &[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "9")], ""), None);
        assert_eq!(asked(429, &[("retry-after", "soon")], ""), None);
        assert_eq!(asked(429, &[("retry-after", "NaN")], ""), None);
    }
}
