//! Reading of sections, fields and values that goes on after a mistake, so that all are reported at once.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use super::Unread;
use super::environment::Environment;
use super::problem::{Problem, Spot};
use super::secret::Secrets;
use super::yaml::{Key, Node, Value};
use crate::model::Stamp;

/// What one pass over a configuration shares: where values come from, and what was found wrong so far.
pub(super) struct Reader<'a> {
    pub environment: &'a Environment,
    /// What relative paths are relative to.
    pub folder: &'a Path,
    pub secrets: Secrets,
    pub problems: Vec<Problem>,
    /// Secrets that could not be had, and were spared.
    pub unread: Vec<Unread>,
    pub warnings: Vec<Problem>,
    /// Variables that a `*_env` key names.
    pub named: BTreeSet<String>,
    /// Files that were read and are read by nobody else later, and those that could not be used.
    pub files: Vec<Seen>,
    /// Files that hold secrets, whether they can be used or not.
    pub secret_files: Vec<PathBuf>,
    /// Secrets stand in the configuration itself.
    pub is_secret: bool,
}

/// A file, as it was just before it was read: a change meanwhile is seen by the next look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub file: PathBuf,
    /// `None`: there was none.
    pub stamp: Option<Stamp>,
}

impl Seen {
    pub(super) fn now(file: &Path) -> Self {
        Self { file: file.to_owned(), stamp: Stamp::at(file) }
    }
}

/// The keys of one kind of map.
#[derive(Clone, Copy)]
pub(super) struct Keys {
    pub known: &'static [&'static str],
    /// Known to later versions: refused, because ignoring them would be a lie.
    pub later: &'static [&'static str],
}

/// A map of the file, or an absent one.
#[derive(Clone)]
pub(super) struct Section<'a> {
    pub path: String,
    pub spot: Option<Spot>,
    entries: &'a [(Key, Node)],
}

/// A value and its path.
pub(super) struct Field<'a> {
    pub path: String,
    pub spot: Option<Spot>,
    pub value: &'a Value,
}

/// A single value as text, from the file or the environment.
#[derive(Clone)]
pub(super) struct Text {
    pub path: String,
    pub spot: Option<Spot>,
    pub text: String,
}

/// Why a text is not what it should be, and what to write.
pub(super) struct Wrong {
    pub what: String,
    pub help: String,
}

impl Wrong {
    pub fn new(what: impl Into<String>, help: impl Into<String>) -> Self {
        Self { what: what.into(), help: help.into() }
    }
}

impl<'a> Section<'a> {
    pub fn get(&self, key: &str) -> Option<Field<'a>> {
        let (_, node) = self.entries.iter().find(|(found, _)| found.name == key)?;
        Some(Field { path: self.path_of(key), spot: Some(node.spot.clone()), value: &node.value })
    }

    pub fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub fn keys(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.entries.iter().map(|(key, _)| key.name.as_str())
    }

    fn absent(path: String, spot: Option<Spot>) -> Self {
        Self { path, spot, entries: &[] }
    }
}

impl<'a> Reader<'a> {
    pub fn new(environment: &'a Environment, folder: &'a Path) -> Self {
        Self {
            environment,
            folder,
            secrets: Secrets::Needed,
            unread: Vec::new(),
            problems: Vec::new(),
            warnings: Vec::new(),
            named: BTreeSet::new(),
            files: Vec::new(),
            secret_files: Vec::new(),
            is_secret: false,
        }
    }

    pub fn wrong(
        &mut self,
        path: impl Into<String>,
        spot: Option<Spot>,
        what: impl Into<String>,
        help: impl Into<String>,
    ) {
        self.problems.push(Problem::new(path, spot, what).help(help));
    }

