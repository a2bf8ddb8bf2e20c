//! The words for what goes wrong on demand: faults, when they strike, rate limits; each with its text form.

use std::{fmt, str::FromStr, time::Duration};

use crate::model::span::{parse_span, print_span, serde_as_text};

use super::{fate::parse_chance, route::Routes};

/// One kind of trouble: whether the call is done all the same, and what the caller sees.
///
/// As text: `503`, `429`, `429=5s` (Retry-After in seconds), `429=date+5s` (as an HTTP date), `429=reset+5s`
/// (`x-ratelimit-reset`), `reset`, `hang`, `garbage`, each with `stored-` before it where the call is done first;
/// and `slow=3s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The call takes effect before the trouble starts.
    pub stored: bool,
    pub kind: FaultKind,
}

/// What the caller sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    TooMany(RetryAfter),
    /// This code and an error body.
    Status(u16),
    /// The connection is reset.
    Reset,
    /// No answer, ever.
    Hang,
    /// 200 and a body that makes no sense.
    Garbage,
    /// The right answer, late; the call is done first.
    Slow(Duration),
}

/// How a 429 says when to come back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RetryAfter {
    #[default]
    Unsaid,
    Seconds(u32),
    /// This many seconds from now, as an HTTP date.
    HttpDate(u32),
    /// This many seconds from now, as `x-ratelimit-reset` in seconds since the epoch.
    RateLimitReset(u32),
}

impl Fault {
    pub const UNAUTHORIZED: Self = Self::status(401);
    pub const NO_FUNDS: Self = Self::status(402);
    pub const RESET_BEFORE: Self = Self::before(FaultKind::Reset);
    pub const STORED_BUT_RESET: Self = Self::after(FaultKind::Reset);
    pub const STORED_BUT_500: Self = Self::after(FaultKind::Status(500));
    pub const HANG_BEFORE: Self = Self::before(FaultKind::Hang);
    pub const HANG_AFTER: Self = Self::after(FaultKind::Hang);
    pub const GARBAGE: Self = Self::before(FaultKind::Garbage);

    /// Refused with this code.
    pub const fn status(code: u16) -> Self {
        Self::before(FaultKind::Status(code))
    }

    pub const fn too_many(retry_after: RetryAfter) -> Self {
        Self::before(FaultKind::TooMany(retry_after))
    }

    pub const fn slow(by: Duration) -> Self {
        Self::after(FaultKind::Slow(by))
    }

    /// The trouble comes first and the call is not done.
    pub const fn before(kind: FaultKind) -> Self {
        Self { stored: false, kind }
    }

    /// The call is done, then the trouble comes.
    pub const fn after(kind: FaultKind) -> Self {
        Self { stored: true, kind }
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (stored, word) = text.strip_prefix("stored-").map_or((false, text), |word| (true, word));
        let (word, argument) = word.split_once('=').unwrap_or((word, ""));
        let kind = match (word, argument) {
            ("reset", "") => FaultKind::Reset,
            ("hang", "") => FaultKind::Hang,
            ("garbage", "") => FaultKind::Garbage,
            ("slow", span) => return parse_span(span).map(Self::slow),
            ("429", when) => FaultKind::TooMany(parse_retry_after(when)?),
            (code, "") => FaultKind::Status(parse_code(code)?),
            _ => return Err(unknown_fault(text)),
        };
        Ok(Self { stored, kind })
    }
}

fn unknown_fault(text: &str) -> String {
    format!(
        "{text:?} is no fault: write a code such as 503, 429=5s, reset, hang, garbage, slow=3s or stored-500"
    )
}

fn parse_code(text: &str) -> Result<u16, String> {
    text.parse().ok().filter(|code| (400..600).contains(code)).ok_or_else(|| unknown_fault(text))
}

