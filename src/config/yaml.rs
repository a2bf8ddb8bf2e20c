//! A YAML document as a tree in which every key and value knows its place. Types are left to the readers, so that
//! one wrong value hides no other.

use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::DuplicateKeyPolicy;
use serde_saphyr::{Error, Location, Options, Spanned};

use super::problem::{Problem, Spot};

/// A value and where it stands.
pub(super) struct Node {
    pub value: Value,
    pub spot: Spot,
}

/// What stands there. Scalars keep the words of the file, so that a token `0123` is not read as a number.
pub(super) enum Value {
    Nothing,
    Scalar(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

pub(super) struct Key {
    pub name: String,
    pub spot: Spot,
}

impl Value {
    /// For messages: "expected a map, found a list".
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Scalar(_) => "a single value",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }

    /// Whether it names nothing, where a list is wanted.
    pub fn is_empty(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::List(items) => items.is_empty(),
            Self::Scalar(_) | Self::Map(_) => false,
        }
    }
}

/// The document of `source`, as far as it can be read, and what is wrong with it as YAML. Of the keys given twice
/// the parser names one; its first value stands, so that the rest is checked all the same.
pub(super) fn parse(source: &str) -> (Option<Node>, Vec<Problem>) {
    let read = |policy| serde_saphyr::from_str_with_options::<Option<Raw>>(source, options(policy));
    match read(DuplicateKeyPolicy::Error) {
        Ok(raw) => (raw.map(|raw| raw.settle(source)), Vec::new()),
        Err(error) => {
            let raw = read(DuplicateKeyPolicy::FirstWins).ok().flatten();
            (raw.map(|raw| raw.settle(source)), vec![problem(&error)])
        }
    }
}

fn options(duplicate_keys: DuplicateKeyPolicy) -> Options {
    serde_saphyr::options! { duplicate_keys: duplicate_keys, with_snippet: false }
}

/// The parser's words are not passed on, save for keys: some of them quote the file, and it may hold secrets (I11).
fn problem(error: &Error) -> Problem {
    let (what, help) = match error {
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            (format!("the key `{key}` is given twice"), "keep one of the two")
        }
        Error::DuplicateMappingKey { key: None, .. } => {
            ("a key is given twice".to_owned(), "keep one of the two")
        }
        Error::MultipleDocuments { .. } => {
            ("more than one document".to_owned(), "remove the `---` between them and all but one")
        }
        Error::UnknownAnchor { .. } => {
            ("`*` refers to an anchor that is not there".to_owned(), "put the value into quotes")
        }
        _ => (
            "this is not valid YAML".to_owned(),
            "look for a bracket or quote that is not closed, wrong indentation, or a value with `: `, ` #`, `*`, \
             `&`, `@`, `%` or `!` in it that needs quotes",
        ),
    };
    let spot = error.location().and_then(spot);
    Problem { spot, ..Problem::new(String::new(), None, what).help(help) }
}

fn spot(location: Location) -> Option<Spot> {
    let span = location.span();
    // The parser tells where it stopped by line and column alone.
    let start = usize::try_from(span.byte_offset().unwrap_or(0)).ok()?;
    let length = usize::try_from(span.byte_len().unwrap_or(0)).ok()?;
    (location != Location::UNKNOWN).then(|| Spot {
        line: location.line(),
        column: location.column(),
        bytes: start..start + length,
    })
}

/// A node as serde sees it, before its scalars are given the file's own words.
struct Raw(Spanned<RawValue>);

enum RawValue {
    Nothing,
    /// Text that the parser took out of quotes or a block, or took for text.
    Text(String),
    /// A plain scalar that the parser took for a number or boolean, in its own spelling.
    Typed(String),
    List(Vec<Raw>),
    Map(Vec<(Spanned<String>, Raw)>),
}

impl Raw {
    fn settle(self, source: &str) -> Node {
        let Spanned { value, referenced, defined } = self.0;
        let value = match value {
            RawValue::Nothing => Value::Nothing,
            RawValue::Text(text) => Value::Scalar(text),
            RawValue::Typed(spelling) => Value::Scalar(words(source, defined).unwrap_or(spelling)),
            RawValue::List(items) => Value::List(items.into_iter().map(|item| item.settle(source)).collect()),
            RawValue::Map(entries) => Value::Map(
                entries.into_iter().map(|(key, value)| (settle_key(key), value.settle(source))).collect(),
            ),
        };
        Node { value, spot: spot(referenced).unwrap_or_default() }
    }
}

fn settle_key(key: Spanned<String>) -> Key {
    Key { name: key.value, spot: spot(key.referenced).unwrap_or_default() }
}

/// The file's own words at that place.
fn words(source: &str, location: Location) -> Option<String> {
    let bytes: Range<usize> = spot(location)?.bytes;
    let text = source.get(bytes)?.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spanned::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for RawValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Anything)
    }
}

struct Anything;

macro_rules! typed {
    ($($visit:ident $type:ty),+) => {
        $(fn $visit<E>(self, value: $type) -> Result<RawValue, E> {
            Ok(RawValue::Typed(value.to_string()))
        })+
    };
}

