//! `pinfold job ls`.

use http::Method;
use serde_json::Value;

use super::{of, progress, word};
use crate::cli::{
    Exit, Failure,
    admin::AdminArgs,
    on_runtime, say,
    table::{Look, json_lines, lines, table},
};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// Those that have ended, too
    #[arg(long)]
    all: bool,
    /// Print each as a line of JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    admin: AdminArgs,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let admin = args.admin.client()?;
    let jobs: Vec<Value> = on_runtime(async {
        let (mut jobs, mut before) = (Vec::new(), String::new());
        loop {
            let path = format!("/jobs?ended={}{before}", args.all);
            let mut page = admin.call(Method::GET, &path, None).await?;
            jobs.extend(page["jobs"].as_array_mut().map(std::mem::take).unwrap_or_default());
            match page["next"].as_u64() {
                Some(next) => before = format!("&before={next}"),
                None => return Ok::<_, Failure>(jobs),
            }
        }
    })??;
    say(&if args.json { json_lines(&jobs) } else { drawn(&jobs, Look::of_stdout()) })
}

fn drawn(jobs: &[Value], look: Look) -> String {
    let mut table = table(look, ["ID", "KIND", "OF", "STATE", "DONE", "UPDATED", "WORDS"]);
    for job in jobs {
        let of = of(job);
        let id = job["id"].to_string();
        let done = progress(job);
        table.add_row([
            id.as_str(),
            word(job, "kind"),
            of,
            word(job, "state"),
            &done,
            word(job, "updated"),
            word(job, "words"),
        ]);
    }
    lines(&table)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_job_is_a_line() {
        let job = json!({
            "id": 3, "kind": "drain", "state": "running", "provider": "alpha", "account": null,
            "done": 12, "total": 40, "words": "", "updated": "noon",
        });
        let text = drawn(&[job], Look::PLAIN);
        let row: Vec<_> = text.lines().nth(1).unwrap().split_whitespace().collect();
        assert_eq!(row, ["3", "drain", "alpha", "running", "12/40", "noon", "-"]);
    }
}
