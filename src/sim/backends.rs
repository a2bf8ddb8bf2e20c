//! The rate-limit headers of a service whose machines take turns and count each for itself.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::model::Timestamp;

use super::{faults::RateLimit, reply::RATE_LIMIT_RESET};

/// One machine's window.
#[derive(Clone, Copy, Debug)]
struct Window {
    began: Timestamp,
    calls: usize,
}

#[derive(Debug, Default)]
pub(super) struct Backends {
    calls: usize,
    windows: Vec<Option<Window>>,
}

impl Backends {
    /// Who answers the next call, as it was once observed at Pinata: so `remaining` goes up and down.
    const TURNS: [usize; 6] = [0, 1, 0, 2, 0, 3];

    /// Counts a call at the machine whose turn it is, and tells of its share of the limit.
    pub(super) fn tell(
        &mut self,
        headers: &mut HeaderMap,
        limit: RateLimit,
        machines: usize,
        now: Timestamp,
    ) {
        let turn = Self::TURNS[self.calls % Self::TURNS.len()] + self.calls / Self::TURNS.len();
        self.calls += 1;
        self.windows.resize(machines, None);
        let share = (limit.calls / machines).max(1);
        let window = &mut self.windows[turn % machines];
        let fresh = Window { began: now, calls: 0 };
        let mut current = window.filter(|window| now.since(window.began) < limit.window).unwrap_or(fresh);
        current.calls += 1;
        *window = Some(current);
        let reset = current.began.plus(limit.window).as_secs();
        put(headers, HeaderName::from_static("x-ratelimit-limit"), share);
        put(headers, HeaderName::from_static("x-ratelimit-remaining"), share.saturating_sub(current.calls));
        put(headers, RATE_LIMIT_RESET, reset);
    }
}

fn put(headers: &mut HeaderMap, name: HeaderName, value: impl ToString) {
    headers.extend(HeaderValue::from_str(&value.to_string()).ok().map(|value| (name, value)));
}