fn parse_retry_after(text: &str) -> Result<RetryAfter, String> {
    if text.is_empty() {
        return Ok(RetryAfter::Unsaid);
    }
    let (kind, span) = text.split_once('+').unwrap_or(("", text));
    let seconds = u32::try_from(parse_span(span)?.as_secs()).unwrap_or(u32::MAX);
    match kind {
        "" => Ok(RetryAfter::Seconds(seconds)),
        "date" => Ok(RetryAfter::HttpDate(seconds)),
        "reset" => Ok(RetryAfter::RateLimitReset(seconds)),
        _ => Err(format!("{text:?} is no Retry-After: write 5s, date+5s or reset+5s")),
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let FaultKind::Slow(by) = self.kind {
            return write!(f, "slow={}", print_span(by));
        }
        f.write_str(if self.stored { "stored-" } else { "" })?;
        match self.kind {
            FaultKind::TooMany(RetryAfter::Unsaid) => f.write_str("429"),
            FaultKind::TooMany(RetryAfter::Seconds(seconds)) => write!(f, "429={seconds}s"),
            FaultKind::TooMany(RetryAfter::HttpDate(seconds)) => write!(f, "429=date+{seconds}s"),
            FaultKind::TooMany(RetryAfter::RateLimitReset(seconds)) => write!(f, "429=reset+{seconds}s"),
            FaultKind::Status(code) => code.fmt(f),
            FaultKind::Reset => f.write_str("reset"),
            FaultKind::Hang => f.write_str("hang"),
            FaultKind::Garbage | FaultKind::Slow(_) => f.write_str("garbage"),
        }
    }
}

/// A fault and when it strikes: `ROUTES:FAULT[@CHANCE][*TIMES]`, such as `add:503*3` or `any:reset@0.1`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct FaultRule {
    pub routes: Routes,
    pub fault: Fault,
    /// 0 to 1.
    pub chance: f64,
    /// How many calls it still strikes; `None` until it is cleared.
    pub times: Option<u32>,
}

impl FromStr for FaultRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (routes, rest) = text.split_once(':').unwrap_or(("any", text));
        let (rest, times) = match rest.split_once('*') {
            Some((rest, times)) => {
                (rest, Some(times.parse().map_err(|_| format!("{times:?} is no number of times"))?))
            }
            None => (rest, None),
        };
        let (fault, chance) = match rest.split_once('@') {
            Some((fault, chance)) => (fault, parse_chance(chance)?),
            None => (rest, 1.0),
        };
        Ok(Self { routes: routes.parse()?, fault: fault.parse()?, chance, times })
    }
}

impl fmt::Display for FaultRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.routes, self.fault)?;
        if self.chance < 1.0 {
            write!(f, "@{}", self.chance)?;
        }
        self.times.map_or(Ok(()), |times| write!(f, "*{times}"))
    }
}

serde_as_text!(FaultRule);

/// At most so many calls in any window of this length, then 429: `ROUTES:CALLS/WINDOW`, such as `list:30/1m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    pub routes: Routes,
    pub calls: usize,
    pub window: Duration,
}

impl FromStr for RateLimit {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no rate limit: write CALLS/WINDOW, such as 60/1m or list:30/1m");
        let (routes, rate) = text.split_once(':').unwrap_or(("any", text));
        let (calls, window) = rate.split_once('/').ok_or_else(wrong)?;
        let calls = calls.parse().map_err(|_| wrong())?;
        Ok(Self { routes: routes.parse()?, calls, window: parse_span(window)? })
    }
}

impl fmt::Display for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}/{}", self.routes, self.calls, print_span(self.window))
    }
}

serde_as_text!(RateLimit);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_rules_print_and_parse_back() {
        for text in [
            "any:503",
            "add:429=5s*3",
            "list:429=date+5s",
            "get:429=reset+60s",
            "writes:429",
            "any:reset@0.1",
            "add:stored-reset",
            "replace:stored-500*1",
            "remove:hang",
            "add:stored-hang",
            "reads:slow=1500ms",
            "add:garbage",
            "add:stored-garbage@0.5*2",
        ] {
            assert_eq!(text.parse::<FaultRule>().unwrap().to_string(), text);
        }
        assert_eq!("503".parse::<FaultRule>().unwrap().to_string(), "any:503");
        for wrong in
            ["", "add:", "add:200", "pins:503", "add:slow", "add:503@2", "add:503*x", "any:429=soon+1s"]
        {
            assert!(wrong.parse::<FaultRule>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn rate_limits_print_and_parse_back() {
        let limit: RateLimit = "list:30/1m".parse().unwrap();
        assert_eq!(limit.to_string().parse(), Ok(limit));
        assert!("30".parse::<RateLimit>().is_err());
    }
}
