//! When something ends, as users write it: a moment, or a span from now on.

use std::{fmt, str::FromStr, time::Duration};

use jiff::SpanRelativeTo;

use super::{Timestamp, span::print_span};

/// `2027-01-31`, `2027-01-31T12:00:00Z`, `90d`, `12h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    At(Timestamp),
    In(Duration),
}

impl Expiry {
    /// The moment itself, for what is asked at `now`.
    pub fn after(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::In(span) => now.plus(span),
        }
    }
}

impl FromStr for Expiry {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(at) = parse_moment(text) {
            return Ok(Self::At(at));
        }
        parse_days(text).map(Self::In).ok_or_else(|| {
            format!("{text:?} is no time: write a date such as 2027-01-31, or a span such as 90d or 12h")
        })
    }
}

/// Writes what [`FromStr`] reads.
impl fmt::Display for Expiry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => at.fmt(f),
            Self::In(span) => f.write_str(&print_span(*span)),
        }
    }
}

/// RFC 3339; a date alone is its first moment in UTC.
pub fn parse_moment(text: &str) -> Option<Timestamp> {
    let is_date = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    let whole = if is_date { format!("{text}T00:00:00Z") } else { text.to_owned() };
    Timestamp::parse_rounding_down(&whole)
}

/// A span in which days are 24 hours and weeks 7 days.
pub fn parse_days(text: &str) -> Option<Duration> {
    let span: jiff::Span = text.trim().parse().ok()?;
    span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 3600);

    #[test]
    fn moments_and_spans_are_told_apart() {
        let at = |millis| Ok(Expiry::At(Timestamp::from_millis(millis)));
        assert_eq!("2027-01-31".parse(), at(1_801_353_600_000));
        assert_eq!("2027-01-31T01:00:00+01:00".parse(), at(1_801_353_600_000));
        assert_eq!("9999-12-31".parse(), at(253_402_214_400_000));
        assert_eq!("90d".parse(), Ok(Expiry::In(90 * DAY)));
        assert_eq!("2 weeks".parse(), Ok(Expiry::In(14 * DAY)));
        assert_eq!("1h 30m".parse(), Ok(Expiry::In(DAY / 16)));
        for wrong in ["", "soon", "90", "-1d", "2027-13-01", "2027-1-1", "1mo", "1y"] {
            assert!(wrong.parse::<Expiry>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_span_begins_now_and_a_moment_does_not() {
        let now = Timestamp::from_millis(5);
        assert_eq!(Expiry::In(DAY).after(now), now.plus(DAY));
        assert_eq!(Expiry::At(Timestamp::ZERO).after(now), Timestamp::ZERO);
    }
}
