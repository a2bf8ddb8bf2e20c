//! Holds what one provider is called with: the header of each call, and what becomes of it when it is refused.

use std::sync::Arc;

use ::http::HeaderValue;
use multibase::Base;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use super::Credential;
use crate::{
    model::{Clock, ErrorClass},
    providers::{Held, Settings, secrets::Secrets},
};

/// Why no call can leave with this credential; shared by all that wait for it.
#[derive(Clone, Debug, Error)]
#[error("{text}")]
pub(in crate::providers) struct Unusable {
    pub(in crate::providers) class: ErrorClass,
    pub(in crate::providers) text: String,
}

pub(in crate::providers) struct Keeper {
    settings: Arc<Settings>,
    clock: Arc<dyn Clock>,
    secrets: Arc<Secrets>,
}

impl Keeper {
    pub(in crate::providers) fn new(settings: Arc<Settings>, clock: Arc<dyn Clock>) -> Self {
        let keeper = Self { settings, clock, secrets: Arc::default() };
        keeper.remember();
        keeper
    }

    /// What must be in no text.
    pub(in crate::providers) fn secrets(&self) -> &Arc<Secrets> {
        &self.secrets
    }

    /// The `Authorization` header of a call that leaves now; also for calls that do not pass the stack.
    pub(in crate::providers) async fn header(&self) -> Result<Option<HeaderValue>, Unusable> {
        match &self.settings.credential {
            Credential::None => Ok(None),
            Credential::Token(token) => Ok(Some(bearer(&token.current()))),
            Credential::Basic { user, password } => Ok(Some(basic(user, &password.current()))),
            Credential::Login(_) => {
                Err(Unusable { class: ErrorClass::Auth, text: "logins cannot be used yet".into() })
            }
        }
    }

    /// A header to try once more with after `refused` was answered with 401; `None` where there is no other.
    pub(in crate::providers) async fn instead_of(
        &self,
        _refused: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, Unusable> {
        match &self.settings.credential {
            Credential::Token(source) | Credential::Basic { password: source, .. } => source.doubt(),
            Credential::None | Credential::Login(_) => {}
        }
        Ok(None)
    }

    /// Which credential is given now, be it in use yet or not.
    pub(in crate::providers) fn held(&self) -> Held {
        if let Credential::Token(source) | Credential::Basic { password: source, .. } =
            &self.settings.credential
        {
            source.look(self.clock.now());
        }
        Held { identity: self.settings.credential.identity(&self.settings.endpoint), revision: 0 }
    }

    /// Uses what is given now.
    pub(in crate::providers) fn take_up(&self) {
        if let Credential::Token(source) = &self.settings.credential {
            source.take_up();
        }
        self.remember();
    }

    /// Keeps all that is secret in mind, so that no text passes it on.
    fn remember(&self) {
        match &self.settings.credential {
            Credential::None => {}
            Credential::Token(token) => self.secrets.add(token.current()),
            Credential::Basic { user, password } => {
                let password = password.current();
                self.secrets.add(encoded(user, &password));
                self.secrets.add(password);
            }
            Credential::Login(login) => {
                login.password.iter().for_each(|password| self.secrets.add(password.current()))
            }
        }
    }
}

/// Marked so that nothing prints it.
fn sensitive(text: String) -> HeaderValue {
    // Holds: secrets are checked to be of header characters where they come from, and base64 is.
    let mut value = HeaderValue::try_from(text).expect("a credential is made of header characters");
    value.set_sensitive(true);
    value
}

fn bearer(token: &SecretString) -> HeaderValue {
    sensitive(format!("Bearer {}", token.expose_secret()))
}

fn basic(user: &str, password: &SecretString) -> HeaderValue {
    sensitive(format!("Basic {}", encoded(user, password).expose_secret()))
}

fn encoded(user: &str, password: &SecretString) -> SecretString {
    Base::Base64Pad.encode(format!("{user}:{}", password.expose_secret())).into()
}
