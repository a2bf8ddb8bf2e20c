//! `pinfold pin explain`.

use std::fmt::Write;

use http::Method;
use serde_json::Value;

use super::query::Address;
use crate::cli::{Exit, Failure, admin::AdminArgs, on_runtime, say};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The pin's requestid
    #[arg(value_name = "ID")]
    id: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let admin = args.admin.client()?;
    let address = Address::of(&format!("/pins/{}", args.id), None);
    let pin = on_runtime(admin.call(Method::GET, address.as_str(), None))??;
    say(&if args.json { format!("{pin:#}\n") } else { told(&pin) })
}

/// The whole story, one thing a line.
fn told(pin: &Value) -> String {
    let policy = &pin["policy"];
    let mut told = Told::default();
    told.line(0, "pin", &[&pin["requestid"]]);
    told.line(0, "account", &[&pin["account"]]);
    told.line(0, "cid", &[&pin["cid"]]);
    told.line(0, "name", &[&pin["name"]]);
    told.text(0, "status", &format!("{}, accepted {}", word(&pin["status"]), word(&pin["accepted"])));
    told.line(0, "goes away", &[&pin["expires"]]);
    let (have, need, want) = (number(&pin["have"]), number(&pin["need"]), number(&pin["want"]));
    told.text(0, "copies", &format!("has {have}, needs {need}, wants {want}"));
    let mut followed = format!("{}, revision {}", word(&policy["name"]), number(&policy["revision"]));
    if policy["newest_revision"] != policy["revision"] {
        let _ = write!(followed, " (new pins follow revision {})", number(&policy["newest_revision"]));
    }
    told.text(0, "policy", &followed);
    for copy in items(&pin["copies"]) {
        told.copy(copy);
    }
    for other in items(&pin["others"]) {
        told.text(0, word(&other["provider"]), &format!("no copy: {}", word(&other["why"])));
    }
    told.0
}

#[derive(Default)]
struct Told(String);

impl Told {
    fn text(&mut self, depth: usize, key: &str, text: &str) {
        let _ = writeln!(self.0, "{:depth$}{key}: {text}", "");
    }

    /// Nothing where there is nothing to say.
    fn line(&mut self, depth: usize, key: &str, words: &[&Value]) {
        let words: Vec<_> = words.iter().filter_map(|word| word.as_str()).collect();
        if !words.is_empty() {
            self.text(depth, key, &words.join(" "));
        }
    }

    fn copy(&mut self, copy: &Value) {
        let state = format!("{} since {}", word(&copy["state"]), word(&copy["state_since"]));
        let refused = if copy["refused"] == true { "; refused" } else { "" };
        let counts = match (&copy["counts"], copy["counts_not_because"].as_str()) {
            (Value::Bool(false), Some(why)) => format!("; does not count: it {why}"),
            (Value::Bool(false), None) => "; does not count".to_owned(),
            _ if copy["is_to_be_replaced"] == true => "; another one is wanted for it".to_owned(),
            _ => String::new(),
        };
        let leaving = if copy["goal"] == "remove" { "; to be removed" } else { "" };
        self.text(0, word(&copy["provider"]), &format!("{state}{refused}{counts}{leaving}"));
        self.text(2, "provider", &standing(copy));
        self.line(2, "why here", &[&copy["why"]]);
        self.line(2, "held since", &[&copy["held_since"]]);
        let (attempts, tries) = (number(&copy["attempts"]), number(&copy["tries"]));
        self.text(2, "attempts", &format!("{attempts}, of which the last {tries} failed"));
        self.line(2, "last error", &[&copy["error"]["class"], &copy["error"]["text"]]);
        self.line(2, "next", &[&copy["next"]["at"], &copy["next"]["words"]]);
        self.line(2, "due since", &[&copy["next"]["due_since"]]);
        self.line(2, "verified", &[&copy["verified"]]);
        self.line(2, "proved", &[&copy["proved"]["outcome"], &copy["proved"]["at"]]);
        let doubt = &copy["doubt"];
        if let Some(of) = doubt["of"].as_str() {
            self.text(2, "in doubt", &format!("whether a {of} was done, until {}", word(&doubt["until"])));
        }
        if let Some(id) = copy["upstream"].as_str() {
            self.text(2, "upstream id", &format!("{id}, {}", origin(word(&copy["owned"]))));
        }
    }
}

/// How its provider is, or since when the config does not name it.
fn standing(copy: &Value) -> String {
    match copy["absent_since"].as_str() {
        Some(since) => format!("absent: gone from the config since {since}"),
        None => {
            let (health, since) = (word(&copy["health"]), word(&copy["health_since"]));
            format!("{health} since {since}, {}", word(&copy["mode"]))
        }
    }
}

/// Whose pin stands for it there.
fn origin(owned: &str) -> &str {
    match owned {
        "made" => "made by Pinfold",
        "adopted" => "adopted from what was there",
        "found" => "found there, and never removed",
        other => other,
    }
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn word(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_copy_is_told_with_its_last_error_and_what_is_next() {
        let copy = json!({
            "provider": "alpha", "state": "queued", "state_since": "noon", "goal": "keep", "refused": false, "counts": true,
            "health": "down", "health_since": "ten", "mode": "active", "why": "1st in the policy's order",
            "attempts": 4, "tries": 2, "error": { "class": "transient", "text": "503: busy" },
            "next": { "what": "poll", "at": "one", "words": "its state is asked for" },
            "doubt": { "of": "submit", "until": "two" }, "upstream": "x1", "owned": "made",
        });
        let pin = json!({
            "requestid": "id", "account": "ada", "cid": "bafy", "status": "queued", "accepted": "noon",
            "have": 0, "need": 1, "want": 2, "policy": { "name": "p", "revision": 1, "newest_revision": 2 },
            "copies": [copy], "others": [{ "provider": "beta", "why": "is not answering" }],
        });
        let told = told(&pin);
        for line in [
            "status: queued, accepted noon",
            "copies: has 0, needs 1, wants 2",
            "policy: p, revision 1 (new pins follow revision 2)",
            "alpha: queued since noon",
            "  provider: down since ten, active",
            "  attempts: 4, of which the last 2 failed",
            "  last error: transient 503: busy",
            "  next: one its state is asked for",
            "  in doubt: whether a submit was done, until two",
            "  upstream id: x1, made by Pinfold",
            "beta: no copy: is not answering",
        ] {
            assert!(told.lines().any(|told| told == line), "{line:?} in\n{told}");
        }
        assert!(!told.contains("name:") && !told.contains("verified"), "{told}");
    }

    #[test]
    fn what_is_not_so_is_not_told() {
        let copy = json!({
            "provider": "alpha", "state": "pinned", "state_since": "noon", "counts": false, "owned": "made",
            "counts_not_because": "did not serve what it says is pinned", "health": "healthy", "mode": "active",
            "absent_since": "ten", "next": { "at": null, "due_since": "nine", "words": "its state is asked for" },
        });
        let moved =
            json!({ "provider": "beta", "state": "pinned", "counts": true, "is_to_be_replaced": true });
        let told = told(&json!({ "copies": [copy, moved] }));
        for line in [
            "alpha: pinned since noon; does not count: it did not serve what it says is pinned",
            "  provider: absent: gone from the config since ten",
            "  next: its state is asked for",
            "  due since: nine",
            "beta: pinned since -; another one is wanted for it",
        ] {
            assert!(told.lines().any(|told| told == line), "{line:?} in\n{told}");
        }
        assert!(!told.contains("upstream id") && !told.contains("active"), "{told}");
    }
}
