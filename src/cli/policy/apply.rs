//! `pinfold policy apply`: shows what a policy's newest revision changes for existing pins, then has them follow it.

use http::Method;
use serde_json::json;

use crate::cli::{
    Exit, Failure,
    admin::{AdminArgs, segment},
    heard,
    job::{show, wait},
    on_runtime, plan, say,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The policy's name
    #[arg(value_name = "NAME")]
    name: String,
    /// Show the difference; do nothing
    #[arg(long)]
    dry_run: bool,
    /// Wait until it is done: exit code 0; 5 if it was paused or cancelled, or on Ctrl-C, which leaves it running
    #[arg(long, conflicts_with_all = ["dry_run", "json"])]
    wait: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let admin = args.admin.client()?;
    on_runtime(async {
        let path = format!("/policies/{}/apply", segment(&args.name));
        let planned = plan::ask(&admin, &path, &json!({ "dry_run": true })).await?;
        if args.dry_run {
            return say(&plan::told(&planned, args.json));
        }
        if !args.json {
            heard(&format!("{}\n", plan::told(&planned, false)))?;
        }
        let job = admin.call(Method::POST, &path, None).await?;
        match job["id"].as_u64().filter(|_| args.wait) {
            Some(id) => wait::until_ended(&admin, id, show::lines).await,
            None if args.json => say(&format!("{:#}\n", json!({ "plan": planned, "job": job }))),
            None => say(&show::lines(&job)),
        }
    })?
}
