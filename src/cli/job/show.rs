//! `pinfold job show`.

use http::Method;
use serde_json::Value;

use super::{number, of, progress, wait, word};
use crate::cli::{Exit, Failure, admin::AdminArgs, on_runtime, say};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The job's number
    #[arg(value_name = "ID", value_parser = number)]
    id: u64,
    /// Wait until it has ended; exit code 0 if it is done then
    #[arg(long, conflicts_with = "json")]
    wait: bool,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let admin = args.admin.client()?;
    if args.wait {
        return on_runtime(wait::until_ended(&admin, args.id, lines))?;
    }
    let job = on_runtime(admin.call(Method::GET, &format!("/jobs/{}", args.id), None))??;
    say(&if args.json { format!("{job:#}\n") } else { lines(&job) })
}

/// All there is to say of a job.
pub(in crate::cli) fn lines(job: &Value) -> String {
    let of = of(job);
    let mut text = format!("job {}: {} of {of}, {}\n", job["id"], word(job, "kind"), word(job, "state"));
    let mut say = |key: &str, value: &str| text.push_str(&format!("  {key:<14} {value}\n"));
    say("done", &progress(job));
    for (key, count) in job["counts"].as_object().into_iter().flatten() {
        say(&key.replace('_', " "), &count.to_string());
    }
    for key in ["words", "by", "created", "updated"] {
        if word(job, key) != "-" {
            say(key, word(job, key));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_and_words_are_told() {
        let job = json!({
            "id": 3, "kind": "drain", "state": "running", "provider": "alpha", "done": 1, "total": 4,
            "counts": { "being_removed": 2 }, "words": "2 copies are being removed there", "by": "ops",
        });
        let expected = "job 3: drain of alpha, running\n  done           1/4\n  being removed  2\n  words          2 copies are being removed there\n  by             ops\n";
        assert_eq!(lines(&job), expected);
    }
}
