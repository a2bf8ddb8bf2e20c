//! `pinfold reload`: has a running gateway read its configuration again.

use http::Method;
use serde_json::Value;

use super::{Exit, Failure, admin::AdminArgs, on_runtime, say};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    admin: AdminArgs,
}

/// Prints what changed; where the configuration cannot be used, the gateway goes on with the one it has.
pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let admin = args.admin.client()?;
    let report = on_runtime(admin.call(Method::POST, "/reload", None))??;
    say(&told(&report))
}

fn told(report: &Value) -> String {
    let lines = |key: &str, end: &str| {
        let changes = report[key].as_array().into_iter().flatten().filter_map(Value::as_str);
        changes.map(|change| format!("{change}{end}\n")).collect::<String>()
    };
    let changes = lines("changes", "") + &lines("needs_restart", " - takes a restart");
    if changes.is_empty() { "the config says what it said before\n".to_owned() } else { changes }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn changes_are_told_line_by_line_and_those_that_wait_are_marked() {
        let report =
            json!({ "changes": ["api.accept_wait: 2s (was 1s)"], "needs_restart": ["store.url: a (was b)"] });
        assert_eq!(told(&report), "api.accept_wait: 2s (was 1s)\nstore.url: a (was b) - takes a restart\n");
        assert_eq!(told(&json!({ "changes": [] })), "the config says what it said before\n");
    }
}
