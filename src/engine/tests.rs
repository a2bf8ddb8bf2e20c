//! The engine stepped over a real store and simulated providers: no sleeps, the clock is turned by hand.

mod copies;
mod trouble;
mod world;
