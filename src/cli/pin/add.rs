//! `pinfold pin add`.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};

use super::query::Address;
use crate::{
    cli::{
        Exit, Failure,
        admin::{Admin, AdminArgs},
        complain, heard, on_runtime,
    },
    model::{PinCid, Status},
};

/// Between looks at a pin that is waited for.
const LOOK_EVERY: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The CIDs; `/ipfs/CID` will do, too
    #[arg(value_name = "CID", required = true, value_parser = cid)]
    cids: Vec<String>,
    /// What the pins are called
    #[arg(long)]
    name: Option<String>,
    /// Whose pins they are [default: the only account's]
    #[arg(long)]
    account: Option<String>,
    /// Do not wait until they are pinned
    #[arg(long)]
    background: bool,
    /// Print each as a line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

fn cid(text: &str) -> Result<String, String> {
    let cid = text.strip_prefix("/ipfs/").unwrap_or(text).trim_end_matches('/');
    match PinCid::parse(cid) {
        Ok(_) => Ok(cid.to_owned()),
        Err(_) if cid.contains('/') => {
            Err("paths are not resolved here: give the CID that it leads to".into())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// All are recorded before the first is waited for.
pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let admin = args.admin.client()?;
    on_runtime(async {
        let mut pins = Vec::new();
        for cid in &args.cids {
            pins.push(add(&admin, args, cid).await?);
        }
        let mut exit = Exit::Ok;
        for pin in &mut pins {
            if !args.background && !settle(&admin, pin).await? {
                exit = Exit::PinFailed;
            }
            let text = if args.json { format!("{pin}\n") } else { line(pin) };
            if !heard(&text)? {
                break;
            }
        }
        Ok(exit)
    })?
}

async fn add(admin: &Admin, args: &Args, cid: &str) -> Result<Value, Failure> {
    let mut body = json!({ "cid": cid });
    if let Some(name) = &args.name {
        body["name"] = name.as_str().into();
    }
    let address = Address::of("/pins", args.account.as_deref());
    admin.call(Method::POST, address.as_str(), Some(&body)).await
}

/// Waits for as long as it takes; returns whether it was pinned in the end.
async fn settle(admin: &Admin, pin: &mut Value) -> Result<bool, Failure> {
    let address = format!("/pins/{}", word(&pin["requestid"]));
    loop {
        match Status::parse(word(&pin["status"])) {
            Some(Status::Pinned) => return Ok(true),
            Some(Status::Failed) => break,
            _ => {}
        }
        tokio::time::sleep(LOOK_EVERY).await;
        pin["status"] = admin.call(Method::GET, &address, None).await?["status"].take();
    }
    let id = word(&pin["requestid"]);
    complain(&format!("error: {id} has failed; `pinfold pin explain {id}` tells why"));
    Ok(false)
}

fn line(pin: &Value) -> String {
    let words = [&pin["requestid"], &pin["pin"]["cid"], &pin["status"], &pin["pin"]["name"]];
    let words: Vec<_> = words.into_iter().filter_map(Value::as_str).collect();
    format!("{}\n", words.join("  "))
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CID: &str = "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy";

    #[test]
    fn a_cid_may_be_written_as_a_path_that_leads_no_further() {
        assert_eq!(cid(CID).as_deref(), Ok(CID));
        assert_eq!(cid(&format!("/ipfs/{CID}/")).as_deref(), Ok(CID));
        assert!(cid(&format!("/ipfs/{CID}/a.txt")).unwrap_err().contains("not resolved"));
        assert!(cid("hello").is_err());
    }
}
