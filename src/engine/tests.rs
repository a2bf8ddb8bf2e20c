//! The engine stepped over a real store and simulated providers.
