//! `pinfold token ls`.

use serde_json::Value;

use super::{pretty, stored};
use crate::cli::{
    Exit, Failure,
    admin::AdminArgs,
    on_runtime, say,
    table::{Look, lines, table},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Those of this account only
    #[arg(long)]
    account: Option<String>,
    /// Those that were revoked or have expired, too
    #[arg(long)]
    all: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let admin = args.admin.client()?;
    let mut tokens = on_runtime(stored::all(&admin))??;
    let account = args.account.as_deref();
    tokens.retain(|token| {
        (args.all || stored::is_live(token)) && account.is_none_or(|name| token["account"] == name)
    });
    tokens.sort_by_key(|token| ["account", "name", "created"].map(|key| word(token, key).to_owned()));
    if args.json { say(&pretty(&Value::Array(tokens))) } else { say(&drawn(&tokens, Look::of_stdout())) }
}

fn drawn(tokens: &[Value], look: Look) -> String {
    let mut table = table(look, ["ID", "NAME", "ACCOUNT", "SCOPES", "STATE", "EXPIRES", "LAST USED", "FROM"]);
    for token in tokens {
        let id = if token["id"].is_null() { "(config)" } else { word(token, "id") };
        let scopes: Vec<_> =
            token["scopes"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        table.add_row([
            id,
            word(token, "name"),
            word(token, "account"),
            &scopes.join(","),
            word(token, "state"),
            word(token, "expires"),
            word(token, "last_used"),
            word(token, "last_from"),
        ]);
    }
    lines(&table)
}

fn word<'a>(token: &'a Value, key: &str) -> &'a str {
    token[key].as_str().unwrap_or("-")
}
