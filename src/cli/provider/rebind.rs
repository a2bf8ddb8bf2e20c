//! `pinfold provider rebind`: says what became of a provider's copies when its entry changed.

use std::path::PathBuf;

use super::entry;
use crate::{
    app,
    cli::{Exit, Failure, load, on_runtime, say},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The provider's name in the configuration
    name: String,
    #[command(flatten)]
    to: To,
    /// The configuration file
    #[arg(long, value_name = "FILE", env = "PINFOLD_CONFIG")]
    config: PathBuf,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct To {
    /// The same account under another address: its copies are still there
    #[arg(long)]
    same_account: bool,
    /// Another account: its copies are to be made anew
    #[arg(long)]
    new_account: bool,
}

pub(super) fn run(args: Args) -> Result<Exit, Failure> {
    let Args { name, to, config } = args;
    let settings = load(&config)?.settings;
    entry(&settings, &name, &config)?;
    let to = if to.same_account { app::Rebind::SameAccount } else { app::Rebind::NewAccount };
    let done = on_runtime(app::rebind(settings, &name, to))??;
    say(&format!("{done}\n"))
}
