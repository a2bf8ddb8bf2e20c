//! `pinfold serve` and `pinfold demo`: the commands that stay.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::{Exit, Failure, load, no_color, on_runtime};
use crate::{app, config::Environment};

#[derive(Debug, clap::Args)]
pub(super) struct DemoArgs {
    /// Keep everything in this folder [default: a temporary one]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Where the pinning API listens
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5080")]
    listen: SocketAddr,
    /// Where health and metrics are served
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:5081")]
    admin: SocketAddr,
    /// The token that clients use [default: one is made up]
    #[arg(long, value_name = "TOKEN", value_parser = token)]
    token: Option<SecretString>,
}

fn token(text: &str) -> Result<SecretString, &'static str> {
    let usable = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    usable.then(|| SecretString::from(text)).ok_or("a token has no spaces and only ASCII characters")
}

pub(super) fn serve(config: &Path) -> Result<Exit, Failure> {
    let (loaded, environment) = (load(config)?, Environment::of_process());
    let sockets = app::Sockets::passed(&environment)?;
    let source = app::Source { file: config.to_owned(), environment, loaded };
    on_runtime(app::serve(source, sockets, no_color()))??;
    Ok(Exit::Ok)
}

pub(super) fn demo(args: DemoArgs) -> Result<Exit, Failure> {
    let DemoArgs { dir, listen, admin, token } = args;
    if !admin.ip().is_loopback() {
        let text = format!("error: --admin {admin} would be open to others; use a loopback address");
        return Err(Failure::new(Exit::Usage, text));
    }
    on_runtime(app::demo(app::Demo { dir, listen, admin, token }, no_color()))??;
    Ok(Exit::Ok)
}
