//! The command line: what may be typed, and what the shell is told at the end.

mod admin;
mod backup;
mod check_config;
mod completions;
mod doctor;
mod event;
mod exit;
mod export;
mod healthcheck;
mod import;
mod job;
mod log_level;
mod man;
mod pin;
mod plan;
mod policy;
mod provider;
mod reader;
mod reload;
mod restore;
mod run;
pub mod sim;
mod table;
mod token;
mod version;

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, CommandFactory, Parser, Subcommand};

use crate::config::{self, Environment, Loaded, Problem, Problems};

pub use exit::{Exit, Failure};

/// One pinning service endpoint in front of many.
#[derive(Debug, Parser)]
#[command(name = "pinfold", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the gateway
    Serve(ConfigArgs),
    /// Check a configuration and tell everything that is wrong with it
    CheckConfig(check_config::Args),
    /// Have a running gateway read its configuration again
    Reload(reload::Args),
    /// Show or change what a running gateway logs
    LogLevel(log_level::Args),
    /// Ask a running gateway whether it is ready: exit code 0 if it is
    Healthcheck(healthcheck::Args),
    /// Run a gateway with three simulated providers, to try things out
    Demo(run::DemoArgs),
    Sim(Box<sim::SimArgs>),
    /// Providers of the configuration
    #[command(subcommand)]
    Provider(provider::Command),
    /// How pins are placed
    #[command(subcommand)]
    Policy(policy::Command),
    /// Pins of any account
    #[command(subcommand)]
    Pin(Box<pin::Command>),
    /// Long operations of a running gateway
    #[command(subcommand)]
    Job(Box<job::Command>),
    /// What happens in a running gateway
    #[command(subcommand)]
    Event(Box<event::Command>),
    /// Tokens of clients
    #[command(subcommand)]
    Token(token::Command),
    /// Look at the store, the configuration, the clock and the providers, and say what to do; the gateway may run
    Doctor(doctor::Args),
    /// Write all that the store holds to a file; the gateway may run
    Backup(backup::Args),
    /// Put a backup in the store's place; the gateway must be stopped
    Restore(restore::Args),
    /// Print pins as lines of JSON, the oldest first; the gateway may run
    Export(export::Args),
    /// Have a running gateway take up pins from lines of JSON
    Import(import::Args),
    /// Print the version
    Version(version::Args),
    /// Print the script by which a shell completes what is typed
    Completions(completions::Args),
    /// Write the manual's pages
    #[command(hide = true)]
    Man(man::Args),
}

/// Where the configuration is.
#[derive(Debug, Args)]
struct ConfigArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE", env = "PINFOLD_CONFIG")]
    config: PathBuf,
}

/// Runs the program with the arguments of this process.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match run(cli.command) {
        Ok(code) => code,
        Err(failure) => {
            complain(&failure.text);
            failure.exit.into()
        }
    }
}

/// clap's own words for help and for what was typed wrong.
fn usage(error: &clap::Error) -> ExitCode {
    let printed = error.print().map_or_else(|error| error.kind() == io::ErrorKind::BrokenPipe, |()| true);
    let exit = if error.use_stderr() || !printed { Exit::Usage } else { Exit::Ok };
    exit.into()
}

fn run(command: Command) -> Result<ExitCode, Failure> {
    let exit = match command {
        Command::Serve(args) => run::serve(&args.config)?,
        Command::CheckConfig(args) => check_config::run(&args)?,
        Command::Reload(args) => reload::run(&args)?,
        Command::LogLevel(args) => log_level::run(&args)?,
        Command::Healthcheck(args) => on_runtime(healthcheck::run(&args))??,
        Command::Demo(args) => run::demo(args)?,
        Command::Sim(args) => return on_runtime(sim::run(*args)),
        Command::Provider(command) => provider::run(command)?,
        Command::Policy(command) => policy::run(&command)?,
        Command::Pin(command) => pin::run(&command)?,
        Command::Job(command) => job::run(&command)?,
        Command::Event(command) => event::run(&command)?,
        Command::Token(command) => token::run(&command)?,
        Command::Version(args) => version::run(&args)?,
        Command::Completions(args) => completions::run(&args, Cli::command())?,
        Command::Man(args) => man::run(&args, Cli::command())?,
        Command::Doctor(args) => doctor::run(args)?,
        Command::Backup(args) => backup::run(args)?,
        Command::Restore(args) => restore::run(args)?,
        Command::Export(args) => export::run(&args)?,
        Command::Import(args) => import::run(&args)?,
    };
    Ok(exit.into())
}

/// Runs a command's future on a runtime of its own.
fn on_runtime<T>(command: impl Future<Output = T>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Runtime::new()
        .map_err(|error| Failure::new(Exit::Failed, format!("error: cannot start the runtime: {error}")))?;
    Ok(runtime.block_on(command))
}

/// Whether the user wants no colours (<https://no-color.org>).
fn no_color() -> bool {
    Environment::of_process().get("NO_COLOR").is_some_and(|value| !value.is_empty())
}

/// Loads a configuration; its warnings go to stderr.
fn load(file: &Path) -> Result<Loaded, Failure> {
    loaded(file, config::load)
}

/// As [`load`], for commands that need no secret, and are used by those who cannot read them.
fn load_past_secrets(file: &Path) -> Result<Loaded, Failure> {
    loaded(file, config::load_past_secrets)
}

fn loaded(
    file: &Path,
    load: impl FnOnce(&Path, &Environment) -> Result<Loaded, Problems>,
) -> Result<Loaded, Failure> {
    let environment = Environment::of_process();
    let loaded = load(file, &environment).map_err(|problems| unusable(&problems))?;
    let name = file.display().to_string();
    loaded.warnings.iter().for_each(|warning| complain(&warning_line(&name, warning)));
    Ok(loaded)
}

fn unusable(problems: &Problems) -> Failure {
    let drawn = io::stderr().is_terminal();
    let text = if drawn { problems.drawn(!no_color()) } else { problems.to_string() };
    Failure::new(Exit::BadConfig, text)
}

fn warning_line(file: &str, warning: &Problem) -> String {
    format!("warning: {}", warning.line(file))
}

/// Writes to stdout what was asked for.
fn say(text: &str) -> Result<Exit, Failure> {
    heard(text).map(|_| Exit::Ok)
}

/// As [`say`], where there may be more to come; returns whether anybody still reads.
fn heard(text: &str) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        // Who reads through `head` has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::new(Exit::Failed, format!("error: cannot write to stdout: {error}"))),
    }
}

/// Writes a line to stderr; if even that fails, nobody is listening.
fn complain(text: &str) {
    let _nobody_listens = writeln!(io::stderr().lock(), "{text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_token_on_the_command_line_is_not_shown_by_debug() {
        let cli = Cli::try_parse_from(["pinfold", "demo", "--token", "hunter2"]).expect("valid arguments");
        assert!(!format!("{cli:?}").contains("hunter2"));
    }
}
