//! Pinfold: one IPFS Pinning Services API (PSA) endpoint in front of many pinning services.
//!
//! It records each pin durably, places copies of it at several providers by policy, follows them until they are
//! pinned, merges their states into one honest answer, and keeps within every provider's limits.
//! `docs/architecture.md` walks through the files. Modules by level; arrows point down only:

// L6
pub mod app;
pub mod cli;
// L5
pub mod config;
// L4
pub mod admin;
pub mod api;
pub mod server;
// L3
pub mod engine;
// L2
pub mod auth;
pub mod providers;
pub mod sim;
pub mod store;
// L1
pub mod http;
pub mod lifecycle;
pub mod limits;
pub mod policy;
pub mod telemetry;
// L0
pub mod model;
pub mod presets;
