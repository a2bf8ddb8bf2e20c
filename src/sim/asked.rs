//! A pin as a client asked for it.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::{
    model::{Meta, PinCid, name},
    presets::NameRule,
};

use super::{behaviour::Behaviour, errors::Problem};

/// A pin as a client asked for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub cid: PinCid,
    pub name: Option<String>,
    pub meta: Option<Meta>,
    pub origins: Vec<String>,
}

#[derive(Deserialize)]
struct RawAsked {
    cid: String,
    name: Option<String>,
    meta: Option<BTreeMap<String, Value>>,
    #[serde(default, deserialize_with = "null_is_empty")]
    origins: Vec<String>,
}

fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    Option::deserialize(deserializer).map(Option::unwrap_or_default)
}

impl Asked {
    /// Reads the body of a POST.
    pub(super) fn parse(body: &[u8], behaviour: &Behaviour) -> Result<Self, Problem> {
        let wrong = |what: &dyn ToString| Problem::BadBody(what.to_string());
        let raw: RawAsked = serde_json::from_slice(body).map_err(|error| wrong(&error))?;
        if !raw.name.as_deref().is_none_or(name::fits) {
            return Err(wrong(&"the name is longer than 255 characters"));
        }
        let cid = PinCid::parse(&raw.cid).map_err(|error| Problem::BadCid(error.to_string()))?;
        let name = match (raw.name, behaviour.names) {
            (None, NameRule::CidByDefault) => Some(cid.as_str().to_owned()),
            (None, NameRule::Required) => return Err(wrong(&"the name is missing")),
            (name, _) => name,
        };
        let meta = raw.meta.map(|meta| strings(meta, behaviour.dialect.loose_meta)).transpose()?;
        let meta = meta.map(Meta::try_new).transpose().map_err(|error| wrong(&error))?;
        Ok(Self { cid, name, meta, origins: raw.origins })
    }

    /// The value of `meta.pinfold`.
    pub fn tag(&self) -> Option<&str> {
        self.meta.as_ref()?.iter().find_map(|(key, value)| (key == "pinfold").then_some(value))
    }
}

fn strings(meta: BTreeMap<String, Value>, loose: bool) -> Result<BTreeMap<String, String>, Problem> {
    let mut strings = BTreeMap::new();
    for (key, value) in meta {
        match value {
            Value::String(text) => drop(strings.insert(key, text)),
            _ if loose => {}
            _ => return Err(Problem::BadBody(format!("meta.{key} is no string"))),
        }
    }
    Ok(strings)
}
