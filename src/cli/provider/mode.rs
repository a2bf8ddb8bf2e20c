//! `pinfold provider drain | undrain | readonly | activate | forget`: what a running gateway is to do with a provider.

use http::Method;
use serde_json::json;

use crate::cli::{
    Exit, Failure,
    admin::{AdminArgs, segment},
    job::{show, wait},
    on_runtime, plan, say,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Drain {
    /// The provider's name
    #[arg(value_name = "NAME")]
    name: String,
    /// Let pins keep fewer copies than their policies ask, where too few other providers are left; never none
    #[arg(long)]
    allow_fewer: bool,
    /// Wait until it is done: exit code 0; 5 if it was paused or cancelled, or on Ctrl-C, which leaves it running
    #[arg(long, conflicts_with_all = ["dry_run", "json"])]
    wait: bool,
    /// Show what it would do, where to, and how long that takes; do nothing
    #[arg(long)]
    dry_run: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// Which provider.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Told {
    /// The provider's name
    #[arg(value_name = "NAME")]
    name: String,
    #[command(flatten)]
    admin: AdminArgs,
}

pub(super) fn drain(args: &Drain) -> Result<Exit, Failure> {
    let admin = args.admin.client()?;
    on_runtime(async {
        let path = format!("/providers/{}/drain", segment(&args.name));
        let body = json!({ "allow_fewer": args.allow_fewer, "dry_run": args.dry_run });
        if args.dry_run {
            let planned = plan::ask(&admin, &path, &body).await?;
            return say(&plan::told(&planned, args.json));
        }
        let job = admin.call(Method::POST, &path, Some(&body)).await?;
        match job["id"].as_u64().filter(|_| args.wait) {
            Some(id) => wait::until_ended(&admin, id, show::lines).await,
            None if args.json => say(&format!("{job:#}\n")),
            None => say(&show::lines(&job)),
        }
    })?
}

pub(super) fn tell(told: &Told, command: &str) -> Result<Exit, Failure> {
    let admin = told.admin.client()?;
    let path = format!("/providers/{}/{command}", segment(&told.name));
    let answer = on_runtime(admin.call(Method::POST, &path, None))??;
    let mode = answer["mode"].as_str().unwrap_or("forgotten");
    say(&format!("{} is {mode}\n", told.name))
}
