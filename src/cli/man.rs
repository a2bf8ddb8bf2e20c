//! `pinfold man --out DIR`: the manual, for packages. A page for each command, and one for the configuration.

mod config;

use std::{fs, io, path::Path, path::PathBuf};

use clap_mangen::Man;

use super::{Exit, Failure};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The folder to write the pages to; it is made if need be
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
}

pub(super) fn run(args: &Args, commands: clap::Command) -> Result<Exit, Failure> {
    let written = fs::create_dir_all(&args.out)
        .and_then(|()| pages(commands, &args.out))
        .and_then(|()| fs::write(args.out.join("pinfold-config.5"), config::page()));
    written.map_err(|error| {
        Failure::new(Exit::Failed, format!("error: cannot write to {}: {error}", args.out.display()))
    })?;
    Ok(Exit::Ok)
}

fn pages(commands: clap::Command, folder: &Path) -> io::Result<()> {
    let mut commands = commands.disable_help_subcommand(true);
    commands.build();
    page(&commands, folder)
}

/// That of a command, and of all below it.
fn page(command: &clap::Command, folder: &Path) -> io::Result<()> {
    for below in command.get_subcommands().filter(|below| !below.is_hide_set()) {
        page(below, folder)?;
    }
    let mut command = command.clone();
    // As --help has it: left alone a page would set the brackets around an option without its value.
    let usage = command.render_usage().to_string();
    let usage = usage.trim_start_matches("Usage:").trim().to_owned();
    let source = concat!("pinfold ", env!("CARGO_PKG_VERSION"));
    // No date at all would be no argument, and the source would be taken for one.
    let page = Man::new(command.override_usage(usage)).date(" ").source(source).manual("Pinfold");
    page.generate_to(folder).map(drop)
}
