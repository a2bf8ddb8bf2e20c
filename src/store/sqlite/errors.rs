//! SQLite's errors, told apart as far as callers of the store must.

use rusqlite::{Error, ErrorCode};

use crate::store::StoreError;

/// Classifies an error.
fn store_error(error: &Error) -> StoreError {
    let words = || anyhow::anyhow!("{error}");
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full(words()),
        Some(ErrorCode::OperationInterrupted) => StoreError::Timeout,
        Some(
            ErrorCode::SystemIoFailure
            | ErrorCode::ReadOnly
            | ErrorCode::CannotOpen
            | ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::FileLockingProtocolFailed
            | ErrorCode::OutOfMemory
            | ErrorCode::PermissionDenied,
        ) => StoreError::Unavailable(words()),
        _ => StoreError::Corrupt(words()),
    }
}

/// The failure of a whole transaction, as each of its other callers is told of it.
pub(super) fn again(error: &StoreError) -> StoreError {
    match error {
        StoreError::Full(cause) => StoreError::Full(anyhow::anyhow!("{cause:#}")),
        StoreError::Unavailable(cause) => StoreError::Unavailable(anyhow::anyhow!("{cause:#}")),
        StoreError::Timeout => StoreError::Timeout,
        other => StoreError::Corrupt(anyhow::anyhow!("{other}")),
    }
}

/// What the caller of an intention that panicked is told.
pub(super) fn panicked(panic: &(dyn std::any::Any + Send)) -> StoreError {
    let words = panic.downcast_ref::<&str>().copied();
    let words = words.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no words");
    StoreError::Corrupt(anyhow::anyhow!("the transaction panicked: {words}"))
}

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        store_error(&error)
    }
}

/// A stored number that no code of ours wrote.
pub(super) fn bad_code(what: &'static str, code: i64) -> StoreError {
    StoreError::Corrupt(anyhow::anyhow!("unknown {what} code {code}"))
}
