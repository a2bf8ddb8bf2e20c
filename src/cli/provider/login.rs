//! `pinfold provider login`: logs a provider in whose service wants a human, by a code or by pasted tokens.

use std::io::{self, BufRead, Read as _};
use std::path::PathBuf;

use super::entry;
use crate::{
    app::{self, LoginError},
    cli::{Exit, Failure, complain, load, on_runtime, say},
};

/// No code or token is longer.
const MAX_LINE: u64 = 16 * 1024;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Args {
    /// The provider's name in the configuration
    name: String,
    /// Read an access token and a refresh token from stdin, a line each; leave the second empty where there is none
    #[arg(long)]
    pair: bool,
    /// The configuration file
    #[arg(long, value_name = "FILE", env = "PINFOLD_CONFIG")]
    config: PathBuf,
}

pub(super) fn run(args: &Args) -> Result<Exit, Failure> {
    let settings = load(&args.config)?.settings;
    entry(&settings, &args.name, &args.config)?;
    on_runtime(async {
        let login = app::Login::open(&settings, &args.name).map_err(opening)?;
        let done = if args.pair { by_pair(&login).await } else { by_proof(&login).await };
        done.map_err(|error| failure(&args.name, error))
    })??;
    say(&format!("{}: logged in; a gateway that runs takes it up by itself\n", args.name))
}

async fn by_pair(login: &app::Login) -> Result<(), Stop> {
    complain("Paste the access token, then the refresh token (empty: none), each with Enter:");
    let (access, refresh) = (line()?, line()?);
    Ok(login.by_pair(&access, Some(refresh.as_str()).filter(|token| !token.is_empty())).await?)
}

/// With the config's password, else with a code.
async fn by_proof(login: &app::Login) -> Result<(), Stop> {
    if login.by_password().await? {
        return Ok(());
    }
    login.send_code().await?;
    complain("A code was sent by e-mail. Type it here, then Enter:");
    let code = line()?;
    if code.is_empty() {
        return Err(Stop::NoInput);
    }
    Ok(login.by_code(&code).await?)
}

/// Why the command stops.
enum Stop {
    Login(LoginError),
    Input(io::Error),
    NoInput,
}

impl From<LoginError> for Stop {
    fn from(error: LoginError) -> Self {
        Self::Login(error)
    }
}

/// Without the white space around it. Waits for a human: there is nothing else to do meanwhile.
fn line() -> Result<String, Stop> {
    let mut text = String::new();
    let read = io::stdin().lock().take(MAX_LINE).read_line(&mut text);
    read.map_err(Stop::Input)?;
    Ok(text.trim().to_owned())
}

/// An entry without a login is a matter of the config.
fn opening(error: anyhow::Error) -> Failure {
    let is_of_the_config = matches!(error.downcast_ref(), Some(LoginError::NoLogin(_)));
    let exit = if is_of_the_config { Exit::BadConfig } else { Exit::Failed };
    Failure::new(exit, format!("error: {error:#}"))
}

fn failure(name: &str, stop: Stop) -> Failure {
    let (exit, text) = match stop {
        Stop::Login(error) => (Exit::Failed, error.to_string()),
        Stop::Input(error) => (Exit::Failed, format!("cannot read stdin: {error}")),
        Stop::NoInput => (Exit::Failed, "nothing was typed".to_owned()),
    };
    Failure::new(exit, format!("error: {name}: {text}"))
}
