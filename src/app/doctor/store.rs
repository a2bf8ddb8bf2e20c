//! The store: its file, who has it, whether it is sound, and the room that there is.

use std::{
    fs::{self, OpenOptions},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use super::{Finding, Space};
use crate::store::{
    StoreError,
    sqlite::{
        self,
        snapshot::{self, About},
    },
};

/// The longest look at the pages of a database.
const WITHIN: Duration = Duration::from_secs(10);
const MIB: u64 = 1 << 20;
/// Less is trouble now, and less is trouble soon.
const TIGHT: u64 = 100 * MIB;
const LOW: u64 = 1024 * MIB;

/// Looks at it; also returns what it tells of itself.
pub(super) fn look(path: &Path, space: fn(&Path) -> io::Result<Space>) -> (Vec<Finding>, Option<About>) {
    let mut found = Vec::new();
    let mut told = None;
    if path.is_dir() {
        let seen = format!("{} is a folder", path.display());
        found.push(Finding::bad(
            "store: file",
            seen,
            "name a file in it under store.url, such as pinfold.db",
        ));
        return (found, None);
    }
    if path.exists() {
        found.push(file(path));
        found.push(lock(path));
        found.push(match snapshot::about(path) {
            _ if snapshot::is_blank(path) => {
                Finding::ok("store: schema", "there is none yet: the first start makes it")
            }
            Ok(about) => {
                told = Some(about);
                schema(about.schema)
            }
            Err(error) => unreadable(path, &error),
        });
        if told.is_some() {
            found.push(pages(path));
        }
    } else {
        found.push(nothing_yet(path));
    }
    // Whether there is room in a folder that is not there nobody knows.
    if folder(path).is_dir() {
        found.push(room(path, space));
    }
    (found, told)
}

fn file(path: &Path) -> Finding {
    const WHAT: &str = "store: file";
    let shown = path.display();
    if let Some(mode) = mode(path).filter(|mode| mode & 0o077 != 0) {
        return Finding::bad(
            WHAT,
            format!("others may read or write {shown} (mode {:o})", mode & 0o777),
            format!("run: chmod 600 {}", files(path).join(" ")),
        );
    }
    // Nothing is written; SQLite has it not open in this process.
    match OpenOptions::new().write(true).open(path) {
        Ok(_) => Finding::ok(WHAT, shown.to_string()),
        Err(error) => {
            Finding::bad(WHAT, format!("{shown} cannot be written: {error}"), unwritable(&error, path))
        }
    }
}

/// The database and what SQLite has beside it.
fn files(path: &Path) -> Vec<String> {
    let all = ["", "-wal", "-shm"].map(|end| format!("{}{end}", path.display()));
    all.into_iter().filter(|file| Path::new(file).exists()).collect()
}

fn nothing_yet(path: &Path) -> Finding {
    const WHAT: &str = "store: file";
    let shown = path.display();
    match tempfile::tempfile_in(folder(path)) {
        Ok(_) => Finding::ok(WHAT, format!("there is no {shown} yet: the first start makes it")),
        Err(error) => Finding::bad(
            WHAT,
            format!("{shown} is not there and cannot be made: {error}"),
            unwritable(&error, path),
        ),
    }
}

/// What to do where a file cannot be written or made.
pub(super) fn unwritable(error: &io::Error, path: &Path) -> String {
    let folder = folder(path);
    let shown = folder.display();
    match error.kind() {
        io::ErrorKind::ReadOnlyFilesystem => format!(
            "its file system is read-only: mount it to be written (findmnt -T {shown} tells which it is; a container's volume \
             must not be :ro, a unit needs it under ReadWritePaths), or name a file elsewhere under store.url"
        ),
        _ if path.exists() => {
            "run this as the user that runs the gateway, or give the file to that user with chown".to_owned()
        }
        _ if folder.is_dir() => {
            format!("run this as the user that runs the gateway, or run: chown USER {shown}, with that user")
        }
        _ => format!("run: mkdir -p {shown} && chown USER {shown}, with the user that runs the gateway"),
    }
}

fn lock(path: &Path) -> Finding {
    const WHAT: &str = "store: lock";
    match sqlite::is_served(path) {
        Ok(true) => Finding::ok(WHAT, "a gateway serves it"),
        Ok(false) => Finding::ok(WHAT, "no gateway serves it"),
        Err(error) => Finding::warn(WHAT, error.to_string(), "run this as the user that runs the gateway"),
    }
}

fn schema(version: i64) -> Finding {
    const WHAT: &str = "store: schema";
    match sqlite::newest_version() {
        known if version < known => Finding::ok(
            WHAT,
            format!("version {version}; the next start of this Pinfold brings it to {known}"),
        ),
        known => Finding::ok(WHAT, format!("version {known}")),
    }
}

fn unreadable(path: &Path, error: &StoreError) -> Finding {
    let (shown, why) = (path.display(), chain(error));
    let advice = match error {
        StoreError::Newer { .. } => {
            "install that version again, or restore an older backup with it".to_owned()
        }
        StoreError::Unavailable(_) => {
            "run this as the user that runs the gateway, and see the disk with dmesg".to_owned()
        }
        _ => {
            format!(
                "name another file under store.url, or put a backup in its place: pinfold restore BACKUP --replace (it is kept beside {shown})"
            )
        }
    };
    Finding::bad("store: schema", why, advice)
}

fn pages(path: &Path) -> Finding {
    const WHAT: &str = "store: pages";
    let whole = "check all of it with: pinfold backup FILE";
    match snapshot::quick_check(path, WITHIN) {
        Ok(None) => Finding::ok(WHAT, "SQLite finds nothing wrong"),
        Err(StoreError::Timeout) => {
            Finding::warn(WHAT, format!("not all were looked at within {} s", WITHIN.as_secs()), whole)
        }
        Ok(Some(wrong)) => broken(WHAT, wrong),
        Err(error) => broken(WHAT, chain(&error)),
    }
}

fn broken(what: &'static str, why: String) -> Finding {
    let advice = "see the disk with dmesg, then put a backup in its place: pinfold restore BACKUP --replace";
    Finding::bad(what, why, advice)
}

fn room(path: &Path, space: fn(&Path) -> io::Result<Space>) -> Finding {
    const WHAT: &str = "store: room";
    let folder = folder(path);
    let advice = format!(
        "make room in {}: what is large there tells du -xh {} | sort -h | tail",
        folder.display(),
        folder.display()
    );
    match space(&folder) {
        Err(error) => Finding::warn(WHAT, format!("cannot be told: {error}"), advice),
        Ok(Space { free, all }) => {
            let size = path.metadata().map_or(0, |metadata| metadata.len());
            let seen = format!("{} MiB free of {} MiB", free / MIB, all / MIB);
            // A tenth as much again as there is, for the log and what is yet to come.
            match free {
                _ if free < TIGHT.max(size / 10) => Finding::bad(WHAT, seen, advice),
                _ if free < LOW.max(size) => Finding::warn(WHAT, seen, advice),
                _ => Finding::ok(WHAT, seen),
            }
        }
    }
}

/// What a file system has room for.
pub(super) fn space(path: &Path) -> io::Result<Space> {
    let told = rustix::fs::statvfs(path)?;
    Ok(Space {
        free: told.f_bavail.saturating_mul(told.f_frsize),
        all: told.f_blocks.saturating_mul(told.f_frsize),
    })
}

pub(super) fn mode(path: &Path) -> Option<u32> {
    fs::metadata(path).ok().map(|metadata| metadata.permissions().mode())
}

fn folder(path: &Path) -> PathBuf {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new(".")).to_owned()
}

fn chain(error: &StoreError) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}
