//! `pinfold provider orphans`.

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::cli::{
    Exit, Failure,
    admin::{AdminArgs, segment},
    complain, heard, on_runtime,
    table::{Look, json_lines, lines, table},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The provider's name in the configuration
    name: String,
    /// Print each as a line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let admin = args.admin.client()?;
    on_runtime(async {
        let (mut shown, mut after) = (0, String::new());
        loop {
            let path = format!("/providers/{}/orphans{after}", segment(&args.name));
            let page = admin.call(Method::GET, &path, None).await?;
            let orphans = page["orphans"].as_array().map(Vec::as_slice).unwrap_or_default();
            shown += orphans.len() as u64;
            let text = if args.json { json_lines(orphans) } else { drawn(orphans, Look::of_stdout()) };
            let more = page["next"].as_str();
            if !heard(&text)? || more.is_none() {
                tell_rest(&page, shown);
                return Ok(Exit::Ok);
            }
            let next = more.unwrap_or_default();
            after = format!("?after={}", utf8_percent_encode(next, NON_ALPHANUMERIC));
        }
    })?
}

fn tell_rest(page: &Value, shown: u64) {
    let count = page["count"].as_u64().unwrap_or(0);
    match page["as_of"].as_str() {
        None => complain("its list was not swept yet: run pinfold provider audit"),
        Some(as_of) if count > shown => complain(&format!("{} more as of {as_of}", count - shown)),
        Some(_) => {}
    }
}

fn drawn(orphans: &[Value], look: Look) -> String {
    let mut table = table(look, ["UPSTREAM ID", "CID", "CREATED", "NAME"]);
    for orphan in orphans {
        let word = |key: &str| orphan[key].as_str().unwrap_or("-").to_owned();
        table.add_row([word("upstream"), word("cid"), word("created"), word("name")]);
    }
    lines(&table)
}
