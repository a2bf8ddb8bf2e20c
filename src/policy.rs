//! What should be: where copies go, how they add up to a status, what a replica needs next. Pure: no async, no
//! clock of its own, no I/O.

pub mod controls;
pub mod glob;
pub mod merge;
pub mod place;
pub mod purse;
pub mod replica;
pub mod routes;
pub mod settle;
pub mod timing;
pub mod window;

use serde::{Deserialize, Serialize};

pub use glob::Glob;
pub use merge::{CopyView, Tally, merge};
pub use place::{ProviderView, place};
pub use purse::Purse;
pub use routes::{Choice, Chooser, NotAllowed, Route, Routes, Sender, When};
pub use settle::{PinView, Verdict, settle};
pub use timing::{Moment, Timing};

/// How many copies a pin should have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Copies {
    /// Under-replicated below this; nothing is removed that would go below it (I8).
    pub min: u16,
    /// What placement aims at.
    pub max: u16,
}

/// One revision of a named policy, resolved: `1 <= need <= copies.min <= copies.max <= providers.len()`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Policy {
    pub name: String,
    pub copies: Copies,
    /// The pin counts as pinned from this many copies on (config: `pinned_when`).
    pub need: u16,
    /// Names of providers, most preferred first.
    pub providers: Vec<String>,
}
