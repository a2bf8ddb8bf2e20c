//! A database as one file: copied as it is at one instant while others write to it, checked, and described.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use rustix::fs::Access;
use thiserror::Error;

use super::{
    files::{private, unavailable},
    open, register,
};
use crate::{
    model::{KeptTime, Timestamp},
    store::StoreError,
};

/// Steps of SQLite's machine between two rests: some milliseconds.
const STEPS: i32 = 50_000;
/// The longest rest.
const REST: Duration = Duration::from_millis(50);
/// How long whoever read a database until now may take to close it.
const CLOSING: Duration = Duration::from_secs(5);

/// What a database file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Holdings {
    pub pins: u64,
    /// Those at providers, and those on their way there.
    pub copies: u64,
    /// The schema's version.
    pub schema: i64,
    /// Of the file.
    pub bytes: u64,
    /// The latest time on record, to about a minute.
    pub latest: Timestamp,
}

/// Tells work on a snapshot to end: it leaves nothing behind that is finished.
#[derive(Clone, Debug, Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    pub fn tell(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_told(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Between two steps.
    ///
    /// # Errors
    /// Where it was told.
    pub fn check(&self) -> Result<(), CopyError> {
        if self.is_told() { Err(CopyError::Stopped) } else { Ok(()) }
    }
}

/// Why there is no copy.
#[derive(Debug, Error)]
pub enum CopyError {
    #[error("it was told to stop")]
    Stopped,
    /// The disk that the copy would be on.
    #[error("the disk is full")]
    Full,
    #[error("cannot read {}", .file.display())]
    Unreadable { file: PathBuf, source: io::Error },
    #[error("{} is no database of Pinfold", .file.display())]
    Foreign { file: PathBuf },
    #[error("{} is damaged: {why}", .file.display())]
    Damaged { file: PathBuf, why: String },
    /// As it was read back. What it was made of is sound.
    #[error(
        "{} is sound, but its copy was not when it was read again: {why}; the disk that the copy is on may be failing: see dmesg, or write to another one",
        .file.display()
    )]
    BadCopy { file: PathBuf, why: String },
    #[error("cannot copy {}", .file.display())]
    Failed { file: PathBuf, source: anyhow::Error },
    #[error(transparent)]
    Store(StoreError),
}

impl CopyError {
    /// `file`: what is copied.
    fn of(error: StoreError, file: &Path) -> Self {
        let file = file.to_owned();
        match error {
            StoreError::Full(_) => Self::Full,
            StoreError::Corrupt(why) => Self::Damaged { file, why: format!("{why:#}") },
            StoreError::Unavailable(source) => Self::Failed { file, source },
            other => Self::Store(other),
        }
    }
}

/// Writes a database, as it is when this begins, to the new file `to`, and checks the copy. Whoever serves the
/// database goes on; half of the time nothing is done here, so that they get the disk and the processor, too.
///
/// # Errors
/// Where `from` is no database of ours or one of a newer version, the copy is not sound, or it was told to stop.
pub fn copy(from: &Path, to: &Path, stop: &Stop) -> Result<Holdings, CopyError> {
    let unreadable = |source: io::Error| CopyError::Unreadable { file: from.to_owned(), source };
    rustix::fs::access(from, Access::READ_OK).map_err(|error| unreadable(error.into()))?;
    let told = |error| if stop.is_told() { CopyError::Stopped } else { CopyError::of(error, from) };
    if !transcribe(from, to, stop).map_err(told)? {
        return Err(CopyError::Foreign { file: from.to_owned() });
    }
    match check(to, stop) {
        Err(StoreError::Corrupt(why)) if !stop.is_told() => Err(blame(from, &why, stop)),
        checked => checked.map_err(told),
    }
}

/// Which of the two is damaged where a copy is: it repeats what is wrong with what it was made of.
fn blame(from: &Path, why: &anyhow::Error, stop: &Stop) -> CopyError {
    match check(from, stop) {
        Ok(_) => CopyError::BadCopy { file: from.to_owned(), why: format!("{why:#}") },
        Err(_) if stop.is_told() => CopyError::Stopped,
        Err(error) => CopyError::of(error, from),
    }
}

/// Returns whether it is a database of ours.
fn transcribe(from: &Path, to: &Path, stop: &Stop) -> Result<bool, StoreError> {
    let mut source = read_only(from)?;
    if !is_ours(&source)? {
        return Ok(false);
    }
    open::refuse_newer(&source)?;
    pace(&mut source, stop)?;
    let path = to.to_str().ok_or_else(|| StoreError::Unavailable(anyhow!("its path is not UTF-8")))?;
    // SQLite would make it for all to read.
    drop(private(to).map_err(|error| unavailable(error, "write", to))?);
    // One read transaction: writers are not held up by it, and the copy has no log beside it.
    source.execute("VACUUM INTO ?1", [path])?;
    Ok(true)
}

/// Checks a file from its first to its last page.
fn check(file: &Path, stop: &Stop) -> Result<Holdings, StoreError> {
    let mut found = read_only(file)?;
    recognise(&found, file)?;
    pace(&mut found, stop)?;
    // Somebody may write to it meanwhile.
    found.execute_batch("BEGIN")?;
    // integrity: pages, indexes against their tables
    let verdict: String = found.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if verdict != "ok" {
        return Err(StoreError::Corrupt(anyhow!(verdict)));
    }
    let holdings = describe(&found, file)?;
    let counted = "SELECT coalesce(sum(pins), 0) FROM accounts";
    let counted: u64 = found.query_row(counted, [], |row| row.get(0))?;
    if counted != holdings.pins {
        return Err(StoreError::Corrupt(anyhow!("it has {} pins but counts {counted}", holdings.pins)));
    }
    Ok(holdings)
}

