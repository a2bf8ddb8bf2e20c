//! Upstream pinning services as Pinfold remembers them: durable identity, the operator's will, observed health.

use std::{fmt, sync::Arc};

use sha2::{Digest, Sha256};

use super::{Facts, ProofRecord, ProviderId, Timestamp};

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $code:literal $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$vdoc])* $variant),+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The number that the store keeps.
            pub const fn code(self) -> i64 {
                match self { $(Self::$variant => $code),+ }
            }

            pub const fn from_code(code: i64) -> Option<Self> {
                match code { $($code => Some(Self::$variant),)+ _ => None }
            }

            /// The word for users, logs and metric labels.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}
pub(super) use codes;

codes! {
    /// What the operator wants of a provider.
    Mode {
        Active = 0 "active",
        /// Keeps what it has, gets nothing new.
        Readonly = 1 "readonly",
        /// Its copies are being moved elsewhere.
        Draining = 2 "draining",
    }
}

codes! {
    /// What was last observed of a provider.
    Health {
        Healthy = 0 "healthy",
        /// Failing now and then; still used.
        Degraded = 1 "degraded",
        /// Not answering; probed until it does.
        Down = 2 "down",
        /// It refuses our credential.
        AuthFailed = 3 "auth_failed",
        /// It wants money.
        NoFunds = 4 "no_funds",
        /// Declared gone for good.
        Dead = 5 "dead",
    }
}

codes! {
    /// The calls that are made to providers, for labels and messages.
    Operation {
        Submit = 0 "submit",
        Look = 1 "look",
        List = 2 "list",
        Remove = 3 "remove",
        /// Logging in, or renewing what a login gave.
        Login = 4 "login",
    }
}

impl Health {
    /// Whether new copies may be sent there.
    pub const fn is_usable(self) -> bool {
        matches!(self, Self::Healthy | Self::Degraded)
    }

    /// What an operator can do about it; empty where there is nothing to do.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Healthy | Self::Degraded => "",
            Self::Down => {
                "nothing is lost and it is tried again by itself: look at its status page if it lasts"
            }
            Self::AuthFailed => {
                "it refuses the credential: put a valid one in its file, or into the config and start again"
            }
            Self::NoFunds => "it wants money or a larger plan: pay there, or take it out of the policies",
            Self::Dead => "its copies are made again elsewhere: take it out of the config",
        }
    }
}

/// What makes a provider the same one after its entry was edited: the normalised endpoint and the account, by the
/// entry's `account:` key or else a lasting name in the credential. Never a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub fn new(endpoint: &str, account: Option<&str>) -> Self {
        let mut hash = Sha256::new();
        hash.update(endpoint.trim_end_matches('/').to_ascii_lowercase());
        hash.update([0]);
        hash.update(account.unwrap_or_default());
        Self(hash.finalize().into())
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }
}

/// A provider as the config declares it, for the store to register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderDecl {
    pub name: String,
    pub fingerprint: Fingerprint,
    pub facts: Facts,
}

impl ProviderDecl {
    /// One of which nothing else is declared.
    pub fn new(name: impl Into<String>, fingerprint: Fingerprint) -> Self {
        Self { name: name.into(), fingerprint, facts: Facts::default() }
    }
}

/// A provider as the store remembers it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProviderRecord {
    pub id: ProviderId,
    pub name: String,
    pub fingerprint: Fingerprint,
    pub mode: Mode,
    pub health: Health,
    pub health_since: Timestamp,
    /// Set while the config does not name it.
    pub absent_since: Option<Timestamp>,
    /// No calls before this: its own Retry-After.
    pub blocked_until: Option<Timestamp>,
    /// SHA-256 of the credential that last reached the copies on record; of none before the first call.
    pub proven: Option<[u8; 32]>,
    /// As the config declared it last.
    pub facts: Arc<Facts>,
    /// A drain may leave pins with fewer copies than their policies ask.
    pub allow_fewer: bool,
    /// Whether it serves what it says is pinned.
    pub proof: ProofRecord,
    /// When the last sweep of its whole list began that ended well.
    pub swept_at: Option<Timestamp>,
    /// When the last audit ended that came to its end.
    pub audited_at: Option<Timestamp>,
    /// The next audit is due so long after this: when the last one began, or audits came to be due.
    pub audits_from: Option<Timestamp>,
    /// Pins there that nobody knows here, by that sweep.
    pub orphans: u64,
    /// Some of its copies may lack looks of their own, because its list is swept, or was.
    pub unplanned: bool,
}

impl ProviderRecord {
    /// Whether nobody can remove anything there, so that it is not waited for.
    pub fn is_gone(&self) -> bool {
        self.absent_since.is_some() || self.health == Health::Dead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_ignores_trailing_slashes_and_case_but_not_the_account() {
        let one = Fingerprint::new("https://PSA.example.com/v1/", None);
        assert_eq!(one, Fingerprint::new("https://psa.example.com/v1", None));
        assert_ne!(one, Fingerprint::new("https://psa.example.com/v1", Some("other")));
        assert_eq!(Fingerprint::from_bytes(one.as_bytes()), Some(one));
    }
}
