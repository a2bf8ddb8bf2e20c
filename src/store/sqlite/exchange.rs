//! Puts another database in the place of one that nobody serves: whole or not at all, and the old one is kept.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    comeback::Later,
    files::{LockFile, beside, folder_of, real, unavailable},
    snapshot,
};
use crate::store::StoreError;

/// Where a database is or will be, held against everybody else.
#[derive(Debug)]
pub struct Place {
    database: PathBuf,
    _lock: LockFile,
}

/// How every database begins.
const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// What SQLite keeps beside a database.
const LOGS: [&str; 2] = ["-wal", "-shm"];

impl Place {
    /// # Errors
    /// Where a gateway serves it, or its folder cannot be written.
    pub fn take(database: &Path) -> Result<Self, StoreError> {
        Ok(Self { _lock: LockFile::take(database)?, database: real(database) })
    }

    /// Where the file itself is, however many links lead there.
    pub fn database(&self) -> &Path {
        &self.database
    }

    /// Whether there is a database already.
    pub fn is_taken(&self) -> bool {
        self.database.exists()
    }

    /// What the database there knows that outlives it; `None` where it cannot be read any more.
    pub fn later(&self) -> Option<Later> {
        self.is_sound().then(|| Later::read(&self.database).ok()).flatten()
    }

    /// Whether SQLite may look at it: beside a file that is cut short it would throw the log away.
    fn is_sound(&self) -> bool {
        let mut head = [0; MAGIC.len()];
        let read =
            fs::File::open(&self.database).and_then(|mut file| io::Read::read_exact(&mut file, &mut head));
        read.is_ok() && head == *MAGIC
    }

    /// Moves a finished database here. What was here is found under `aside` then, its log included.
    ///
    /// # Errors
    /// Where that cannot be done; what was here is then still here.
    pub fn put(&self, new: &Path, aside: &Path) -> Result<(), StoreError> {
        snapshot::seal(new)?;
        let fail = |what: &'static str| {
            let path = self.database.clone();
            move |error: io::Error| unavailable(error, what, &path)
        };
        fs::File::open(new).and_then(|file| file.sync_all()).map_err(fail("write"))?;
        if self.is_taken() {
            self.seal()?;
            self.set_aside(aside).map_err(fail("keep"))?;
        }
        fs::rename(new, &self.database).map_err(fail("replace"))?;
        sync_folder(&self.database).map_err(fail("replace"))
    }

    /// Brings the log of what is here into it: should all end before the other is in its place, this one is served again.
    fn seal(&self) -> Result<(), StoreError> {
        match self.is_sound().then(|| snapshot::seal(&self.database)) {
            Some(Err(full @ StoreError::Full(_))) => Err(full),
            // One that is broken, or that somebody reads, keeps its log.
            Some(Err(why)) => {
                tracing::warn!(%why, "the log of the database that is put aside stays beside it");
                Ok(())
            }
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// Under another name first, so that at no instant there is none.
    fn set_aside(&self, aside: &Path) -> io::Result<()> {
        let log = beside(&self.database, "-wal");
        if log.exists() {
            fs::hard_link(&log, beside(aside, "-wal"))?;
        }
        fs::hard_link(&self.database, aside)?;
        sync_folder(aside)?;
        for ending in LOGS {
            match fs::remove_file(beside(&self.database, ending)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }
}

fn sync_folder(file: &Path) -> io::Result<()> {
    fs::File::open(folder_of(file))?.sync_all()
}

#[cfg(test)]
mod tests;
