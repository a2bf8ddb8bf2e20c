//! `pinfold provider ls`.

use http::Method;
use serde_json::Value;

use crate::cli::{
    Exit, Failure,
    admin::AdminArgs,
    on_runtime, say,
    table::{Look, json_lines, lines, table},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Print each as a line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let admin = args.admin.client()?;
    let told = on_runtime(admin.call(Method::GET, "/providers", None))??;
    let providers = told["providers"].as_array().map(Vec::as_slice).unwrap_or_default();
    say(&if args.json { json_lines(providers) } else { drawn(providers, Look::of_stdout()) })
}

fn drawn(providers: &[Value], look: Look) -> String {
    let mut table = table(look, ["NAME", "MODE", "HEALTH", "SINCE", "BREAKER", "PROOF", "LAST ERROR"]);
    for provider in providers {
        let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let is_absent = !provider["absent_since"].is_null();
        let since = if is_absent { &provider["absent_since"] } else { &provider["health_since"] };
        table.add_row([
            word(&provider["name"]),
            mode(provider, is_absent),
            if is_absent { "-".to_owned() } else { word(&provider["health"]) },
            word(since),
            word(&provider["breaker"]),
            proof(&provider["proof"]),
            last_error(&provider["last_error"], provider["health"] == "healthy"),
        ]);
    }
    lines(&table)
}

/// What the operator wants of it; of one that the config does not name only what is beside that.
fn mode(provider: &Value, is_absent: bool) -> String {
    match provider["mode"].as_str() {
        None | Some("active") if is_absent => "absent".to_owned(),
        Some(mode) if is_absent => format!("absent, {mode}"),
        mode => mode.unwrap_or("-").to_owned(),
    }
}

/// With when it was: it may be long over.
fn last_error(error: &Value, is_well: bool) -> String {
    let (Some(at), Some(text)) = (error["at"].as_str(), error["text"].as_str()) else {
        return "-".to_owned();
    };
    format!("{at}: {text}{}", if is_well { "; well again" } else { "" })
}

/// What samples of its copies showed, such as `unproven 1/20`.
fn proof(proof: &Value) -> String {
    let Some(state) = proof["state"].as_str() else { return "-".to_owned() };
    let (served, failed) = (proof["served"].as_u64().unwrap_or(0), proof["failed"].as_u64().unwrap_or(0));
    match proof["gateway_down_since"].is_null() {
        true if served + failed == 0 => state.to_owned(),
        true => format!("{state} {served}/{}", served + failed),
        false => format!("{state}, gateway down"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_provider_is_a_line_with_what_it_showed() {
        let told = |proof: Value| {
            let alpha = json!({
                "name": "alpha", "mode": "active", "health": "healthy", "health_since": "2026-11-21T13:10:00.120Z",
                "absent_since": null, "breaker": "closed", "proof": proof, "last_error": null,
            });
            let text = drawn(&[alpha], Look::PLAIN);
            let (_, rest) = text.lines().nth(1).and_then(|line| line.split_once("closed")).expect("a line");
            rest.trim().trim_end_matches('-').trim().to_owned()
        };
        let proof = |served, failed, down| json!({ "state": "unproven", "served": served, "failed": failed, "gateway_down_since": down });
        assert_eq!(told(Value::Null), "-");
        assert_eq!(told(proof(1, 19, None::<&str>)), "unproven 1/20");
        assert_eq!(told(proof(0, 0, None)), "unproven");
        assert_eq!(told(proof(0, 0, Some("2026-11-21T13:10:00.120Z"))), "unproven, gateway down");
    }

    #[test]
    fn an_error_is_told_with_its_time_and_whether_that_is_over() {
        let error = json!({ "at": "noon", "text": "503: busy" });
        assert_eq!(last_error(&error, false), "noon: 503: busy");
        assert_eq!(last_error(&error, true), "noon: 503: busy; well again");
        assert_eq!(last_error(&Value::Null, true), "-");
    }

    #[test]
    fn one_that_the_config_does_not_name_is_absent_and_not_active() {
        let gone =
            |mode| json!({ "name": "alpha", "mode": mode, "health": "healthy", "absent_since": "noon" });
        let row = |mode| drawn(&[gone(mode)], Look::PLAIN).lines().nth(1).unwrap_or_default().to_owned();
        let words = |mode| row(mode).split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
        assert_eq!(words("active"), "alpha absent - noon - - -");
        assert_eq!(words("draining"), "alpha absent, draining - noon - - -");
    }
}
