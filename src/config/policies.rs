//! Policies: how many copies, and at which providers.

use std::{collections::HashSet, time::Duration};

use super::accounts::{DEFAULT_POLICY, Names};
use super::problem::Problem;
use super::proofs;
use super::providers::Entries;
use super::reader::{Field, Keys, Reader, Section, Text, Wrong, nearest};
use super::value::{self, number, one_of};
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

/// The providers of a policy, most preferred first.
struct Listed<'a> {
    names: Vec<String>,
    /// What is declared of those whose entries are without a fault.
    facts: Vec<(&'a str, &'a Facts)>,
    /// Whether all of them are known by name.
    whole: bool,
}

impl<'a> Listed<'a> {
    fn new(names: Vec<String>, whole: bool, entries: &'a Entries) -> Self {
        let good = entries.good.iter().filter(|provider| names.contains(&provider.name));
        let facts = good.map(|provider| (provider.name.as_str(), &provider.facts)).collect();
        Self { names, facts, whole }
    }

    fn are_all_good(&self) -> bool {
        self.whole && self.facts.len() == self.names.len()
    }
}

/// The policies of the file; where it has none, one that keeps a copy everywhere. The second list holds the names
/// that accounts may name, those of faulty policies included.
pub(super) fn read(
    reader: &mut Reader<'_>,
    root: &Section<'_>,
    entries: &Entries,
) -> (Vec<Policy>, Vec<String>) {
    let fields = reader.list(root, "policies", POLICIES_HELP);
    if fields.is_empty() {
        let default = everywhere(entries);
        return (vec![default], vec![DEFAULT_POLICY.to_owned()]);
    }
    let mut names = Names::default();
    let mut policies = Vec::new();
    let mut known = Vec::new();
    for field in fields {
        let section = reader.open(field, POLICY);
        let name = names.take(reader, &section);
        known.extend(name.clone());
        policies.extend(policy(reader, &section, name.unwrap_or_default(), entries));
    }
    (policies, known)
}

fn everywhere(entries: &Entries) -> Policy {
    let all = count(entries.names.len());
    Policy::plain(DEFAULT_POLICY, Copies { min: all, max: all }, 1, entries.names.clone())
}

fn policy(reader: &mut Reader<'_>, section: &Section<'_>, name: String, entries: &Entries) -> Option<Policy> {
    let listed = listed(reader, section, entries);
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
    let asked = asked?;
    let spread_by = spread_by(reader, section, &listed, &asked);
    check(reader, section, &asked, need, &listed);
    let (need, copies) = (need?, asked.resolve(listed.names.len()));
    let facts: Vec<&Facts> = listed.facts.iter().map(|(_, facts)| *facts).collect();
    let terms = Policy::plain(name, copies, need, listed.names);
    let priority = Priority::new(priority).unwrap_or_default();
    let policy =
        Policy { choose, spread_by, deadlines, late, priority, expire_after, proof, upstream_name, ..terms };
    proofs::warn_of_none(reader, section, &policy, &facts);
    warn_of_no_cost(reader, section, &policy, &facts);
    Some(policy)
}

