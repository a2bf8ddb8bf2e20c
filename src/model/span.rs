//! How durations are written in flags, faults, presets and JSON: `200ms`, `2s`, `1m 30s`.

use std::{fmt, str::FromStr, time::Duration};

use jiff::SignedDuration;

/// Reads a duration with its unit, to the millisecond.
pub fn parse_span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no duration: write a number and a unit, such as 200ms, 2s or 1m");
    let parsed: SignedDuration = text.trim().parse().map_err(|_| wrong())?;
    Duration::try_from(parsed).map_err(|_| wrong())
}

/// Writes what [`parse_span`] reads.
pub fn print_span(span: Duration) -> String {
    match span.as_millis() {
        millis if millis % 1000 == 0 => format!("{}s", millis / 1000),
        millis => format!("{millis}ms"),
    }
}

/// As people write it: `3d 2h`.
pub fn show_span(span: Duration) -> String {
    match SignedDuration::try_from(span) {
        Ok(span) => format!("{span:#}"),
        Err(_) => format!("{}s", span.as_secs()),
    }
}

/// Makes a type that has `FromStr` and `Display` speak the same text in JSON.
macro_rules! serde_as_text {
    ($name:ty) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}
pub(crate) use serde_as_text;

/// A duration that is written as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        parse_span(text).map(Self)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&print_span(self.0))
    }
}

serde_as_text!(Span);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_print_and_parse_back() {
        for millis in [0, 1, 200, 1000, 90_000, 3_600_000] {
            let span = Duration::from_millis(millis);
            assert_eq!(parse_span(&print_span(span)), Ok(span));
        }
        assert!(parse_span("5").is_err());
        assert!(parse_span("-5s").is_err());
    }
}
