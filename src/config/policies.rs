//! Policies: how many copies, and at which providers.

use std::{collections::HashSet, time::Duration};

use super::accounts::{DEFAULT_POLICY, Names};
use super::proofs;
use super::reader::{Field, Keys, Reader, Section, Text, Wrong, nearest};
use super::value::{number, one_of, span};
use super::yaml::Value;
use crate::model::Facts;
use crate::policy::{Choose, Copies, Deadlines, Late, Policy, Priority, Proof, UpstreamName};

const POLICY: Keys = Keys {
    known: &[
        "name",
        "copies",
        "pinned_when",
        "providers",
        "choose",
        "spread_by",
        "deadlines",
        "late",
        "priority",
        "expire_after",
        "proof",
        "upstream_name",
    ],
    later: &[],
};
const DEADLINES: Keys = Keys { known: &["queued", "pinning"], later: &[] };
const CENTURY: Duration = Duration::from_secs(100 * 366 * 24 * 3600);
const COPIES: Keys = Keys { known: &["min", "max"], later: &[] };
const COPIES_HELP: &str = "write a number, `all`, or { min: 2, max: 3 }";
const POLICIES_HELP: &str = "write policies: [ { name: default, copies: 2 } ]";

/// What is known before the policies are read: the providers, and whether that list is to be trusted.
pub(super) struct Providers<'a> {
    pub names: Vec<&'a str>,
    /// What is declared of each, in the same order.
    pub facts: Vec<&'a Facts>,
    /// Some entry was wrong, so that a missing name proves nothing.
    pub incomplete: bool,
}

impl Providers<'_> {
    fn facts_of(&self, listed: &[String]) -> Vec<&Facts> {
        let at = |name: &String| self.names.iter().position(|known| known == name);
        listed.iter().filter_map(at).map(|at| self.facts[at]).collect()
    }
}

/// The policies of the file; where it has none, one that keeps a copy everywhere. The second list holds the names
/// that accounts may name, those of faulty policies included.
pub(super) fn read(
    reader: &mut Reader<'_>,
    root: &Section<'_>,
    providers: &Providers<'_>,
) -> (Vec<Policy>, Vec<String>) {
    let fields = reader.list(root, "policies", POLICIES_HELP);
    if fields.is_empty() {
        let default = everywhere(providers);
        return (vec![default], vec![DEFAULT_POLICY.to_owned()]);
    }
    let mut names = Names::default();
    let mut policies = Vec::new();
    let mut known = Vec::new();
    for field in fields {
        let section = reader.open(field, POLICY);
        let name = names.take(reader, &section);
        known.extend(name.clone());
        policies.extend(policy(reader, &section, name.unwrap_or_default(), providers));
    }
    (policies, known)
}

fn everywhere(providers: &Providers<'_>) -> Policy {
    let all = count(providers.names.len());
    let names = providers.names.iter().map(|name| (*name).to_owned()).collect();
    Policy::plain(DEFAULT_POLICY, Copies { min: all, max: all }, 1, names)
}

fn policy(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    name: String,
    providers: &Providers<'_>,
) -> Option<Policy> {
    let listed = listed(reader, section, providers);
    let asked = copies(reader, section);
    let need = reader.optional(section, "pinned_when");
    let need = match need {
        Some(text) => reader.parse(&text, number(1, u16::MAX)),
        None => Some(1),
    };
    let choose = word(reader, section, "choose", &Choose::ALL, Choose::as_str);
    let late = word(reader, section, "late", &Late::ALL, Late::as_str);
    let proof = word(reader, section, "proof", &Proof::ALL, Proof::as_str);
    let upstream_name = word(reader, section, "upstream_name", &UpstreamName::ALL, UpstreamName::as_str);
    let deadlines = deadlines(reader, section);
    let priority = reader.optional(section, "priority");
    let priority = reader.parse_or(priority, Priority::default().get(), number(0, Priority::MAX));
    let expire_after = lasting(reader, section, "expire_after");
    let (listed, asked, need) = (listed?, asked?, need?);
    let spread_by = spread_by(reader, section, &listed, providers, &asked);
    let copies = asked.resolve(count(listed.len()));
    check(reader, section, copies, need, listed.len());
    let facts = providers.facts_of(&listed);
    let terms = Policy::plain(name, copies, need, listed);
    let priority = Priority::new(priority).unwrap_or_default();
    let policy =
        Policy { choose, spread_by, deadlines, late, priority, expire_after, proof, upstream_name, ..terms };
    proofs::warn_of_none(reader, section, &policy, &facts);
    Some(policy)
}

