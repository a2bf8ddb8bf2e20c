//! Reads the query of `GET /pins` as the service that is played does: what is wrong with it is a 400, or passed over.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use crate::{
    model::{Content, NameFilter, NameMatch, PinCid, Status, StatusSet},
    presets::{DefaultStatus, TimeBound},
};

use super::{
    behaviour::Behaviour,
    dialect::{Matching, MetaFilter},
    errors::Problem,
    instant::Instant,
};

mod filter;

pub(super) use filter::Filter;

/// One list request. All filters are joined by AND.
#[derive(Clone, Debug)]
pub(super) struct Query {
    /// Empty: any.
    pub(super) cids: Vec<PinCid>,
    pub(super) name: Name,
    pub(super) statuses: StatusSet,
    /// The first instant that is in it.
    pub(super) from: Instant,
    /// The first one after `from` that is not.
    pub(super) to: Instant,
    /// `usize::MAX`: all.
    pub(super) limit: usize,
    pub(super) meta: Vec<(String, String)>,
}

/// Which names are looked for.
#[derive(Clone, Debug)]
pub(super) enum Name {
    Any,
    Nobody,
    Like(NameFilter),
}

/// The parameters as they were sent, the last one of each name.
type Sent = BTreeMap<String, String>;

impl Query {
    pub(super) fn parse(raw: &str, behaviour: &Behaviour) -> Result<Self, Problem> {
        Reader { sent: sent(raw)?, behaviour }.read()
    }

    /// The same without an end.
    pub(super) fn without_end(&self) -> Self {
        Self { to: Instant::LAST, ..self.clone() }
    }
}

/// The first content that a query asks for, whatever else is in it.
pub(super) fn first_content(raw: &str) -> Option<Content> {
    let sent = sent(raw).ok()?;
    let cid = sent.get("cid")?.split(',').next()?;
    PinCid::parse(cid).ok().map(|cid| cid.content().clone())
}

fn sent(raw: &str) -> Result<Sent, Problem> {
    let pairs = raw.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decode(key)?, decode(value)?))
        })
        .collect()
}

fn decode(text: &str) -> Result<String, Problem> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().map_err(|_| wrong("the query is no UTF-8"))?;
    Ok(decoded.into_owned())
}

fn wrong(what: &str) -> Problem {
    Problem::BadQuery(what.to_owned())
}

/// Reads parameters by the rules of a service.
struct Reader<'a> {
    sent: Sent,
    behaviour: &'a Behaviour,
}

