//! A database as one file: copied as it is at one instant while others write to it, checked, and described.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use anyhow::anyhow;
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::open;
use crate::{model::Timestamp, store::StoreError};

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
}

/// Writes a database, as it is when this begins, to the empty file `to`, and checks the copy. Whoever serves the
/// database goes on; half of the time nothing is done here, so that they get the disk and the processor, too.
///
/// # Errors
/// Where `from` is no database of ours or one of a newer version, the copy is not sound, or it was told to stop.
pub fn copy(from: &Path, to: &Path, stop: &Stop) -> Result<Holdings, StoreError> {
    let mut source = read_only(from)?;
    recognise(&source, from)?;
    pace(&mut source, stop)?;
    let path = to.to_str().ok_or_else(|| StoreError::Unavailable(anyhow!("its path is not UTF-8")))?;
    // One read transaction: writers are not held up by it, and the copy has no log beside it.
    told(source.execute("VACUUM INTO ?1", [path]), stop)?;
    drop(source);
    check(to, stop)
}

/// Checks a file from its first to its last page.
///
/// # Errors
/// As [`copy`].
pub fn check(file: &Path, stop: &Stop) -> Result<Holdings, StoreError> {
    let mut found = read_only(file)?;
    recognise(&found, file)?;
    pace(&mut found, stop)?;
    // integrity: pages, indexes against their tables
    let verdict: String = told(found.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)), stop)?;
    if verdict != "ok" {
        return Err(StoreError::Corrupt(anyhow!("{}: {verdict}", file.display())));
    }
    let holdings = told(describe(&found, file), stop)?;
    let counted = "SELECT coalesce(sum(pins), 0) FROM accounts";
    let counted: u64 = told(found.query_row(counted, [], |row| row.get(0)), stop)?;
    if counted != holdings.pins {
        let what = format!("{} has {} pins but counts {counted}", file.display(), holdings.pins);
        return Err(StoreError::Corrupt(anyhow!(what)));
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

/// The schema's version and the latest time on record.
///
/// # Errors
/// Where the file is no database of ours, or of a newer version.
pub fn version(file: &Path) -> Result<(i64, Timestamp), StoreError> {
    let found = read_only(file)?;
    recognise(&found, file)?;
    Ok((schema(&found)?, latest(&found)?))
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
    let ours =
        "SELECT count(*) FROM sqlite_schema WHERE name IN ('refinery_schema_history', 'instance', 'pins')";
    let strange = || StoreError::Corrupt(anyhow!("{} is no database of Pinfold", file.display()));
    match found.query_row(ours, [], |row| row.get::<_, i64>(0)) {
        Ok(3) => open::refuse_newer(found),
        Ok(_) => Err(strange()),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => Err(strange()),
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

fn told<T>(done: rusqlite::Result<T>, stop: &Stop) -> Result<T, StoreError> {
    match done {
        Err(_) if stop.is_told() => Err(StoreError::Unavailable(anyhow!("it was told to stop"))),
        done => Ok(done?),
    }
}

#[cfg(test)]
mod tests;