    /// Opens a map and reports its unknown keys; anything but a map is reported and read as an empty one.
    pub fn open<'t>(&mut self, field: Field<'t>, keys: Keys) -> Section<'t> {
        let entries = match field.value {
            Value::Map(entries) => entries,
            Value::Nothing => return Section::absent(field.path, field.spot),
            other => {
                let what = format!("expected a map, found {}", other.kind());
                let help = format!("write its keys below it: {}", keys.known.join(", "));
                self.wrong(&field.path, field.spot.clone(), what, help);
                return Section::absent(field.path, field.spot);
            }
        };
        let section = Section { path: field.path, spot: field.spot, entries };
        for (key, _) in entries {
            self.check_key(&section, key, keys);
        }
        section
    }

    fn check_key(&mut self, section: &Section<'_>, key: &Key, keys: Keys) {
        let name = key.name.as_str();
        if keys.known.contains(&name) {
            return;
        }
        let (what, help) = if keys.later.contains(&name) {
            ("not supported by this version yet".to_owned(), "remove it".to_owned())
        } else {
            let help = match nearest(name, keys.known) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("the keys here are {}", keys.known.join(", ")),
            };
            ("unknown key".to_owned(), help)
        };
        self.wrong(section.path_of(name), Some(key.spot.clone()), what, help);
    }

    /// The map at `key`, which may be left out.
    pub fn section<'t>(&mut self, parent: &Section<'t>, key: &str, keys: Keys) -> Section<'t> {
        match parent.get(key) {
            Some(field) => self.open(field, keys),
            None => Section::absent(parent.path_of(key), None),
        }
    }

    /// As [`section`](Self::section) for a map whose keys are the user's own.
    pub fn open_any<'t>(&mut self, parent: &Section<'t>, key: &str, what_to_write: &str) -> Section<'t> {
        let path = parent.path_of(key);
        let Some(field) = parent.get(key) else { return Section::absent(path, None) };
        match field.value {
            Value::Map(entries) => Section { path, spot: field.spot, entries },
            other => {
                let what = format!("expected a map, found {}", other.kind());
                self.wrong(&path, field.spot, what, what_to_write);
                Section::absent(path, None)
            }
        }
    }

    /// The items of the list at `key`; nothing where it is left out.
    pub fn list<'t>(&mut self, parent: &Section<'t>, key: &str, what_to_write: &str) -> Vec<Field<'t>> {
        let Some(field) = parent.get(key) else { return Vec::new() };
        match field.value {
            Value::List(items) => items.iter().enumerate().map(|(at, item)| field.item(at, item)).collect(),
            Value::Nothing => Vec::new(),
            other => {
                let what = format!("expected a list, found {}", other.kind());
                self.wrong(field.path, field.spot, what, what_to_write);
                Vec::new()
            }
        }
    }

    /// The single value of a field. Values are never quoted here: any of them may be a secret in a wrong place.
    pub fn text(&mut self, field: Field<'_>) -> Option<Text> {
        let what = match field.value {
            Value::Scalar(text) => {
                return Some(Text { path: field.path, spot: field.spot, text: text.clone() });
            }
            Value::Nothing => "has no value".to_owned(),
            other => format!("expected a single value, found {}", other.kind()),
        };
        self.wrong(field.path, field.spot, what, "write one value, or remove the key");
        None
    }

    /// The single value at `key`, which may be left out.
    pub fn optional(&mut self, section: &Section<'_>, key: &str) -> Option<Text> {
        section.get(key).and_then(|field| self.text(field))
    }

    /// The single value at `key`, which must be there.
    pub fn required(&mut self, section: &Section<'_>, key: &str, what_to_write: &str) -> Option<Text> {
        match section.get(key) {
            Some(field) => self.text(field),
            None => {
                let what = format!("`{key}` is missing");
                self.wrong(&section.path, section.spot.clone(), what, what_to_write);
                None
            }
        }
    }

    /// A setting that the environment may override: `server.listen` by `PINFOLD_SERVER_LISTEN`.
    pub fn setting(&mut self, section: &Section<'_>, key: &str) -> Option<Text> {
        let variable = variable(&section.path, key);
        self.variable(&variable).or_else(|| self.optional(section, key))
    }

    /// Like [`setting`](Self::setting) for a list, which a variable gives with commas.
    pub fn settings(&mut self, section: &Section<'_>, key: &str, what_to_write: &str) -> Option<Vec<Text>> {
        if let Some(Text { path, spot, text }) = self.variable(&variable(&section.path, key)) {
            let part =
                |part: &str| Text { path: path.clone(), spot: spot.clone(), text: part.trim().to_owned() };
            return Some(text.split(',').filter(|part| !part.trim().is_empty()).map(part).collect());
        }
        self.words(section, key, what_to_write)
    }

    /// The single values at `key`: a list of them, or one; `None` where it is left out.
    pub fn words(&mut self, section: &Section<'_>, key: &str, what_to_write: &str) -> Option<Vec<Text>> {
        let field = section.get(key)?;
        if matches!(field.value, Value::Scalar(_)) {
            return self.text(field).map(|text| vec![text]);
        }
        let items = self.list(section, key, what_to_write);
        Some(items.into_iter().filter_map(|item| self.text(item)).collect())
    }

    /// A variable of the environment as if it stood in the file.
    pub fn variable(&self, name: &str) -> Option<Text> {
        let text = self.environment.get(name)?.to_owned();
        Some(Text { path: name.to_owned(), spot: None, text })
    }

    /// What a text says, or `None` after a report of why it says nothing.
    pub fn parse<T>(&mut self, text: &Text, parse: impl FnOnce(&str) -> Result<T, Wrong>) -> Option<T> {
        match parse(&text.text) {
            Ok(value) => Some(value),
            Err(Wrong { what, help }) => {
                self.wrong(&text.path, text.spot.clone(), what, help);
                None
            }
        }
    }

    /// What a text says; the default where it is left out or wrong.
    pub fn parse_or<T>(
        &mut self,
        text: Option<Text>,
        default: T,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> T {
        text.and_then(|text| self.parse(&text, parse)).unwrap_or(default)
    }
}

impl<'a> Field<'a> {
    fn item(&self, at: usize, node: &'a Node) -> Field<'a> {
        Field { path: format!("{}[{at}]", self.path), spot: Some(node.spot.clone()), value: &node.value }
    }
}

/// The variable that mirrors a key.
pub(super) fn variable(section: &str, key: &str) -> String {
    format!("PINFOLD_{}_{}", section.to_ascii_uppercase(), key.to_ascii_uppercase())
}

/// The candidate that `word` is a likely slip of.
pub fn nearest<'c>(word: &str, candidates: &[&'c str]) -> Option<&'c str> {
    let word = word.to_ascii_lowercase();
    let distance = |candidate: &str| strsim::osa_distance(&word, &candidate.to_ascii_lowercase());
    let (near, distance) =
        candidates.iter().map(|near| (*near, distance(near))).min_by_key(|(_, far)| *far)?;
    (distance <= (near.len() / 3).max(1)).then_some(near)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_told_from_another_word() {
        let keys = ["listen", "endpoint", "token", "token_file"];
        assert_eq!(nearest("endpont", &keys), Some("endpoint"));
        assert_eq!(nearest("Listen", &keys), Some("listen"));
        assert_eq!(nearest("tokenfile", &keys), Some("token_file"));
        assert_eq!(nearest("hunter2", &keys), None);
        assert_eq!(nearest("x", &[]), None);
    }
}
