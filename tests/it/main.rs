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

/// A folder for a test's files: in memory where the system has such a place, since what a test waits for at a disk
/// proves nothing.
fn scratch() -> tempfile::TempDir {
    let memory = std::path::Path::new("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a folder")
}
