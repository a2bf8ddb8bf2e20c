//! The whole configuration, checked: every value that is held here is one that can be used.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::limits::{AccountTerms, LimitSettings, OwnLimits};
use crate::auth::{Mark, TokenHash};
use crate::http;
use crate::model::{AccountDecl, Facts, Fingerprint, ProviderDecl, Rates, Scopes, StatusSet, Timestamp};
use crate::policy::{Policy, Routes, Timing};
use crate::presets::{Preset, Presets};
use crate::providers::Credential;
use crate::server::{Proxies, tls};
use crate::telemetry::traces;

/// What `config.yaml` and the environment say, with defaults filled in.
#[derive(Clone, Debug)]
pub struct Settings {
    pub server: ServerSettings,
    pub admin: AdminSettings,
    pub store: StoreUrl,
    /// How long a start waits for another process to let go of the store.
    pub lock_wait: Duration,
    pub api: ApiSettings,
    pub engine: Timing,
    pub upstream: UpstreamSettings,
    pub log: LogSettings,
    /// `None`: nothing is recorded.
    pub traces: Option<TraceSettings>,
    pub limits: LimitSettings,
    pub accounts: Vec<AccountDecl>,
    pub tokens: Vec<TokenDecl>,
    /// What each account may ask and have, in the order of `accounts`.
    pub terms: Vec<AccountTerms>,
    pub certificates: Vec<CertificateDecl>,
    pub policies: Vec<Policy>,
    /// Which of them places which pins.
    pub routes: Routes,
    /// Those that are built in, with the user's own file over them.
    pub presets: Presets,
    /// Presets of the user's own, laid over the built-in ones.
    pub presets_file: Option<PathBuf>,
    pub providers: Vec<ProviderSettings>,
}

/// The listener of the pinning API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    pub listen: SocketAddr,
    /// Further connections wait to be accepted.
    pub max_connections: usize,
    /// Further ones of one address are closed.
    pub max_connections_per_address: usize,
    /// The most bytes of answers that clients have not taken yet.
    pub max_unread: u64,
    pub timeouts: Timeouts,
    /// Who is believed to speak for others.
    pub proxies: Proxies,
    /// How long requests under way may take once a shutdown has begun.
    pub shutdown_grace: Duration,
    pub tls: Option<tls::Settings>,
}

impl ServerSettings {
    pub fn asks_for_certificates(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.clients.is_some())
    }
}

/// How patient the listeners are with their clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the first byte of a request's head to its last.
    pub head: Duration,
    /// Between requests.
    pub idle: Duration,
    /// From a request's head to the end of its body.
    pub body: Duration,
    /// How long an answer may wait to be taken.
    pub write: Duration,
}

/// The listener of health, metrics and the admin API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminSettings {
    /// A loopback address, unless the configuration says how to know operators.
    pub listen: SocketAddr,
    /// There are tokens of operators here, or their certificates are asked for.
    pub knows_operators: bool,
    pub tls: Option<tls::Settings>,
}

impl AdminSettings {
    pub fn asks_for_certificates(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.clients.is_some())
    }
}

/// Where pins are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreUrl {
    /// The database file, absolute or relative to the working directory.
    Sqlite(PathBuf),
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiSettings {
    /// How long an add may wait for its copies before it is answered; zero: not at all.
    pub accept_wait: Duration,
    /// What a list without `status` asks for.
    pub default_status: StatusSet,
    /// Multiaddrs that end in `/p2p/ID`, for pins whose providers name no delegates.
    pub fallback_delegates: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    /// Which messages are kept, such as `info,pinfold::engine=debug`; its grammar is checked where it is used.
    pub filter: String,
    pub format: LogFormat,
}

/// What is recorded, and the way to whoever receives it.
#[derive(Clone, Debug)]
pub struct TraceSettings {
    /// The endpoint as it was written.
    pub(super) base: String,
    pub http: http::Settings,
    pub traces: traces::Settings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Coloured text at a terminal, else plain.
    Auto,
    Text,
    Json,
}

impl LogFormat {
    pub const ALL: [Self; 3] = [Self::Auto, Self::Text, Self::Json];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// A token of this configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenDecl {
    /// `None`: an operator's, who has no pins.
    pub account: Option<String>,
    pub name: String,
    pub sha256: TokenHash,
    pub scopes: Scopes,
    pub expires: Option<Timestamp>,
    /// The policies that it may use; none: its account's.
    pub policies: Vec<String>,
    pub limits: OwnLimits,
}

/// The way to all providers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamSettings {
    /// As the file says it: a proxy without its password, or `none`; the environment's, where it says nothing.
    pub proxy: Option<String>,
    /// Root certificates beside the machine's.
    pub ca_file: Option<PathBuf>,
    /// Name resolution, proxy, TCP and TLS together.
    pub connect_timeout: Duration,
}

/// The way to one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// What its client is made of.
    pub http: http::Settings,
    /// As its own entry says it: a proxy without its password, or `none`.
    pub proxy: Option<String>,
    /// Root certificates of its own entry.
    pub ca_file: Option<PathBuf>,
}

/// A client's certificate of this configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateDecl {
    /// `None`: an operator's, who has no pins.
    pub account: Option<String>,
    pub name: String,
    pub mark: Mark,
    pub scopes: Scopes,
    /// The policies that it may use; none: its account's.
    pub policies: Vec<String>,
}

/// One upstream pinning service.
#[derive(Clone, Debug)]
pub struct ProviderSettings {
    pub name: String,
    pub preset: Arc<Preset>,
    /// Normalised: `http` or `https`, no user, query or trailing slash, without `/pins`.
    pub endpoint: String,
    pub credential: Credential,
    /// Tells two accounts at one endpoint apart, and outlives a change of the token.
    pub account: Option<String>,
    /// The credential is used by this gateway alone.
    pub exclusive: bool,
    pub facts: Facts,
    pub budget: BudgetDecl,
    /// The longest that one call takes, retries included.
    pub deadline: Duration,
    /// How long after a call's deadline it may still take effect.
    pub settle: Duration,
    pub way: Way,
    /// Where its copies are asked for, to see that it serves them.
    pub gateway: Option<GatewayDecl>,
}

/// A provider's trustless gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayDecl {
    /// Normalised: `http` or `https`, no user, query or trailing slash, without `/ipfs`.
    pub url: String,
    /// What its client is made of.
    pub http: http::Settings,
}

/// The calls that a provider allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BudgetDecl {
    /// `None`: no limit.
    pub rates: Rates,
    /// The most at once.
    pub concurrency: usize,
    /// The most copies that may be queued or pinning there by our own submits.
    pub max_queued: Option<u32>,
    /// Entries of one group share one budget.
    pub group: Option<String>,
}

impl ProviderSettings {
    /// What the store registers it as.
    pub fn decl(&self) -> ProviderDecl {
        let told = || self.credential.account(self.preset.token_form);
        let account = self.account.clone().or_else(told);
        let fingerprint = Fingerprint::new(&self.endpoint, account.as_deref());
        ProviderDecl { name: self.name.clone(), fingerprint, facts: self.facts.clone() }
    }
}
