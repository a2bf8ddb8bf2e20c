//! config
pub mod problem;
mod yaml;
