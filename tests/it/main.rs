//! The integration tests, one binary.

mod api;
mod arrows;
mod cli;
mod demo;
mod login;
mod matrix;
mod operators;
mod reload;
mod routing;
mod tls;
mod tokens;
