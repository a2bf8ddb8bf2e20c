//! Reads what providers answer: what is missing, null, odd or unknown is made the best of; one bad item never breaks
//! a list (I12).

use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use crate::{
    model::{Content, Meta, Origins, PinCid, PinSpec, Status, Timestamp, UpstreamId, delegates, name},
    providers::{Asked, UpstreamPin},
};

/// Where our own tag is, in a pin's meta.
const TAG_KEY: &str = "pinfold";
const TAG: &str = "/pin/meta/pinfold";

/// A page of a list, with what paging needs to know.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) pins: Vec<UpstreamPin>,
    /// Items on the page, unreadable ones included.
    pub(super) items: usize,
    /// How many the provider says there are; not to be relied on.
    pub(super) count: Option<u64>,
    pub(super) oldest: Option<Timestamp>,
    /// No time on the page has a fraction.
    pub(super) whole_seconds: bool,
}

/// Reads one provider's answers.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader {
    pub(super) allow_private: bool,
}

#[derive(Deserialize)]
struct RawList<'a> {
    #[serde(borrow, default)]
    results: Option<Vec<&'a RawValue>>,
    #[serde(default)]
    count: Option<Value>,
}

impl Reader {
    /// The answer to a submit of `asked`: it must name an id, and may leave out the rest.
    pub(super) fn new_pin(self, body: &[u8], asked: &Content) -> Result<UpstreamPin, &'static str> {
        let value = object(body)?;
        let id = id(&value).ok_or("the answer to a new pin holds no requestid")?;
        let content = content(&value).unwrap_or_else(|| asked.clone());
        if content != *asked {
            return Err("the answer to a new pin is about another CID");
        }
        Ok(self.pin(&value, id, content))
    }

    /// The answer about the pin with this id, which stays its id whatever the answer calls it.
    pub(super) fn known_pin(self, body: &[u8], asked: &UpstreamId) -> Result<UpstreamPin, &'static str> {
        let value = object(body)?;
        let content = content(&value).ok_or("the answer about a pin holds no CID")?;
        Ok(self.pin(&value, asked.clone(), content))
    }

    /// A page. An object that speaks of neither results nor count is no list: an empty one might settle a doubt.
    pub(super) fn listing(self, body: &[u8]) -> Result<Listing, &'static str> {
        const NO_LIST: &str = "the answer is not a list of pins";
        let text = String::from_utf8_lossy(body);
        let (items, count) = match serde_json::from_str::<Vec<&RawValue>>(&text) {
            Ok(bare) => (bare, None),
            Err(_) => {
                let list: RawList<'_> = serde_json::from_str(&text).map_err(|_| NO_LIST)?;
                if list.results.is_none() && list.count.is_none() && !text.contains("\"results\"") {
                    return Err(NO_LIST);
                }
                (list.results.unwrap_or_default(), list.count.and_then(|count| count.as_u64()))
            }
        };
        let mut listing = Listing { items: items.len(), count, whole_seconds: true, ..Listing::default() };
        for item in items {
            self.take(item, &mut listing);
        }
        Ok(listing)
    }

    fn take(self, item: &RawValue, listing: &mut Listing) {
        let Ok(value) = serde_json::from_str::<Value>(item.get()) else {
            return tracing::debug!("skipped an item of a provider's list that cannot be read");
        };
        if let Some(created) = created(&value) {
            listing.oldest = Some(listing.oldest.map_or(created, |oldest| oldest.min(created)));
            listing.whole_seconds &= created.as_millis() % 1000 == 0;
        }
        match (id(&value), cid(&value)) {
            (Some(id), Some(cid)) => {
                let pin = self.pin(&value, id, cid.content().clone());
                listing.pins.push(UpstreamPin { asked: Some(Box::new(asked(&value, cid))), ..pin });
            }
            _ => tracing::debug!("skipped an item of a provider's list without a usable id or CID"),
        }
    }

    fn pin(self, value: &Value, id: UpstreamId, content: Content) -> UpstreamPin {
        let listed = value.get("delegates").and_then(Value::as_array);
        let addresses = listed.into_iter().flatten().filter_map(Value::as_str);
        UpstreamPin {
            id,
            content,
            status: status(value),
            created: created(value),
            name: name(value),
            delegates: delegates::keep_usable(addresses, self.allow_private),
            why: why(value),
            tag: value.pointer(TAG).and_then(Value::as_str).map(str::to_owned),
            asked: None,
        }
    }
}

/// The longest name that is kept, in bytes.
const NAME: usize = 255;

