//! `config.yaml` and the environment to [`Settings`], in one pass that reports every mistake with its place and
//! what to write instead.

mod accounts;
mod audits;
mod budget;
mod certificates;
mod changes;
mod clients;
mod credential;
mod effective;
mod environment;
mod facts;
mod general;
mod limits;
mod policies;
mod presets;
mod problem;
mod proofs;
mod providers;
mod reader;
mod render;
mod routes;
mod secret;
mod settings;
mod tls;
mod tokens;
mod traces;
mod upstream;
mod value;
mod whereabouts;
mod yaml;

use std::collections::HashSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

pub use changes::Change;
pub use environment::Environment;
pub use limits::{AccountTerms, Ceiling, LimitSettings, OwnLimits};
pub use problem::{Problem, Problems, Spot};
pub use reader::{Seen, nearest};
pub use settings::{
    AdminSettings, ApiSettings, CertificateDecl, GatewayDecl, LogFormat, LogSettings, ProviderSettings,
    ServerSettings, Settings, StoreUrl, Timeouts, TokenDecl, TraceSettings, UpstreamSettings, Way,
};

pub use whereabouts::{Whereabouts, store_at, whereabouts};

use crate::limits::Caps;
use problem::cover;
use reader::{Field, Keys, Reader, Section};
use secret::Secrets;
use yaml::{Node, Value};

const ROOT: Keys = Keys {
    known: &[
        "server",
        "admin",
        "store",
        "api",
        "engine",
        "upstream",
        "log",
        "traces",
        "limits",
        "accounts",
        "presets_file",
        "providers",
        "policies",
        "routes",
    ],
    later: &["telemetry", "health"],
};

/// A configuration that can be used, and what is odd about it.
#[derive(Clone, Debug)]
pub struct Loaded {
    pub settings: Settings,
    /// Secrets that are not in `settings`: only where [`load_past_secrets`] was asked.
    pub unread: Vec<Unread>,
    /// Same shape as errors; `check-config --strict` fails on them.
    pub warnings: Vec<Problem>,
    /// The files that it was read from, but for those of providers' secrets, which are watched where they are used.
    pub files: Vec<Seen>,
    /// Those that hold secrets: this one too, where they stand in it.
    pub secret_files: Vec<PathBuf>,
}

/// A secret, or a listener's certificate and key, that could not be had. What stands in its place lets nobody in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    pub problem: Problem,
    /// Another user, or one with another environment, may be able to read it.
    pub is_hidden: bool,
}

impl Loaded {
    /// Whether a provider's credential is missing.
    pub fn lacks_credential_of(&self, provider: &str) -> bool {
        let at = self.settings.providers.iter().position(|entry| entry.name == provider);
        let is_there = |at| self.unread.iter().any(|unread| is_below(&unread.problem.path, at));
        at.is_some_and(is_there)
    }
}

fn is_below(path: &str, provider: usize) -> bool {
    path.strip_prefix(&format!("providers[{provider}]")).is_some_and(|rest| rest.starts_with('.'))
}

/// Reads a configuration file, with the environment's word above the file's.
///
/// # Errors
/// Everything that is wrong with it, at once; a file that cannot be read is one problem.
pub fn load(file: &Path, environment: &Environment) -> Result<Loaded, Problems> {
    load_by(file, environment, Secrets::Needed)
}

/// As [`load`], for commands that can do without secrets: of those that cannot be had [`Loaded::unread`] tells, and
/// nothing may be served or sent with what it gives.
///
/// # Errors
/// As [`load`], but for secrets.
pub fn load_past_secrets(file: &Path, environment: &Environment) -> Result<Loaded, Problems> {
    load_by(file, environment, Secrets::Spared)
}

fn load_by(file: &Path, environment: &Environment, secrets: Secrets) -> Result<Loaded, Problems> {
    let seen = Seen::now(file);
    let source = source_of(file)?;
    let folder = file.parent().unwrap_or(Path::new(""));
    let mut loaded = parse_by(&file.display().to_string(), &source, folder, environment, secrets);
    match &mut loaded {
        Ok(loaded) => loaded.files.push(seen),
        Err(problems) => problems.files.push(seen),
    }
    loaded
}

/// What the file says; that it cannot be read is a problem like others.
fn source_of(file: &Path) -> Result<String, Problems> {
    let seen = Seen::now(file);
    fs::read_to_string(file).map_err(|error| {
        let what = format!("cannot be read: {error}");
        let help = match error.kind() {
            io::ErrorKind::PermissionDenied => "let the user that Pinfold runs as read it",
            _ => "name a readable file with --config",
        };
        let list = vec![Problem::new("", None, what).help(help)];
        let (file, covered) = (file.display().to_string(), String::new());
        Problems { file, list, files: vec![seen], secret_files: Vec::new(), covered }
    })
}

