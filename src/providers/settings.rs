//! What a provider's entry in the config comes to, checked.

use std::{fmt, sync::Arc, time::Duration};

use ::http::Uri;
use thiserror::Error;

use super::{BreakerSettings, Credential, GatewaySettings, Ledger, NoVault, Peers, Vault};
use crate::{
    http,
    model::Rates,
    presets::{GENERIC, Preset, Presets},
};

/// One provider: where it is, the credential, and how gently it is to be called.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The name in the config.
    pub name: String,
    /// What is known of its kind.
    pub preset: Arc<Preset>,
    pub endpoint: Endpoint,
    pub credential: Credential,
    /// How its client is made: proxy, roots.
    pub http: http::Settings,
    /// Where the tokens of a login are kept.
    pub vault: Arc<dyn Vault>,
    /// The credential is used by Pinfold alone.
    pub exclusive: bool,
    /// The most requests at once.
    pub concurrency: usize,
    pub budget: BudgetSettings,
    /// The most copies that may be queued or pinning there by our own submits.
    pub max_queued: Option<u32>,
    /// The longest wait for one answer.
    pub try_timeout: Duration,
    /// The longest that one call takes, waits for a permit and further tries included.
    pub deadline: Duration,
    /// How long after a call's deadline it may still take effect.
    pub settle: Duration,
    /// Further tries of a call that may be made twice.
    pub retries: u32,
    /// The wait before the first further try; doubles, and half of it is chance.
    pub retry_base: Duration,
    pub breaker: BreakerSettings,
    /// The other providers of the gateway, to know when none is left.
    pub peers: Peers,
    /// Passes on delegates in private networks: for providers in a lab.
    pub allow_private_delegates: bool,
    /// Where copies are asked for, to see that they are served.
    pub gateway: Option<GatewaySettings>,
}

impl Settings {
    /// Of a kind of which nothing is known, with defaults for everything that an entry need not say.
    pub fn new(name: impl Into<String>, endpoint: Endpoint, credential: Credential) -> Self {
        Self::of(Presets::known(GENERIC), name, endpoint, credential)
    }

    /// As its preset has it, with defaults for everything that an entry need not say.
    pub fn of(
        preset: Arc<Preset>,
        name: impl Into<String>,
        endpoint: Endpoint,
        credential: Credential,
    ) -> Self {
        let name = name.into();
        Self {
            budget: BudgetSettings { rates: preset.limits.rates(), ..BudgetSettings::new(&name) },
            max_queued: preset.max_queued,
            name,
            endpoint,
            credential,
            http: http::Settings::default(),
            vault: Arc::new(NoVault),
            exclusive: false,
            concurrency: preset.concurrency(),
            try_timeout: preset.try_timeout(),
            deadline: preset.deadline(),
            settle: preset.settle(),
            retries: 2,
            retry_base: Duration::from_millis(250),
            breaker: BreakerSettings::default(),
            peers: Peers::default(),
            allow_private_delegates: false,
            gateway: None,
            preset,
        }
    }
}

/// The calls that are allowed in windows of time, and where they are counted.
#[derive(Clone, Debug)]
pub struct BudgetSettings {
    /// Those of one name share one budget.
    pub group: Arc<str>,
    /// As the provider has them.
    pub rates: Rates,
    /// `None`: nowhere, so that none leaves where there is a limit.
    pub ledger: Option<Arc<dyn Ledger>>,
}

impl BudgetSettings {
    /// A provider's own, without limits.
    pub fn new(provider: &str) -> Self {
        let group = format!("provider/{provider}").into();
        Self { group, rates: Rates::default(), ledger: None }
    }
}

impl Settings {
    /// For the few calls of a command, which runs beside a gateway or while there is none, and so without the ledger that
    /// the gateway keeps: how far apart they are is the command's care.
    pub(super) fn uncounted(mut self) -> Self {
        self.budget.rates = Rates::default();
        self
    }
}

/// Why an endpoint or a token cannot be used; the words say what to write instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SettingsError {
    #[error("the endpoint is not an http or https URL: write one such as https://psa.example.com/v1")]
    NotAUrl,
    #[error("the endpoint holds a user name or password: write the token under `token_env` instead")]
    Credentials,
    #[error("the endpoint has a query: write the URL that /pins is appended to, without it")]
    Query,
    #[error("the token is empty")]
    EmptyToken,
    #[error("the token holds a character that no HTTP header may carry, such as a line break: copy it anew")]
    UnfitToken,
}

/// The base URL of a pinning service, to which `/pins` is appended; no trailing slash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(String);

impl Endpoint {
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let trimmed = text.trim().trim_end_matches('/');
        let uri: Uri = trimmed.parse().map_err(|_| SettingsError::NotAUrl)?;
        let known = matches!(uri.scheme_str(), Some("http" | "https"));
        let authority = uri.authority().filter(|found| known && !found.host().is_empty());
        if authority.ok_or(SettingsError::NotAUrl)?.as_str().contains('@') {
            return Err(SettingsError::Credentials);
        }
        if uri.query().is_some() || trimmed.contains('#') {
            return Err(SettingsError::Query);
        }
        Ok(Self(trimmed.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Scheme and authority, without any path.
    pub fn host(&self) -> &str {
        let path = self.0.find("://").and_then(|at| self.0[at + 3..].find('/').map(|path| at + 3 + path));
        &self.0[..path.unwrap_or(self.0.len())]
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trailing_slashes_go_and_paths_stay() {
        let endpoint = Endpoint::parse(" https://api.example.com/api/psa// ").unwrap();
        assert_eq!(endpoint.as_str(), "https://api.example.com/api/psa");
        assert_eq!(Endpoint::parse("http://127.0.0.1:3101").unwrap().as_str(), "http://127.0.0.1:3101");
    }

    #[test]
    fn endpoints_that_cannot_work_are_refused_with_what_to_write() {
        for text in ["", "api.example.com", "ftp://api.example.com", "https://", "/pins", "http:// x"] {
            assert_eq!(Endpoint::parse(text), Err(SettingsError::NotAUrl), "{text}");
        }
        assert_eq!(Endpoint::parse("https://me:pw@api.example.com"), Err(SettingsError::Credentials));
        assert_eq!(Endpoint::parse("https://api.example.com/?key=1"), Err(SettingsError::Query));
    }

    #[test]
    fn a_token_is_trimmed_checked_and_never_printed() {
        let endpoint = Endpoint::parse("https://api.example.com").unwrap();
        let credential = Credential::token(&" s3cr3t-t0k3n\n".into()).unwrap();
        assert!(!format!("{:?}", Settings::new("alpha", endpoint, credential)).contains("s3cr3t"));
        assert_eq!(Credential::token(&" \n".into()).unwrap_err(), SettingsError::EmptyToken);
        assert_eq!(Credential::token(&"two\nlines".into()).unwrap_err(), SettingsError::UnfitToken);
    }

    #[test]
    fn the_host_of_an_endpoint_has_no_path() {
        let host = |text: &str| Endpoint::parse(text).unwrap().host().to_owned();
        assert_eq!(host("https://api.example.com:8443/api/psa"), "https://api.example.com:8443");
        assert_eq!(host("http://[::1]:80"), "http://[::1]:80");
    }
}
