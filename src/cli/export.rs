//! `pinfold export`: pins as lines of JSON, in the form that `pinfold import` reads.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::{Exit, Failure, backup::store_of, heard, say};
use crate::app::{self, Exported};

/// Bytes that are printed at once.
const CHUNK: usize = 64 * 1024;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Only pins of this account
    #[arg(long)]
    account: Option<String>,
    /// The configuration of the gateway
    #[arg(long, value_name = "FILE", env = "PINFOLD_CONFIG")]
    config: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let store = store_of(&args.config)?;
    let (mut lines, mut failure) = (String::new(), None);
    app::export(&store, args.account.as_deref(), |pin| {
        let written = line(&pin).and_then(|line| {
            lines += &line;
            if lines.len() < CHUNK { Ok(true) } else { heard(&std::mem::take(&mut lines)) }
        });
        written.unwrap_or_else(|error| {
            failure = Some(error);
            false
        })
    })?;
    match failure {
        Some(failure) => Err(failure),
        None => say(&lines),
    }
}

/// Keys in the order of the alphabet; what a pin does not have is left out.
fn line(pin: &Exported) -> Result<String, Failure> {
    let stored = |text: &str| -> Result<Value, Failure> {
        serde_json::from_str(text).map_err(|error| {
            Failure::new(Exit::Failed, format!("error: pin {} cannot be read: {error}", pin.requestid))
        })
    };
    let mut keys = Map::new();
    keys.insert("cid".to_owned(), json!(pin.cid));
    if let Some(name) = &pin.name {
        keys.insert("name".to_owned(), json!(name));
    }
    for (key, text) in [("meta", &pin.meta), ("origins", &pin.origins)] {
        if let Some(text) = text {
            keys.insert(key.to_owned(), stored(text)?);
        }
    }
    keys.insert("account".to_owned(), json!(pin.account));
    keys.insert("created".to_owned(), json!(pin.created.to_string()));
    keys.insert("requestid".to_owned(), json!(pin.requestid.to_string()));
    keys.insert("status".to_owned(), json!(pin.status.as_str()));
    Ok(format!("{}\n", Value::Object(keys)))
}
