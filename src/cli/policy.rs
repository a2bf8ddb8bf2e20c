//! `pinfold policy ...`: how pins are placed.

mod apply;
mod explain;

use super::{Exit, Failure};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Show how a pin would be placed now: by which route and policy, at which providers, and why so
    Explain(explain::Args),
    /// Have existing pins follow their policy's newest revision; the difference is shown first
    Apply(apply::Args),
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Explain(args) => explain::run(args),
        Command::Apply(args) => apply::run(args),
    }
}
