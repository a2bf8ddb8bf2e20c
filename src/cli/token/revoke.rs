//! `pinfold token rm`.

use http::Method;

use super::stored;
use crate::cli::{Exit, Failure, admin::AdminArgs, complain, on_runtime};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The token's name or id
    #[arg(value_name = "NAME|ID")]
    token: String,
    /// Its account, where several have a token of that name
    #[arg(long)]
    account: Option<String>,
    /// Revoke it though it is the last one with admin:write
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let admin = args.admin.client()?;
    on_runtime(async {
        let tokens = stored::all(&admin).await?;
        for id in stored::meant(&tokens, &args.token, args.account.as_deref())? {
            let force = if args.force { "?force=true" } else { "" };
            admin.call(Method::DELETE, &format!("/tokens/{id}{force}"), None).await?;
            complain(&format!("revoked {} ({id})", args.token));
        }
        Ok(Exit::Ok)
    })?
}
