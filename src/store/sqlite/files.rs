//! A database's files: where they lie, whose they are, and the lock that one process holds.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions, TryLockError},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt, fchown},
    path::{Path, PathBuf},
};

use crate::store::StoreError;

/// What lies beside a database, by the endings of its name: SQLite's, and the lock.
pub const BESIDE: [&str; 4] = ["-wal", "-shm", "-journal", LOCK];

const LOCK: &str = ".lock";
/// As many links as Linux follows.
const LINKS: usize = 40;

/// Held while a process serves a database; the lock goes with it.
#[derive(Debug)]
pub(super) struct LockFile {
    _file: File,
}

impl LockFile {
    pub(super) fn take(database: &Path) -> Result<Self, StoreError> {
        let found = real(database);
        let path = beside(&found, LOCK);
        let file = private_like(&path, heir(&found)).map_err(|error| unavailable(error, "open", &path))?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: database.display().to_string() }),
            Err(TryLockError::Error(error)) => Err(unavailable(error, "lock", database)),
        }
    }
}

/// Whether a process serves a database. Holds its lock for an instant where none does.
///
/// # Errors
/// Where that cannot be told.
pub fn is_served(database: &Path) -> io::Result<bool> {
    let file = match File::open(beside(&real(database), LOCK)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// A path with an ending added: `pinfold.db` and `-wal` give `pinfold.db-wal`.
pub fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(ending);
    name.into()
}

/// The folder that a file is in.
pub fn folder_of(file: &Path) -> &Path {
    file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Where a file is or would be made: links are followed, as SQLite does, also those that lead to nothing yet.
pub fn real(path: &Path) -> PathBuf {
    let mut path = path.to_owned();
    for _ in 0..LINKS {
        let Ok(to) = fs::read_link(&path) else { break };
        path = folder_of(&path).join(to);
    }
    match (fs::canonicalize(folder_of(&path)), path.file_name()) {
        (Ok(folder), Some(name)) => folder.join(name),
        _ => path,
    }
}

/// Opens a file to read and write; a new one is its owner's alone, and of the owner of its folder where root makes it.
///
/// # Errors
/// Where that is not allowed, or there is no such folder.
pub fn private(path: &Path) -> io::Result<File> {
    private_like(path, folder_of(path))
}

/// As [`private`], but that what root makes is of the owner of `like`.
fn private_like(path: &Path, like: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).mode(0o600);
    let is = |error: &io::Error, kind| error.kind() == kind;
    match options.open(path) {
        Err(error) if is(&error, io::ErrorKind::NotFound) => {}
        done => return done,
    }
    // Only what is certainly new is given away: a link that somebody put there may lead to what is none of theirs.
    match options.create_new(true).open(path) {
        Ok(file) => hand_over(&file, like).map(|()| file),
        Err(error) if is(&error, io::ErrorKind::AlreadyExists) => options.create_new(false).open(path),
        Err(error) => Err(error),
    }
}

/// What tells by its owner whose the files of a database are: the database, where it is somebody's and not root's, else its
/// folder. The folder alone does not: it may be root's, and only its group's to write to.
pub fn heir(database: &Path) -> &Path {
    let is_somebodys = fs::metadata(database).is_ok_and(|found| found.uid() != 0);
    if is_somebodys { database } else { folder_of(database) }
}

/// What root makes for somebody is theirs: else a gateway could not use what was made for it.
///
/// # Errors
/// Where it cannot be found out or done.
pub fn hand_over(new: &File, like: &Path) -> io::Result<()> {
    let (new_one, like) = (new.metadata()?, fs::metadata(like)?);
    if new_one.uid() != 0 || like.uid() == 0 {
        return Ok(());
    }
    match fchown(new, Some(like.uid()), Some(like.gid())) {
        // Root without that right, as in a container, goes on with what is its own.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        done => done,
    }
}

pub(super) fn unavailable(error: io::Error, what: &str, path: &Path) -> StoreError {
    let help = if error.kind() == io::ErrorKind::PermissionDenied { ownership(path) } else { String::new() };
    let context = format!("cannot {what} {}{help}", path.display());
    StoreError::Unavailable(anyhow::Error::new(error).context(context))
}

/// What to type where a file, or the folder that it would be made in, is not for this process.
fn ownership(path: &Path) -> String {
    let at = if path.exists() { path } else { folder_of(path) };
    let owner = |path: &Path| fs::metadata(path).map(|metadata| metadata.uid());
    let Ok(us) = owner(Path::new("/proc/self")) else { return String::new() };
    match owner(at) {
        Ok(owner) if owner == us => format!("; run: chmod u+rwX {}", at.display()),
        _ => format!("; run: chown {us} {}", at.display()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    use super::*;

    const SOMEBODY: u32 = 65_534;

    fn is_root() -> bool {
        fs::metadata("/proc/self").unwrap().uid() == 0
    }

    #[test]
    fn what_root_makes_in_somebodys_folder_is_theirs() {
        let dir = crate::store::contract::scratch();
        let database = dir.path().join("pins.db");
        if !is_root() {
            return;
        }
        fs::write(dir.path().join("another.db"), "").unwrap();
        chown(dir.path(), Some(SOMEBODY), Some(SOMEBODY)).unwrap();
        drop(LockFile::take(&database).unwrap());
        let lock = fs::metadata(beside(&database, LOCK)).unwrap();
        assert_eq!((lock.uid(), lock.gid(), lock.mode() & 0o777), (SOMEBODY, SOMEBODY, 0o600));
        drop(private(&dir.path().join("another.db")).unwrap());
        assert_eq!(
            fs::metadata(dir.path().join("another.db")).unwrap().uid(),
            0,
            "what is there stays as it is"
        );
        let linked = dir.path().join("linked.db");
        symlink("/root/none/of/theirs", &linked).unwrap();
        assert!(private(&linked).is_err(), "what a link leads to is not made");
    }

    #[test]
    fn the_lock_of_somebodys_database_is_theirs_also_in_a_folder_of_roots() {
        let dir = crate::store::contract::scratch();
        let database = dir.path().join("pins.db");
        if !is_root() {
            return;
        }
        fs::write(&database, "").unwrap();
        assert_eq!(heir(&database), dir.path());
        chown(&database, Some(SOMEBODY), Some(SOMEBODY)).unwrap();
        drop(LockFile::take(&database).unwrap());
        let lock = fs::metadata(beside(&database, LOCK)).unwrap();
        assert_eq!((lock.uid(), lock.gid()), (SOMEBODY, SOMEBODY));
    }

    #[test]
    fn advice_names_what_has_the_wrong_owner_or_the_wrong_rights() {
        let dir = crate::store::contract::scratch();
        let file = dir.path().join("pins.db");
        let us = fs::metadata("/proc/self").unwrap().uid();
        assert_eq!(ownership(&file), format!("; run: chmod u+rwX {}", dir.path().display()));
        fs::write(&file, "").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o400)).unwrap();
        assert_eq!(ownership(&file), format!("; run: chmod u+rwX {}", file.display()));
        if is_root() {
            chown(&file, Some(SOMEBODY), None).unwrap();
            assert_eq!(ownership(&file), format!("; run: chown {us} {}", file.display()));
        }
    }

    #[test]
    fn a_database_has_one_lock_by_whatever_link_it_is_reached() {
        let dir = crate::store::contract::scratch();
        let (database, link) = (dir.path().join("pins.db"), dir.path().join("link.db"));
        symlink("pins.db", &link).unwrap();
        assert_eq!(real(&link), real(&database), "though there is none yet");
        let _held = LockFile::take(&link).unwrap();
        assert!(matches!(LockFile::take(&database), Err(StoreError::Locked { .. })));
        assert!(is_served(&link).unwrap() && is_served(&database).unwrap());
    }
}
