//! Where a backup or a restore is made until it is whole: a folder, told by a lock from those that killed ones left.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use tempfile::TempDir;

use crate::store::sqlite::files;

const LOCK: &str = "lock";

/// Goes, with all that is in it, when it is dropped.
#[derive(Debug)]
pub(super) struct Workshop {
    folder: TempDir,
    _held: File,
}

impl Workshop {
    /// In a folder, where those that nobody holds any more are cleared away first.
    pub(super) fn open(within: &Path, prefix: &str) -> io::Result<Self> {
        clear_away(within, prefix)?;
        loop {
            if let Some(opened) = Self::make(within, prefix)? {
                return Ok(opened);
            }
        }
    }

    /// `None`: somebody else took it for one that was left behind, for it had no lock yet.
    fn make(within: &Path, prefix: &str) -> io::Result<Option<Self>> {
        let private = Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().prefix(prefix).permissions(private).tempdir_in(within)?;
        let held = match files::private(&folder.path().join(LOCK)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        held.lock()?;
        Ok((held.metadata()?.nlink() > 0).then_some(Self { folder, _held: held }))
    }

    /// Makes it, and all that is made in it from now on, the property of the owner of `like`.
    pub(super) fn hand_over(&self, like: &Path) -> io::Result<()> {
        files::hand_over(&self._held, like)?;
        files::hand_over(&File::open(self.folder.path())?, like)
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

fn clear_away(within: &Path, prefix: &str) -> io::Result<()> {
    for entry in fs::read_dir(within)? {
        let entry = entry?;
        let is_one = entry.file_name().to_string_lossy().starts_with(prefix);
        if is_one && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            match clear_one(&entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    Ok(())
}

fn clear_one(folder: &Path) -> io::Result<()> {
    let lock = folder.join(LOCK);
    match File::open(&lock) {
        Ok(left) if left.try_lock().is_ok() => fs::remove_dir_all(folder),
        // Another one is at work, or it is another user's.
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        // The lock is the first that is made in it, and may be the first that was removed.
        Err(_) => match fs::remove_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty && !lock.exists() => {
                fs::remove_dir_all(folder)
            }
            // Whoever is just making it has put its lock there.
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            done => done,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    const PREFIX: &str = ".some-work-";

    fn left(within: &Path) -> usize {
        fs::read_dir(within).unwrap().count()
    }

    #[test]
    fn what_a_dead_one_left_is_cleared_away_and_what_is_held_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let held = Workshop::open(dir.path(), PREFIX).unwrap();
        fs::write(held.file("x"), "x").unwrap();
        for (name, files) in
            [("dead", &["lock", "x.db", "x.db-journal"][..]), ("bare", &[]), ("torn", &["x.db"])]
        {
            let folder = dir.path().join(format!("{PREFIX}{name}"));
            fs::create_dir(&folder).unwrap();
            files.iter().for_each(|file| fs::write(folder.join(file), "").unwrap());
        }
        fs::write(dir.path().join("another"), "").unwrap();
        let second = Workshop::open(dir.path(), PREFIX).unwrap();
        assert_eq!(left(dir.path()), 3);
        assert!(held.file("x").exists());
        assert_eq!(fs::metadata(second.folder.path()).unwrap().mode() & 0o777, 0o700);
        drop((held, second));
        assert_eq!(left(dir.path()), 1);
    }

    #[test]
    fn many_at_once_leave_each_other_alone() {
        let dir = tempfile::tempdir().unwrap();
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let work = Workshop::open(dir.path(), PREFIX).unwrap();
                        fs::write(work.file("x"), "x").unwrap();
                        assert!(work.file("x").exists() && work.file(LOCK).exists());
                    }
                });
            }
        });
        assert_eq!(left(dir.path()), 0);
    }
}
