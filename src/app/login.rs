//! Logs a provider in by hand, and keeps what it gives where the gateway finds it.

use std::sync::Arc;

use anyhow::Context;
use secrecy::SecretString;

pub use crate::providers::DeskError as LoginError;

use super::{Tuning, parts};
use crate::{
    config::Settings,
    http,
    model::SystemClock,
    providers::{Desk, Pair},
    telemetry::Metrics,
};

/// One provider of the config, to be logged in.
pub struct Login {
    desk: Desk,
}

impl Login {
    /// Sends nothing yet.
    ///
    /// # Errors
    /// Where the config has no such provider, or it is none that one logs in at.
    pub fn open(settings: &Settings, provider: &str) -> anyhow::Result<Self> {
        let entry = settings.providers.iter().find(|entry| entry.name == provider);
        let entry = entry.with_context(|| parts::no_provider(settings, provider))?;
        let settings = parts::provider(entry, &settings.store, &Tuning::default())?;
        let client = http::Client::new(&settings.http);
        let metrics = Metrics::new().provider(provider);
        Ok(Self { desk: Desk::open(settings, client, Arc::new(SystemClock), metrics)? })
    }

    /// With the config's password; whether there is one.
    ///
    /// # Errors
    /// Where it is refused, does not work, or what it gives cannot be kept.
    pub async fn by_password(&self) -> Result<bool, LoginError> {
        let Some(pair) = self.desk.by_password().await else { return Ok(false) };
        self.keep(pair?).await.map(|()| true)
    }

    /// Has a code sent by e-mail.
    ///
    /// # Errors
    /// Where the service sends none.
    pub async fn send_code(&self) -> Result<(), LoginError> {
        self.desk.send_code().await
    }

    /// With the code that came.
    ///
    /// # Errors
    /// As [`by_password`](Self::by_password).
    pub async fn by_code(&self, code: &str) -> Result<(), LoginError> {
        let pair = self.desk.by_code(SecretString::from(code)).await?;
        self.keep(pair).await
    }

    /// With a pair of tokens from elsewhere; a missing refresh token means logging in anew when the other ends.
    ///
    /// # Errors
    /// As [`by_password`](Self::by_password).
    pub async fn by_pair(&self, access: &str, refresh: Option<&str>) -> Result<(), LoginError> {
        let pair = Desk::pasted(SecretString::from(access), refresh.map(SecretString::from))?;
        self.keep(pair).await
    }

    async fn keep(&self, pair: Pair) -> Result<(), LoginError> {
        self.desk.keep(pair).await
    }
}
