//! `pinfold pin add`.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::query::Address;
use crate::{
    cli::{
        Exit, Failure,
        admin::{Admin, AdminArgs},
        complain, heard, on_runtime,
    },
    model::{PinCid, Status, expiry::parse_days},
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
    /// How long to wait for all of them, such as 30s or 5m; they go on afterwards [default: as long as it takes]
    #[arg(long, value_name = "SPAN", conflicts_with = "background", value_parser = span)]
    timeout: Option<Duration>,
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

fn span(text: &str) -> Result<Duration, String> {
    parse_days(text).ok_or_else(|| "write a span such as 30s or 5m".to_owned())
}

/// All are recorded before the first is waited for.
pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let admin = args.admin.client()?;
    on_runtime(async {
        let mut pins = Vec::new();
        for cid in &args.cids {
            match add(&admin, args, cid).await {
                Ok(pin) => pins.push(pin),
                Err(why) => {
                    // Those are there all the same, and nobody else tells of them.
                    pins.iter().try_for_each(|pin| heard(&text(args, pin)).map(drop))?;
                    return Err(why);
                }
            }
        }
        let patience = args.timeout.and_then(|span| Instant::now().checked_add(span));
        let mut exit = Exit::Ok;
        for pin in &mut pins {
            let ended = if args.background { Exit::Ok } else { settle(&admin, pin, patience).await? };
            // What has failed weighs more than what is late.
            if exit != Exit::PinFailed && ended != Exit::Ok {
                exit = ended;
            }
            if !heard(&text(args, pin))? {
                break;
            }
        }
        Ok(exit)
    })?
}

fn text(args: &Args, pin: &Value) -> String {
    if args.json { format!("{pin}\n") } else { line(pin) }
}

async fn add(admin: &Admin, args: &Args, cid: &str) -> Result<Value, Failure> {
    let mut body = json!({ "cid": cid });
    if let Some(name) = &args.name {
        body["name"] = name.as_str().into();
    }
    let address = Address::of("/pins", args.account.as_deref());
    admin.call(Method::POST, address.as_str(), Some(&body)).await
}

/// Waits until it is pinned or has failed, or patience ends.
async fn settle(admin: &Admin, pin: &mut Value, patience: Option<Instant>) -> Result<Exit, Failure> {
    let id = word(&pin["requestid"]).to_owned();
    let address = format!("/pins/{id}");
    let mut is_last = false;
    loop {
        match Status::parse(word(&pin["status"])) {
            Some(Status::Pinned) => return Ok(Exit::Ok),
            Some(Status::Failed) => {
                complain(&format!("error: {id} has failed; `pinfold pin explain {id}` tells why"));
                return Ok(Exit::PinFailed);
            }
            _ if is_last => {
                complain(&format!("{id} goes on; `pinfold pin explain {id}` tells what it waits for"));
                return Ok(Exit::NotDone);
            }
            _ => {}
        }
        let next = Instant::now() + LOOK_EVERY;
        sleep_until(patience.map_or(next, |end| end.min(next))).await;
        is_last = patience.is_some_and(|end| end <= Instant::now());
        pin["status"] = admin.call(Method::GET, &address, None).await?["status"].take();
        // It told of the moment in which it was recorded.
        pin.as_object_mut().map(|pin| pin.remove("info"));
    }
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
