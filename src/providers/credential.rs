//! Credentials of providers: what an entry gives, and what of it is sent with each call.

mod jwt;
mod keeper;
mod session;
mod source;
mod vault;
mod watch;
mod wire;

use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

pub(super) use keeper::{Keeper, Unusable};
pub use source::{SecretFile, SecretKind, Source, Stamp, UnfitSecret};
pub use vault::{NoVault, Pair, Vault};
pub(super) use wire::Proof;

use super::{Endpoint, SettingsError};
use crate::presets;

/// What an entry gives to log in with. Never prints a secret.
#[derive(Clone, Debug)]
pub enum Credential {
    None,
    /// Sent as a bearer token, as it is.
    Token(Source),
    /// HTTP Basic authentication with every call.
    Basic {
        user: String,
        password: Source,
    },
    /// Exchanged for a token, which is renewed when it ends.
    Login(Login),
}

/// A user, and how they log in.
#[derive(Clone, Debug)]
pub struct Login {
    pub user: String,
    /// `None`: by a code that comes by e-mail, or a pair that was pasted; both through the vault.
    pub password: Option<Source>,
    pub how: presets::Login,
}

impl Credential {
    /// A bearer token that does not change; white space around it is no part of it.
    ///
    /// # Errors
    /// Where it does not fit into a header.
    pub fn token(secret: &SecretString) -> Result<Self, SettingsError> {
        let token = SecretString::from(secret.expose_secret().trim());
        match SecretKind::Token.check(token.expose_secret()) {
            Ok(()) => Ok(Self::Token(Source::Fixed(token))),
            Err(UnfitSecret::Empty) => Err(SettingsError::EmptyToken),
            Err(_) => Err(SettingsError::UnfitToken),
        }
    }

    /// SHA-256 of what the provider knows us by: a token itself, else the user and where they log in.
    pub fn identity(&self, endpoint: &Endpoint) -> [u8; 32] {
        let of_user = |kind: &str, user: &str| {
            let mut hash = Sha256::new();
            for part in [kind, user, endpoint.host()] {
                hash.update(part);
                hash.update([0]);
            }
            hash.finalize().into()
        };
        match self {
            Self::None => of_user("none", ""),
            Self::Token(source) => Sha256::digest(source.given().expose_secret()).into(),
            Self::Basic { user, .. } => of_user("basic", user),
            Self::Login(login) => of_user("login", &login.user),
        }
    }
}