/// Where nothing has a price all are as cheap, and the order is that of the list.
fn warn_of_no_cost(reader: &mut Reader<'_>, section: &Section<'_>, policy: &Policy, listed: &[&Facts]) {
    if policy.choose == Choose::Cheapest && listed.iter().all(|facts| facts.cost.is_none()) {
        let what = "none of its providers has a cost, so that they are asked in the order of the list";
        let spot = section.get("choose").and_then(|field| field.spot);
        let problem = Problem::new(section.path_of("choose"), spot, what);
        reader
            .warnings
            .push(problem.help("write cost: at its providers, such as cost: 0.15, or choose: ordered"));
    }
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

fn lasting(reader: &mut Reader<'_>, section: &Section<'_>, key: &str) -> Option<Duration> {
    let text = reader.optional(section, key)?;
    reader.parse(&text, value::lasting(CENTURY))
}

/// The tag that copies are spread by, which every listed provider must have, with as many values as there are copies.
fn spread_by(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    listed: &Listed<'_>,
    asked: &Asked,
) -> Option<String> {
    let text = reader.optional(section, "spread_by")?;
    let tag = text.text;
    let untagged = listed.facts.iter().filter(|(_, facts)| !facts.tags.contains_key(&tag));
    let without: Vec<&str> = untagged.map(|(name, _)| *name).collect();
    if !without.is_empty() {
        let what = format!("{} without that tag", without.join(", "));
        let help = format!("write tags: {{ {tag}: ... }} at each provider of the policy");
        reader.wrong(text.path, text.spot, what, help);
        return None;
    }
    let values: HashSet<&String> =
        listed.facts.iter().filter_map(|(_, facts)| facts.tags.get(&tag)).collect();
    let copies = asked.resolve(listed.names.len()).max;
    if usize::from(copies) > values.len() && listed.are_all_good() {
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

/// `1 <= pinned_when <= min <= max <= providers listed`, as far as these are known.
fn check(
    reader: &mut Reader<'_>,
    section: &Section<'_>,
    asked: &Asked,
    need: Option<u16>,
    listed: &Listed<'_>,
) {
    let (all, copies) = (listed.names.len(), asked.resolve(listed.names.len()));
    let depends = matches!(asked, Asked::All);
    let spot = |key: &str| section.get(key).and_then(|field| field.spot).or_else(|| section.spot.clone());
    let mut wrong = |key: &str, what: String, help: String| {
        reader.wrong(section.path_of(key), spot(key), what, help);
    };
    if let Some(need) = need.filter(|need| *need > copies.min && (listed.whole || !depends)) {
        let what = format!("asks for {need} copies of the {} that are kept", copies.min);
        wrong("pinned_when", what, format!("write at most {}", copies.min));
    }
    if copies.min > copies.max {
        wrong("copies", "min is more than max".to_owned(), format!("write a min of at most {}", copies.max));
    }
    if usize::from(copies.max) > all && listed.whole {
        let what = format!("asks for {} copies at {all} providers", copies.max);
        wrong("copies", what, format!("write at most {all}, or list more providers"));
    }
}

/// The providers of a policy; all of them where it names none.
fn listed<'a>(reader: &mut Reader<'_>, section: &Section<'_>, entries: &'a Entries) -> Listed<'a> {
    let all = || Listed::new(entries.names.clone(), !entries.nameless, entries);
    let Some(field) = section.get("providers") else { return all() };
    if matches!(field.value, Value::Scalar(text) if text == "all") {
        return all();
    }
    let before = reader.problems.len();
    let items =
        reader.list(section, "providers", "write a list of providers' names, or leave it out for all");
    if items.is_empty() {
        let help = "name at least one provider, or leave the key out for all";
        if reader.problems.len() == before {
            reader.wrong(field.path, field.spot, "names no provider", help);
        }
        return Listed::new(Vec::new(), false, entries);
    }
    let mut listed = Vec::new();
    for item in items {
        listed.extend(one(reader, item, entries, &listed));
    }
    Listed::new(listed, reader.problems.len() == before, entries)
}

fn one(reader: &mut Reader<'_>, item: Field<'_>, entries: &Entries, listed: &[String]) -> Option<String> {
    let text = reader.text(item)?;
    if listed.contains(&text.text) {
        let Text { path, spot, text } = text;
        reader.wrong(path, spot, format!("`{text}` is listed twice"), "remove one of the two");
        return None;
    }
    if entries.nameless && !entries.names.contains(&text.text) {
        return Some(text.text);
    }
    let names: Vec<&str> = entries.names.iter().map(String::as_str).collect();
    reader.parse(&text, |text| one_named(text, &names, "provider"))
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
    fn resolve(&self, listed: usize) -> Copies {
        let listed = count(listed);
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
