//! What a simulated provider does when nothing is wrong with it: its pace, its limits, its quirks.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    model::{ListQuery, Span},
    presets::{
        Auth, Codes, Count, Created, DefaultStatus, Delegates, Duplicates, Filters, IdKind, Login, MetaRule,
        NameRule, Page, RefreshOrigins, Replace, TimeBound,
    },
};

use super::{
    dialect::Dialect,
    fate::{FailRule, PinAfter, Predicate},
    gateway::Mood,
};

/// How a simulated provider behaves: in the words of presets, and what these leave open in its [`Dialect`]. The default
/// is a correct one that pins at once.
///
/// As JSON (`/_sim/behaviour`) the fields have these names; durations are texts such as `"200ms"`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Behaviour {
    /// When a pin is pinned. Counts for pins that are there already, too.
    pub pin_after: PinAfter,
    /// Added to every answer, half of it before the work is done and half after.
    pub latency: Span,
    /// Which new pins go to `failed`.
    pub fail: Vec<FailRule>,
    /// As `fail`, by code; not part of the JSON.
    #[serde(skip)]
    pub fail_if: Vec<Predicate>,
    pub account: Account,
    /// Its service has ended: HTML pages of 404 to a GET, an empty 405 to all else.
    pub retired: bool,

    /// The path that the API is under, without a slash at its end. It is also at the root.
    pub base: String,
    /// The kinds of credentials that it takes.
    pub auth: Vec<Auth>,
    /// It wants no credential at all.
    pub open: bool,
    pub login: Option<Login>,
    /// How long an access token lives that comes with one to renew it. Others live for ever.
    pub access_life: Span,
    /// A password no longer logs in where codes are sent by mail.
    pub codes_only: bool,

    pub codes: Codes,
    /// What a list shows that asks for no status.
    pub default_status: DefaultStatus,
    /// Filters that do not work are ignored; what is unknown works.
    pub filters: Filters,
    /// The most CIDs that a list may ask for.
    pub max_cids: usize,
    pub bounds: TimeBound,
    pub created: Created,
    pub count: Count,
    pub page: Page,
    pub ordered: bool,
    /// What its lists leave out, or show too often.
    pub lists: Lists,
    /// Pages with more rows show every pin as queued; 0: all do.
    pub true_rows: Option<usize>,
    pub requestid: IdKind,
    pub duplicates: Duplicates,
    /// The code of a POST that makes nothing; `None`: that of one that does.
    pub existing_code: Option<u16>,
    pub replace: Replace,
    /// With `post`, a POST that makes no pin takes up what it says of the one that is there.
    pub refresh_origins: Option<RefreshOrigins>,
    pub meta: MetaRule,
    pub names: NameRule,
    /// Where delegates are shown.
    pub delegates_rule: Delegates,
    /// The delegates of every pin.
    pub delegates: Vec<String>,
    /// With this many pins queued, another POST is refused with 429 `QUEUE_FULL`.
    pub max_queued: Option<usize>,

    /// How its trustless gateway is disposed.
    pub gateway: Mood,
    pub dialect: Dialect,
}

/// What lists without a `cid` show of the pins that match.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lists {
    #[default]
    All,
    /// Only these many, the newest ones, and the count is theirs.
    First(usize),
    /// Each row two times.
    Twice,
}

/// What its account there is good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Account {
    #[default]
    Good,
    /// What would make a pin is refused for want of money (402 in most dialects).
    NoFunds,
    /// What would make a pin is refused by its plan (403).
    NoPlan,
    /// Every call is refused by its plan (403).
    Locked,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            pin_after: PinAfter::default(),
            latency: Span::default(),
            fail: Vec::new(),
            fail_if: Vec::new(),
            account: Account::Good,
            retired: false,
            base: String::new(),
            auth: vec![Auth::Bearer],
            open: false,
            login: None,
            access_life: Span(Self::ACCESS_LIFE),
            codes_only: false,
            codes: Codes::default(),
            default_status: DefaultStatus::default(),
            filters: Filters::default(),
            max_cids: ListQuery::MAX_CIDS,
            bounds: TimeBound::default(),
            created: Created::default(),
            count: Count::default(),
            page: Self::SPEC_PAGE,
            ordered: true,
            lists: Lists::All,
            true_rows: None,
            requestid: IdKind::default(),
            duplicates: Duplicates::New,
            existing_code: None,
            replace: Replace::NewId,
            refresh_origins: None,
            meta: MetaRule::Kept,
            names: NameRule::Kept,
            delegates_rule: Delegates::Always,
            delegates: vec![Self::DELEGATE.to_owned()],
            max_queued: None,
            gateway: Mood::Serves,
            dialect: Dialect::default(),
        }
    }
}

impl Behaviour {
    /// A lawful address that nobody answers: `.example` never resolves.
    pub const DELEGATE: &str =
        "/dnsaddr/sim.example/p2p/12D3KooWDpJ7As7BWAwRMfu1VU2WCqNjvq387JEYKDBj4kx6nXTN";

    const ACCESS_LIFE: Duration = Duration::from_secs(15 * 60);

    pub(super) const SPEC_PAGE: Page =
        Page { default: Some(ListQuery::DEFAULT_LIMIT as usize), max: Some(ListQuery::MAX_LIMIT as usize) };

    /// Takes over what a JSON object names, maps key by key, and leaves the rest.
    ///
    /// # Errors
    /// What it names that is not known, in words.
    pub fn patched(&self, patch: Map<String, Value>) -> Result<Self, String> {
        let mut value = serde_json::to_value(self).map_err(|error| error.to_string())?;
        lay(&mut value, Value::Object(patch));
        let patched: Self = serde_json::from_value(value).map_err(|error| error.to_string())?;
        Ok(Self { fail_if: self.fail_if.clone(), ..patched })
    }
}

fn lay(below: &mut Value, over: Value) {
    match (below, over) {
        (Value::Object(below), Value::Object(over)) => {
            over.into_iter().for_each(|(key, value)| lay(below.entry(key).or_insert(Value::Null), value));
        }
        (below, over) => *below = over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_patch_changes_what_it_names_and_refuses_what_it_does_not_know() {
        let patch = |json: &str| Behaviour::default().patched(serde_json::from_str(json).unwrap());
        let patched =
            patch(r#"{"pin_after": "never", "count": "page-length", "filters": {"cid": false}}"#).unwrap();
        assert_eq!(patched.pin_after, PinAfter::Never);
        assert_eq!(patched.count, Count::PageLength);
        assert_eq!(patched.codes, Codes::all(202));
        assert_eq!(patched.filters, Filters { cid: Some(false), ..Filters::default() });
        assert!(patch(r#"{"pin_afterr": "never"}"#).is_err());
        assert!(patch(r#"{"dialect": {"error": "html"}}"#).is_err());
    }
}
