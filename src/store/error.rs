//! What can go wrong in a store, as far as its callers must tell it apart.

use thiserror::Error;

use crate::model::{OverQuota, known};

/// A failed intention: nothing of it was done.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The disk is full; reads go on.
    #[error("the disk that holds the database is full")]
    Full(#[source] anyhow::Error),
    /// The database cannot be read or written now: read-only, I/O error, shutting down.
    #[error("the database is not available")]
    Unavailable(#[source] anyhow::Error),
    /// A scan took longer than it may; narrower filters would not.
    #[error("the query took too long and was stopped")]
    Timeout,
    /// Too much is waiting already.
    #[error("the database has too much to do")]
    Busy,
    /// The database was made by a newer Pinfold.
    #[error(
        "the database has schema version {found}, but this Pinfold knows only up to {known}: run the newer Pinfold that made it, or restore a backup"
    )]
    Newer { found: i64, known: i64 },
    /// The file is not one of ours; nothing was written to it.
    #[error(
        "{path} is {what} and was left as it is: name another file under store.url, or move it away and start again"
    )]
    Foreign { path: String, what: &'static str },
    /// Another process serves this database.
    #[error("the database {path} is in use by another pinfold process: stop that one first")]
    Locked { path: String },
    /// The config names a provider whose endpoint or account is not the recorded one.
    #[error(
        "provider {name:?} points to another endpoint or account than its recorded copies: if it is the same account at a new address run `pinfold provider rebind {name} --same-account`, if it is a new one `pinfold provider rebind {name} --new-account`"
    )]
    Rebind { name: String },
    /// The config no longer names something that still owns pins.
    #[error(
        "{what} {name:?} is gone from the config but still has {pins} pins: put it back, or delete those pins first"
    )]
    StillUsed { what: &'static str, name: String, pins: u64 },
    /// The caller named something that the store does not know.
    #[error("no {what} named {name:?} is registered{}", others(known))]
    Unknown { what: &'static str, name: String, known: Vec<String> },
    /// The caller named something new as something old is named.
    #[error("there is a {what} named {name:?} already")]
    Taken { what: &'static str, name: String },
    /// The account may not have this pin.
    #[error("the account would be over its quota")]
    OverQuota(OverQuota),
    /// A bug, here or in the database.
    #[error("the database broke a rule")]
    Corrupt(#[source] anyhow::Error),
}

fn others(names: &[String]) -> String {
    if names.is_empty() { String::new() } else { format!(": {}", known(names)) }
}
