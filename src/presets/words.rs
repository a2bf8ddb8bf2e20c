//! The words of a preset. Variants say how a service differs from others, not how it is handled.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::model::span::serde_as_text;

/// What is spoken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// The IPFS Pinning Services API.
    #[default]
    Psa,
    /// The RPC API of a Kubo node.
    Kubo,
}

/// The codes of successful writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Codes {
    pub add: u16,
    pub replace: u16,
    pub remove: u16,
}

impl Codes {
    pub const fn all(code: u16) -> Self {
        Self { add: code, replace: code, remove: code }
    }
}

impl Default for Codes {
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
    /// Nothing: it has to ask, else 400.
    Required,
}

/// Which filters of a list work; `None`: unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filters {
    pub cid: Option<bool>,
    pub name: Option<bool>,
    pub iexact: Option<bool>,
    pub partial: Option<bool>,
    pub ipartial: Option<bool>,
    pub status: Option<bool>,
    pub before: Option<bool>,
    pub after: Option<bool>,
    pub meta: Option<bool>,
}

/// Whether `before` and `after` take the instant that they name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimeBound {
    /// As the specification has it.
    #[default]
    Strict,
    Inclusive,
}

/// How `created` is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Created {
    pub precision: Precision,
    pub offset: Offset,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    Seconds,
    #[default]
    Millis,
    Micros,
    Nanos,
}

/// The offset from UTC, in minutes; `Z` is written for none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offset(pub i32);

impl FromStr for Offset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no offset: write Z, or hours and minutes such as -04:00");
        if text == "Z" {
            return Ok(Self(0));
        }
        let (sign, rest) = match text.split_at_checked(1).ok_or_else(wrong)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return Err(wrong()),
        };
        let (hours, minutes) = rest.split_once(':').ok_or_else(wrong)?;
        let number = |text: &str, below: i32| {
            text.parse::<i32>().ok().filter(|n| text.len() == 2 && (0..below).contains(n)).ok_or_else(wrong)
        };
        Ok(Self(sign * (number(hours, 15)? * 60 + number(minutes, 60)?)))
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("Z"),
            minutes => {
                let sign = if minutes < 0 { '-' } else { '+' };
                write!(f, "{sign}{:02}:{:02}", minutes.abs() / 60, minutes.abs() % 60)
            }
        }
    }
}

serde_as_text!(Offset);

/// What a list calls `count`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Count {
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

/// The size of a list's page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// Without `limit`; `None`: all.
    pub default: Option<usize>,
    /// The most that `limit` may ask for; `None`: no bound.
    pub max: Option<usize>,
}

/// What a requestid is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdKind {
    #[default]
    Uuid,
    /// The CID itself.
    Cid,
    Integer,
    /// 21 characters of URL-safe base64.
    Nanoid,
    /// Base64 of a URI, with its padding.
    Gid,
    /// A UUID and a time.
    UuidTime,
}

/// What a second POST of a content does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Duplicates {
    /// A second pin with an id of its own.
    New,
    /// Answers the pin that is there, and changes nothing; CIDs are compared as contents.
    Same,
    /// As `same`, with CIDs compared as texts, so that v0 and v1 are two.
    SameText,
    /// Gives the pin that is there a new id; the old one is unknown from then on.
    Reissued,
}

/// What its replace does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Replace {
    /// Makes the new pin, removes the old one: with the same CID too.
    NewId,
    /// With the same CID: keeps the id and changes the pin in place.
    InPlace,
    /// With the same CID: removes what it has just pinned.
    Unpins,
    /// Removes the old pin first, then makes the new one: what fails in between is lost.
    DeletesFirst,
    /// With the same CID: refuses.
    Refuses,
}

/// What becomes of `meta`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetaRule {
    Kept,
    /// Taken and forgotten.
    Dropped,
}

/// What becomes of `name`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameRule {
    Kept,
    /// A pin without one is named by its CID.
    CidByDefault,
    /// A pin without one is refused.
    Required,
}

/// Where delegates are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Delegates {
    Always,
    /// In the answer to a POST only.
    PostOnly,
    /// `/p2p/ID` without an address, or a placeholder: of no use to who wants to connect.
    Bare,
    Never,
}

/// How origins that became known later are sent on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefreshOrigins {
    /// A second POST takes them up and makes no second pin.
    Post,
    /// Replacing with the same CID changes them in place.
    Replace,
    /// There is no way that is safe.
    Never,
}
