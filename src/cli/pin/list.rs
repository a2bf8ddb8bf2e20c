//! `pinfold pin ls`.

use serde_json::Value;

use super::query::Filters;
use crate::cli::{
    Exit, Failure,
    admin::AdminArgs,
    heard, on_runtime, say,
    table::{Look, json_lines, lines, table},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    #[command(flatten)]
    filters: Filters,
    /// Whose pins [default: those of the only account]
    #[arg(long)]
    account: Option<String>,
    /// Print only how many there are
    #[arg(long)]
    count: bool,
    /// Print each as a line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let admin = args.admin.client()?;
    let account = args.account.as_deref();
    on_runtime(async {
        if args.count {
            return say(&format!("{}\n", args.filters.count(&admin, account).await?));
        }
        let mut before = None;
        let mut first = true;
        loop {
            let (pins, next) = args.filters.page(&admin, account, before.as_deref()).await?;
            let text = if args.json { json_lines(&pins) } else { drawn(&pins, first, Look::of_stdout()) };
            before = next;
            if !heard(&text)? || before.is_none() {
                return Ok(Exit::Ok);
            }
            first = false;
        }
    })?
}

/// A page; the first one has the heading.
fn drawn(pins: &[Value], first: bool, look: Look) -> String {
    let mut table = table(look, ["REQUESTID", "CID", "STATUS", "COPIES", "CREATED", "NAME"]);
    for pin in pins {
        let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        table.add_row([
            word(&pin["requestid"]),
            word(&pin["pin"]["cid"]),
            word(&pin["status"]),
            word(&pin["info"]["copies"]),
            word(&pin["created"]),
            word(&pin["pin"]["name"]),
        ]);
    }
    let drawn = lines(&table);
    match drawn.split_once('\n') {
        Some((_, rest)) if !first && !look.drawn => rest.to_owned(),
        _ => drawn,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_pin_is_a_line_under_one_heading() {
        let pin = json!({
            "requestid": "id", "status": "queued", "created": "then", "info": { "copies": "1/2" },
            "pin": { "cid": "bafy" },
        });
        let pins = [pin];
        let text = drawn(&pins, true, Look::PLAIN) + &drawn(&pins, false, Look::PLAIN);
        let words: Vec<Vec<_>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        assert_eq!(words[1], ["id", "bafy", "queued", "1/2", "then", "-"]);
        assert_eq!((words.len(), &words[2]), (3, &words[1]));
    }
}
