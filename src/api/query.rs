//! The filters of `GET /pins`: from a query string, in every dialect that clients speak, to a checked `ListQuery`.

mod pairs;
#[cfg(test)]
mod tests;

use serde_json::Value;
use thiserror::Error;

use crate::model::{
    CidError, Content, ListQuery, NameFilter, NameMatch, PinCid, Status, StatusSet, Timestamp, name,
};

/// Why a query is refused; the words say what to send instead.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum QueryError {
    #[error("the query is not percent-encoded UTF-8 without NUL: encode each value, such as name=caf%C3%A9")]
    Encoding,
    #[error("{0} is there more than once: send it once")]
    Twice(&'static str),
    #[error("cid: {0}")]
    Cid(#[from] CidError),
    #[error("cid: more than 10 CIDs: ask for at most 10 at a time")]
    TooManyCids,
    #[error("name is longer than 255 characters, and no pin has such a name: send a shorter one")]
    Name,
    #[error("match is {0:?}: send exact, iexact, partial or ipartial")]
    Match(String),
    #[error("status {0:?} is unknown: send some of queued, pinning, pinned, failed, joined by commas")]
    Status(String),
    #[error("{key} is {text:?}: send an RFC 3339 time such as 2020-07-27T17:32:28.276Z")]
    Time { key: &'static str, text: String },
    #[error("limit is {0:?}: send a whole number from 1 to 1000")]
    Limit(String),
    #[error(
        "meta is no JSON object of strings: send it as percent-encoded JSON, such as meta=%7B%22app%22%3A%22x%22%7D, or as meta[app]=x"
    )]
    Meta,
    #[error("the value of {0:?} in meta is not a string: send {{\"key\":\"value\"}} with strings only")]
    MetaValue(String),
    #[error("meta asks for more than {} keys: send fewer", MAX_META)]
    TooMuchMeta,
}

/// The most keys of meta that one list may ask for; each is a search of its own in the store.
pub const MAX_META: usize = 32;

/// The values as they were sent, sorted by key, each seen at most as often as it may be.
#[derive(Default)]
struct Raw {
    cids: Vec<String>,
    statuses: Vec<String>,
    name: Option<String>,
    matching: Option<String>,
    before: Option<String>,
    after: Option<String>,
    limit: Option<String>,
    meta: Option<String>,
    meta_pairs: Vec<(String, String)>,
}

/// Reads a query string; `default` is what a query without `status` asks for. Unknown keys are ignored.
pub fn parse(query: Option<&str>, default: StatusSet) -> Result<ListQuery, QueryError> {
    let raw = Raw::read(query.unwrap_or_default())?;
    let mut parsed = ListQuery::with_statuses(statuses(&raw.statuses, default)?);
    parsed.cids = cids(&raw.cids)?;
    parsed.name = name_filter(raw.name, raw.matching)?;
    parsed.before = time("before", raw.before, Timestamp::parse_rounding_up)?;
    parsed.after = time("after", raw.after, Timestamp::parse_rounding_down)?;
    if let Some(text) = raw.limit {
        parsed.limit = limit(text)?;
    }
    parsed.meta = meta(raw.meta, raw.meta_pairs)?;
    Ok(parsed)
}

impl Raw {
    fn read(query: &str) -> Result<Self, QueryError> {
        let mut raw = Self::default();
        for pair in pairs::decode(query) {
            let (key, value) = pair?;
            raw.put(&key, value.into_owned())?;
        }
        Ok(raw)
    }

    fn put(&mut self, key: &str, value: String) -> Result<(), QueryError> {
        match key {
            "cid" => self.cids.push(value),
            "status" => self.statuses.push(value),
            "name" => once("name", &mut self.name, value)?,
            "match" => once("match", &mut self.matching, value)?,
            "before" => once("before", &mut self.before, value)?,
            "after" => once("after", &mut self.after, value)?,
            "limit" => once("limit", &mut self.limit, value)?,
            "meta" => once("meta", &mut self.meta, value)?,
            _ => {
                if let Some(inner) = key.strip_prefix("meta[").and_then(|rest| rest.strip_suffix(']')) {
                    self.meta_pairs.push((inner.to_owned(), value));
                }
            }
        }
        Ok(())
    }
}

fn once(key: &'static str, slot: &mut Option<String>, value: String) -> Result<(), QueryError> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(QueryError::Twice(key)),
    }
}

/// The items of a list that may come as one value with commas, as several values, or both.
fn items(values: &[String]) -> impl Iterator<Item = &str> {
    values.iter().flat_map(|value| value.split(','))
}

fn statuses(values: &[String], default: StatusSet) -> Result<StatusSet, QueryError> {
    if values.is_empty() {
        return Ok(default);
    }
    items(values).map(|text| Status::parse(text).ok_or_else(|| QueryError::Status(text.to_owned()))).collect()
}

fn cids(values: &[String]) -> Result<Vec<Content>, QueryError> {
    let mut contents: Vec<Content> = Vec::new();
    for text in items(values) {
        let content = PinCid::parse(text)?.content().clone();
        if !contents.contains(&content) {
            contents.push(content);
        }
        if contents.len() > ListQuery::MAX_CIDS {
            return Err(QueryError::TooManyCids);
        }
    }
    Ok(contents)
}

fn name_filter(text: Option<String>, matching: Option<String>) -> Result<Option<NameFilter>, QueryError> {
    let matching = match matching {
        None => NameMatch::default(),
        Some(word) => NameMatch::parse(&word).ok_or(QueryError::Match(word))?,
    };
    let Some(text) = text else { return Ok(None) };
    if !name::fits(&text) {
        return Err(QueryError::Name);
    }
    Ok(Some(NameFilter { text, matching }))
}

fn time(
    key: &'static str,
    text: Option<String>,
    parse: fn(&str) -> Option<Timestamp>,
) -> Result<Option<Timestamp>, QueryError> {
    let Some(text) = text else { return Ok(None) };
    // A raw `+` before an offset was read as a space.
    match parse(&text).or_else(|| parse(&text.replace(' ', "+"))) {
        Some(at) => Ok(Some(at)),
        None => Err(QueryError::Time { key, text }),
    }
}

fn limit(text: String) -> Result<u16, QueryError> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(limit @ 1..=ListQuery::MAX_LIMIT) if digits => Ok(limit),
        _ => Err(QueryError::Limit(text)),
    }
}

/// Both dialects of `meta` at once: the spec's JSON, and the `meta[key]=value` that its generated clients send.
fn meta(json: Option<String>, mut pairs: Vec<(String, String)>) -> Result<Vec<(String, String)>, QueryError> {
    if let Some(json) = json {
        let Ok(Value::Object(object)) = serde_json::from_str(&json) else { return Err(QueryError::Meta) };
        for (key, value) in object {
            let Value::String(value) = value else { return Err(QueryError::MetaValue(key)) };
            pairs.push((key, value));
        }
    }
    pairs.sort_unstable();
    pairs.dedup();
    if pairs.len() > MAX_META {
        return Err(QueryError::TooMuchMeta);
    }
    let has_nul = |text: &str| text.contains('\0');
    if pairs.iter().any(|(key, value)| has_nul(key) || has_nul(value)) {
        return Err(QueryError::Encoding);
    }
    Ok(pairs)
}
