//! What a provider answered, as it was written: its own words, times and spellings.

use serde_json::Value;

use crate::{
    model::{Content, PinCid, Timestamp, delegates::names_a_peer},
    presets::{Created, Offset, Precision},
};

/// A pin as it was shown.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Shown {
    pub(super) id: String,
    pub(super) content: Option<Content>,
    pub(super) name: Option<String>,
    pub(super) status: String,
    /// As it was written.
    pub(super) created: Option<String>,
    /// The value of this run's key in `meta`.
    pub(super) mark: Option<String>,
    pub(super) delegates: Vec<String>,
    /// What the specification wants and is not there.
    pub(super) lacks: Vec<&'static str>,
}

/// The key in `meta` by which test pins are told from each other.
pub(super) const MARK: &str = "pinfold_probe";

impl Shown {
    pub(super) fn of(body: &[u8]) -> Option<Self> {
        Self::read(&serde_json::from_slice(body).ok()?)
    }

    /// `None` where there is no id.
    fn read(value: &Value) -> Option<Self> {
        let id = ["requestid", "requestId", "request_id", "id"].iter().find_map(|key| value.get(*key))?;
        let id = id.as_str().map(str::to_owned).or_else(|| id.as_i64().map(|n| n.to_string()))?;
        let text = |at: &str| value.pointer(at).and_then(Value::as_str).map(str::to_owned);
        let listed = value.get("delegates").and_then(Value::as_array);
        let wanted = [
            ("requestid", "/requestid"),
            ("status", "/status"),
            ("created", "/created"),
            ("pin.cid", "/pin/cid"),
        ];
        let mut lacks: Vec<_> =
            wanted.into_iter().filter(|(_, at)| text(at).is_none()).map(|(name, _)| name).collect();
        lacks.extend(listed.is_none().then_some("delegates"));
        let cid = text("/pin/cid").or_else(|| text("/cid"));
        Some(Self {
            id: (!id.is_empty()).then_some(id)?,
            content: cid.and_then(|cid| PinCid::parse(cid.trim()).ok()).map(|cid| cid.content().clone()),
            name: text("/pin/name").or_else(|| text("/name")),
            status: text("/status").unwrap_or_default().to_lowercase(),
            created: text("/created"),
            mark: text(&format!("/pin/meta/{MARK}")),
            delegates: listed.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
            lacks,
        })
    }

    pub(super) fn at(&self) -> Option<Timestamp> {
        Timestamp::parse_rounding_down(self.created.as_deref()?)
    }

    pub(super) fn is_pinned(&self) -> bool {
        self.status == "pinned"
    }

    /// Whether a client could connect to what it says.
    pub(super) fn is_reachable(&self) -> bool {
        self.delegates.iter().any(|address| names_a_peer(address))
    }
}

/// A page of pins.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Page {
    pub(super) rows: Vec<Shown>,
    /// Rows that could not be read count too.
    pub(super) items: usize,
    pub(super) count: Option<u64>,
}

impl Page {
    /// `None` where this is no list.
    pub(super) fn of(body: &[u8]) -> Option<Self> {
        let value: Value = serde_json::from_slice(body).ok()?;
        let count = value.get("count").and_then(Value::as_u64);
        let results = value.get("results").unwrap_or(&value);
        if results.is_null() && value.get("count").is_some() {
            return Some(Self { count, ..Self::default() });
        }
        let results = results.as_array()?;
        Some(Self { rows: results.iter().filter_map(Shown::read).collect(), items: results.len(), count })
    }
}

/// How a time was written.
pub(super) fn written(created: &str) -> Option<Created> {
    let time = created.split_once(['T', 't'])?.1;
    let zone = time.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = time.split_at(zone);
    let digits = time.split_once('.').map_or(0, |(_, fraction)| fraction.len());
    let precision = match digits {
        0 => Precision::Seconds,
        1..=3 => Precision::Millis,
        4..=6 => Precision::Micros,
        _ => Precision::Nanos,
    };
    let offset: Offset = if zone.eq_ignore_ascii_case("z") { Offset(0) } else { zone.parse().ok()? };
    Some(Created { precision, offset })
}

/// The shape of an error, in a few words; never a provider's own text, which might hold anything.
pub(super) fn dialect(body: &[u8]) -> &'static str {
    let text = String::from_utf8_lossy(body);
    let value: Option<Value> = serde_json::from_str(&text).ok();
    match value {
        None if text.trim().is_empty() => "nothing",
        None if text.trim_start().starts_with('<') => "a web page",
        None => "plain text",
        Some(Value::String(_)) => "a JSON text",
        Some(value) => match value.get("error") {
            Some(Value::Object(error)) => match (error.get("reason"), error.get("details")) {
                (Some(Value::String(_)), Some(Value::String(_)) | None) => "error.reason and details",
                (Some(_), Some(Value::Array(_))) => "error.reason, details a list",
                (None, Some(_)) => "error.details without a reason",
                _ => "another error object",
            },
            Some(_) => "error and message",
            None => "other JSON",
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_tell_their_precision_and_offset() {
        let seen = |text| written(text).map(|created| (created.precision, created.offset.to_string()));
        let some = |precision, offset: &str| Some((precision, offset.to_owned()));
        assert_eq!(seen("2023-06-27T10:00:00Z"), some(Precision::Seconds, "Z"));
        assert_eq!(seen("2023-06-27T10:00:00.5+00:00"), some(Precision::Millis, "Z"));
        assert_eq!(seen("2023-06-27T10:00:00.123456-04:00"), some(Precision::Micros, "-04:00"));
        assert_eq!(seen("2023-06-27T10:00:00.517902282Z"), some(Precision::Nanos, "Z"));
        assert_eq!(seen("yesterday"), None);
    }

    #[test]
    fn lists_are_told_from_other_json() {
        assert_eq!(Page::of(br#"{"count":3,"results":null}"#).unwrap().count, Some(3));
        let page = Page::of(br#"{"count":1,"results":[{"requestId":7},5]}"#).unwrap();
        assert_eq!((page.rows[0].id.as_str(), page.items), ("7", 2));
        assert!(page.rows[0].lacks.contains(&"requestid"));
        for body in [&b"<html>"[..], b"{}", br#"{"message":"hello"}"#, b"\"no\""] {
            assert!(Page::of(body).is_none());
        }
    }

    #[test]
    fn errors_have_many_shapes() {
        for (body, shape) in [
            ("", "nothing"),
            ("<html>", "a web page"),
            ("\"document not found\"", "a JSON text"),
            (r#"{"error":{"reason":"A","details":"b"}}"#, "error.reason and details"),
            (r#"{"error":{"reason":"A","details":["b"]}}"#, "error.reason, details a list"),
            (r#"{"error":{"details":"b"}}"#, "error.details without a reason"),
            (r#"{"error":"a","message":"b"}"#, "error and message"),
        ] {
            assert_eq!(dialect(body.as_bytes()), shape);
        }
    }
}
