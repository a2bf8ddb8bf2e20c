//! How tasks hear of each other: change notices, wake-ups, clients' interest, shutdown. Carries hints, never truth.

pub mod activator;
pub mod changes;
pub mod interest;
pub mod shutdown;

pub use activator::Activator;
pub use changes::{Change, Changes, Subscription};
pub use interest::Interest;
pub use shutdown::Shutdown;
