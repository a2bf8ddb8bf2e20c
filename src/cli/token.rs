//! `pinfold token hash`: the form in which a configuration can hold a token without holding its secret.

use std::io::{self, Read};

use super::{Exit, Failure, say};
use crate::auth::TokenHash;

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Read a secret on stdin and print its SHA-256, for `sha256:` of a token in the configuration
    Hash,
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Hash => hash(),
    }
}

fn hash() -> Result<Exit, Failure> {
    let mut input = String::new();
    let read = io::stdin().lock().take(64 * 1024).read_to_string(&mut input);
    read.map_err(|error| {
        Failure::new(Exit::Failed, format!("error: cannot read the secret on stdin: {error}"))
    })?;
    let secret = input.trim_end_matches(['\r', '\n']);
    if secret.is_empty() || !secret.bytes().all(|byte| byte.is_ascii_graphic()) {
        let text = "error: the secret must be one line of ASCII without spaces";
        return Err(Failure::new(Exit::Failed, text));
    }
    say(&format!("{:x}\n", TokenHash::of(secret)))
}
