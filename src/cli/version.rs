//! `pinfold version`: a line, or all that a bug report wants.

use super::{Exit, Failure, say};
use crate::app;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Print what a bug report wants: build, libraries, system; no secrets
    #[arg(long)]
    verbose: bool,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let mut text = format!("pinfold {}\n", env!("CARGO_PKG_VERSION"));
    if args.verbose {
        let lines = app::about().into_iter().skip(1).map(|(name, value)| format!("{name}: {value}\n"));
        text.extend(lines);
    }
    say(&text)
}