fn name(value: &Value) -> Option<String> {
    let name = value.pointer("/pin/name")?.as_str()?;
    let end = (0..=name.len().min(NAME)).rev().find(|end| name.is_char_boundary(*end))?;
    Some(name[..end].to_owned()).filter(|name| !name.is_empty())
}

/// What `info` says of a failure, under the keys that are met.
fn why(value: &Value) -> Option<String> {
    const KEYS: [&str; 5] =
        ["status_details", "failed_message", "failed_reason", "pinata_pinjob_status", "error"];
    let info = value.get("info").filter(|_| status(value) == Status::Failed)?;
    let words = KEYS.iter().filter_map(|key| info.get(*key).and_then(Value::as_str));
    words.map(str::trim).find(|words| !words.is_empty()).map(str::to_owned)
}

fn object(body: &[u8]) -> Result<Value, &'static str> {
    let value: Value = serde_json::from_slice(body).map_err(|_| "the answer is not JSON")?;
    if value.is_object() { Ok(value) } else { Err("the answer is not a pin") }
}

/// Some write `requestId`, some count in integers. A dot or two would lead elsewhere in a path.
fn id(value: &Value) -> Option<UpstreamId> {
    let found = ["requestid", "requestId", "request_id", "id"].iter().find_map(|key| value.get(*key))?;
    let text = match found {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    UpstreamId::new(text).filter(|id| !matches!(id.as_str(), "." | ".."))
}

fn content(value: &Value) -> Option<Content> {
    cid(value).map(|cid| cid.content().clone())
}

fn cid(value: &Value) -> Option<PinCid> {
    let found = value.pointer("/pin/cid").or_else(|| value.get("cid"))?;
    let text = found.as_str().or_else(|| found.get("/")?.as_str())?;
    PinCid::parse(text.trim()).ok()
}

/// A status that we do not know is one of a pin that is on its way: `queued`.
fn status(value: &Value) -> Status {
    let word = value.get("status").and_then(Value::as_str).unwrap_or_default();
    Status::parse(&word.to_ascii_lowercase()).unwrap_or(Status::Queued)
}

/// What its maker asked for, less what does not fit and the tag, which is no maker's. Values that are no strings are kept
/// as they are written.
fn asked(value: &Value, cid: PinCid) -> Asked {
    let of = |key: &str| value.pointer(&format!("/pin/{key}")).filter(|value| !value.is_null());
    let given = of("name").and_then(Value::as_str).filter(|name| !name.is_empty());
    let (name, name_cut) = given.map(name::cut).unzip();
    let entries = of("meta").and_then(Value::as_object).into_iter().flatten();
    let entries = entries.filter(|(key, value)| *key != TAG_KEY && !value.is_null());
    let (meta, dropped) = Meta::keep_usable(entries.map(|(key, value)| (key.clone(), plain(value))));
    let origins = of("origins").and_then(Value::as_array).into_iter().flatten();
    let origins = Origins::keep_usable(origins.filter_map(Value::as_str).map(str::to_owned));
    let meta = Some(meta).filter(|meta| !meta.is_empty());
    Asked { spec: PinSpec { cid, name, meta, origins }, is_cut: name_cut.unwrap_or(false) || dropped > 0 }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Any offset, any fraction; without an offset it is taken as UTC.
fn created(value: &Value) -> Option<Timestamp> {
    let text = value.get("created")?.as_str()?.trim();
    Timestamp::parse_rounding_down(text).or_else(|| Timestamp::parse_rounding_down(&format!("{text}Z")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CID: &str = "bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
    const OLD: &str = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n";
    const READER: Reader = Reader { allow_private: false };

    fn asked() -> Content {
        PinCid::parse(CID).unwrap().content().clone()
    }

    #[test]
    fn a_new_pin_needs_an_id_and_nothing_else() {
        for (body, expected) in [
            (r#"{"requestid":"a"}"#, "a"),
            (r#"{"requestId":"b","delegates":null,"pin":null,"info":null,"created":null}"#, "b"),
            (r#"{"requestid":17,"status":"prechecking","_id":{"x":[]}}"#, "17"),
        ] {
            let pin = READER.new_pin(body.as_bytes(), &asked()).unwrap();
            assert_eq!((pin.id.as_str(), pin.status, pin.content), (expected, Status::Queued, asked()));
        }
        for body in
            ["{}", "", "OK", "[]", r#"{"requestid":""}"#, r#"{"requestid":".."}"#, r#"{"requestid":null}"#]
        {
            assert!(READER.new_pin(body.as_bytes(), &asked()).is_err(), "{body}");
        }
        let other = r#"{"requestid":"a","pin":{"cid":"bafkqaaa"}}"#;
        assert!(READER.new_pin(other.as_bytes(), &asked()).is_err());
    }

    #[test]
    fn one_bad_item_never_breaks_a_list() {
        let body = format!(
            r#"{{"count":"many","results":[7,null,{{"requestid":"x"}},{{"requestid":"y","pin":{{"cid":"nonsense"}}}},
            {{"requestid":"z\ud800","pin":{{"cid":"{CID}"}}}},
            {{"requestid":"ok","status":"PINNED","created":"2023-06-27T06:00:00.123456789-04:00",
              "pin":{{"cid":"{OLD}","meta":{{"pinfold":"i/1","n":5}},"origins":null}},"delegates":[1,"junk"]}}]}}"#
        );
        let listing = READER.listing(body.as_bytes()).unwrap();
        let [pin] = &listing.pins[..] else { panic!("{listing:?}") };
        assert_eq!((listing.items, pin.id.as_str(), pin.status), (6, "ok", Status::Pinned));
        assert_eq!((pin.content.clone(), pin.tag.as_deref()), (asked(), Some("i/1")));
        assert_eq!(pin.created.unwrap().to_string(), "2023-06-27T10:00:00.123Z");
        assert!(pin.delegates.is_empty() && !listing.whole_seconds);
    }

    #[test]
    fn a_listed_pin_says_what_its_maker_asked_for_as_far_as_it_fits() {
        let long = "n".repeat(300);
        let item = |pin: &str| format!(r#"{{"requestid":"a","pin":{{"cid":"{OLD}"{pin}}}}}"#);
        let asked = |pin: &str| {
            let listing = READER.listing(format!(r#"{{"results":[{}]}}"#, item(pin)).as_bytes()).unwrap();
            *listing.pins[0].asked.clone().unwrap()
        };
        let whole = asked(r#","name":"Ünï","meta":{"app":"x","n":7,"gone":null,"pinfold":"i/1"}"#);
        assert_eq!(
            (whole.spec.cid.as_str(), whole.spec.name.as_deref(), whole.is_cut),
            (OLD, Some("Ünï"), false)
        );
        assert_eq!(whole.spec.meta.unwrap().to_json(), r#"{"app":"x","n":"7"}"#);
        let bare = asked(r#","name":"","meta":{"pinfold":"i/1"},"origins":null"#);
        assert_eq!((bare.spec, bare.is_cut), (PinSpec::bare(PinCid::parse(OLD).unwrap()), false));
        let cut = asked(&format!(r#","name":"{long}""#));
        assert_eq!((cut.spec.name.unwrap().len(), cut.is_cut), (255, true));
        assert!(asked(&format!(r#","meta":{{"{long}":"v"}}"#)).is_cut);
    }

    #[test]
    fn empty_lists_come_in_several_shapes_and_other_objects_are_none() {
        for body in
            [r#"{"count":0,"results":null}"#, r#"{"count":15,"results":[]}"#, "[]", r#"{"results":null}"#]
        {
            assert_eq!(READER.listing(body.as_bytes()).unwrap().items, 0, "{body}");
        }
        for body in ["", "{}", "OK", "<html>", r#"{"message":"maintenance"}"#, r#"{"results":"none"}"#] {
            assert!(READER.listing(body.as_bytes()).is_err(), "{body}");
        }
    }

    #[test]
    fn the_reason_of_a_failure_is_read_under_every_key_that_is_met() {
        let why = |info: &str| {
            why(&serde_json::from_str(&format!(r#"{{"status":"failed","info":{info}}}"#)).unwrap())
        };
        let everland = r#"{"dag_size":"0","failed_reason":"","failed_message":"no provider has it"}"#;
        assert_eq!(why(everland).as_deref(), Some("no provider has it"));
        assert_eq!(why(r#"{"pinata_pinjob_status":"expired"}"#).as_deref(), Some("expired"));
        assert_eq!(why(r#"{"status_details":" gone "}"#).as_deref(), Some("gone"));
        assert_eq!((why("null"), why(r#"{"status_details":7}"#)), (None, None));
    }

    #[test]
    fn times_are_read_with_and_without_offset() {
        let at = |text: &str| created(&serde_json::json!({ "created": text })).map(|at| at.to_string());
        assert_eq!(at("2023-06-27T10:00:00-04:00").as_deref(), Some("2023-06-27T14:00:00.000Z"));
        assert_eq!(at("2023-06-27T10:00:00.5").as_deref(), Some("2023-06-27T10:00:00.500Z"));
        assert_eq!(at("yesterday"), None);
    }
}
