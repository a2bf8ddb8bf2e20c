//! `pinfold event tail`.

use http::Method;
use serde_json::Value;

use crate::{
    cli::{
        Exit, Failure,
        admin::{Admin, AdminArgs},
        complain, heard, on_runtime, reader,
    },
    model::EventKind,
};

/// How long the gateway may wait for something to happen; shorter than the client waits for the gateway.
const WAIT: &str = "20s";

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Those after this one; 0: all that are kept
    #[arg(long, value_name = "ID", value_parser = number, conflicts_with = "last")]
    after: Option<u64>,
    /// So many of the newest
    #[arg(long, short = 'n', value_name = "COUNT", default_value_t = 20, value_parser = count)]
    last: u32,
    /// Go on with what happens next, until Ctrl-C
    #[arg(long, short)]
    follow: bool,
    /// Those of these kinds: pin_status, provider_health, provider_mode, job, admin, reload,
    /// pin_expired, provider_proof
    #[arg(long = "kind", value_name = "KIND", value_delimiter = ',')]
    kinds: Vec<EventKind>,
    /// Those about this account's pins
    #[arg(long)]
    account: Option<String>,
    /// Print each as a line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// An event's number, as it is typed.
fn number(text: &str) -> Result<u64, &'static str> {
    let number = text.parse().ok().filter(|number| i64::try_from(*number).is_ok());
    number.ok_or("write the number that an event's line begins with, such as 120, or 0 for all that are kept")
}

fn count(text: &str) -> Result<u32, &'static str> {
    text.parse().ok().filter(|count| *count <= 1000).ok_or("write a number from 0 to 1000")
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let admin = args.admin.client()?;
    on_runtime(async {
        tokio::select! {
            told = tail(&admin, args) => told,
            () = reader::gone() => Ok(Exit::Ok),
            _ = tokio::signal::ctrl_c() => Ok(Exit::Ok),
        }
    })?
}

async fn tail(admin: &Admin, args: &Args) -> Result<Exit, Failure> {
    let mut from = args.after.map_or_else(|| format!("last={}", args.last), |after| format!("after={after}"));
    let (mut waits, mut after) = (false, args.after.unwrap_or(0));
    loop {
        let page = admin.call(Method::GET, &address(args, &from, waits), None).await?;
        if page["missed"] == true {
            complain(&missed(after, &page));
        }
        let text: String =
            page["events"].as_array().into_iter().flatten().map(|event| line(event, args.json)).collect();
        let over = page["more"] != true && !args.follow;
        if !heard(&text)? || over {
            return Ok(Exit::Ok);
        }
        after = page["next"].as_u64().unwrap_or(after);
        from = format!("after={}", page["next"]);
        waits = page["more"] != true;
    }
}

/// Why what was asked for is not all there: the number is too old, or of no event that there ever was.
fn missed(after: u64, page: &Value) -> String {
    match page["oldest"].as_u64() {
        Some(oldest) if after < oldest => {
            "warning: events after that one are gone: they are kept for 90 days, and the newest million"
                .to_owned()
        }
        _ => format!(
            "warning: there is no event {after} yet: the number is of another gateway, or its store was restored since; what \
             follows are all events that are kept"
        ),
    }
}

fn address(args: &Args, from: &str, waits: bool) -> String {
    let mut address = format!("/events?limit=1000&{from}");
    if let Some(account) = &args.account {
        address.push_str(&format!("&account={account}"));
    }
    if !args.kinds.is_empty() {
        let kinds: Vec<_> = args.kinds.iter().map(|kind| kind.as_str()).collect();
        address.push_str(&format!("&kind={}", kinds.join(",")));
    }
    if waits {
        address.push_str(&format!("&wait={WAIT}"));
    }
    address
}

fn line(event: &Value, json: bool) -> String {
    if json {
        return format!("{event}\n");
    }
    let word = |key: &str| event[key].as_str().unwrap_or("-");
    let mut line = format!(
        "{}  {}  {}  {}  {}",
        event["id"],
        word("at"),
        word("kind"),
        word("account"),
        word("subject")
    );
    let body = &event["body"];
    match (body["from"].as_str(), body["to"].as_str()) {
        (Some(from), Some(to)) => line.push_str(&format!("  {from} -> {to}")),
        (None, Some(to)) => line.push_str(&format!("  {to}")),
        (_, None) => {}
    }
    for (key, value) in body.as_object().into_iter().flatten() {
        if key != "from" && key != "to" {
            line.push_str(&format!("  {key}={}", value.as_str().unwrap_or_default()));
        }
    }
    // Words of others must not move the cursor, nor begin another line.
    line.retain(|letter| !letter.is_control());
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_that_is_too_old_is_told_apart_from_one_that_is_yet_to_come() {
        let told = |after, oldest| missed(after, &json!({ "oldest": oldest }));
        assert!(told(3, json!(9)).contains("are gone"));
        assert!(told(900, json!(9)).starts_with("warning: there is no event 900 yet"));
        assert!(told(900, Value::Null).starts_with("warning: there is no event 900 yet"));
    }

    #[test]
    fn an_event_is_one_line_whatever_its_words_are() {
        let event = json!({
            "id": 7, "at": "noon", "kind": "pin_status", "account": "ada", "subject": "id",
            "body": { "from": "queued", "to": "pinned" },
        });
        assert_eq!(line(&event, false), "7  noon  pin_status  ada  id  queued -> pinned\n");
        let begun = json!({
            "id": 9, "at": "noon", "kind": "job", "account": null, "subject": "3",
            "body": { "kind": "drain", "to": "running" },
        });
        assert_eq!(line(&begun, false), "9  noon  job  -  3  running  kind=drain\n");
        let act = json!({
            "id": 8, "at": "noon", "kind": "admin", "account": null, "subject": "t1",
            "body": { "act": "token_created", "by": "ops", "words": "a\nb\u{1b}[2J" },
        });
        assert_eq!(line(&act, false), "8  noon  admin  -  t1  act=token_created  by=ops  words=ab[2J\n");
        assert_eq!(line(&act, true).lines().count(), 1);
    }
}
