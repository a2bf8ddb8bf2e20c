//! Credentials of providers: what an entry gives, and what of it is sent with each call.

mod jwt;
mod keeper;
mod session;
mod source;
mod vault;
mod watch;
mod wire;

use multibase::Base;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

pub(super) use keeper::{Keeper, Unusable};
pub use source::{SecretFile, SecretKind, Source, UnfitSecret};
pub use vault::{NoVault, Pair, Vault};
pub(super) use wire::Proof;

use super::{Endpoint, SettingsError};
use crate::presets::{self, TokenForm};

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
    /// The file that its secret is read from, if it is.
    pub fn file(&self) -> Option<&std::path::Path> {
        match self {
            Self::None => None,
            Self::Token(source) | Self::Basic { password: source, .. } => source.file(),
            Self::Login(login) => login.password.as_ref().and_then(Source::file),
        }
    }

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

    /// A lasting name of the account, where the credential holds one that is no secret: a user, whom a JWT was given
    /// to, or what the preset knows of its tokens.
    pub fn account(&self, form: Option<TokenForm>) -> Option<String> {
        match self {
            Self::None => None,
            Self::Basic { user, .. } | Self::Login(Login { user, .. }) => Some(user.clone()),
            Self::Token(source) => {
                let token = source.given();
                let subject = jwt::claims(token.expose_secret()).and_then(|claims| claims.subject);
                subject.or_else(|| named_in(token.expose_secret(), form?))
            }
        }
    }

    /// Whether a provider would be called with the same: of a secret in a file, with whatever is in it now.
    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::None, Self::None) => true,
            (Self::Token(one), Self::Token(two)) => one.is_same(two),
            (Self::Basic { user, password }, Self::Basic { user: other_user, password: other }) => {
                user == other_user && password.is_same(other)
            }
            (Self::Login(one), Self::Login(two)) => {
                let same_password = match (&one.password, &two.password) {
                    (Some(one), Some(two)) => one.is_same(two),
                    (one, two) => one.is_none() && two.is_none(),
                };
                one.user == two.user && one.how == two.how && same_password
            }
            _ => false,
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

/// The public part of a token of that form.
fn named_in(token: &str, form: TokenForm) -> Option<String> {
    let bare = token.trim_end_matches('=');
    let decoded = Base::Base64.decode(bare).or_else(|_| Base::Base64Url.decode(bare)).ok()?;
    let text = String::from_utf8(decoded).ok()?;
    let name = match form {
        TokenForm::KeySecretBucket => text.splitn(3, ':').nth(2)?,
        TokenForm::AddressSignature => text.rsplit_once(':')?.0,
    };
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn account(token: &str, form: Option<TokenForm>) -> Option<String> {
        Credential::token(&token.into()).unwrap().account(form)
    }

    #[test]
    fn the_account_is_told_by_the_public_part_of_a_token_only() {
        use TokenForm::*;
        let bucket = Base::Base64Pad.encode("AKEY:s3cr3t:photos");
        let signed = Base::Base64Pad.encode("eth-0xabc:0xsigned");
        assert_eq!(account(&bucket, Some(KeySecretBucket)).as_deref(), Some("photos"));
        assert_eq!(account(&signed, Some(AddressSignature)).as_deref(), Some("eth-0xabc"));
        assert_eq!(account(&bucket, None), None);
        assert_eq!(account("t0k3n", Some(KeySecretBucket)), None);
        assert_eq!(account(&Base::Base64Pad.encode("key:s3cr3t"), Some(KeySecretBucket)), None);
        let jwt = jwt::unsigned(&json!({ "sub": "ada@example.com", "jti": "1" }));
        assert_eq!(account(&jwt, None).as_deref(), Some("ada@example.com"));
        assert_eq!(account(&jwt::unsigned(&json!({ "jti": "1" })), None), None);
    }

    #[test]
    fn a_user_is_the_same_with_another_password_but_not_elsewhere() {
        let basic = |user: &str, password: &str| Credential::Basic {
            user: user.into(),
            password: Source::Fixed(password.into()),
        };
        let endpoint = |text: &str| Endpoint::parse(text).unwrap();
        let (here, there) = (endpoint("https://a.example/psa"), endpoint("https://b.example"));
        assert_eq!(basic("ada", "x").identity(&here), basic("ada", "y").identity(&here));
        assert_ne!(basic("ada", "x").identity(&here), basic("ben", "x").identity(&here));
        assert_ne!(basic("ada", "x").identity(&here), basic("ada", "x").identity(&there));
    }
}
