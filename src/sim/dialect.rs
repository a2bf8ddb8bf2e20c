//! How services say on the wire what the words of their presets leave open, each in one place.

use serde::{Deserialize, Serialize};

use super::{errors::Errors, instant::Zone};

mod services;

/// A service's own way of speaking. The default is the specification's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dialect {
    pub errors: Errors,
    /// The body of a successful DELETE.
    pub removed: Removed,
    /// A DELETE of a pin that is not there succeeds.
    pub removes_unknown: bool,
    pub info: Info,
    pub nulls: Nulls,
    /// `requestId` in place of `requestid`.
    pub camel_case_ids: bool,
    /// The `created` of the answer to a POST.
    pub posted: Posted,
    pub zone: Zone,
    pub rows: Rows,
    pub matching: Matching,
    pub meta_filter: MetaFilter,
    /// With a `cid` filter all others are ignored.
    pub cid_filter_alone: bool,
    /// States that nobody knows are passed over in a `status` filter.
    pub any_status: bool,
    /// Values of `meta` that are no strings are passed over, else they are a 400.
    pub loose_meta: bool,
    /// A pin of what is pinned here already stays queued for ever.
    pub repins_stick: bool,
    /// Lists tell of their limit in `x-ratelimit-` headers, and so many machines take turns, each with its own counter; 0:
    /// no headers.
    pub backends: usize,
    /// A page holds no more rows than these, whatever `limit` asks for; 0: as many as it asks for.
    pub rows_at_most: usize,
}

impl Default for Dialect {
    fn default() -> Self {
        services::SPEC
    }
}

/// The body of a successful DELETE.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Removed {
    #[default]
    Empty,
    /// Empty, and called JSON.
    EmptyJson,
    /// `{}`
    Object,
    /// `OK`, as plain text.
    Ok,
}

/// What `info` holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Info {
    /// `status_details` where a pin failed.
    #[default]
    Details,
    /// `dag_size` of "0", `failed_reason` and `failed_message`, always.
    Everland,
    /// `pinata_pinjob_status`, until it is pinned.
    Pinata,
    /// `size` of "0".
    Filebase,
    /// Where it was sent to, in the answer to a POST only.
    Fula,
}

/// Where `null` stands for what is empty or absent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Nulls {
    #[default]
    Nowhere,
    /// For results and delegates.
    Lists,
    /// For meta, origins and info too.
    All,
}

/// The `created` of the answer to a POST.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Posted {
    /// That which is stored.
    #[default]
    Stored,
    /// That which is stored, to the nanosecond.
    Nanos,
    /// That of the answer, to the nanosecond: later than what is stored.
    Later,
}

/// What the rows of a list tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rows {
    /// The state that a pin is in; `queued` in pages of more than `true_rows`.
    #[default]
    True,
    /// `queued` in pages of more than ten; in shorter ones the state, but `failed` for what is still queued. The status
    /// filter goes by what the last GET by id saw.
    Recorded,
}

/// What a list makes of a `match` that does not work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Matching {
    /// The name filter is ignored with it; a `match` that is none of the four is a 400.
    #[default]
    Ignored,
    /// The name filter is ignored, also with one that is none of the four.
    AlwaysIgnored,
    /// Names are compared exactly.
    Exact,
    /// `partial` finds nothing, with the others the name filter is ignored.
    PartialFindsNothing,
}

/// What a list makes of `meta`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MetaFilter {
    /// It filters.
    #[default]
    Filters,
    /// It filters the page when it is full already.
    AfterLimit,
    /// Each further parameter of the query is a key and value of it.
    Parameters,
}
