//! `pinfold provider ...`: commands about single providers of a configuration.

use super::{Exit, Failure, login, rebind};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Accept that a provider's endpoint or account was changed; the gateway must be stopped
    Rebind(rebind::Args),
    /// Log a provider in by a code that comes by e-mail, or by pasted tokens; the gateway may run
    Login(login::Args),
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Rebind(args) => rebind::run(args),
        Command::Login(args) => login::run(args),
    }
}
