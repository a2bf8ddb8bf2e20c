//! What is wrong with a configuration, where, and what to write instead. Never quotes a secret (I11).

use std::fmt;
use std::ops::Range;
use std::path::PathBuf;

use super::reader::Seen;
use super::yaml::{Node, Value};

/// A place in the file: line and column count from 1.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spot {
    pub line: u64,
    pub column: u64,
    pub(super) bytes: Range<usize>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The YAML path, such as `providers[1].endpoint`, or the environment variable; empty for the whole file.
    pub path: String,
    /// Where it stands; `None` for what is missing altogether or comes from the environment.
    pub spot: Option<Spot>,
    pub what: String,
    /// What to write or do instead; empty where `what` says it.
    pub help: String,
}

impl Problem {
    pub(super) fn new(path: impl Into<String>, spot: Option<Spot>, what: impl Into<String>) -> Self {
        Self { path: path.into(), spot, what: what.into(), help: String::new() }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = help.into();
        self
    }

    /// One line: `config.yaml:3:5: providers[1].endpoint: has a query; remove it`.
    pub fn line(&self, file: &str) -> String {
        let mut line = match &self.spot {
            Some(spot) => format!("{file}:{}:{}", spot.line, spot.column),
            None => file.to_owned(),
        };
        for part in [&self.path, &self.what] {
            if !part.is_empty() {
                line.push_str(": ");
                line.push_str(part);
            }
        }
        if !self.help.is_empty() {
            line.push_str("; ");
            line.push_str(&self.help);
        }
        line
    }
}

/// Everything that is wrong with one configuration: never empty when it is an error.
#[derive(Clone, PartialEq, Eq)]
pub struct Problems {
    /// The file's name as it was given.
    pub file: String,
    pub list: Vec<Problem>,
    /// The files that were read, and those that could not be: to mend one of them may be enough.
    pub files: Vec<Seen>,
    /// Those that hold secrets.
    pub secret_files: Vec<PathBuf>,
    /// The file with every value but those that cannot be secret covered by `*`, for excerpts.
    pub(super) covered: String,
}

impl Problems {
    /// Puts them in the order of the file; what has no place there comes last.
    pub(super) fn sort(&mut self) {
        self.list.sort_by_key(|problem| problem.spot.as_ref().map_or(usize::MAX, |spot| spot.bytes.start));
    }
}

/// One line for each problem.
impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.list.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            f.write_str(&problem.line(&self.file))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Problems").field("file", &self.file).field("list", &self.list).finish_non_exhaustive()
    }
}

impl std::error::Error for Problems {}

/// Keys whose values are never secret, even with the keys mixed up by hand.
const PUBLIC: [&str; 20] = [
    "listen",
    "name",
    "policy",
    "preset",
    "copies",
    "min",
    "max",
    "pinned_when",
    "exclusive",
    "concurrency",
    "default_status",
    "accept_wait",
    "read",
    "write",
    "burst",
    "failed_logins",
    "shadow",
    "pins",
    "pins_per_day",
    "meta_bytes",
];

/// The file with all comments and all values but those of [`PUBLIC`] keys covered by as many `*`.
pub(super) fn cover(source: &str, root: &Node) -> String {
    let mut bytes = source.as_bytes().to_vec();
    cover_value(&mut bytes, root, false);
    for line in bytes.split_mut(|byte| *byte == b'\n') {
        let comment =
            (0..line.len()).find(|at| line[*at] == b'#' && (*at == 0 || line[at - 1].is_ascii_whitespace()));
        if let Some(start) = comment {
            line[start + 1..].fill(b'*');
        }
    }
    String::from_utf8(bytes).unwrap_or_default()
}

fn cover_value(bytes: &mut [u8], node: &Node, public: bool) {
    match &node.value {
        Value::Nothing => {}
        Value::Scalar(_) if public => {}
        Value::Scalar(_) => cover_bytes(bytes, node.spot.bytes.clone()),
        Value::List(items) => items.iter().for_each(|item| cover_value(bytes, item, public)),
        Value::Map(entries) => {
            for (key, value) in entries {
                cover_value(bytes, value, PUBLIC.contains(&key.name.as_str()));
            }
        }
    }
}

/// Where a value's length is not known, everything to the end of its line goes.
fn cover_bytes(bytes: &mut [u8], range: Range<usize>) {
    let start = range.start.min(bytes.len());
    let end = if range.is_empty() {
        bytes[start..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| start + length)
    } else {
        range.end.min(bytes.len())
    };
    bytes[start..end]
        .iter_mut()
        .filter(|byte| !matches!(**byte, b'\n' | b'\r'))
        .for_each(|byte| *byte = b'*');
}
