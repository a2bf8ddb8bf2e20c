//! `pinfold provider ...`: commands about single upstream services.

mod adopt;
mod audit;
mod list;
mod login;
mod mode;
mod orphans;
mod presets;
mod probe;
mod rebind;

use std::path::Path;

use super::{Exit, Failure};
use crate::{
    config::{ProviderSettings, Settings},
    model::known,
};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make pins of what a provider holds already
    Adopt(adopt::Args),
    /// List the providers: how they are, and whether they serve what they say is pinned
    Ls(list::Args),
    /// Compare what a provider has with what is on record, and have what it lost sent again
    Audit(audit::Args),
    /// Show the pins at a provider that nobody knows here, as its last audit found them
    Orphans(orphans::Args),
    /// Show what is known of kinds of pinning services, or of one of them
    Presets(presets::Args),
    /// Log a provider in by a code that comes by e-mail, or by pasted tokens; the gateway may run
    Login(login::Args),
    /// Try out a live provider, with test pins that are removed at the end, and compare it with its preset
    Probe(probe::Args),
    /// Move all copies off a provider: each is made and confirmed elsewhere before it is removed there
    Drain(mode::Drain),
    /// End a drain, and take the provider back into use
    Undrain(mode::Told),
    /// Place nothing new at a provider; it keeps what it has
    Readonly(mode::Told),
    /// Take a provider that was readonly, or drained, back into use
    Activate(mode::Told),
    /// Drop the record of a provider that the configuration does not name any more
    Forget(mode::Told),
    /// Accept that a provider's endpoint or account was changed; the gateway must be stopped
    Rebind(rebind::Args),
}

pub(super) fn run(command: Command) -> Result<Exit, Failure> {
    match command {
        Command::Adopt(args) => adopt::run(&args),
        Command::Ls(args) => list::run(&args),
        Command::Audit(args) => audit::run(&args),
        Command::Orphans(args) => orphans::run(&args),
        Command::Login(args) => login::run(&args),
        Command::Presets(args) => presets::run(&args),
        Command::Probe(args) => probe::run(&args),
        Command::Drain(args) => mode::drain(&args),
        Command::Undrain(told) => mode::tell(&told, "undrain"),
        Command::Readonly(told) => mode::tell(&told, "readonly"),
        Command::Activate(told) => mode::tell(&told, "activate"),
        Command::Forget(told) => mode::tell(&told, "forget"),
        Command::Rebind(args) => rebind::run(args),
    }
}

/// The entry of that name.
pub(super) fn entry<'a>(
    settings: &'a Settings,
    name: &str,
    file: &Path,
) -> Result<&'a ProviderSettings, Failure> {
    let found = settings.providers.iter().find(|provider| provider.name == name);
    found.ok_or_else(|| {
        let names: Vec<_> = settings.providers.iter().map(|provider| &provider.name).collect();
        let known = known(&names);
        Failure::new(Exit::Usage, format!("error: {} has no provider `{name}`: {known}", file.display()))
    })
}
