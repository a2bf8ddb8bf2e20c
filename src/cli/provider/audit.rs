//! `pinfold provider audit`.

use http::Method;
use serde_json::{Value, json};

use crate::cli::{
    Exit, Failure,
    admin::{AdminArgs, segment},
    job::wait,
    on_runtime, say,
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The provider's name in the configuration
    name: String,
    /// How: by its list, by a look at each copy, or whichever is cheaper; else as the configuration says
    #[arg(long, value_name = "HOW", value_parser = ["auto", "sweep", "look"])]
    by: Option<String>,
    /// Stay until it is over, or asks
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let admin = args.admin.client()?;
    let path = format!("/providers/{}/audit", segment(&args.name));
    on_runtime(async {
        let body = args.by.as_ref().map(|by| json!({ "by": by }));
        let job = admin.call(Method::POST, &path, body.as_ref()).await?;
        match job["id"].as_u64().filter(|_| args.wait) {
            Some(id) => wait::until_ended(&admin, id, report).await,
            None => {
                let id = &job["id"];
                say(&format!("audit {id} began; see how far it is: pinfold job show {id} --wait\n"))
            }
        }
    })?
}

fn report(job: &Value) -> String {
    let count = |name: &str| job["counts"][name].as_u64().unwrap_or(0);
    let state = job["state"].as_str().unwrap_or("?");
    let mut text = format!("audit {} is {state}", job["id"]);
    for (name, words) in [
        ("copies", "that should be there"),
        ("listed", "on its list"),
        ("lost", "gone, and sent again where they are needed"),
        ("found", "not on its list, and there all the same"),
        ("unanswered", "not on its list, and looks at them keep failing: pinfold pin explain"),
        ("orphans", "there that nobody knows here: pinfold provider orphans"),
    ] {
        text += &format!("\n  {:>8} {words}", count(name));
    }
    match job["words"].as_str() {
        Some(words) if !words.is_empty() => text + "\n" + words + "\n",
        _ => text + "\n",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_tells_each_number_and_what_to_do() {
        let job = json!({
            "id": 7, "state": "asking", "counts": { "copies": 300, "listed": 2 },
            "words": "run `pinfold job accept 7`",
        });
        let text = report(&job);
        assert!(text.starts_with("audit 7 is asking\n"), "{text}");
        assert!(text.contains("     300 that should be there") && text.ends_with("accept 7`\n"), "{text}");
    }
}
