//! `pinfold token create`: by a running gateway, or in the store of one that does not run.

use http::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::say_issued;
use crate::{
    app,
    auth::{Scope, Scopes, TokenRequest},
    cli::{Exit, Failure, admin::AdminArgs, load, on_runtime},
    model::Expiry,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Whose pins it is for; left out for a token of an operator
    #[arg(long)]
    account: Option<String>,
    /// What it is called: one token for each device
    #[arg(long)]
    name: String,
    /// What it allows: pins:read, pins:write, admin:read, admin:write [default: pins:write with an account]
    #[arg(long = "scope", value_name = "SCOPE", value_delimiter = ',')]
    scopes: Vec<Scope>,
    /// When it ends: a span such as 90d, or a date such as 2027-01-31 [default: never]
    #[arg(long, value_name = "WHEN")]
    expires: Option<Expiry>,
    /// The policies that it may use; the first places its pins [default: the account's]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    policies: Vec<String>,
    /// Print all about it as JSON, the secret included
    #[arg(long)]
    json: bool,
    /// Write it into the store of --config, while no gateway runs
    #[arg(long, requires = "config")]
    offline: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let token = if args.offline { offline(args)? } else { online(args)? };
    say_issued(&token, args.json)
}

fn online(args: &Args) -> Result<Value, Failure> {
    let admin = args.admin.client()?;
    let mut body = json!({ "name": args.name, "account": args.account, "policies": args.policies });
    if !args.scopes.is_empty() {
        body["scopes"] = args.scopes.iter().map(|scope| scope.as_str()).collect();
    }
    body["expires"] = args.expires.map(|expires| expires.to_string()).into();
    on_runtime(admin.call(Method::POST, "/tokens", Some(&body)))?
}

fn offline(args: &Args) -> Result<Value, Failure> {
    // Holds: clap requires it with --offline.
    let file =
        args.admin.config.as_ref().ok_or_else(|| Failure::new(Exit::Usage, "error: name a --config"))?;
    let settings = load(file)?.settings;
    let scopes: Scopes = match (args.scopes.is_empty(), &args.account) {
        (true, Some(_)) => Scopes::NONE.with(Scope::PinsWrite),
        _ => args.scopes.iter().copied().collect(),
    };
    let request = TokenRequest {
        name: args.name.clone(),
        account: args.account.clone(),
        scopes,
        expires: args.expires,
        policies: args.policies.clone(),
        by: None,
    };
    let (token, secret) = on_runtime(app::create_token(settings, request))??;
    let mut shown = token.to_json();
    shown["secret"] = secret.expose_secret().into();
    Ok(shown)
}
