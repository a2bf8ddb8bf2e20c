//! What is known of kinds of pinning services, as dated data: `presets/presets.yaml`, and a user's own file over it.
//!
//! What nobody has published is left out there and `None` here: it is unknown, and whoever reads it then does what is
//! safe with any server.

mod limits;
mod login;
mod read;
mod words;

use std::{
    collections::BTreeMap,
    sync::{Arc, LazyLock},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::model::Span;

pub use limits::Limits;
pub use login::{Auth, Login, LoginStyle, TokenForm};
pub use read::Wrong;
pub use words::{
    Codes, Count, Created, DefaultStatus, Delegates, Duplicates, Filters, IdKind, MetaRule, NameRule, Offset,
    Page, Precision, Protocol, RefreshOrigins, Replace, TimeBound,
};

/// A kind of pinning service, and what a provider entry of that kind starts from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Preset {
    /// The word in the config's `preset` key; not in the map, but the map's key.
    #[serde(skip)]
    pub name: String,
    /// What people call it.
    pub title: String,
    /// The day on which this was true as far as is known, as YYYY-MM-DD.
    pub as_of: String,
    /// Where it was read.
    pub source: Vec<String>,
    /// The day on which its service closed.
    pub retired_on: Option<String>,
    /// What to do where it closed.
    pub instead: Option<String>,
    pub protocol: Protocol,
    /// Without `/pins`; `None` where everybody runs their own.
    pub endpoint: Option<String>,
    /// What an entry may give as its credential, the usual one first.
    pub auth: Vec<Auth>,
    /// `None`: unknown. A JWT tells by itself whose it is.
    pub token_form: Option<TokenForm>,
    /// How a user name and password become a credential.
    pub login: Option<Login>,
    /// Success codes. Any 2xx is accepted all the same.
    pub codes: Option<Codes>,
    /// What a list without `status` shows. It is always asked for.
    pub default_status: Option<DefaultStatus>,
    pub filters: Filters,
    /// The most CIDs in one list request.
    pub max_cids: Option<usize>,
    /// Whether `before` and `after` exclude the instant that they name.
    pub bounds: Option<TimeBound>,
    pub created: Option<Created>,
    /// What lists call `count`.
    pub count: Option<Count>,
    pub page: Option<Page>,
    /// A 404 to a list says that there is nothing to list. Unless it is known to, it is an error.
    pub empty_404: Option<bool>,
    /// Lists are newest first.
    pub ordered: Option<bool>,
    /// Pages with more rows do not tell the true state of a pin; 0: no list does. `None`: every list tells.
    pub true_rows: Option<usize>,
    pub requestid: Option<IdKind>,
    /// What a second POST of a content makes.
    pub duplicates: Option<Duplicates>,
    /// The code of a POST that made nothing, because the pin was there.
    pub existing_code: Option<u16>,
    /// What its own replace does with the same CID. Pinfold never asks for one.
    pub replace: Option<Replace>,
    pub meta: Option<MetaRule>,
    pub names: Option<NameRule>,
    pub delegates: Option<Delegates>,
    /// How origins that became known after the submit are sent on.
    pub refresh_origins: Option<RefreshOrigins>,
    /// A pin that is queued for longer will stay so: it counts as failed and is made anew.
    pub stuck_after: Option<Span>,
    pub limits: Limits,
    /// The most pins that may be queued at once.
    pub max_queued: Option<u32>,
    /// The longest wait for one answer.
    pub try_timeout: Option<Span>,
    /// The longest that one call takes, retries included.
    pub deadline: Option<Span>,
    /// How long after a call's deadline it may still take effect.
    pub settle: Option<Span>,
    /// The only codecs that it takes, by their multicodec names.
    pub codecs: Option<Vec<String>>,
    /// The largest pin, in words.
    pub max_size: Option<String>,
    /// Pins end after this.
    pub retention: Option<String>,
    pub price: Option<String>,
    /// What else an operator should know, one sentence each.
    pub notes: Vec<String>,
}

/// The preset of entries that name none.
pub const GENERIC: &str = "generic";

/// The most CIDs in one list request by the specification.
const SPEC_CIDS: usize = 10;

impl Preset {
    /// The most contents in one look-up.
    pub fn batch(&self) -> usize {
        self.max_cids.unwrap_or(SPEC_CIDS).clamp(1, SPEC_CIDS)
    }

    /// The most calls at once, unless an entry's budget says otherwise.
    pub fn concurrency(&self) -> usize {
        self.limits.concurrency.unwrap_or(4)
    }

    pub fn try_timeout(&self) -> Duration {
        self.try_timeout.map_or(Duration::from_secs(30), |span| span.0)
    }

    pub fn deadline(&self) -> Duration {
        self.deadline.map_or(Duration::from_secs(90), |span| span.0)
    }

    pub fn settle(&self) -> Duration {
        self.settle.map_or(Duration::from_secs(60), |span| span.0)
    }

    /// Whether a pin there is the same one for all who pin its content, so that ours may be somebody else's whatever
    /// credential made it (I13).
    pub fn shares_pins(&self) -> bool {
        self.requestid == Some(IdKind::Cid)
    }

    /// Whether its whole list can be walked, newest first, and tells the truth.
    pub fn can_be_swept(&self) -> bool {
        self.protocol == Protocol::Psa && self.true_rows.is_none() && self.ordered != Some(false)
    }

    /// Whether an entry may do without any credential.
    pub fn is_open(&self) -> bool {
        self.auth.contains(&Auth::None)
    }

    /// Whether a login is possible.
    pub fn has_login(&self) -> bool {
        self.auth.contains(&Auth::Login) || self.auth.contains(&Auth::Basic)
    }
}

/// All presets by name.
#[derive(Clone, Debug)]
pub struct Presets {
    presets: BTreeMap<String, Arc<Preset>>,
    /// The same as they are written, for a user's file to be laid over.
    written: BTreeMap<String, Value>,
}

static BUILT_IN: LazyLock<Presets> = LazyLock::new(|| {
    let none = Presets { presets: BTreeMap::new(), written: BTreeMap::new() };
    // Holds: a test reads the same file.
    none.with(include_str!("presets/presets.yaml")).expect("the built-in presets are sound")
});

impl Presets {
    /// Those that Pinfold brings along.
    pub fn built_in() -> &'static Self {
        &BUILT_IN
    }

    pub fn find(&self, name: &str) -> Option<&Arc<Preset>> {
        self.presets.get(name)
    }

    /// A preset that Pinfold brings along.
    ///
    /// # Panics
    /// Where there is none of that name.
    pub fn known(name: &str) -> Arc<Preset> {
        let found = Self::built_in().find(name);
        found.unwrap_or_else(|| panic!("there is a preset {name:?}")).clone()
    }

    /// By name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Preset>> {
        self.presets.values()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.presets.keys().map(String::as_str)
    }

    /// These with a file of presets laid over them: what it names of a preset replaces what was known, maps key by key;
    /// `null` makes unknown.
    ///
    /// # Errors
    /// Everything that is wrong with the file.
    pub fn with(&self, yaml: &str) -> Result<Self, Vec<Wrong>> {
        read::over(self, yaml)
    }
}

#[cfg(test)]
mod tests;
