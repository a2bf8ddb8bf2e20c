//! `info`: how many copies there are, what is waited for, when that is tried next, and when the pin goes. All values
//! are strings.

use std::fmt::Write;

use super::{Detail, string, text};
use crate::{
    model::{ErrorClass, ReplicaState, Status, Timestamp},
    store::{CopyRecord, PinRecord, Unfit},
};

/// The most characters of a provider's own words, and of all words together.
const MAX_WORDS: usize = 200;
const MAX_DETAILS: usize = 1000;

/// Writes `,"info":{...}`.
pub fn write(out: &mut Vec<u8>, pin: &PinRecord, (detail, now): (Detail, Timestamp)) {
    out.extend_from_slice(b",\"info\":{");
    let mut members = Members { out, first: true };
    if pin.want > 0 {
        members.key("copies");
        text(members.out, format_args!("\"{}/{}\"", pin.have, pin.want));
    }
    if let Some(details) = status_details(pin) {
        members.put("status_details", &details);
    }
    if let Some(at) = next_try(pin, now) {
        members.put("next_try", &at.to_string());
    }
    if let Some(end) = pin.expires {
        members.put("pinned_until", &end.to_string());
    }
    if let Some(created) = pin.adopted {
        members.put("adopted_created", &created.to_string());
    }
    if detail == Detail::Copies {
        for copy in &pin.copies {
            members.put(&format!("copy.{}", copy.provider), &copy_state(copy));
        }
    }
    out.push(b'}');
}

struct Members<'a> {
    out: &'a mut Vec<u8>,
    first: bool,
}

impl Members<'_> {
    fn key(&mut self, key: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.push(b',');
        }
        string(self.out, key);
        self.out.push(b':');
    }

    fn put(&mut self, key: &str, value: &str) {
        self.key(key);
        string(self.out, value);
    }
}

/// Why a pin is not what it should be yet, in plain words; `None` where all is well.
fn status_details(pin: &PinRecord) -> Option<String> {
    match pin.status {
        Status::Pinned if pin.want == 0 => {
            Some("the CID holds the data itself: there is nothing to fetch or keep".into())
        }
        Status::Pinned if pin.have >= pin.want => None,
        Status::Pinned => Some(told(&format!("pinned; short of {} more", copies(pin.want - pin.have)), pin)),
        Status::Queued | Status::Pinning if pin.copies.is_empty() => {
            Some(told("no provider can take it now, and it is placed once one can", pin))
        }
        Status::Queued | Status::Pinning => {
            Some(told(&format!("needs {}, has {}", copies(pin.need), pin.have), pin))
        }
        Status::Failed => Some(told("too few providers can take it", pin)),
    }
}

fn copies(count: u16) -> String {
    format!("{count} {}", if count == 1 { "copy" } else { "copies" })
}

fn told(summary: &str, pin: &PinRecord) -> String {
    let missing = pin.copies.iter().filter(|copy| copy.state != ReplicaState::Pinned || copy.is_dead);
    let stories: Vec<String> =
        missing.map(copy_story).chain(pin.unfit.iter().flat_map(unfit_stories)).collect();
    let told =
        if stories.is_empty() { summary.to_owned() } else { format!("{summary}: {}", stories.join("; ")) };
    shortened(&told, MAX_DETAILS).to_owned()
}

fn unfit_stories(unfit: &Unfit) -> Vec<String> {
    let Unfit { codec, providers, ending } = unfit;
    let told = |names: &[String], one: &str, many: &str, rest: String| {
        let verb = if names.len() == 1 { one } else { many };
        (!names.is_empty()).then(|| format!("{} {verb} {rest}", names.join(", ")))
    };
    let other = "so that it needs a policy with others";
    let codec = told(providers, "takes", "take", format!("no CIDs of codec {codec}, {other}"));
    let ending = told(ending, "ends", "end", format!("pins after a while, {other}, or an end of its own"));
    codec.into_iter().chain(ending).collect()
}

fn copy_story(copy: &CopyRecord) -> String {
    let provider = &copy.provider;
    let mut story = match (copy.refused, copy.state, &copy.error) {
        _ if copy.is_dead => return format!("{provider} is declared dead"),
        (true, _, _) => format!("{provider} will not take it"),
        (_, ReplicaState::Pinning, _) => format!("{provider} is fetching it"),
        (_, ReplicaState::Queued, _) => format!("{provider} has queued it"),
        (_, _, Some((class, _))) => format!("{provider} {}", trouble(*class)),
        (_, ReplicaState::Failed, None) => format!("{provider} could not pin it"),
        (_, ReplicaState::Lost, None) => format!("{provider} lost it"),
        (_, ReplicaState::None | ReplicaState::Pinned, None) => format!("{provider} is still to be asked"),
    };
    if let Some(words) = words(copy) {
        let _ = write!(story, " ({words})");
    }
    story
}

const fn trouble(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::Transient => "does not answer as it should",
        ErrorClass::Throttled => "asks to be called less often",
        ErrorClass::Rejected => "rejected it",
        ErrorClass::Auth => "refuses the gateway's credential",
        ErrorClass::Funds => "asks for payment",
        ErrorClass::Unknown => "answered what makes no sense",
    }
}

/// `<state>[; <reason>]`
fn copy_state(copy: &CopyRecord) -> String {
    let state = copy.state.as_str();
    if copy.is_dead {
        return format!("{state}; the provider is declared dead");
    }
    match (&copy.error, copy.refused) {
        (None, false) => state.to_owned(),
        (None, true) => format!("{state}; refused"),
        (Some((class, _)), _) => {
            let reason = if copy.refused { "refused" } else { class.as_str() };
            match words(copy) {
                Some(words) => format!("{state}; {reason}: {words}"),
                None => format!("{state}; {reason}"),
            }
        }
    }
}

/// The provider's own words on what went wrong.
fn words(copy: &CopyRecord) -> Option<&str> {
    let (_, words) = copy.error.as_ref()?;
    Some(shortened(words, MAX_WORDS)).filter(|words| !words.is_empty())
}

fn shortened(words: &str, max: usize) -> &str {
    words.char_indices().nth(max).map_or(words, |(end, _)| &words[..end])
}

/// When the next call for an unsettled pin is due. One that is due already waits for its turn, until nobody knows when.
fn next_try(pin: &PinRecord, now: Timestamp) -> Option<Timestamp> {
    if pin.status == Status::Pinned {
        return None;
    }
    pin.copies.iter().filter_map(|copy| copy.next).map(|(_, at)| at).min().filter(|at| *at > now)
}
