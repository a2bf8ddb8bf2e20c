//! `pinfold log-level`: which messages a running gateway logs, and other ones from now on.

use http::Method;
use serde_json::{Value, json};

use super::{Exit, Failure, admin::AdminArgs, on_runtime, say};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// What to log from now on, such as `debug` or `info,pinfold::engine=debug`; without it, what is logged is shown
    filter: Option<String>,
    /// Log again what the configuration says
    #[arg(long, conflicts_with = "filter")]
    reset: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

/// What is set holds until it is set again, or the gateway ends.
pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let admin = args.admin.client()?;
    let told = match (&args.filter, args.reset) {
        (None, false) => on_runtime(admin.call(Method::GET, "/log-level", None))??,
        (filter, _) => {
            let body = json!({ "filter": filter });
            on_runtime(admin.call(Method::PUT, "/log-level", Some(&body)))??
        }
    };
    say(&shown(&told))
}

fn shown(told: &Value) -> String {
    let word = |key: &str| told[key].as_str().unwrap_or_default();
    match (word("filter"), word("configured")) {
        (filter, configured) if filter == configured => format!("{filter}\n"),
        (filter, configured) => format!("{filter} (the configuration says {configured})\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_from_the_configuration_is_told_with_it() {
        assert_eq!(shown(&json!({ "filter": "info", "configured": "info" })), "info\n");
        let debug = shown(&json!({ "filter": "debug", "configured": "info" }));
        assert_eq!(debug, "debug (the configuration says info)\n");
    }
}
