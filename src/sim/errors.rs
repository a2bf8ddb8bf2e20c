//! Everything that a simulated provider refuses, and how each service words it.

use serde::{Deserialize, Serialize};

use super::reply::Answer;

mod words;

/// Why a call is not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    NoToken,
    /// The token, for those that repeat it.
    BadToken(String),
    BadLogin,
    NoSuchPin,
    NoSuchPath,
    WrongMethod,
    BadBody(String),
    BadCid(String),
    BadQuery(String),
    /// A requestid that cannot be one.
    BadId(String),
    /// A list that asks for no status.
    StatusRequired,
    /// A replace by the same CID.
    SameCid,
    TooLarge(String),
    TooMany,
    QueueFull,
    NoFunds,
    NoPlan,
    /// A fault that was switched on, by its code: in the words for what the code is about.
    Struck(u16),
    /// A code that is about nothing of these.
    Broken(u16),
}

/// Whose words errors are told in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Errors {
    /// `{"error": {"reason", "details"}}`, as the specification has it.
    #[default]
    Spec,
    /// Pages of HTML.
    Html,
    Everland,
    Fula,
    /// Bare strings of JSON, and a refusal that repeats the token.
    Fula2024,
    NftStorage,
    Web3Storage,
    Pinata,
    Filebase,
    Crust,
    Cluster,
    Helia,
    Estuary,
}

impl Errors {
    pub(super) fn answer(self, problem: &Problem) -> Answer {
        words::said(self, problem).answer()
    }
}

impl Problem {
    /// What a code is about, for faults.
    fn of_code(code: u16) -> Self {
        match code {
            401 => Self::BadToken(String::new()),
            402 | 409 => Self::NoFunds,
            403 => Self::NoPlan,
            404 => Self::NoSuchPin,
            429 => Self::TooMany,
            _ => Self::Broken(code),
        }
    }
}
