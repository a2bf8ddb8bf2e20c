//! What a drain, or a policy's newest revision, would do: asked of a running gateway, and told.

use std::time::Duration;

use http::Method;
use serde_json::Value;

use super::{
    Failure,
    admin::Admin,
    table::{Look, lines, table},
};

/// A gateway with very many pins takes its time to look at all of them.
const DEADLINE: Duration = Duration::from_secs(900);

pub(super) async fn ask(admin: &Admin, path: &str, body: &Value) -> Result<Value, Failure> {
    admin.call_within(DEADLINE, Method::POST, path, Some(body)).await
}

/// As JSON, or for people.
pub(super) fn told(plan: &Value, json: bool) -> String {
    if json { format!("{plan:#}\n") } else { drawn(plan, Look::of_stdout()) }
}

fn drawn(plan: &Value, look: Look) -> String {
    let mut page = match plan["plan"].as_str() {
        Some("apply") => apply(plan),
        _ => drain(plan),
    };
    let providers = items(&plan["providers"]);
    if !providers.is_empty() {
        page += &format!("\n{}\n", bills(providers, look));
        page += &match plan["seconds"].as_u64() {
            Some(0) => "fits into what the budgets allow at once\n".to_owned(),
            Some(seconds) => format!("takes {} at least, by the budgets\n", span(seconds)),
            None => "how long it takes is unknown: not every provider has a budget\n".to_owned(),
        };
    }
    page + &short(plan)
}

fn drain(plan: &Value) -> String {
    let mut page = format!("drain of {}: it concerns {}\n", text(&plan["provider"]), pins(&plan["pins"]));
    for (key, words) in [
        ("moving", "are made elsewhere first, then removed"),
        ("spare", "are not needed there any more, and only removed"),
        ("staying", "cannot go"),
        ("removing", "are being removed already"),
    ] {
        if plan[key] != 0 {
            page += &format!("  {:>8}  copies {words}\n", plan[key].to_string());
        }
    }
    page
}

fn apply(plan: &Value) -> String {
    let mut page = format!("policy {}: {} change\n", text(&plan["policy"]), pins(&plan["pins"]));
    for revision in items(&plan["revisions"]) {
        let newest = if revision["revision"] == plan["newest"] { ", the newest" } else { "" };
        let (pins, revision) = (revision["pins"].to_string(), &revision["revision"]);
        page += &format!("  {pins:>8}  pins follow revision {revision}{newest}\n");
    }
    page
}

fn bills(providers: &[Value], look: Look) -> String {
    let mut table = table(look, ["PROVIDER", "COMING", "GOING", "LIST", "READ", "WRITE", "TIME"]);
    for provider in providers {
        let time = provider["seconds"].as_u64().map_or("unknown".to_owned(), span);
        let calls = &provider["calls"];
        let numbers =
            [&provider["coming"], &provider["going"], &calls["list"], &calls["read"], &calls["write"]];
        let cells = numbers.into_iter().map(Value::to_string).chain([time]);
        table.add_row([text(&provider["name"]).to_owned()].into_iter().chain(cells));
    }
    lines(&table)
}

fn short(plan: &Value) -> String {
    let short = &plan["short"];
    if short["pins"] == 0 {
        return String::new();
    }
    let mut page = format!("\n{} cannot have the copies that their policy asks for:\n", pins(&short["pins"]));
    for pin in items(&short["first"]) {
        page += &format!("  {}  {}\n", text(&pin["requestid"]), text(&pin["why"]));
    }
    let named = items(&short["first"]).len() as u64;
    if let Some(more @ 1..) = short["pins"].as_u64().map(|pins| pins - named.min(pins)) {
        page += &format!("  and {more} more\n");
    }
    page
}

fn pins(count: &Value) -> String {
    if *count == 1 { "1 pin".to_owned() } else { format!("{count} pins") }
}

/// In the two largest units.
fn span(seconds: u64) -> String {
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..86400 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} days {} h", seconds / 86400, seconds % 86400 / 3600),
    }
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

    fn bill(name: &str, coming: u64, going: u64, seconds: Option<u64>) -> Value {
        let calls = json!({ "list": 2, "read": 0, "write": coming + going });
        json!({ "name": name, "coming": coming, "going": going, "calls": calls, "seconds": seconds })
    }

    #[test]
    fn a_drain_is_told_with_what_moves_where_and_who_is_short() {
        let plan = json!({
            "plan": "drain", "provider": "alpha", "pins": 31, "moving": 20, "spare": 10, "staying": 1, "removing": 0,
            "providers": [bill("alpha", 0, 30, Some(60)), bill("beta", 20, 0, Some(3600))], "seconds": 3600,
            "short": { "pins": 2, "first": [ { "requestid": "r-1", "why": "2 copies asked, 1 elsewhere: beta is full" } ] },
        });
        insta::assert_snapshot!(drawn(&plan, Look::PLAIN), @r"
        drain of alpha: it concerns 31 pins
                20  copies are made elsewhere first, then removed
                10  copies are not needed there any more, and only removed
                 1  copies cannot go

        PROVIDER  COMING  GOING  LIST  READ  WRITE  TIME
        alpha     0       30     2     0     30     1 min 0 s
        beta      20      0      2     0     20     1 h 0 min

        takes 1 h 0 min at least, by the budgets

        2 pins cannot have the copies that their policy asks for:
          r-1  2 copies asked, 1 elsewhere: beta is full
          and 1 more
        ");
    }

    #[test]
    fn a_policy_is_told_with_the_revisions_that_pins_follow() {
        let plan = json!({
            "plan": "apply", "policy": "archive", "pins": 5, "newest": 3,
            "revisions": [ { "revision": 1, "pins": 5 }, { "revision": 3, "pins": 2 } ],
            "providers": [bill("beta", 5, 0, None)], "seconds": null, "short": { "pins": 0, "first": [] },
        });
        insta::assert_snapshot!(drawn(&plan, Look::PLAIN), @r"
        policy archive: 5 pins change
                 5  pins follow revision 1
                 2  pins follow revision 3, the newest

        PROVIDER  COMING  GOING  LIST  READ  WRITE  TIME
        beta      5       0      2     0     5      unknown

        how long it takes is unknown: not every provider has a budget
        ");
    }

    #[test]
    fn what_has_to_wait_for_no_budget_is_told_as_such() {
        let plan = json!({
            "plan": "drain", "provider": "alpha", "pins": 1, "moving": 0, "spare": 1, "staying": 0, "removing": 0,
            "providers": [bill("alpha", 0, 1, Some(0))], "seconds": 0, "short": { "pins": 0, "first": [] },
        });
        assert!(drawn(&plan, Look::PLAIN).ends_with("\nfits into what the budgets allow at once\n"));
    }

    #[test]
    fn spans_are_told_by_their_largest_units() {
        let told: Vec<_> = [59, 61, 3661, 90_000].map(span).to_vec();
        assert_eq!(told, ["59 s", "1 min 1 s", "1 h 1 min", "1 days 1 h"]);
    }
}
