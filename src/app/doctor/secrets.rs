//! Files with secrets that others may read.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{Finding, store::mode};
use crate::app::{admin_token_file, vault};

const EVERYBODY: u32 = 0o007;
const ALL_BUT_OWNER: u32 = 0o077;

const WHAT: &str = "secrets";

/// `named`: those of the configuration, as far as it could be read.
pub(super) fn look(named: &[PathBuf], store: &Path) -> Vec<Finding> {
    let mut found: Vec<_> = named.iter().filter_map(|file| open(file, EVERYBODY, "o=")).collect();
    found.extend(made(store).iter().filter_map(|file| open(file, ALL_BUT_OWNER, "go=")));
    if found.is_empty() {
        found.push(Finding::ok(WHAT, "no file with secrets is for others to read"));
    }
    found
}

/// Those that a gateway makes beside its store.
fn made(store: &Path) -> Vec<PathBuf> {
    let kept = vault::folder(store);
    // What cannot be listed is nobody else's either, as far as can be told from here.
    let inside = fs::read_dir(&kept).into_iter().flatten().flatten().map(|entry| entry.path());
    let inside: Vec<_> = inside.collect();
    [admin_token_file(store), kept].into_iter().chain(inside).collect()
}

fn open(file: &Path, to: u32, closing: &str) -> Option<Finding> {
    let shown = file.display();
    mode(file).filter(|mode| mode & to != 0).map(|mode| {
        let who = if mode & EVERYBODY != 0 { "everybody" } else { "its group" };
        Finding::bad(WHAT, format!("{who} may read {shown}"), format!("run: chmod {closing} {shown}"))
    })
}
