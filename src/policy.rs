//! What should be: where copies go, how they add up to a status, what a replica needs next. Pure: no async, no
//! clock of its own, no I/O.

pub mod controls;
pub mod glob;
pub mod leave;
pub mod merge;
pub mod order;
pub mod place;
pub mod proof;
pub mod purse;
pub mod replica;
pub mod routes;
pub mod settle;
pub mod terms;
pub mod timing;
pub mod window;

pub use glob::Glob;
pub use leave::{Unapplied, Undrained, applied, drained};
pub use merge::{CopyView, Tally, merge};
pub use order::Choose;
pub use place::{Considered, Footing, Own, Placement, ProviderView, Reason};
pub use proof::judge;
pub use purse::Purse;
pub use routes::{Choice, Chooser, NotAllowed, Route, Routes, Sender, When};
pub use settle::{Forecast, PinView, Verdict, forecast, had, settle, weigh};
pub use terms::{Copies, Deadlines, Late, Policy, Priority, Proof, UpstreamName};
pub use timing::{Moment, Timing};
