//! `pinfold policy explain`: asks a running gateway how it would place a pin.

use std::collections::BTreeMap;

use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use crate::cli::{
    Exit, Failure,
    admin::AdminArgs,
    on_runtime, say,
    table::{Look, lines, table},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// What is to be pinned
    #[arg(long)]
    cid: String,
    /// The pin's name
    #[arg(long)]
    name: Option<String>,
    /// An entry of the pin's meta; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    meta: Vec<(String, String)>,
    /// Whose pin it is [default: the only account]
    #[arg(long)]
    account: Option<String>,
    /// The token or certificate, by its name, that it is sent with [default: one without policies of its own]
    #[arg(long, value_name = "NAME")]
    token: Option<String>,
    /// It comes with origins
    #[arg(long)]
    origins: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let admin = args.admin.client()?;
    let told = on_runtime(admin.call(Method::GET, &format!("/policy/explain?{}", query(args)), None))??;
    if args.json { say(&format!("{told:#}\n")) } else { say(&drawn(&told, Look::of_stdout())) }
}

fn query(args: &Args) -> String {
    let meta: BTreeMap<_, _> = args.meta.iter().cloned().collect();
    let meta =
        (!meta.is_empty()).then(|| Value::Object(meta.into_iter().map(|(k, v)| (k, v.into())).collect()));
    let pairs = [
        ("cid", Some(args.cid.clone())),
        ("name", args.name.clone()),
        ("meta", meta.map(|meta| meta.to_string())),
        ("account", args.account.clone()),
        ("token", args.token.clone()),
        ("origins", args.origins.then(|| "true".to_owned())),
    ];
    let written = pairs
        .into_iter()
        .filter_map(|(key, value)| Some(format!("{key}={}", utf8_percent_encode(&value?, NON_ALPHANUMERIC))));
    written.collect::<Vec<_>>().join("&")
}

fn drawn(told: &Value, look: Look) -> String {
    let mut page = routes(told, look);
    let policy = &told["policy"];
    let copies = match (&policy["copies"]["min"], &policy["copies"]["max"]) {
        (min, max) if min == max && *max == 1 => "1 copy".to_owned(),
        (min, max) if min == max => format!("{max} copies"),
        (min, max) => format!("{min} to {max} copies"),
    };
    let (name, chosen, need) = (text(&policy["name"]), text(&policy["chosen"]), &policy["pinned_when"]);
    page += &format!("policy {name} ({chosen}): {copies}, pinned from {need} on\n");
    if let Some(until) = told["pinned_until"].as_str() {
        page += &format!("pinned until {until}\n");
    }
    page + "\n" + &providers(told, look)
}

fn routes(told: &Value, look: Look) -> String {
    let routes = items(&told["routes"]);
    if routes.is_empty() {
        return String::new();
    }
    let mut table = table(look, ["ROUTE", "POLICY", "FITS", "WHY NOT"]);
    for route in routes {
        let because: Vec<_> = items(&route["because"]).iter().map(text).collect();
        let fits = if route["fits"] == true { "yes" } else { "no" };
        table.add_row([text(&route["name"]), text(&route["policy"]), fits, &because.join("; ")]);
    }
    lines(&table) + "\n"
}

fn providers(told: &Value, look: Look) -> String {
    let mut table = table(look, ["PROVIDER", "COPY", "WHY"]);
    for provider in items(&told["providers"]) {
        let taken = if provider["taken"] == true { "yes" } else { "no" };
        table.add_row([text(&provider["name"]), taken, text(&provider["why"])]);
    }
    lines(&table)
}

fn items(list: &Value) -> &[Value] {
    list.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn it_is_told_route_by_route_and_provider_by_provider() {
        let told = json!({
            "account": "default",
            "routes": [
                { "name": "backups", "policy": "archive", "fits": false, "because": ["there is no name, to fit backup-*"] },
                { "name": "raws", "policy": "cheap", "fits": true, "because": [] },
            ],
            "policy": { "name": "cheap", "chosen": "by the route raws", "copies": { "min": 1, "max": 2 }, "pinned_when": 1 },
            "pinned_until": "2027-01-31T00:00:00.000Z",
            "providers": [
                { "name": "alpha", "taken": true, "why": "copy 1" },
                { "name": "beta", "taken": false, "why": "is being drained" },
            ],
        });
        insta::assert_snapshot!(drawn(&told, Look::PLAIN), @r#"
    ROUTE    POLICY   FITS  WHY NOT
    backups  archive  no    there is no name, to fit backup-*
    raws     cheap    yes

    policy cheap (by the route raws): 1 to 2 copies, pinned from 1 on
    pinned until 2027-01-31T00:00:00.000Z

    PROVIDER  COPY  WHY
    alpha     yes   copy 1
    beta      no    is being drained
    "#);
    }

    #[test]
    fn meta_is_given_by_pairs_whose_values_may_hold_equals_signs() {
        assert_eq!(pair("k=v=1"), Ok(("k".into(), "v=1".into())));
        assert_eq!(pair("k="), Ok(("k".into(), String::new())));
        assert!(pair("k").is_err());
    }
}
