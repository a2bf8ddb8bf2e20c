//! `pinfold backup`.

use std::path::{Path, PathBuf};

use super::{Exit, Failure, on_runtime, say, unusable};
use crate::{
    app,
    config::{self, Environment},
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to write it; it is there as a whole, checked and on disk, or not at all
    file: PathBuf,
    /// Take the place of a file that is there
    #[arg(long)]
    force: bool,
    /// The configuration of the gateway
    #[arg(long, value_name = "FILE", env = "PINFOLD_CONFIG")]
    config: PathBuf,
}

pub(super) fn run(args: Args) -> Result<Exit, Failure> {
    let store = store_of(&args.config)?;
    let shown = args.file.display().to_string();
    let held = on_runtime(app::backup(store, args.file, args.force))??;
    say(&format!(
        "{shown}: {} pins, {} copies, {} bytes, schema version {}\n",
        held.pins, held.copies, held.bytes, held.schema
    ))
}

/// The store that a configuration names, whatever else is wrong with it.
pub(super) fn store_of(config: &Path) -> Result<PathBuf, Failure> {
    config::store_at(config, &Environment::of_process()).map_err(|problems| unusable(&problems))
}
