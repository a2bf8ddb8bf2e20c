//! What a client may ask of its list of pins.

use super::{Content, StatusSet, Timestamp};

/// How a name filter compares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NameMatch {
    #[default]
    Exact,
    IExact,
    Partial,
    IPartial,
}

impl NameMatch {
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "exact" => Some(Self::Exact),
            "iexact" => Some(Self::IExact),
            "partial" => Some(Self::Partial),
            "ipartial" => Some(Self::IPartial),
            _ => None,
        }
    }
}

/// A name to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameFilter {
    pub text: String,
    pub matching: NameMatch,
}

/// One list request, checked: newest first, all filters joined by AND.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// At most ten contents; empty means any.
    pub cids: Vec<Content>,
    pub name: Option<NameFilter>,
    /// Never empty: the spec's default (`pinned`) is filled in by the API.
    pub statuses: StatusSet,
    /// `created` strictly below this.
    pub before: Option<Timestamp>,
    /// `created` strictly above this.
    pub after: Option<Timestamp>,
    /// 1 to 1000.
    pub limit: u16,
    /// Key and value pairs that must all be in a pin's meta.
    pub meta: Vec<(String, String)>,
}

impl ListQuery {
    pub const DEFAULT_LIMIT: u16 = 10;
    pub const MAX_LIMIT: u16 = 1000;
    pub const MAX_CIDS: usize = 10;

    /// The newest pins in these states, ten of them.
    pub fn with_statuses(statuses: StatusSet) -> Self {
        Self {
            cids: Vec::new(),
            name: None,
            statuses,
            before: None,
            after: None,
            limit: Self::DEFAULT_LIMIT,
            meta: Vec::new(),
        }
    }
}