/// One of a few words; the default where it is left out or wrong.
fn word<T: Copy + Default>(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    key: &str,
    all: &[T],
    as_str: fn(T) -> &'static str,
) -> T {
    let text = reader.optional(section, key);
    reader.parse_or(text, T::default(), |text| {
        let found = all.iter().copied().find(|one| as_str(*one) == text);
        found.ok_or_else(|| one_of("not a word that is known here", text, all.iter().map(|one| as_str(*one))))
    })
}

fn deadlines(reader: &mut Reader<'_>, section: &Section<'_>) -> Deadlines {
    let section = reader.section(section, "deadlines", DEADLINES);
    let queued = lasting(reader, &section, "queued");
    Deadlines { queued, pinning: lasting(reader, &section, "pinning") }
}

/// A span that is not nothing.
fn lasting(reader: &mut Reader<'_>, section: &Section<'_>, key: &str) -> Option<Duration> {
    let text = reader.optional(section, key)?;
    reader.parse(&text, |text| match span(CENTURY)(text)? {
        Duration::ZERO => Err(Wrong::new("would be over at once", "write a longer one, or remove the key")),
        span => Ok(span),
    })
}

/// The tag that copies are spread by, which every listed provider must have, with as many values as there are copies.
fn spread_by(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    listed: &[String],
    providers: &Providers<'_>,
    asked: &Asked,
) -> Option<String> {
    let text = reader.optional(section, "spread_by")?;
    let of = |name: &String| providers.names.iter().position(|known| known == name);
    let facts = |name: &String| of(name).map(|at| providers.facts[at]);
    let tag = text.text;
    let without: Vec<&str> = listed
        .iter()
        .filter(|name| facts(name).is_some_and(|facts| !facts.tags.contains_key(&tag)))
        .map(String::as_str)
        .collect();
    if !without.is_empty() {
        let what = format!("{} without that tag", without.join(", "));
        let help = format!("write tags: {{ {tag}: ... }} at each provider of the policy");
        reader.wrong(text.path, text.spot, what, help);
        return None;
    }
    let values: HashSet<&String> =
        listed.iter().filter_map(facts).filter_map(|facts| facts.tags.get(&tag)).collect();
    let copies = asked.resolve(count(listed.len())).max;
    if usize::from(copies) > values.len() && !providers.incomplete {
        let what =
            format!("asks for {copies} copies, but {tag} has {} values among its providers", values.len());
        reader.wrong(
            text.path,
            text.spot,
            what,
            format!("write at most {} copies, or list providers of other {tag}s", values.len()),
        );
        return None;
    }
    Some(tag)
}

/// `1 <= pinned_when <= min <= max <= providers listed`
fn check(reader: &mut Reader<'_>, section: &Section<'_>, copies: Copies, need: u16, listed: usize) {
    let spot = |key: &str| section.get(key).and_then(|field| field.spot).or_else(|| section.spot.clone());
    let mut wrong = |key: &str, what: String, help: String| {
        reader.wrong(section.path_of(key), spot(key), what, help);
    };
    if need > copies.min {
        let what = format!("asks for {need} copies of the {} that are kept", copies.min);
        wrong("pinned_when", what, format!("write at most {}", copies.min));
    }
    if copies.min > copies.max {
        wrong("copies", "min is more than max".to_owned(), format!("write a min of at most {}", copies.max));
    }
    if usize::from(copies.max) > listed {
        let what = format!("asks for {} copies at {listed} providers", copies.max);
        wrong("copies", what, format!("write at most {listed}, or list more providers"));
    }
}

