//! The filters of a list that no index serves.

use crate::{
    model::{Meta, NameFilter, NameMatch, StatusSet, Timestamp, name},
    presets::{Duplicates, MetaRule},
};

use super::{Name, Query};
use crate::sim::{
    behaviour::Behaviour,
    dialect::{MetaFilter, Rows},
    pins::Held,
};

pub(in crate::sim) struct Filter<'a> {
    query: &'a Query,
    folded: Option<String>,
    behaviour: &'a Behaviour,
    now: Timestamp,
}

impl<'a> Filter<'a> {
    pub(in crate::sim) fn new(query: &'a Query, behaviour: &'a Behaviour, now: Timestamp) -> Self {
        let folded = match &query.name {
            Name::Like(filter) => Some(name::fold(&filter.text)),
            Name::Any | Name::Nobody => None,
        };
        Self { query, folded, behaviour, now }
    }

    pub(in crate::sim) fn takes(&self, held: &Held) -> bool {
        let late = self.behaviour.dialect.meta_filter == MetaFilter::AfterLimit;
        self.takes_status(held)
            && self.takes_text(held)
            && self.takes_name(held)
            && (late || self.takes_meta(held))
    }

    fn takes_status(&self, held: &Held) -> bool {
        let status = match self.behaviour.dialect.rows {
            Rows::True => held.status(self.behaviour.pin_after, self.now),
            Rows::Recorded => held.recorded,
        };
        let wanted = self.query.statuses;
        wanted == StatusSet::ALL || wanted.contains(status)
    }

    /// Who compares CIDs as texts finds none that is written otherwise.
    fn takes_text(&self, held: &Held) -> bool {
        let as_contents = self.behaviour.duplicates != Duplicates::SameText || self.query.cids.is_empty();
        as_contents || self.query.cids.iter().any(|cid| cid.as_str() == held.asked.cid.as_str())
    }

    fn takes_name(&self, held: &Held) -> bool {
        let NameFilter { text, matching } = match &self.query.name {
            Name::Any => return true,
            Name::Nobody => return false,
            Name::Like(filter) => filter,
        };
        let Some(name) = held.asked.name.as_deref() else { return false };
        let folded = self.folded.as_deref().unwrap_or_default();
        match matching {
            NameMatch::Exact => name == text,
            NameMatch::Partial => name.contains(text.as_str()),
            NameMatch::IExact => name::fold(name) == folded,
            NameMatch::IPartial => name::fold(name).contains(folded),
        }
    }

    pub(in crate::sim) fn takes_meta(&self, held: &Held) -> bool {
        let has = |wanted: &(String, String)| {
            let mut entries = held.asked.meta.iter().flat_map(Meta::iter);
            entries.any(|(key, value)| key == wanted.0 && value == wanted.1)
        };
        let kept = self.behaviour.meta == MetaRule::Kept;
        self.query.meta.is_empty() || (kept && self.query.meta.iter().all(has))
    }
}
