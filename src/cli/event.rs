//! `pinfold event ...`: what happens in a running gateway.

mod tail;

use super::{Exit, Failure};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Print the last events, or those after one, and follow what happens next
    Tail(tail::Args),
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Tail(args) => tail::run(args),
    }
}
