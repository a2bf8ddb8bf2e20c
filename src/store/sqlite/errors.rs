//! SQLite's errors, told apart as far as callers of the store must.

use rusqlite::{Error, ErrorCode};

use crate::store::StoreError;

/// Classifies an error. Takes a reference: the error of one commit is told to many callers.
pub(super) fn store_error(error: &Error) -> StoreError {
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

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        store_error(&error)
    }
}

/// A stored number that no code of ours wrote.
pub(super) fn bad_code(what: &'static str, code: i64) -> StoreError {
    StoreError::Corrupt(anyhow::anyhow!("unknown {what} code {code}"))
}