/// [`load`] for a text; `folder` is what relative paths are relative to.
///
/// # Errors
/// Everything that is wrong with it, at once.
pub fn parse(file: &str, source: &str, folder: &Path, environment: &Environment) -> Result<Loaded, Problems> {
    parse_by(file, source, folder, environment, Secrets::Needed)
}

fn parse_by(
    file: &str,
    source: &str,
    folder: &Path,
    environment: &Environment,
    secrets: Secrets,
) -> Result<Loaded, Problems> {
    let (root, broken) = yaml::parse(source);
    let mut reader = Reader { secrets, ..Reader::new(environment, folder) };
    // What the parser passed over cannot be covered, so that nothing of such a file is shown.
    let covered = match &root {
        Some(root) if broken.is_empty() => cover(source, root),
        _ => String::new(),
    };
    if root.is_none() && !broken.is_empty() {
        let (files, secret_files) = (Vec::new(), Vec::new());
        return Err(Problems { file: file.to_owned(), list: broken, files, secret_files, covered });
    }
    reader.problems = broken;
    let settings = settings(&mut reader, root.as_ref());
    let Reader { problems: list, warnings, files, mut secret_files, unread, is_secret, .. } = reader;
    secret_files.extend(is_secret.then(|| PathBuf::from(file)));
    if list.is_empty() {
        return Ok(Loaded { settings, unread, warnings, files, secret_files });
    }
    let mut problems = Problems { file: file.to_owned(), list, files, secret_files, covered };
    problems.sort();
    Err(problems)
}

fn settings<'a>(reader: &mut Reader<'a>, root: Option<&'a Node>) -> Settings {
    let root: Section<'a> = match root {
        Some(Node { value, spot }) => {
            reader.open(Field { path: String::new(), spot: Some(spot.clone()), value }, ROOT)
        }
        None => reader.open(Field { path: String::new(), spot: None, value: &Value::Nothing }, ROOT),
    };
    let (presets, presets_file) = presets::read(reader, &root);
    let upstream = upstream::read(reader, &root);
    let (engine, dies_after) = general::engine(reader, &root);
    let mut entries = providers::read(reader, &root, &presets, &upstream);
    for provider in &mut entries.good {
        provider.facts.declare_dead_after.get_or_insert(dies_after);
    }
    let (policies, policy_names) = policies::read(reader, &root, &entries);
    let limits = limits::general(reader, &root);
    let mut tokens = tokens::Tokens::new(limits.each_token.over(Caps::default()));
    let mut certificates = certificates::Certificates::default();
    let mut ways = accounts::Ways { tokens: &mut tokens, certificates: &mut certificates };
    let (accounts, terms) = accounts::read(reader, &root, &policy_names, &mut ways);
    let admin = general::admin(reader, &root, &mut ways);
    let known = routes::Known {
        accounts: &accounts,
        policies: &policy_names,
        tokens: &tokens.list,
        certificates: &certificates.list,
    };
    let routes = routes::read(reader, &root, &known);
    let (store, lock_wait) = general::store(reader, &root);
    let traces = traces::read(reader, &root, &upstream);
    let settings = Settings {
        server: general::server(reader, &root),
        admin,
        store,
        lock_wait,
        api: general::api(reader, &root),
        engine,
        upstream: upstream.settings,
        log: general::log(reader, &root),
        traces,
        limits,
        accounts,
        tokens: tokens.list,
        terms,
        certificates: certificates.list.clone(),
        policies,
        routes,
        presets,
        presets_file,
        providers: entries.good,
    };
    general::stray_variables(reader);
    certificates.warn_of_idle(reader, false, settings.server.asks_for_certificates());
    certificates.warn_of_idle(reader, true, settings.admin.asks_for_certificates());
    warn_of_idle_providers(reader, &settings);
    settings
}

fn warn_of_idle_providers(reader: &mut Reader<'_>, settings: &Settings) {
    let used: HashSet<_> = settings.policies.iter().flat_map(|policy| &policy.providers).collect();
    for (at, provider) in settings.providers.iter().enumerate() {
        if !used.contains(&provider.name) {
            let what = "no policy names this provider: nothing is sent there";
            let help = "add it to a policy's providers, or remove it";
            reader.warnings.push(Problem::new(format!("providers[{at}]"), None, what).help(help));
        }
    }
}

#[cfg(test)]
mod tests;
