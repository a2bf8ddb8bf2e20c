//! `pinfold check-config`: says whether a configuration can be used, without using it.

use std::path::PathBuf;

use super::{Exit, Failure, load, say};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The configuration file
    #[arg(long, value_name = "FILE", env = "PINFOLD_CONFIG")]
    config: PathBuf,
    /// Fail on warnings too, with exit code 3
    #[arg(long)]
    strict: bool,
    /// Print the settings in force, defaults and environment included, secrets as ***
    #[arg(long)]
    print_effective: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let loaded = load(&args.config)?;
    if args.print_effective {
        say(&loaded.settings.effective())?;
    } else {
        say(&format!("{} can be used\n", args.config.display()))?;
    }
    let strict = args.strict && !loaded.warnings.is_empty();
    Ok(if strict { Exit::Warnings } else { Exit::Ok })
}
