//! `pinfold token ...`: the tokens of clients and operators.

mod create;
mod hash;
mod list;
mod revoke;
mod rotate;
mod stored;

use serde_json::Value;

use super::{Exit, Failure, complain, say};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// Make a token and print its secret: the only time that it is shown
    Create(create::Args),
    /// List tokens, when and from where each was last used, and until when it is good
    Ls(list::Args),
    /// Revoke a token: whoever holds it is not let in any more
    Rm(revoke::Args),
    /// Give a token a new secret and print it; the old one is good for a while longer
    Rotate(rotate::Args),
    /// Read a secret on stdin and print its SHA-256, for `sha256:` of a token in the configuration
    Hash,
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Create(args) => create::run(args),
        Command::Ls(args) => list::run(args),
        Command::Rm(args) => revoke::run(args),
        Command::Rotate(args) => rotate::run(args),
        Command::Hash => hash::run(),
    }
}

/// The secret goes to stdout alone, so that it can be piped; what else there is to say, to stderr.
fn say_issued(token: &Value, json: bool) -> Result<Exit, Failure> {
    if json {
        return say(&pretty(token));
    }
    let text = |key: &str| token[key].as_str().unwrap_or_default();
    let owner =
        token["account"].as_str().map_or("for the gateway".to_owned(), |name| format!("of account {name}"));
    let scopes: Vec<_> = token["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let end = token["expires"].as_str().map_or("does not expire".to_owned(), |end| format!("expires {end}"));
    complain(&format!("token {} ({}) {owner}: {}; {end}", text("name"), text("id"), scopes.join(", ")));
    complain("its secret, which is not shown again:");
    say(&format!("{}\n", text("secret")))
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}
