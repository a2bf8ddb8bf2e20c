//! How one proves to a service who one is.

use serde::{Deserialize, Serialize};

/// A kind of credential.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// A token that is sent as it is. One that is a JWT with an `exp` is watched.
    Bearer,
    /// A user name and a password with every call.
    Basic,
    /// A user name and a password that are exchanged for a token: [`Login`].
    Login,
    /// Nothing.
    None,
}

/// What a token is made of, where that is known: it may hold a lasting name of its account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TokenForm {
    /// The base64 of `KEY:SECRET:BUCKET`, and the account is the bucket.
    KeySecretBucket,
    /// The base64 of `ADDRESS:SIGNATURE`, and the account is the address.
    AddressSignature,
}

/// How a user name and password are exchanged for a token. URLs are absolute, or paths: from the endpoint's host where
/// they begin with a slash, else from the endpoint.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Login {
    pub url: String,
    pub style: LoginStyle,
    /// The key of the answer that holds the token.
    pub token: String,
    /// The key of the answer that holds a token to get a new pair with.
    #[serde(default)]
    pub refresh_token: Option<String>,
    /// Where a pair is renewed: a POST of `{"<refresh_token>": "..."}`. `None`: unknown, so one logs in again.
    #[serde(default)]
    pub refresh_url: Option<String>,
    /// Where a code is asked for that comes by e-mail: a GET of this and the address.
    #[serde(default)]
    pub code_url: Option<String>,
}

/// What a login sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LoginStyle {
    /// `{"email", "password"}`, or `{"email", "code"}`.
    Email,
    /// `{"username", "password"}`.
    Username,
    /// Nothing but HTTP Basic authentication.
    Basic,
}
