//! `pinfold provider adopt`: has a running gateway make pins of what a provider holds already.

use http::Method;
use serde_json::{Value, json};

use super::audit::follow;
use crate::cli::{Exit, Failure, admin::AdminArgs, on_runtime, say};

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
    /// Make nothing: say how many pins would be made, and how many copies elsewhere
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
    let address = format!("/providers/{}/adopt", args.name);
    let job = on_runtime(async {
        let mut body = json!({ "account": args.account, "dry_run": args.dry_run });
        if let Some(policy) = &args.policy {
            body["policy"] = policy.as_str().into();
        }
        let job = admin.call(Method::POST, &address, Some(&body)).await?;
        if args.wait { follow(&admin, &address).await } else { Ok(job) }
    })??;
    say(&told(&job))?;
    let went_well = !matches!(job["state"].as_str(), Some("failed" | "cancelled"));
    Ok(if went_well { Exit::Ok } else { Exit::Failed })
}

fn told(job: &Value) -> String {
    let word = |key: &str| job[key].as_str().unwrap_or_default().to_owned();
    let mut told = format!("job {}: {} {} is {}", job["id"], word("kind"), word("provider"), word("state"));
    let words = word("words");
    if !words.is_empty() {
        told.push_str(&format!(": {words}"));
    }
    told.push('\n');
    for (name, count) in job["counts"].as_object().into_iter().flatten() {
        told.push_str(&format!("  {}: {count}\n", name.replace('_', " ")));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_adoption_is_told_with_its_numbers() {
        let job = json!({
            "id": 7, "kind": "adopt", "provider": "alpha", "state": "done", "words": "2 pins were made",
            "counts": { "both": 1, "theirs_only": 2 },
        });
        assert_eq!(told(&job), "job 7: adopt alpha is done: 2 pins were made\n  both: 1\n  theirs only: 2\n");
    }
}