impl<'de> Visitor<'de> for Anything {
    type Value = RawValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<RawValue, E> {
        Ok(RawValue::Nothing)
    }

    fn visit_none<E>(self) -> Result<RawValue, E> {
        Ok(RawValue::Nothing)
    }

    fn visit_str<E>(self, text: &str) -> Result<RawValue, E> {
        Ok(RawValue::Text(text.to_owned()))
    }

    typed! { visit_bool bool, visit_i64 i64, visit_u64 u64, visit_i128 i128, visit_u128 u128, visit_f64 f64 }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<RawValue, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(RawValue::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<RawValue, A::Error> {
        let mut map = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            map.push(entry);
        }
        Ok(RawValue::Map(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(node: &Node) -> String {
        let at = format!("{}:{}", node.spot.line, node.spot.column);
        match &node.value {
            Value::Nothing => format!("{at} nothing"),
            Value::Scalar(text) => format!("{at} {text:?}"),
            Value::List(items) => format!("{at} [{}]", items.iter().map(show).collect::<Vec<_>>().join(", ")),
            Value::Map(entries) => {
                let entry = |(key, node): &(Key, Node)| {
                    format!("{}:{} {}: {}", key.spot.line, key.spot.column, key.name, show(node))
                };
                format!("{at} {{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(", "))
            }
        }
    }

    fn tree(source: &str) -> String {
        show(&parse(source).0.expect("a document"))
    }

    #[test]
    fn every_key_and_value_knows_its_place() {
        assert_eq!(tree("a:\n  - b: c\n"), r#"1:1 {1:1 a: 2:3 [2:5 {2:5 b: 2:8 "c"}]}"#);
    }

    #[test]
    fn plain_scalars_keep_the_words_of_the_file() {
        let source = "ü: [0123, 0x1F, 1e3, yes, True, 1_000, 1.50, -0, 99999999999999999999]";
        let words = ["0123", "0x1F", "1e3", "yes", "True", "1_000", "1.50", "-0", "99999999999999999999"];
        let (root, problems) = parse(source);
        assert!(problems.is_empty());
        let Some(Node { value: Value::Map(entries), .. }) = root else { panic!("no map") };
        let Value::List(items) = &entries[0].1.value else { panic!("no list") };
        let read: Vec<_> = items
            .iter()
            .map(|item| match &item.value {
                Value::Scalar(text) => text.as_str(),
                other => other.kind(),
            })
            .collect();
        assert_eq!(read, words);
    }

    #[test]
    fn anchors_and_merges_work_as_in_other_yaml() {
        assert_eq!(tree("a: &x 010\nb: *x\n"), r#"1:1 {1:1 a: 1:7 "010", 2:1 b: 2:4 "010"}"#);
    }

    #[test]
    fn a_key_given_twice_is_named_and_the_rest_is_still_read() {
        let (root, problems) = parse("a: 1\nb: 2\na: 3\nc: 4\n");
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].what, "the key `a` is given twice");
        assert_eq!(problems[0].spot.as_ref().map(|spot| spot.line), Some(3));
        assert_eq!(
            root.map(|node| show(&node)).as_deref(),
            Some(r#"1:1 {1:1 a: 1:4 "1", 2:1 b: 2:4 "2", 4:1 c: 4:4 "4"}"#)
        );
    }

    #[test]
    fn broken_yaml_is_told_with_its_place() {
        let place = |source: &str| parse(source).1[0].spot.as_ref().map(|spot| (spot.line, spot.column));
        assert_eq!(place("a:\n\t- b\n"), Some((2, 2)));
        for source in ["a: 1\n  b: 2\nc: 3\n", "a: 1\nb: \"x\nc: 3\n", "a: 1\nb: [x, y\nc: 3\n"] {
            // Where the parser notices it, which may be after what was not closed.
            assert!(place(source).is_some_and(|(line, column)| line >= 2 && column >= 1), "{source:?}");
        }
    }

    #[test]
    fn broken_yaml_is_told_without_quoting_it() {
        for source in [
            "token: *hunter2",
            "token: @hunter2",
            "token: 'hunter2",
            "token: [hunter2",
            "a: hunter2: b",
            "token: %hunter2",
            "token: !hunter2 [hunter2]",
            "token: \"\\qhunter2\"",
            "[hunter2]: 1: 2",
            "\thunter2: 1",
        ] {
            let (_, problems) = parse(source);
            for problem in &problems {
                assert!(!format!("{problem:?}").contains("hunter2"), "{source}: {problem:?}");
            }
        }
        assert_eq!(parse("a: [").1.len(), 1);
    }

    #[test]
    fn an_empty_file_is_an_empty_document() {
        for source in ["", "# nothing\n", "---\n"] {
            let (root, problems) = parse(source);
            assert!(problems.is_empty(), "{source:?}: {problems:?}");
            assert!(root.is_none_or(|node| matches!(node.value, Value::Nothing)));
        }
    }
}
