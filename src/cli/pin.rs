//! `pinfold pin ...`: pins of any account, with the options and exit codes of `ipfs pin remote`.

mod add;
mod explain;
mod list;
pub(super) mod query;
mod remove;

use super::{Exit, Failure};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Pin content, and wait until it is pinned, has failed (exit code 4), or the time is over (5)
    Add(add::Args),
    /// List pins, newest first
    Ls(list::Args),
    /// Remove pins, as Kubo does: those of these ids, or else the one that matches, which without filters is the only
    /// pinned one; several only with --force. Their copies go in the background
    Rm(remove::Args),
    /// Tell why a pin is as it is: each copy, what went wrong last, and what is next
    Explain(explain::Args),
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Add(args) => add::run(args),
        Command::Ls(args) => list::run(args),
        Command::Rm(args) => remove::run(args),
        Command::Explain(args) => explain::run(args),
    }
}
