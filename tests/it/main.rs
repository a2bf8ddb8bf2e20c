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

/// Between two looks at a state that is waited for: to look without a pause would take the time from what is waited for.
async fn moment() {
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
}
