//! Opens the database file: rights, the lock against a second process, pragmas, migrations, the instance's id.

use std::{path::Path, time::Duration};

use anyhow::anyhow;
use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, config::DbConfig};
use uuid::Uuid;

use super::files::{LockFile, private, real, unavailable};
use crate::{model::InstanceId, store::StoreError};

// There is no V16: that number was burnt, and no number is used again. Files that were given out stay as they are to the byte.
mod embedded {
    refinery::embed_migrations!("src/store/sqlite/migrations");
}

/// Prepared statements kept per connection: more than the writer or any reader has.
const STATEMENTS: usize = 128;
const BUSY: Duration = Duration::from_secs(5);

/// Opens the one connection that writes; makes the file, its tables and its instance id where they are missing.
pub(super) fn open_writer(path: &Path) -> Result<(Connection, LockFile), StoreError> {
    let lock = LockFile::take(path)?;
    // SQLite gives -wal and -shm the rights of the file itself, so it must not be the one to make it.
    let file = real(path);
    drop(private(&file).map_err(|error| unavailable(error, "open", &file))?);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut writer = Connection::open_with_flags(path, flags)?;
    refuse_foreign(&writer, path)?;
    tune(&writer, 64 * 1024)?;
    refuse_newer(&writer)?;
    let mode: String = writer.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if mode != "wal" {
        return Err(StoreError::Unavailable(anyhow!("the file system of {} cannot do WAL", path.display())));
    }
    writer.pragma_update(None, "synchronous", "FULL")?;
    embedded::migrations::runner().run(&mut writer).map_err(|error| migration_error(error, path))?;
    writer.pragma_update(None, "foreign_keys", true)?;
    // What a savepoint may have to restore: in memory, or it would be written to a temporary file beyond 64 KiB.
    writer.pragma_update(None, "temp_store", "MEMORY")?;
    mint_instance(&writer)?;
    Ok((writer, lock))
}

/// Opens a connection that only reads. The writer must be open already: it makes the files of the log.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let reader = Connection::open_with_flags(path, flags)?;
    // Pages come from the map; a large cache of its own would only hold copies of the log.
    tune(&reader, 2 * 1024)?;
    reader.pragma_update(None, "query_only", true)?;
    Ok(reader)
}

/// The id minted when this database was made.
pub(super) fn instance(connection: &Connection) -> Result<InstanceId, StoreError> {
    let id: [u8; 16] = connection.query_row("SELECT id FROM instance", [], |row| row.get(0))?;
    Ok(InstanceId(Uuid::from_bytes(id)))
}

fn tune(connection: &Connection, cache_kib: i64) -> Result<(), StoreError> {
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "mmap_size", 1_i64 << 30)?;
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    // Without it a statement near a partial index is planned anew whenever its parameters change: 20 times the
    // cost of a point read. It also means that the plans which the tests see are those of every value.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Leaves alone what somebody else has made.
fn refuse_foreign(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    let foreign = |what| StoreError::Foreign { path: path.display().to_string(), what };
    let ours = "SELECT count(*) FROM sqlite_schema WHERE name = 'refinery_schema_history'";
    match connection.query_row(ours, [], |row| row.get::<_, i64>(0)) {
        Ok(0) if !is_blank(connection)? => Err(foreign("another program's SQLite database")),
        Ok(_) => Ok(()),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) => {
            Err(foreign("no SQLite database"))
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn is_blank(connection: &Connection) -> Result<bool, StoreError> {
    let made: i64 = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    Ok(made == 0)
}

pub(super) fn refuse_newer(connection: &Connection) -> Result<(), StoreError> {
    let history = "SELECT 1 FROM sqlite_schema WHERE name = 'refinery_schema_history'";
    if connection.query_row(history, [], |_| Ok(())).optional()?.is_none() {
        return Ok(());
    }
    let newest = "SELECT coalesce(max(version), 0) FROM refinery_schema_history";
    let found: i64 = connection.query_row(newest, [], |row| row.get(0))?;
    match newest_version() {
        known if found > known => Err(StoreError::Newer { found, known }),
        _ => Ok(()),
    }
}

/// The schema's version that this program brings every database to.
pub fn newest_version() -> i64 {
    let runner = embedded::migrations::runner();
    let known = runner.get_migrations().iter().map(|migration| i64::from(migration.version())).max();
    known.unwrap_or(0)
}

fn mint_instance(connection: &Connection) -> Result<(), StoreError> {
    let mint = "INSERT INTO instance(one, id, clock_floor) VALUES (1, ?, 0) ON CONFLICT DO NOTHING";
    connection.execute(mint, [Uuid::new_v4().into_bytes()])?;
    Ok(())
}

fn migration_error(error: refinery::Error, path: &Path) -> StoreError {
    let context = format!("cannot bring {} up to date", path.display());
    StoreError::Unavailable(anyhow::Error::new(error).context(context))
}

#[cfg(test)]
mod tests;
