//! What a simulated provider does when nothing is wrong with it: its pace, its limits, its quirks.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use crate::model::{
    PinCid, Span, StatusSet,
    span::{parse_span, print_span, serde_as_text},
};

use super::pins::Asked;

/// How a simulated provider behaves. The default is a correct one that pins at once.
///
/// As JSON (`/_sim/behaviour`) the fields have these names; durations are texts such as `"200ms"`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Behaviour {
    /// When a pin is pinned. Counts for pins that are there already, too.
    pub pin_after: PinAfter,
    /// Added to every answer, half of it before the work is done and half after.
    pub latency: Span,
    /// The delegates of every pin.
    pub delegates: Vec<String>,
    /// Which new pins go to `failed`.
    pub fail: Vec<FailRule>,
    /// As `fail`, by code; not part of the JSON.
    #[serde(skip)]
    pub fail_if: Vec<Predicate>,
    /// A second POST of a content answers the pin that is there, whatever else was sent.
    pub collapse_duplicates: bool,
    pub count: CountMode,
    /// Errors are HTML pages.
    pub html_errors: bool,
    /// `meta` is taken and forgotten.
    pub drop_meta: bool,
    pub ignore_cid_filter: bool,
    /// `null` in place of what is empty or absent; delegates in the answer to a POST only.
    pub null_arrays: bool,
    /// `requestId` in place of `requestid`.
    pub camel_case_ids: bool,
    pub codes: SuccessCodes,
    /// What a list shows that asks for no status.
    pub default_status: DefaultStatus,
    /// With this many pins queued, another POST is refused with 429 `QUEUE_FULL`.
    pub max_queued: Option<usize>,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            pin_after: PinAfter::default(),
            latency: Span::default(),
            delegates: vec![Self::DELEGATE.to_owned()],
            fail: Vec::new(),
            fail_if: Vec::new(),
            collapse_duplicates: false,
            count: CountMode::Exact,
            html_errors: false,
            drop_meta: false,
            ignore_cid_filter: false,
            null_arrays: false,
            camel_case_ids: false,
            codes: SuccessCodes::default(),
            default_status: DefaultStatus::Pinned,
            max_queued: None,
        }
    }
}

impl Behaviour {
    /// A lawful address that nobody answers: `.example` never resolves.
    pub const DELEGATE: &str =
        "/dnsaddr/sim.example/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

    /// Takes over what a JSON object names and leaves the rest.
    pub(super) fn patched(&self, patch: serde_json::Map<String, serde_json::Value>) -> Result<Self, String> {
        let mut value = serde_json::to_value(self).map_err(|error| error.to_string())?;
        if let Some(fields) = value.as_object_mut() {
            fields.extend(patch);
        }
        let patched: Self = serde_json::from_value(value).map_err(|error| error.to_string())?;
        Ok(Self { fail_if: self.fail_if.clone(), ..patched })
    }
}

/// When a pin is pinned: it is queued for the first half of the time, then pinning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinAfter {
    Time(Duration),
    /// Queued for ever.
    Never,
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

/// What a list calls `count`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CountMode {
    /// All that match, as the specification has it.
    #[default]
    Exact,
    /// The results in this answer.
    PageLength,
    /// The results in this answer, and one if there are more.
    ResultsPlusOne,
    /// All that match whatever `before` says.
    IgnoringBefore,
}

/// The codes of successful writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuccessCodes {
    pub add: u16,
    pub replace: u16,
    pub remove: u16,
}

impl SuccessCodes {
    pub const fn all(code: u16) -> Self {
        Self { add: code, replace: code, remove: code }
    }
}

impl Default for SuccessCodes {
    fn default() -> Self {
        Self::all(202)
    }
}

/// What a list shows that asks for no status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DefaultStatus {
    /// As the specification has it.
    #[default]
    Pinned,
    All,
}

impl DefaultStatus {
    pub(super) fn statuses(self) -> StatusSet {
        match self {
            Self::Pinned => StatusSet::EMPTY.with(crate::model::Status::Pinned),
            Self::All => StatusSet::ALL,
        }
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

    #[test]
    fn a_patch_changes_what_it_names_and_refuses_what_it_does_not_know() {
        let patch = |json: &str| Behaviour::default().patched(serde_json::from_str(json).unwrap());
        let patched = patch(r#"{"pin_after": "never", "count": "page-length"}"#).unwrap();
        assert_eq!(patched.pin_after, PinAfter::Never);
        assert_eq!(patched.count, CountMode::PageLength);
        assert_eq!(patched.codes, SuccessCodes::all(202));
        assert!(patch(r#"{"pin_afterr": "never"}"#).is_err());
    }
}
