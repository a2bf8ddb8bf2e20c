//! `pinfold completions SHELL`: the script that lets a shell complete what is typed.

use clap_complete::Shell;

use super::{Exit, Failure, say};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[arg(value_enum)]
    shell: Shell,
}

pub(super) fn run(args: &Args, mut commands: clap::Command) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut commands, "pinfold", &mut script);
    say(&String::from_utf8_lossy(&script))
}
