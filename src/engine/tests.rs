//! The engine stepped over a real store and simulated providers.

mod adopting;
mod applying;
mod auditing;
mod budgets;
mod clocks;
mod credentials;
mod deleting;
mod doubts;
mod draining;
mod dying;
mod ending;
mod forgetting;
mod kubo;
mod late;
mod looking;
mod model;
mod quirks;
mod retrieving;
mod sharing;
mod starting;
mod trouble;
mod unfit;
mod world;
