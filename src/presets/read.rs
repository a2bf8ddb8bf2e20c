//! Reads a file of presets over those that are known, and tells all that is wrong with it.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value};

use super::{Preset, Presets};

/// What is wrong in a file of presets, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// `pinata.limits`; empty where it is about the whole file.
    pub path: String,
    pub what: String,
}

type Written = Map<String, Value>;

pub(super) fn over(below: &Presets, yaml: &str) -> Result<Presets, Vec<Wrong>> {
    let wrong = |path: &str, what: String| Wrong { path: path.to_owned(), what };
    let file: BTreeMap<String, Option<Written>> = serde_saphyr::from_str(yaml)
        .map_err(|error| vec![wrong("", format!("this is no map of presets: {error}"))])?;
    let (mut all, mut wrongs) = (below.clone(), Vec::new());
    for (name, over) in file {
        if !is_name(&name) {
            wrongs.push(wrong(
                &name,
                "this is no name: write 1 to 64 of a-z, 0-9, `.`, `_` and `-`".to_owned(),
            ));
            continue;
        }
        let mut written = all.written.get(&name).cloned().unwrap_or_else(|| Value::Object(Map::new()));
        lay(&mut written, Value::Object(over.unwrap_or_default()));
        match preset(&name, &written) {
            Ok(preset) => {
                all.presets.insert(name.clone(), Arc::new(preset));
                all.written.insert(name, written);
            }
            Err(found) => wrongs.extend(found),
        }
    }
    if wrongs.is_empty() { Ok(all) } else { Err(wrongs) }
}

fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(fits)
}

/// Lays one value over another: maps key by key, `null` taking away.
fn lay(below: &mut Value, over: Value) {
    match (below, over) {
        (Value::Object(below), Value::Object(over)) => {
            for (key, value) in over {
                match value {
                    Value::Null => drop(below.remove(&key)),
                    value => lay(below.entry(key).or_insert(Value::Null), value),
                }
            }
        }
        (below, over) => *below = over,
    }
}

/// One key after the other, so that one mistake hides no other.
fn preset(name: &str, written: &Value) -> Result<Preset, Vec<Wrong>> {
    let keys = written.as_object().into_iter().flatten();
    let alone = |key: &String, value: &Value| {
        let one = Value::Object(Map::from_iter([(key.clone(), value.clone())]));
        serde_json::from_value::<Preset>(one).err()
    };
    let wrongs: Vec<Wrong> = keys
        .filter_map(|(key, value)| {
            let what = alone(key, value)?.to_string();
            Some(Wrong { path: format!("{name}.{key}"), what })
        })
        .collect();
    if !wrongs.is_empty() {
        return Err(wrongs);
    }
    let read = serde_json::from_value::<Preset>(written.clone());
    let preset = read.map_err(|error| vec![Wrong { path: name.to_owned(), what: error.to_string() }])?;
    Ok(Preset { name: name.to_owned(), ..preset })
}