/// What SQLite finds wrong in the time that a look may take; `None`: nothing.
///
/// # Errors
/// Where the file cannot be read.
pub fn quick_check(file: &Path, within: Duration) -> Result<Option<String>, StoreError> {
    let mut found = read_only(file)?;
    let until = Instant::now() + within;
    found.progress_handler(STEPS, Some(move || Instant::now() > until))?;
    // integrity: pages, without the indexes' entries
    let verdict: String = found.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok((verdict != "ok").then_some(verdict))
}

/// What a look tells of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct About {
    /// The schema's version.
    pub schema: i64,
    /// On record, to about a minute.
    pub latest: Timestamp,
    /// What the next start compares its clock with.
    pub time: KeptTime,
}

/// # Errors
/// Where the file is no database of ours, or of a newer version.
pub fn about(file: &Path) -> Result<About, StoreError> {
    let found = read_only(file)?;
    recognise(&found, file)?;
    Ok(About { schema: schema(&found)?, latest: latest(&found)?, time: time(&found)? })
}

/// Whether it is a database in which nobody has made a table: an empty file, too.
pub fn is_blank(file: &Path) -> bool {
    read_only(file).and_then(|found| open::is_blank(&found)).unwrap_or(false)
}

/// Makes one file of a database that nobody has open: its log is brought into it.
///
/// # Errors
/// Where it cannot be written, or somebody has it open.
pub(super) fn seal(file: &Path) -> Result<(), StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let found = Connection::open_with_flags(file, flags)?;
    let give_up = Instant::now() + CLOSING;
    loop {
        match found.query_row("PRAGMA journal_mode = DELETE", [], |row| row.get::<_, String>(0)) {
            Ok(mode) if mode == "delete" => return Ok(()),
            Err(error) if !is_busy(&error) => return Err(error.into()),
            _ if Instant::now() > give_up => {
                return Err(StoreError::Unavailable(anyhow!("{} is in use", file.display())));
            }
            _ => rest(REST),
        }
    }
}

fn is_busy(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error_code();
    matches!(code, Some(rusqlite::ErrorCode::DatabaseBusy | rusqlite::ErrorCode::DatabaseLocked))
}

pub(super) fn read_only(file: &Path) -> Result<Connection, StoreError> {
    if !file.exists() {
        return Err(StoreError::Unavailable(anyhow!("there is no file {}", file.display())));
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let found = Connection::open_with_flags(file, flags)?;
    found.busy_timeout(Duration::from_secs(5))?;
    Ok(found)
}

fn recognise(found: &Connection, file: &Path) -> Result<(), StoreError> {
    if is_ours(found)? {
        open::refuse_newer(found)
    } else {
        Err(StoreError::Corrupt(anyhow!("{} is no database of Pinfold", file.display())))
    }
}

fn is_ours(found: &Connection) -> Result<bool, StoreError> {
    let ours =
        "SELECT count(*) FROM sqlite_schema WHERE name IN ('refinery_schema_history', 'instance', 'pins')";
    match found.query_row(ours, [], |row| row.get::<_, i64>(0)) {
        Ok(tables) => Ok(tables == 3),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

fn describe(found: &Connection, file: &Path) -> rusqlite::Result<Holdings> {
    let count = |sql: &str| found.query_row(sql, [], |row| row.get(0));
    Ok(Holdings {
        pins: count("SELECT count(*) FROM pins")?,
        copies: count("SELECT count(*) FROM replicas")?,
        schema: schema(found)?,
        bytes: file.metadata().map_or(0, |metadata| metadata.len()),
        latest: latest(found)?,
    })
}

fn schema(found: &Connection) -> rusqlite::Result<i64> {
    let newest = "SELECT coalesce(max(version), 0) FROM refinery_schema_history";
    found.query_row(newest, [], |row| row.get(0))
}

fn latest(found: &Connection) -> rusqlite::Result<Timestamp> {
    let floor: Option<i64> =
        found.query_row("SELECT clock_floor FROM instance", [], |row| row.get(0)).optional()?;
    Ok(Timestamp::from_millis(floor.unwrap_or(0)))
}

/// The time that was believed last. A schema that does not keep it takes the latest one, as the one after it did.
pub(super) fn time(found: &Connection) -> Result<KeptTime, StoreError> {
    let kept = "SELECT 1 FROM pragma_table_info('instance') WHERE name = 'clock_sure'";
    if found.query_row(kept, [], |_| Ok(())).optional()?.is_some() {
        return register::kept_time(found);
    }
    let latest = latest(found)?;
    Ok(KeptTime { sure: latest, wall: latest, left: None })
}

/// Rests for as long as it worked, and ends when it is told.
fn pace(connection: &mut Connection, stop: &Stop) -> Result<(), StoreError> {
    let (stop, mut since) = (stop.clone(), Instant::now());
    let handler = move || {
        rest(since.elapsed().min(REST));
        since = Instant::now();
        stop.is_told()
    };
    Ok(connection.progress_handler(STEPS, Some(handler))?)
}

#[expect(clippy::disallowed_methods, reason = "what others get meanwhile is time")]
fn rest(span: Duration) {
    thread::sleep(span);
}

#[cfg(test)]
mod tests;
