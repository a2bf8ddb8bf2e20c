//! Who is asking: bearer tokens, kept as SHA-256 hashes only, and clients' certificates, to the account and device that
//! they stand for, and to what they allow.

mod bearer;
mod certificate;
mod desk;
mod gate;
mod listed;
mod roles;
mod secret;
mod stored;
mod tokens;
mod usage;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use thiserror::Error;

pub use crate::model::{NotAHash, Scope, Scopes, TokenHash};
pub use certificate::{CertificateDecl, Certificates, Mark};
pub use desk::{Desk, DeskError, Issued, TokenRequest};
pub use gate::{Gate, SameSecret};
pub use listed::{Listed, TokenState};
pub use secret::{PREFIX, Secret};
pub use tokens::{Owner, TokenDecl, Tokens};

use crate::model::AccountId;

/// Who a request for an account's pins comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    pub account: AccountId,
    pub account_name: Arc<str>,
    /// The token's or certificate's name, never a secret: one per device.
    pub token_name: Arc<str>,
    pub scopes: Scopes,
    /// The policies that it may use: the first places its pins. None: the account's own.
    pub policies: Vec<String>,
}

/// Who a request about the gateway itself comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// The token's or certificate's name, never a secret.
    pub token_name: Arc<str>,
    pub scopes: Scopes,
}

/// Why a request is not let in. Clients are told the same in every case but the last; the log may tell them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Unauthorized {
    #[error("no authorization header")]
    Missing,
    #[error("the authorization header is not one bearer token")]
    Malformed,
    #[error("unknown token")]
    Unknown,
    #[error("the token has expired")]
    Expired,
    #[error("the token was revoked")]
    Revoked,
    #[error("the token's account is not in the config")]
    NotServed,
    /// Its secret is right, but it stands for nobody who could own pins.
    #[error("the token has no account")]
    NoAccount,
}
