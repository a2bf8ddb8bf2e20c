//! `pinfold demo`: the gateway over three simulated providers, to try things out.

mod providers;
mod screen;
mod view;

use std::{
    io::{IsTerminal, stdout},
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use secrecy::{ExposeSecret, SecretString};

pub(super) use self::screen::say;
use self::{providers::Provider, view::View};
use super::{Gateway, Rebind, Tuning, parts, rebind, signals};
use crate::{
    auth::TokenHash,
    config::{self, Environment, LogFormat, LogSettings, Settings},
    engine,
    server::BindError,
    telemetry::{Metrics, logging},
};

/// What `pinfold demo` was asked for.
#[derive(Clone, Debug)]
pub struct Demo {
    /// A folder to keep; a temporary one if it is left out.
    pub dir: Option<PathBuf>,
    pub listen: SocketAddr,
    pub admin: SocketAddr,
    /// The client's token; one is made up if it is left out.
    pub token: Option<SecretString>,
}

/// Runs the gateway with simulated providers until it is told to stop.
///
/// # Errors
/// Where a part cannot start, or dies unasked.
pub async fn demo(demo: Demo, no_color: bool) -> anyhow::Result<()> {
    let metrics = Metrics::new();
    // The providers fail on purpose; what follows is shown in the table, and only what is unexpected is logged.
    let log = LogSettings { filter: "error".to_owned(), format: LogFormat::Auto };
    logging::init(&parts::logging(&log, no_color), metrics.log())?;
    let folder = Folder::open(demo.dir.as_deref())?;
    let providers = providers::start().await?;
    let token = demo.token.clone().unwrap_or_else(made_up);
    let settings = settings(&demo, folder.path(), &providers, &token)?;
    forget_copies(&settings).await?;
    let started = Gateway::start(settings, &tuning(), metrics).await;
    let gateway = started.map_err(|error| with_the_flag(error, &demo))?;
    let view = View::new(&gateway, providers, stdout().is_terminal());
    say(&banner(&gateway, &token, folder.path()))?;
    gateway.shutdown().spawn_vital("demo view", view.run(gateway.shutdown().clone()));
    signals::stop_when_told(gateway.shutdown()).await?;
    gateway.stop(Duration::from_secs(3)).await
}

/// An address that is taken is a matter of one flag: says which.
fn with_the_flag(error: anyhow::Error, demo: &Demo) -> anyhow::Error {
    let Some(taken) = error.downcast_ref::<BindError>() else { return error };
    let flag = match taken.address {
        address if demo.listen == demo.admin && address == demo.admin => "--listen or --admin",
        address if address == demo.admin => "--admin",
        _ => "--listen",
    };
    anyhow::anyhow!("{error:#}; choose another address with {flag}")
}

/// Waits that suit somebody who watches, and providers that settle at once.
fn tuning() -> Tuning {
    let engine = engine::Settings { down_after: Duration::from_secs(10), ..engine::Settings::default() };
    Tuning {
        engine,
        settle: Some(Duration::from_secs(1)),
        deadline: Some(Duration::from_secs(4)),
        clock: None,
    }
}

/// Where the demo keeps its database: a folder of the user's, or one that goes with the demo.
enum Folder {
    Kept(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Folder {
    fn open(dir: Option<&Path>) -> anyhow::Result<Self> {
        let Some(dir) = dir else {
            let temporary = tempfile::Builder::new().prefix("pinfold-demo-").tempdir();
            return temporary
                .map(Self::Temporary)
                .context("cannot make a temporary folder; name one with --dir");
        };
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make the folder {}", dir.display()))?;
        Ok(Self::Kept(dir.to_owned()))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(dir) => dir.path(),
        }
    }
}

fn made_up() -> SecretString {
    let bytes: [u8; 12] = rand::random();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("demo-{hex}").into()
}

/// The demo's configuration, read as any other is.
fn settings(
    demo: &Demo,
    folder: &Path,
    providers: &[Provider],
    token: &SecretString,
) -> anyhow::Result<Settings> {
    let hash = TokenHash::of(token.expose_secret());
    let names: Vec<_> = providers.iter().map(|provider| provider.name).collect();
    let entries: String = providers
        .iter()
        .map(|provider| {
            let (name, url) = (provider.name, provider.sim.url());
            format!("  - {{ name: {name}, preset: generic, endpoint: \"{url}\", token: {name} }}\n")
        })
        .collect();
    let source = format!(
        "server: {{ listen: \"{}\" }}\nadmin: {{ listen: \"{}\" }}\nengine: {{ retry_max: 10s }}\n\
         accounts:\n  - {{ name: demo, policy: demo, tokens: [ {{ name: demo, sha256: \"{hash:x}\" }} ] }}\n\
         providers:\n{entries}policies:\n  - {{ name: demo, copies: all, pinned_when: 2, providers: [{}] }}\n",
        demo.listen,
        demo.admin,
        names.join(", "),
    );
    let loaded = config::parse("the demo's configuration", &source, folder, &Environment::default());
    let mut settings = loaded.map_err(|problems| anyhow::anyhow!("{problems}"))?.settings;
    settings.store = config::StoreUrl::Sqlite(folder.join("pinfold.db"));
    Ok(settings)
}

/// Simulated providers forget everything when they stop: in a kept folder, copies of earlier runs are made anew.
async fn forget_copies(settings: &Settings) -> anyhow::Result<()> {
    let config::StoreUrl::Sqlite(path) = &settings.store;
    if !path.exists() {
        return Ok(());
    }
    for provider in &settings.providers {
        rebind(settings.clone(), &provider.name, Rebind::NewAccount).await?;
    }
    Ok(())
}

fn banner(gateway: &Gateway, token: &SecretString, folder: &Path) -> String {
    let (url, token) = (format!("http://{}", gateway.address()), token.expose_secret());
    let cid = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi";
    let folder = folder.display();
    format!(
        "Pinfold is ready. Three simulated providers: one steady, one slow, one that fails now and then.\n\n\
         endpoint  {url}\ntoken     {token}\nmetrics   http://{}/metrics\nfolder    {folder}\n\n\
         With Kubo:\n  ipfs pin remote service add pinfold {url} {token}\n\n\
         With curl (7.82 or newer):\n  \
         curl -H 'Authorization: Bearer {token}' {url}/pins --json '{{\"cid\":\"{cid}\",\"name\":\"hello\"}}'\n  \
         curl -H 'Authorization: Bearer {token}' '{url}/pins?status=queued,pinning,pinned,failed'\n  \
         curl -H 'Authorization: Bearer {token}' -X DELETE {url}/pins/REQUESTID\n\n\
         Ctrl-C stops it.\n\n",
        gateway.admin(),
    )
}
