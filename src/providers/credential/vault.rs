//! Where the tokens of logins are kept over restarts: a port, filled in by the composition root.

use std::{fmt, io};

use secrecy::SecretString;

use crate::model::{Stamp, Timestamp};

/// What a login or a renewal gave.
#[derive(Clone, Debug)]
pub struct Pair {
    pub access: SecretString,
    /// To get a new pair with. Some hand out another one each time, and then the old one is dead.
    pub refresh: Option<SecretString>,
    /// When it was given to us; `None` for one that was pasted.
    pub obtained: Option<Timestamp>,
}

/// Keeps the pair of one user at one provider. Calls block: they are made where that is no harm.
pub trait Vault: Send + Sync + fmt::Debug {
    /// The pair that is kept for this user; `None` where there is none, or it is somebody else's.
    ///
    /// # Errors
    /// Where what is kept cannot be read.
    fn load(&self) -> io::Result<Option<Pair>>;

    /// Keeps a pair in the old one's place, durably: it is on disk when this returns.
    ///
    /// # Errors
    /// Where it could not be kept; the old one is still there then.
    fn save(&self, pair: &Pair) -> io::Result<()>;

    /// Another one whenever another pair may be kept.
    fn stamp(&self) -> Option<Stamp>;
}

/// Keeps nothing: for providers without logins.
#[derive(Clone, Copy, Debug)]
pub struct NoVault;

impl Vault for NoVault {
    fn load(&self) -> io::Result<Option<Pair>> {
        Ok(None)
    }

    fn save(&self, _: &Pair) -> io::Result<()> {
        Ok(())
    }

    fn stamp(&self) -> Option<Stamp> {
        None
    }
}
