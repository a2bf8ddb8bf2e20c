//! Reads the query of `GET /pins`, strictly: what is wrong with it is a 400.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use crate::model::{ListQuery, NameFilter, NameMatch, PinCid, Status, StatusSet, Timestamp};

/// Parses a raw query string; `default` is the set of states that a list shows which asks for none.
pub(super) fn parse(raw: &str, default: StatusSet) -> Result<ListQuery, String> {
    let mut query = ListQuery::with_statuses(default);
    let mut name = None;
    let mut matching = NameMatch::default();
    for pair in raw.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let value = decode(value)?;
        match decode(key)?.as_str() {
            "cid" => query.cids = cids(&value)?,
            "name" => name = Some(value),
            "match" => matching = NameMatch::parse(&value).ok_or("match is none of the four")?,
            "status" => query.statuses = statuses(&value)?,
            "before" => query.before = Some(Timestamp::parse_rounding_up(&value).ok_or("before is no time")?),
            "after" => query.after = Some(Timestamp::parse_rounding_down(&value).ok_or("after is no time")?),
            "limit" => query.limit = limit(&value)?,
            "meta" => query.meta = meta(&value)?,
            _ => {}
        }
    }
    query.name = name.map(|text| NameFilter { text, matching });
    Ok(query)
}

fn decode(text: &str) -> Result<String, String> {
    let spaced = text.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().map_err(|_| "the query is no UTF-8")?;
    Ok(decoded.into_owned())
}

fn cids(value: &str) -> Result<Vec<crate::model::Content>, String> {
    let parsed = value.split(',').map(PinCid::parse).collect::<Result<Vec<_>, _>>();
    let parsed = parsed.map_err(|error| error.to_string())?;
    if parsed.len() > ListQuery::MAX_CIDS {
        return Err("more than 10 CIDs".to_owned());
    }
    Ok(parsed.into_iter().map(|cid| cid.content().clone()).collect())
}

fn statuses(value: &str) -> Result<StatusSet, String> {
    let parse = |text: &str| Status::parse(text).ok_or_else(|| format!("no status {text:?}"));
    value.split(',').map(parse).collect()
}

fn limit(value: &str) -> Result<u16, String> {
    let limit = value.parse().ok().filter(|limit| (1..=ListQuery::MAX_LIMIT).contains(limit));
    limit.ok_or_else(|| "limit is not from 1 to 1000".to_owned())
}

fn meta(value: &str) -> Result<Vec<(String, String)>, String> {
    let wanted: BTreeMap<String, String> =
        serde_json::from_str(value).map_err(|_| "meta is no JSON object of strings")?;
    Ok(wanted.into_iter().collect())
}
