//! Logging in by hand: where an operator brings a code that came by e-mail, or a pair of tokens.

use std::{io, sync::Arc};

use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use super::{
    Credential, Pair, ProviderError, SecretKind, Settings, UnfitSecret, connect,
    credential::{Proof, Unusable},
    stack::Parts,
};
use crate::{http, model::Clock, telemetry::ProviderMetrics};

/// Where one provider's logins are made.
pub struct Desk {
    parts: Parts,
}

/// Why nobody was logged in.
#[derive(Debug, Error)]
pub enum DeskError {
    #[error("provider {0:?} has no `login`: its credential is what the config says")]
    NoLogin(String),
    #[error(
        "this service sends no codes by e-mail: paste a pair of tokens with --pair, or give a password in the config"
    )]
    NoCodes,
    #[error("{0}")]
    Refused(String),
    #[error("what was given cannot be used: {0}")]
    Unfit(#[from] UnfitSecret),
    #[error("it was tried with a list and did not work: {0}")]
    Useless(#[from] ProviderError),
    #[error("the tokens work, but cannot be kept: {0}")]
    Vault(#[from] io::Error),
}

impl From<Unusable> for DeskError {
    fn from(why: Unusable) -> Self {
        Self::Refused(why.to_string())
    }
}

impl Desk {
    /// Sends nothing yet.
    ///
    /// # Errors
    /// [`DeskError::NoLogin`].
    pub fn open(
        settings: Settings,
        client: http::Client,
        clock: Arc<dyn Clock>,
        metrics: ProviderMetrics,
    ) -> Result<Self, DeskError> {
        if !matches!(settings.credential, Credential::Login(_)) {
            return Err(DeskError::NoLogin(settings.name));
        }
        Ok(Self { parts: Parts::new(settings.uncounted(), client, clock, metrics) })
    }

    /// Has a code sent to the user's address.
    ///
    /// # Errors
    /// [`DeskError::NoCodes`], or the service's refusal.
    pub async fn send_code(&self) -> Result<(), DeskError> {
        match self.parts.keeper.session() {
            Some(session) => Ok(session.ask_code().await.ok_or(DeskError::NoCodes)??),
            None => Err(DeskError::NoCodes),
        }
    }

    /// Exchanges a code for a pair.
    ///
    /// # Errors
    /// Where the code is refused.
    pub async fn by_code(&self, code: SecretString) -> Result<Pair, DeskError> {
        SecretKind::Password.check(code.expose_secret())?;
        self.log_in(Proof::Code(code)).await
    }

    /// Logs in with the config's password; `None` where there is none.
    ///
    /// # Errors
    /// Where the password is refused.
    pub async fn by_password(&self) -> Option<Result<Pair, DeskError>> {
        let Credential::Login(login) = &self.parts.settings.credential else { return None };
        let password = login.password.as_ref()?.current();
        Some(self.log_in(Proof::Password(password)).await)
    }

    async fn log_in(&self, proof: Proof) -> Result<Pair, DeskError> {
        match self.parts.keeper.session() {
            Some(session) => Ok(session.log_in(&proof).await?),
            None => Err(DeskError::NoLogin(self.parts.settings.name.clone())),
        }
    }

    /// A pair as it was pasted.
    ///
    /// # Errors
    /// Where one of them is no token.
    pub fn pasted(access: SecretString, refresh: Option<SecretString>) -> Result<Pair, DeskError> {
        for token in [Some(&access), refresh.as_ref()].into_iter().flatten() {
            SecretKind::Token.check(token.expose_secret())?;
        }
        Ok(Pair { access, refresh, obtained: None })
    }

    /// Keeps a pair in the vault, once one list call has worked with it.
    ///
    /// # Errors
    /// Where it does not work, or cannot be kept.
    pub async fn keep(&self, pair: Pair) -> Result<(), DeskError> {
        let mut settings = (*self.parts.settings).clone();
        settings.credential = Credential::token(&pair.access).map_err(|_| UnfitSecret::Characters)?;
        let Parts { client, clock, metrics, .. } = self.parts.clone();
        connect(settings, client, clock, metrics).list(None).await?;
        Ok(self.parts.settings.vault.save(&pair)?)
    }
}