impl Reader<'_> {
    fn read(&self) -> Result<Query, Problem> {
        let works = self.behaviour.filters;
        let cids = self.get("cid", works.cid).map_or(Ok(Vec::new()), |value| self.cids(value))?;
        let alone = self.behaviour.dialect.cid_filter_alone && !cids.is_empty();
        let limit = self.limit()?;
        let (statuses, name) = (self.statuses(works.status)?, self.name(works.name)?);
        let (from, to) = (self.from(works.after)?, self.to(works.before)?);
        let meta = self.meta(works.meta)?;
        let query = Query { cids, name, statuses, from, to, limit, meta };
        let everything = || Query {
            cids: Vec::new(),
            name: Name::Any,
            statuses: StatusSet::ALL,
            from: Instant::FIRST,
            to: Instant::LAST,
            limit: usize::MAX,
            meta: Vec::new(),
        };
        Ok(if alone { Query { cids: query.cids, ..everything() } } else { query })
    }

    /// A parameter, unless it is known not to work.
    fn get(&self, key: &str, works: Option<bool>) -> Option<&str> {
        self.sent.get(key).filter(|_| works != Some(false)).map(String::as_str)
    }

    fn cids(&self, value: &str) -> Result<Vec<PinCid>, Problem> {
        let parsed = value.split(',').map(PinCid::parse).collect::<Result<Vec<_>, _>>();
        let parsed = parsed.map_err(|error| wrong(&error.to_string()))?;
        let max = self.behaviour.max_cids;
        if parsed.len() > max { Err(wrong(&format!("more than {max} CIDs"))) } else { Ok(parsed) }
    }

    fn statuses(&self, works: Option<bool>) -> Result<StatusSet, Problem> {
        if works == Some(false) && self.behaviour.dialect.rows == super::dialect::Rows::True {
            return Ok(StatusSet::ALL);
        }
        let Some(value) = self.sent.get("status") else { return self.unasked() };
        let known = |text: &str| match Status::parse(text) {
            None if self.behaviour.dialect.any_status => Ok(None),
            None => Err(wrong(&format!("no status {text:?}"))),
            known => Ok(known),
        };
        let statuses = value.split(',').map(known).collect::<Result<Vec<_>, _>>()?;
        let statuses: StatusSet = statuses.into_iter().flatten().collect();
        // Nothing is left only where all was passed over.
        Ok(if statuses.is_empty() { StatusSet::ALL } else { statuses })
    }

    fn unasked(&self) -> Result<StatusSet, Problem> {
        match self.behaviour.default_status {
            DefaultStatus::Pinned => Ok(StatusSet::EMPTY.with(Status::Pinned)),
            DefaultStatus::All => Ok(StatusSet::ALL),
            DefaultStatus::Required => Err(Problem::StatusRequired),
        }
    }

    fn name(&self, works: Option<bool>) -> Result<Name, Problem> {
        let rule = self.behaviour.dialect.matching;
        let matching = match self.sent.get("match").map(|text| NameMatch::parse(text)) {
            None => Some(NameMatch::default()),
            Some(None) if rule == Matching::AlwaysIgnored => None,
            Some(None) => return Err(wrong("match is none of the four")),
            Some(known) => known,
        };
        let Some(text) = self.get("name", works).map(str::to_owned) else { return Ok(Name::Any) };
        let Some(matching) = matching else { return Ok(Name::Any) };
        let filters = self.behaviour.filters;
        let fit = match matching {
            NameMatch::Exact => None,
            NameMatch::IExact => filters.iexact,
            NameMatch::Partial => filters.partial,
            NameMatch::IPartial => filters.ipartial,
        };
        Ok(match (fit, rule, matching) {
            (None | Some(true), ..) => Name::Like(NameFilter { text, matching }),
            (_, Matching::Exact, _) => Name::Like(NameFilter { text, matching: NameMatch::Exact }),
            (_, Matching::PartialFindsNothing, NameMatch::Partial) => Name::Nobody,
            _ => Name::Any,
        })
    }

    fn from(&self, works: Option<bool>) -> Result<Instant, Problem> {
        let Some(value) = self.get("after", works) else { return Ok(Instant::FIRST) };
        let at = Instant::parse(value).ok_or_else(|| wrong("after is no time"))?;
        Ok(match self.behaviour.bounds {
            TimeBound::Strict => at.plus(1),
            TimeBound::Inclusive => at.cut(self.behaviour.created.precision),
        })
    }

    fn to(&self, works: Option<bool>) -> Result<Instant, Problem> {
        let Some(value) = self.get("before", works) else { return Ok(Instant::LAST) };
        let at = Instant::parse(value).ok_or_else(|| wrong("before is no time"))?;
        Ok(match self.behaviour.bounds {
            TimeBound::Strict => at,
            TimeBound::Inclusive => at.cut(self.behaviour.created.precision).plus(1),
        })
    }

    fn limit(&self) -> Result<usize, Problem> {
        let page = self.behaviour.page;
        let Some(value) = self.sent.get("limit") else { return Ok(page.default.unwrap_or(usize::MAX)) };
        let max = page.max.unwrap_or(usize::MAX);
        let most = Some(self.behaviour.dialect.rows_at_most).filter(|most| *most > 0).unwrap_or(usize::MAX);
        let limit = value.parse().ok().filter(|limit| (1..=max).contains(limit));
        limit
            .map(|limit: usize| limit.min(most))
            .ok_or_else(|| wrong(&format!("limit is not from 1 to {max}")))
    }

    fn meta(&self, works: Option<bool>) -> Result<Vec<(String, String)>, Problem> {
        const KNOWN: [&str; 8] = ["cid", "name", "match", "status", "before", "after", "limit", "meta"];
        let rule = self.behaviour.dialect.meta_filter;
        if rule == MetaFilter::Parameters {
            let further = self.sent.iter().filter(|(key, _)| !KNOWN.contains(&key.as_str()));
            return Ok(further.map(|(key, value)| (key.clone(), value.clone())).collect());
        }
        let works = works.filter(|_| rule == MetaFilter::Filters);
        let Some(value) = self.get("meta", works) else { return Ok(Vec::new()) };
        let wanted: BTreeMap<String, String> =
            serde_json::from_str(value).map_err(|_| wrong("meta is no JSON object of strings"))?;
        Ok(wanted.into_iter().collect())
    }
}
