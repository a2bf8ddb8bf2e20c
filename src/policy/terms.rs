//! What a policy says: how many copies, where, in which order, and what to do in trouble.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Choose;
use crate::model::{Content, Timestamp};

/// How many copies a pin should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copies {
    /// Under-replicated below this; nothing is removed that would go below it (I8).
    pub min: u16,
    /// What placement aims at.
    pub max: u16,
}

/// One revision of a named policy, resolved: `1 <= need <= copies.min <= copies.max <= providers.len()`. What is as by
/// default is not written, so that a revision of an older Pinfold is no other one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    pub name: String,
    pub copies: Copies,
    /// The pin counts as pinned from this many copies on (config: `pinned_when`).
    pub need: u16,
    /// Names of providers, most preferred first.
    pub providers: Vec<String>,
    /// How they are ordered for one content.
    #[serde(default, skip_serializing_if = "is_default")]
    pub choose: Choose,
    /// A tag of which no two copies have the same value.
    #[serde(default, skip_serializing_if = "is_default")]
    pub spread_by: Option<String>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub deadlines: Deadlines,
    #[serde(default, skip_serializing_if = "is_default")]
    pub late: Late,
    #[serde(default, skip_serializing_if = "is_default")]
    pub priority: Priority,
    /// Pins end this long after they were accepted.
    #[serde(default, skip_serializing_if = "is_default")]
    pub expire_after: Option<Duration>,
    #[serde(default, skip_serializing_if = "is_default")]
    pub proof: Proof,
    #[serde(default, skip_serializing_if = "is_default")]
    pub upstream_name: UpstreamName,
}

impl Policy {
    /// When a pin that is accepted now goes away; `asked` is its client's own word, which never lengthens.
    pub fn ends(&self, now: Timestamp, asked: Option<Timestamp>) -> Option<Timestamp> {
        asked.into_iter().chain(self.expire_after.map(|span| now.plus(span))).min()
    }

    /// One that says no more than how many copies, and where.
    pub fn plain(name: impl Into<String>, copies: Copies, need: u16, providers: Vec<String>) -> Self {
        Self {
            name: name.into(),
            copies,
            need,
            providers,
            choose: Choose::default(),
            spread_by: None,
            deadlines: Deadlines::default(),
            late: Late::default(),
            priority: Priority::default(),
            expire_after: None,
            proof: Proof::default(),
            upstream_name: UpstreamName::default(),
        }
    }
}

/// How long a copy may take before the pin goes on elsewhere. Wall clock, from when it came into its state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deadlines {
    /// Until it is pinning: queued there, or not sent yet.
    pub queued: Option<Duration>,
    /// Until it is pinned.
    pub pinning: Option<Duration>,
}

/// What becomes of copies beyond those that the policy asks for, once the pin is whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Late {
    #[default]
    Keep,
    Remove,
}

impl Late {
    pub const ALL: [Self; 2] = [Self::Keep, Self::Remove];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Keep => "keep",
            Self::Remove => "remove",
        }
    }
}

/// Whose copies are made again first, where as many are left: 0 to 9, higher ones first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Priority(u8);

impl Priority {
    pub const MAX: u8 = 9;

    /// `None` above 9.
    pub fn new(priority: u8) -> Option<Self> {
        (priority <= Self::MAX).then_some(Self(priority))
    }

    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self(5)
    }
}

/// Whether a provider must have shown of late that it serves what it says is pinned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proof {
    #[default]
    Ignore,
    /// One that failed to is given nothing new, and its copies do not count towards those that are asked for.
    Required,
}

impl Proof {
    pub const ALL: [Self; 2] = [Self::Ignore, Self::Required];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ignore => "ignore",
            Self::Required => "required",
        }
    }
}

/// What copies are called at their providers. Names may tell others what one does not want to be told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpstreamName {
    /// As the first pin that asked for the copy.
    #[default]
    Pin,
    /// By the canonical CID.
    Cid,
    /// Not at all; where a provider demands a name, by the CID.
    None,
}

impl UpstreamName {
    pub const ALL: [Self; 3] = [Self::Pin, Self::Cid, Self::None];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::Cid => "cid",
            Self::None => "none",
        }
    }

    /// The name to send for a content of which the first pin is called `name`.
    pub fn of(self, name: Option<String>, content: &Content) -> Option<String> {
        match self {
            Self::Pin => name,
            Self::Cid => Some(content.canonical()),
            Self::None => None,
        }
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_as_by_default_is_not_written_and_reads_back() {
        let plain = Policy::plain("p", Copies { min: 1, max: 2 }, 1, vec!["a".into(), "b".into()]);
        let body = serde_json::to_string(&plain).unwrap();
        assert_eq!(body, r#"{"name":"p","copies":{"min":1,"max":2},"need":1,"providers":["a","b"]}"#);
        assert_eq!(serde_json::from_str::<Policy>(&body).unwrap(), plain);
    }
}
