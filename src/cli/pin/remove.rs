//! `pinfold pin rm`.

use http::Method;

use super::query::{Address, Filters};
use crate::cli::{Exit, Failure, admin::AdminArgs, complain, on_runtime};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The ids of the pins, instead of filters
    #[arg(value_name = "ID", conflicts_with_all = ["name", "cid", "status"])]
    ids: Vec<String>,
    #[command(flatten)]
    filters: Filters,
    /// Whose pins [default: those of the only account]
    #[arg(long)]
    account: Option<String>,
    /// Remove all that match, not one only
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let admin = args.admin.client()?;
    let account = args.account.as_deref();
    on_runtime(async {
        let ids =
            if args.ids.is_empty() { args.filters.ids(&admin, account).await? } else { args.ids.clone() };
        if args.ids.is_empty() && ids.len() > 1 && !args.force {
            let text = format!(
                "error: {} pins match: narrow it by --cid or --name, name ids, or remove all of them with --force",
                ids.len()
            );
            return Err(Failure::new(Exit::Failed, text));
        }
        for id in &ids {
            let address = Address::of(&format!("/pins/{id}"), account);
            admin.call(Method::DELETE, address.as_str(), None).await?;
        }
        complain(&format!("removed {} {}", ids.len(), if ids.len() == 1 { "pin" } else { "pins" }));
        Ok(Exit::Ok)
    })?
}
