//! Holds what one provider is called with: the header of each call, and what becomes of it when it is refused.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use ::http::HeaderValue;
use multibase::Base;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use super::{Credential, Source, session::Session, watch::Watch};
use crate::{
    model::{Clock, ErrorClass, Timestamp},
    providers::{Held, Settings, secrets::Secrets, stack::Lower},
    telemetry::ProviderMetrics,
};

/// What to do about a token that ends.
const MEND: &str = "make a new one there and put it into its file, or into the config and start again";

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
    metrics: ProviderMetrics,
    secrets: Arc<Secrets>,
    session: Option<Arc<Session>>,
    watch: Watch,
    /// How often a password in a file was changed.
    changes: AtomicU64,
}

impl Keeper {
    /// `lower`: what log-ins pass, as every request does.
    pub(in crate::providers) fn new(
        settings: Arc<Settings>,
        lower: Lower,
        clock: Arc<dyn Clock>,
        metrics: ProviderMetrics,
    ) -> Self {
        let secrets = Arc::<Secrets>::default();
        let session = match &settings.credential {
            Credential::Login(login) => {
                Some(Session::new(login.clone(), &settings, lower, clock.clone(), secrets.clone()))
            }
            Credential::None | Credential::Token(_) | Credential::Basic { .. } => None,
        };
        let changes = AtomicU64::default();
        let keeper = Self { settings, clock, metrics, secrets, session, watch: Watch::default(), changes };
        keeper.remember();
        keeper
    }

    /// What must be in no text.
    pub(in crate::providers) fn secrets(&self) -> &Arc<Secrets> {
        &self.secrets
    }

    pub(in crate::providers) fn session(&self) -> Option<&Arc<Session>> {
        self.session.as_ref()
    }

    /// The `Authorization` header of a call that leaves now; also for calls that do not pass the stack.
    pub(in crate::providers) async fn header(&self) -> Result<Option<HeaderValue>, Unusable> {
        match (&self.settings.credential, &self.session) {
            (Credential::Token(token), _) => self.unexpired(&token.current()).map(Some),
            (Credential::Basic { user, password }, _) => Ok(Some(basic(user, &password.current()))),
            (Credential::Login(_), Some(session)) => session.header().await.map(Some),
            (Credential::Login(_) | Credential::None, _) => Ok(None),
        }
    }

    fn unexpired(&self, token: &SecretString) -> Result<HeaderValue, Unusable> {
        match expiry(token).filter(|ends| *ends <= self.clock.now()) {
            None => Ok(bearer(token)),
            Some(ends) => Err(Unusable {
                class: ErrorClass::Auth,
                text: format!("the token expired at {ends}: {MEND}"),
            }),
        }
    }

    /// A header to try once more with after `refused` was answered with 401; `None` where there is no other.
    pub(in crate::providers) async fn instead_of(
        &self,
        refused: Option<&HeaderValue>,
    ) -> Result<Option<HeaderValue>, Unusable> {
        match (&self.settings.credential, &self.session) {
            (_, Some(session)) => session.instead_of(refused).await,
            // Whether the file holds another one is for the next look to find: a new token has to be proven first.
            (Credential::Token(source), _) => {
                source.doubt();
                Ok(None)
            }
            (Credential::Basic { user, password }, _) => {
                password.doubt();
                self.look_for_a_password(password);
                let header = basic(user, &password.current());
                Ok(Some(header).filter(|header| Some(header) != refused))
            }
            (Credential::None | Credential::Login(_), None) => Ok(None),
        }
    }

    /// Which credential is given now, be it in use yet or not.
    pub(in crate::providers) async fn held(&self) -> Held {
        let now = self.clock.now();
        let revision = match (&self.settings.credential, &self.session) {
            (_, Some(session)) => session.revision().await,
            (Credential::Token(source), _) => {
                source.look(now);
                0
            }
            (Credential::Basic { password, .. }, _) => {
                self.look_for_a_password(password);
                self.changes.load(Ordering::Relaxed)
            }
            (Credential::None | Credential::Login(_), None) => 0,
        };
        self.watch_the_end(now);
        Held { identity: self.settings.credential.identity(&self.settings.endpoint), revision }
    }

    /// Uses what is given now.
    pub(in crate::providers) fn take_up(&self) {
        if let Credential::Token(source) = &self.settings.credential {
            source.take_up();
            self.remember();
        }
    }

    /// The user stays the same, so that there is nothing to prove: it is used at once.
    fn look_for_a_password(&self, password: &Source) {
        if password.look(self.clock.now()) {
            password.take_up();
            self.remember();
            self.changes.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn watch_the_end(&self, now: Timestamp) {
        let name = &self.settings.name;
        let (ends, mend) = match (&self.settings.credential, &self.session) {
            (Credential::Token(source), _) => (expiry(&source.current()), MEND.to_owned()),
            (_, Some(session)) => (session.ends(), format!("run `pinfold provider login {name}`")),
            _ => return,
        };
        self.watch.note(name, ends, &mend, now, &self.metrics);
    }

    /// Keeps all that is secret in mind, so that no text passes it on.
    fn remember(&self) {
        match &self.settings.credential {
            // A login's own are remembered where they come from.
            Credential::None | Credential::Login(_) => {}
            Credential::Token(token) => self.secrets.add(token.current()),
            Credential::Basic { user, password } => {
                let password = password.current();
                self.secrets.add(encoded(user, &password));
                self.secrets.add(password);
            }
        }
    }
}

fn expiry(token: &SecretString) -> Option<Timestamp> {
    super::jwt::claims(token.expose_secret())?.expires
}

/// Marked so that nothing prints it.
fn sensitive(text: String) -> HeaderValue {
    // Holds: secrets are checked to be of header characters where they come from, and base64 is.
    let mut value = HeaderValue::try_from(text).expect("a credential is made of header characters");
    value.set_sensitive(true);
    value
}

pub(super) fn bearer(token: &SecretString) -> HeaderValue {
    sensitive(format!("Bearer {}", token.expose_secret()))
}

pub(super) fn basic(user: &str, password: &SecretString) -> HeaderValue {
    sensitive(format!("Basic {}", encoded(user, password).expose_secret()))
}

pub(super) fn encoded(user: &str, password: &SecretString) -> SecretString {
    Base::Base64Pad.encode(format!("{user}:{}", password.expose_secret())).into()
}
