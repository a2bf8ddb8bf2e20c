//! `pinfold token rotate`.

use http::Method;
use serde_json::json;

use super::{say_issued, stored};
use crate::{
    cli::{Exit, Failure, admin::AdminArgs, on_runtime},
    model::Expiry,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The token's name or id
    #[arg(value_name = "NAME|ID")]
    token: String,
    /// Its account, where several have a token of that name
    #[arg(long)]
    account: Option<String>,
    /// How long the old secret is good for; 0s: not any more
    #[arg(long, value_name = "SPAN", default_value = "24h")]
    overlap: String,
    /// When the new one ends [default: it gets as long a life as the old one was given]
    #[arg(long, value_name = "WHEN")]
    expires: Option<Expiry>,
    /// Print all about it as JSON, the secret included
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let admin = args.admin.client()?;
    let body = json!({ "overlap": args.overlap, "expires": args.expires.map(|expires| expires.to_string()) });
    let token = on_runtime(async {
        let mut tokens = stored::all(&admin).await?;
        tokens.retain(|token| token["state"] != "replaced");
        let ids = stored::meant(&tokens, &args.token, args.account.as_deref())?;
        // Holds: what is meant is never nothing, and of a name one is active.
        let id = ids.first().map_or("", String::as_str);
        admin.call(Method::POST, &format!("/tokens/{id}/rotate"), Some(&body)).await
    })??;
    say_issued(&token, args.json)
}
