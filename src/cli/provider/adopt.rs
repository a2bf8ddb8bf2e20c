//! `pinfold provider adopt`: has a running gateway make pins of what a provider holds already.

use http::Method;
use serde_json::json;

use crate::cli::{
    Exit, Failure,
    admin::{AdminArgs, segment},
    job::{show, wait},
    on_runtime, say,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The provider's name in the configuration
    name: String,
    /// Whose the pins are to be
    #[arg(long, value_name = "NAME")]
    account: String,
    /// The policy that they get [default: the account's]
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Make nothing: wait, and say how many pins would be made, and how many copies elsewhere
    #[arg(long)]
    dry_run: bool,
    /// Wait for the end
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let admin = args.admin.client()?;
    on_runtime(async {
        let mut body = json!({ "account": args.account, "dry_run": args.dry_run });
        if let Some(policy) = &args.policy {
            body["policy"] = policy.as_str().into();
        }
        let job = admin
            .call(Method::POST, &format!("/providers/{}/adopt", segment(&args.name)), Some(&body))
            .await?;
        match job["id"].as_u64().filter(|_| args.wait || args.dry_run) {
            Some(id) => wait::until_ended(&admin, id, show::lines).await,
            None => say(&show::lines(&job)),
        }
    })?
}
