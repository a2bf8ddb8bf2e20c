//! Where a backup may be written: nowhere that something is which is still needed, least of all on the store itself.

use std::{
    fs, io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
};

use anyhow::{Context, bail};

use super::ASIDE;
use crate::store::sqlite::files::{self, folder_of};

/// What else of a gateway lies beside its store, by the endings of the store's name.
const KEPT: [&str; 1] = [".admin-token"];
/// And by what follows its name first.
const KEPT_BY: [&str; 2] = [ASIDE, ".credentials/"];

/// # Errors
/// Where nothing may be written there.
pub(super) fn check(store: &Path, file: &Path, force: bool) -> anyhow::Result<()> {
    let shown = file.display();
    if file.is_dir() || file.as_os_str().as_bytes().ends_with(b"/") {
        bail!("{shown} is a folder: name a file in it");
    }
    if is_of(store, file).with_context(|| format!("cannot look at {shown}"))? {
        bail!("{shown} is the store itself, or a file that belongs to it: name another file");
    }
    match fs::symlink_metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot look at {shown}")),
        Ok(_) if file.exists() && !file.is_file() => bail!("{shown} is no ordinary file: name another"),
        Ok(_) if force => Ok(()),
        Ok(_) => bail!(taken(file)),
    }
}

pub(super) fn taken(file: &Path) -> String {
    format!("{} is there already: name another file, or say --force", file.display())
}

/// Whether a file is a store or belongs to it, by whatever name, and though it be not there yet.
fn is_of(store: &Path, file: &Path) -> io::Result<bool> {
    let (as_named, real) = (unlinked(file), files::real(file));
    let found = fs::metadata(file).ok().map(|found| (found.dev(), found.ino()));
    for store in [unlinked(store), files::real(store)] {
        if belongs(&store, &as_named) || belongs(&store, &real) {
            return Ok(true);
        }
        let Some(found) = found else { continue };
        let beside = match fs::read_dir(folder_of(&store)) {
            // The backup itself will say so.
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            entries => entries?,
        };
        for entry in beside {
            let entry = entry?.path();
            let is_same = |other: fs::Metadata| (other.dev(), other.ino()) == found;
            if belongs(&store, &entry) && fs::metadata(&entry).is_ok_and(is_same) {
                return Ok(true);
            }
        }
    }
    Ok(false)
}

/// By its name.
fn belongs(store: &Path, file: &Path) -> bool {
    let Some(rest) = file.as_os_str().as_bytes().strip_prefix(store.as_os_str().as_bytes()) else {
        return false;
    };
    let is = |ending: &&str| ending.as_bytes() == rest;
    rest.is_empty()
        || files::BESIDE.iter().chain(&KEPT).any(|ending| is(ending))
        || KEPT_BY.iter().any(|first| rest.starts_with(first.as_bytes()))
}

/// The name itself, in whatever folder that is; a link is not followed.
fn unlinked(file: &Path) -> std::path::PathBuf {
    match (fs::canonicalize(folder_of(file)), file.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => file.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn told(store: &Path, file: &Path, force: bool) -> String {
        check(store, file, force).map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn the_store_and_what_belongs_to_it_is_refused_by_whatever_name() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::create_dir_all(at("data/pins.db.credentials")).unwrap();
        fs::create_dir(at("far")).unwrap();
        fs::write(at("far/real.db"), "the store").unwrap();
        symlink("../far/real.db", at("data/pins.db")).unwrap();
        symlink(at("data"), at("way")).unwrap();
        symlink(at("data/pins.db"), at("link")).unwrap();
        fs::hard_link(at("far/real.db"), at("hard")).unwrap();
        let store = at("data/pins.db");
        let own = [
            "data/pins.db",
            "data/../far/real.db",
            "far/real.db-wal",
            "far/real.db-shm",
            "far/real.db-journal",
            "far/real.db.lock",
            "far/real.db.before-20261121T031700",
            "data/pins.db-wal",
            "data/pins.db.admin-token",
            "data/pins.db.credentials/alpha.json",
            "way/pins.db",
            "link",
            "hard",
        ];
        for name in own {
            for force in [false, true] {
                let told = told(&store, &at(name), force);
                assert!(told.contains("is the store itself, or a file that belongs to it"), "{name}: {told}");
            }
        }
        for name in ["data/pins.db.backup", "data/pins.db-2026", "far/other.db", "none/pins.db"] {
            assert_eq!(told(&store, &at(name), false), "", "{name}");
        }
    }

    #[test]
    fn what_is_no_file_is_refused_and_what_is_there_needs_force() {
        let dir = tempfile::tempdir().unwrap();
        let (store, at) = (dir.path().join("pins.db"), |name: &str| dir.path().join(name));
        fs::write(at("there"), "").unwrap();
        fs::create_dir(at("folder")).unwrap();
        symlink("nothing", at("dangling")).unwrap();
        for name in ["folder", "new/"] {
            assert!(told(&store, &at(name), true).contains("is a folder: name a file in it"), "{name}");
        }
        assert!(told(&store, Path::new("/dev/null"), true).contains("is no ordinary file"));
        for name in ["there", "dangling"] {
            assert!(told(&store, &at(name), false).contains("--force"), "{name}");
            assert_eq!(told(&store, &at(name), true), "", "{name}");
        }
    }
}
