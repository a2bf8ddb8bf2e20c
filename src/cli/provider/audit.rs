//! `pinfold provider audit`.

use std::{
    io::{IsTerminal, stderr},
    time::Duration,
};

use http::Method;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use crate::cli::{
    Exit, Failure,
    admin::{Admin, AdminArgs},
    complain, on_runtime, say,
};

/// Between looks how far it is.
const LOOK: Duration = Duration::from_millis(500);

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The provider's name in the configuration
    name: String,
    /// Stay until it is over, or asks
    #[arg(long)]
    wait: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let admin = args.admin.client()?;
    let path = format!("/providers/{}/audit", args.name);
    on_runtime(async {
        let job = admin.call(Method::POST, &path, None).await?;
        if !args.wait {
            return say(&format!("audit {} began; see how far it is: pinfold provider audit\n", job["id"]));
        }
        let job = follow(&admin, &path).await?;
        say(&report(&job))?;
        Ok(if job["state"] == "done" { Exit::Ok } else { Exit::Failed })
    })?
}

/// Watches it until it goes on by itself no more.
pub(super) async fn follow(admin: &Admin, path: &str) -> Result<Value, Failure> {
    let mut watch = Watch::new();
    loop {
        let job = admin.call(Method::GET, path, None).await?;
        watch.tell(&job);
        if job["state"] != "running" {
            watch.end();
            return Ok(job);
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A bar on a terminal; anywhere else a line whenever there is something new to say.
struct Watch {
    bar: Option<ProgressBar>,
    told: String,
}

impl Watch {
    fn new() -> Self {
        let bar = stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}");
            ProgressBar::no_length().with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, told: String::new() }
    }

    fn tell(&mut self, job: &Value) {
        let (done, total) = (job["done"].as_u64().unwrap_or(0), job["total"].as_u64());
        let words = job["words"].as_str().unwrap_or_default();
        if let Some(bar) = &self.bar {
            bar.set_length(total.unwrap_or(done));
            bar.set_position(done);
            bar.set_message(words.to_owned());
        } else if !words.is_empty() && words != self.told {
            complain(&format!("{done} of {}: {words}", total.unwrap_or(done)));
            words.clone_into(&mut self.told);
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
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
    use serde_json::json;

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
