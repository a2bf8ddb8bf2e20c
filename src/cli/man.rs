//! `pinfold man --out DIR`: the manual, for packages. A page for each command, and one for the configuration.

mod config;

use std::{fs, path::PathBuf};

use super::{Exit, Failure};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder to write the pages to; it is made if need be
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(args: &Args, commands: clap::Command) -> Result<Exit, Failure> {
    let written = fs::create_dir_all(&args.out)
        .and_then(|()| clap_mangen::generate_to(commands, &args.out))
        .and_then(|()| fs::write(args.out.join("pinfold-config.5"), config::page()));
    written.map_err(|error| {
        Failure::new(Exit::Failed, format!("error: cannot write to {}: {error}", args.out.display()))
    })?;
    Ok(Exit::Ok)
}
