//! How a provider stands, for operators: what its breaker does, and what it last failed by.

use std::sync::{Mutex, PoisonError};

use super::ProviderError;
use crate::{
    model::{ErrorClass, Operation, Rates, Timestamp},
    telemetry::BreakerState,
};

/// How calls to a provider are let through, and the last one that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    pub breaker: BreakerState,
    /// When the breaker came into this state.
    pub since: Timestamp,
    /// Until when nothing is sent, if that is so: the breaker is open, or the provider asked for it.
    pub until: Option<Timestamp>,
    pub last_error: Option<LastError>,
    /// The calls that it allows, as configured, or as its refusals taught.
    pub rates: Rates,
}

/// A call that the provider failed; in words without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastError {
    pub at: Timestamp,
    pub operation: Operation,
    pub class: ErrorClass,
    pub text: String,
}

/// Keeps the last error in mind.
#[derive(Debug, Default)]
pub(super) struct Memory(Mutex<Option<LastError>>);

impl Memory {
    pub(super) fn note(&self, error: &ProviderError, at: Timestamp) {
        let ProviderError { operation, class, ref text, .. } = *error;
        let noted = LastError { at, operation, class, text: text.clone() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(noted);
    }

    pub(super) fn last(&self) -> Option<LastError> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
