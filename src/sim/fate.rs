//! What becomes of new pins: when they are pinned, and which fail.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use crate::model::{
    PinCid,
    span::{parse_span, print_span, serde_as_text},
};

use super::asked::Asked;

/// When a pin is pinned: it is queued for the first half of the time, then pinning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinAfter {
    Time(Duration),
    /// Queued for ever.
    Never,
}

impl PinAfter {
    /// Whether a pin that was asked for so long ago is pinned.
    pub(super) fn is_over(self, passed: Duration) -> bool {
        matches!(self, Self::Time(whole) if passed >= whole)
    }
}

impl Default for PinAfter {
    fn default() -> Self {
        Self::Time(Duration::ZERO)
    }
}

impl FromStr for PinAfter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "never" => Ok(Self::Never),
            _ => parse_span(text).map(Self::Time),
        }
    }
}

impl fmt::Display for PinAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(span) => f.write_str(&print_span(*span)),
            Self::Never => f.write_str("never"),
        }
    }
}

serde_as_text!(PinAfter);

/// Which new pins fail: `cid:CID`, `name:PREFIX` or `rate:P`.
#[derive(Clone, Debug, PartialEq)]
pub enum FailRule {
    /// Of this content, whatever way its CID is written.
    Cid(PinCid),
    NamePrefix(String),
    /// This share of all, 0 to 1.
    Rate(f64),
}

impl FromStr for FailRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            Some(("cid", cid)) => PinCid::parse(cid).map(Self::Cid).map_err(|error| error.to_string()),
            Some(("name", prefix)) => Ok(Self::NamePrefix(prefix.to_owned())),
            Some(("rate", rate)) => parse_chance(rate).map(Self::Rate),
            _ => Err(format!("{text:?} says not what fails: write cid:CID, name:PREFIX or rate:0.1")),
        }
    }
}

impl fmt::Display for FailRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cid(cid) => write!(f, "cid:{}", cid.as_str()),
            Self::NamePrefix(prefix) => write!(f, "name:{prefix}"),
            Self::Rate(rate) => write!(f, "rate:{rate}"),
        }
    }
}

serde_as_text!(FailRule);

/// Reads a probability, 0 to 1.
pub(super) fn parse_chance(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|chance| (0.0..=1.0).contains(chance))
        .ok_or_else(|| format!("{text:?} is no chance: write a number from 0 to 1"))
}

/// Which new pins fail, as code.
#[derive(Clone)]
pub struct Predicate(pub Arc<dyn Fn(&Asked) -> bool + Send + Sync>);

impl fmt::Debug for Predicate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Predicate")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fail_rules_print_and_parse_back() {
        for text in ["cid:bafkqaaa", "name:failed-", "rate:0.25"] {
            assert_eq!(text.parse::<FailRule>().unwrap().to_string(), text);
        }
        assert!("rate:2".parse::<FailRule>().is_err());
        assert!("cid:nope".parse::<FailRule>().is_err());
    }
}
