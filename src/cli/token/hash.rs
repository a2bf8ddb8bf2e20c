//! `pinfold token hash`: the form in which a configuration can hold a token without holding its secret.

use std::io::{self, Read};

use crate::{
    auth::TokenHash,
    cli::{Exit, Failure, say},
};

pub(super) fn run() -> Result<Exit, Failure> {
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