/// The providers of a policy, most preferred first; all of them where it names none.
fn listed(reader: &mut Reader<'_>, section: &Section<'_>, providers: &Providers<'_>) -> Option<Vec<String>> {
    let all =
        || (!providers.incomplete).then(|| providers.names.iter().map(|name| (*name).to_owned()).collect());
    let Some(field) = section.get("providers") else { return all() };
    if matches!(field.value, Value::Scalar(text) if text == "all") {
        return all();
    }
    let before = reader.problems.len();
    let items =
        reader.list(section, "providers", "write a list of providers' names, or leave it out for all");
    if items.is_empty() {
        let help = "name at least one provider, or leave the key out for all";
        reader.wrong(field.path, field.spot, "names no provider", help);
        return None;
    }
    let mut listed = Vec::new();
    for item in items {
        listed.extend(one(reader, item, providers, &listed));
    }
    (reader.problems.len() == before).then_some(listed)
}

fn one(
    reader: &mut Reader<'_>,
    item: Field<'_>,
    providers: &Providers<'_>,
    listed: &[String],
) -> Option<String> {
    let text = reader.text(item)?;
    if listed.contains(&text.text) {
        let Text { path, spot, text } = text;
        reader.wrong(path, spot, format!("`{text}` is listed twice"), "remove one of the two");
        return None;
    }
    if providers.incomplete && !providers.names.contains(&text.text.as_str()) {
        return Some(text.text);
    }
    reader.parse(&text, |text| one_named(text, &providers.names, "provider"))
}

/// `text` if it is one of these names.
pub(super) fn one_named(text: &str, names: &[&str], kind: &str) -> Result<String, Wrong> {
    if names.contains(&text) {
        return Ok(text.to_owned());
    }
    let help = match nearest(text, names) {
        Some(near) => format!("did you mean `{near}`?"),
        None if names.is_empty() => format!("declare a {kind} of that name"),
        None => format!("write one of {}", names.join(", ")),
    };
    Err(Wrong::new(format!("there is no {kind} of that name"), help))
}

/// How many copies a policy asks for, before the number of its providers is known.
enum Asked {
    All,
    Number(u16),
    Range { min: u16, max: u16 },
}

impl Asked {
    fn resolve(&self, listed: u16) -> Copies {
        match *self {
            Self::All => Copies { min: listed, max: listed },
            Self::Number(copies) => Copies { min: copies, max: copies },
            Self::Range { min, max } => Copies { min, max },
        }
    }
}

fn copies(reader: &mut Reader<'_>, section: &Section<'_>) -> Option<Asked> {
    let Some(field) = section.get("copies") else {
        reader.wrong(&section.path, section.spot.clone(), "`copies` is missing", COPIES_HELP);
        return None;
    };
    if matches!(field.value, Value::Map(_)) {
        let range = reader.open(field, COPIES);
        let mut end = |key: &str| {
            let text = reader.required(&range, key, COPIES_HELP)?;
            reader.parse(&text, number(1, u16::MAX))
        };
        let (min, max) = (end("min"), end("max"));
        return Some(Asked::Range { min: min?, max: max? });
    }
    let text = reader.text(field)?;
    reader.parse(&text, |text| match text {
        "all" => Ok(Asked::All),
        _ => number(1, u16::MAX)(text)
            .map(Asked::Number)
            .map_err(|_| Wrong::new("not a number of copies", COPIES_HELP)),
    })
}

fn count(providers: usize) -> u16 {
    u16::try_from(providers).unwrap_or(u16::MAX)
}
