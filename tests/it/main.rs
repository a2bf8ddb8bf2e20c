//! The integration tests, one binary.

mod api;
mod arrows;
mod backup;
mod cli;
mod demo;
mod leaving;
mod login;
mod manager;
mod matrix;
mod metrics;
mod operators;
mod reload;
mod routing;
mod tls;
mod tokens;
mod traces;
