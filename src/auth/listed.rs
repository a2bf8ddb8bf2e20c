//! Tokens as operators see them: never a secret, never a hash.

use std::net::IpAddr;

use serde_json::{Value, json};

use super::{Scope, Scopes, TokenDecl};
use crate::{
    model::{Timestamp, TokenId},
    store::TokenRecord,
};

/// A token as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// `None`: a token of the config.
    pub id: Option<TokenId>,
    pub account: Option<String>,
    pub name: String,
    pub scopes: Scopes,
    pub policies: Vec<String>,
    pub state: TokenState,
    pub created: Option<Timestamp>,
    pub expires: Option<Timestamp>,
    pub revoked: Option<Timestamp>,
    pub replaced_by: Option<TokenId>,
    /// To the second; of a token of the config since this process began.
    pub last_use: Option<(Timestamp, IpAddr)>,
}

/// Whether a token lets anybody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenState {
    Active,
    /// Rotated: it lets in until it expires.
    Replaced,
    Expired,
    Revoked,
}

impl TokenState {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Replaced => "replaced",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl Listed {
    /// A token of the config, and its last use that this process saw.
    pub(super) fn declared(last_use: Option<(Timestamp, IpAddr)>, token: TokenDecl, now: Timestamp) -> Self {
        let ended = token.expires.is_some_and(|end| now >= end);
        Self {
            id: None,
            account: token.owner.map(|owner| owner.name.to_string()),
            name: token.name.to_string(),
            scopes: token.scopes,
            policies: token.policies,
            state: if ended { TokenState::Expired } else { TokenState::Active },
            created: None,
            expires: token.expires,
            revoked: None,
            replaced_by: None,
            last_use,
        }
    }

    /// A token of the store; `here` is its last use that this process saw.
    pub(super) fn stored(here: Option<(Timestamp, IpAddr)>, token: TokenRecord, now: Timestamp) -> Self {
        let state = match (token.revoked, token.is_live(now), token.replaced_by) {
            (Some(_), ..) => TokenState::Revoked,
            (None, false, _) => TokenState::Expired,
            (None, true, Some(_)) => TokenState::Replaced,
            (None, true, None) => TokenState::Active,
        };
        Self {
            id: Some(token.id),
            account: token.account.map(|(_, name)| name),
            name: token.name,
            scopes: token.scopes,
            policies: token.policies,
            state,
            created: Some(token.created),
            expires: token.expires,
            revoked: token.revoked,
            replaced_by: token.replaced_by,
            last_use: [here, token.last_use].into_iter().flatten().max_by_key(|(at, _)| *at),
        }
    }

    /// As the admin API shows it.
    pub fn to_json(&self) -> Value {
        let time = |at: Option<Timestamp>| at.map(|at| at.to_string());
        let scopes: Vec<_> = self.scopes.iter().map(Scope::as_str).collect();
        json!({
            "id": self.id.map(|id| id.to_string()),
            "source": if self.id.is_some() { "store" } else { "config" },
            "account": self.account,
            "name": self.name,
            "scopes": scopes,
            "policies": self.policies,
            "state": self.state.as_str(),
            "created": time(self.created),
            "expires": time(self.expires),
            "revoked": time(self.revoked),
            "replaced_by": self.replaced_by.map(|id| id.to_string()),
            "last_used": time(self.last_use.map(|(at, _)| at)),
            "last_from": self.last_use.map(|(_, from)| from.to_string()),
        })
    }
}
