//! Waits for a job's end: a bar at a terminal, a line for whatever changes anywhere else.

use std::{
    io::{IsTerminal, stderr},
    time::Duration,
};

use http::Method;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::{of, progress, word};
use crate::cli::{Exit, Failure, admin::Admin, complain, say};

/// The time between looks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Until the job has ended, or rests until somebody tells it something; then says `report` of it. Ctrl-C leaves it running.
pub(in crate::cli) async fn until_ended(
    admin: &Admin,
    id: u64,
    report: impl FnOnce(&Value) -> String,
) -> Result<Exit, Failure> {
    tokio::select! {
        ended = follow(admin, id) => {
            let job = ended?;
            say(&report(&job))?;
            Ok(exit(&job))
        }
        _ = tokio::signal::ctrl_c() => {
            let ways = format!("watch it by pinfold job show {id} --wait, end it by pinfold job cancel {id}");
            complain(&format!("job {id} goes on: {ways}"));
            Ok(Exit::NotDone)
        }
    }
}

async fn follow(admin: &Admin, id: u64) -> Result<Value, Failure> {
    let mut sight = Sight::new();
    loop {
        let job = admin.call(Method::GET, &format!("/jobs/{id}"), None).await?;
        if word(&job, "state") != "running" {
            sight.end();
            return Ok(job);
        }
        sight.show(&job);
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn exit(job: &Value) -> Exit {
    if word(job, "state") == "done" { Exit::Ok } else { Exit::NotDone }
}

/// What is seen of it meanwhile, on stderr.
enum Sight {
    Bar(ProgressBar),
    Lines(String),
}

impl Sight {
    fn new() -> Self {
        if !stderr().is_terminal() {
            return Self::Lines(String::new());
        }
        let style = ProgressStyle::with_template("{bar:30} {pos}/{len} {wide_msg}");
        let bar = ProgressBar::no_length();
        Self::Bar(style.map(|style| bar.clone().with_style(style)).unwrap_or(bar))
    }

    fn show(&mut self, job: &Value) {
        match self {
            Self::Bar(bar) => {
                bar.set_length(job["total"].as_u64().unwrap_or(0));
                bar.set_position(job["done"].as_u64().unwrap_or(0));
                bar.set_message(job["words"].as_str().unwrap_or_default().to_owned());
            }
            Self::Lines(last) => {
                let line = line(job);
                if *last != line {
                    complain(&line);
                    *last = line;
                }
            }
        }
    }

    fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// What it is, and as much as is known of how far it is.
fn line(job: &Value) -> String {
    let mut line = format!("job {}: {} of {}", job["id"], word(job, "kind"), of(job));
    for known in [progress(job).as_str(), word(job, "words")] {
        if known != "-" {
            line.push_str(&format!(", {known}"));
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_a_job_that_is_done_ends_well() {
        for (state, code) in [("done", Exit::Ok), ("paused", Exit::NotDone), ("failed", Exit::NotDone)] {
            assert_eq!(exit(&json!({ "state": state })), code);
        }
    }

    #[test]
    fn a_line_says_what_it_is_and_leaves_out_what_is_not_known_yet() {
        let mut job = json!({ "id": 3, "kind": "drain", "provider": "alpha", "done": 0, "total": null });
        assert_eq!(line(&job), "job 3: drain of alpha");
        job["total"] = 4.into();
        job["words"] = "waits".into();
        assert_eq!(line(&job), "job 3: drain of alpha, 0/4, waits");
    }
}
