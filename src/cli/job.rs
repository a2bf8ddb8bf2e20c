//! `pinfold job ...`: long operations of a running gateway.

mod list;
pub(super) mod show;
pub(super) mod wait;

use http::Method;
use serde_json::Value;

use super::{Exit, Failure, admin::AdminArgs, on_runtime, say};

#[derive(Debug, clap::Subcommand)]
pub(super) enum Command {
    /// List jobs, newest first
    Ls(list::Args),
    /// Show one job: how far it is, and what it waits for
    Show(show::Args),
    /// Have a job rest; a paused drain leaves its provider readonly
    Pause(Told),
    /// Have a paused job go on
    Resume(Told),
    /// End a job; what it has done stays done
    Cancel(Told),
    /// Have a job go on with what it asks about
    Accept(Told),
}

/// Which job.
#[derive(Debug, clap::Args)]
pub(super) struct Told {
    /// The job's number
    #[arg(value_name = "ID", value_parser = number)]
    id: u64,
    #[command(flatten)]
    admin: AdminArgs,
}

pub(super) fn run(command: &Command) -> Result<Exit, Failure> {
    match command {
        Command::Ls(args) => list::run(args),
        Command::Show(args) => show::run(args),
        Command::Pause(told) => tell(told, "pause"),
        Command::Resume(told) => tell(told, "resume"),
        Command::Cancel(told) => tell(told, "cancel"),
        Command::Accept(told) => tell(told, "accept"),
    }
}

fn tell(told: &Told, command: &str) -> Result<Exit, Failure> {
    let admin = told.admin.client()?;
    let job = on_runtime(admin.call(Method::POST, &format!("/jobs/{}/{command}", told.id), None))??;
    say(&show::lines(&job))
}

/// A job's number, as it is typed.
fn number(text: &str) -> Result<u64, &'static str> {
    text.parse().map_err(|_| "write the job's number, such as 7: `pinfold job ls` lists those that there are")
}

fn word<'a>(job: &'a Value, key: &str) -> &'a str {
    job[key].as_str().filter(|word| !word.is_empty()).unwrap_or("-")
}

/// What a job is about.
fn of(job: &Value) -> &str {
    let about = [&job["provider"], &job["account"], &job["terms"]["policy"]];
    about.into_iter().find_map(Value::as_str).unwrap_or("-")
}

/// How far a job is, such as `12/40`.
fn progress(job: &Value) -> String {
    match (job["done"].as_u64(), job["total"].as_u64()) {
        (Some(done), Some(total)) => format!("{done}/{total}"),
        _ => "-".to_owned(),
    }
}
