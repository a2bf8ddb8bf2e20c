//! `pinfold doctor`.

use std::path::PathBuf;

use super::{Exit, Failure, heard, on_runtime, provider};
use crate::{
    app::doctor::{Doctor, Finding, Health, Senses},
    config::{self, Environment},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Look at this provider only
    name: Option<String>,
    /// Print each finding as a line of JSON
    #[arg(long)]
    json: bool,
    /// The configuration file
    #[arg(long, value_name = "FILE", env = "PINFOLD_CONFIG")]
    config: PathBuf,
}

/// Exit code 1 where something is bad, 78 where the configuration cannot be read; warnings are none.
pub(super) fn run(args: Args) -> Result<Exit, Failure> {
    let environment = Environment::of_process();
    // What is wrong with it says `config`.
    let store = config::store_at(&args.config, &environment).ok();
    let config = config::load_past_secrets(&args.config, &environment);
    if let (Some(name), Ok(loaded)) = (&args.name, &config) {
        provider::entry(&loaded.settings, name, &args.config)?;
    }
    let is_blind = store.is_none();
    let doctor = Doctor { file: args.config, store, config, only: args.name, senses: Senses::default() };
    let mut failure = None;
    let tell = |finding: Finding| match shown(&finding, args.json).and_then(|line| heard(&line)) {
        Ok(goes_on) => goes_on,
        Err(error) => {
            failure = Some(error);
            false
        }
    };
    let worst = on_runtime(doctor.visit(tell))?;
    match failure {
        Some(failure) => Err(failure),
        None if is_blind => Ok(Exit::BadConfig),
        None if worst == Health::Bad => Ok(Exit::Failed),
        None => Ok(Exit::Ok),
    }
}

fn shown(finding: &Finding, json: bool) -> Result<String, Failure> {
    if !json {
        return Ok(format!("{finding}\n"));
    }
    let line =
        serde_json::to_string(finding).map_err(|error| Failure::new(Exit::Failed, error.to_string()))?;
    Ok(line + "\n")
}
