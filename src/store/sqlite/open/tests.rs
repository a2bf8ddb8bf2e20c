use std::path::PathBuf;

use super::*;
use crate::store::sqlite::files::beside;

fn database() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("pins.db");
    (dir, path)
}

#[test]
fn a_second_open_is_refused_until_the_first_is_gone() {
    let (_dir, path) = database();
    let first = open_writer(&path).unwrap();
    assert!(matches!(open_writer(&path), Err(StoreError::Locked { .. })));
    drop(first);
    assert!(open_writer(&path).is_ok());
}

#[test]
fn the_instance_is_minted_once() {
    let (_dir, path) = database();
    let minted = instance(&open_writer(&path).unwrap().0).unwrap();
    assert_eq!(instance(&open_writer(&path).unwrap().0).unwrap(), minted);
}

#[test]
fn a_database_of_a_newer_version_is_refused_and_left_alone() {
    let (_dir, path) = database();
    let (writer, lock) = open_writer(&path).unwrap();
    let newer = "INSERT INTO refinery_schema_history SELECT 999, name, applied_on, checksum FROM refinery_schema_history LIMIT 1";
    writer.execute(newer, []).unwrap();
    drop((writer, lock));
    match open_writer(&path) {
        Err(StoreError::Newer { found: 999, known }) => assert!(known < 999),
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_another_program_made_is_refused_and_left_alone() {
    let (_dir, path) = database();
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs(x)").unwrap();
    let before = std::fs::read(&path).unwrap();
    let told = open_writer(&path).unwrap_err();
    assert!(matches!(told, StoreError::Foreign { .. }), "{told:?}");
    assert!(told.to_string().contains("pins.db is another program's SQLite database"), "{told}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    std::fs::write(&path, "hello ".repeat(1000)).unwrap();
    assert!(open_writer(&path).unwrap_err().to_string().contains("pins.db is no SQLite database"));
}

#[test]
fn a_database_without_tables_is_taken() {
    let (_dir, path) = database();
    std::fs::write(&path, "").unwrap();
    drop(open_writer(&path).unwrap());
}

#[test]
fn the_writer_is_durable_and_checks_references() {
    let (_dir, path) = database();
    let (writer, _lock) = open_writer(&path).unwrap();
    let pragma = |name: &str| -> String {
        let value: rusqlite::types::Value =
            writer.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0)).unwrap();
        format!("{value:?}")
    };
    assert_eq!(pragma("journal_mode"), "Text(\"wal\")");
    assert_eq!(pragma("synchronous"), "Integer(2)");
    assert_eq!(pragma("foreign_keys"), "Integer(1)");
}

#[test]
fn readers_cannot_write() {
    let (_dir, path) = database();
    let (_writer, _lock) = open_writer(&path).unwrap();
    let error = open_reader(&path).unwrap().execute("DELETE FROM instance", []).unwrap_err();
    assert!(matches!(StoreError::from(error), StoreError::Unavailable(_)));
}

#[test]
fn a_folder_that_is_missing_makes_the_store_unavailable() {
    let (dir, _) = database();
    let path = dir.path().join("missing").join("pins.db");
    assert!(matches!(open_writer(&path), Err(StoreError::Unavailable(_))));
}

#[cfg(unix)]
#[test]
fn all_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let (_dir, path) = database();
    let (_writer, _lock) = open_writer(&path).unwrap();
    for ending in ["", "-wal", "-shm", ".lock"] {
        let mode = beside(&path, ending).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{ending}");
    }
}

/// A database as the first version left it, with two pins of one account.
fn of_the_first_version(path: &Path) {
    let mut old = Connection::open(path).unwrap();
    let first = refinery::Target::Version(1);
    embedded::migrations::runner().set_target(first).run(&mut old).unwrap();
    old.execute_batch(
        "INSERT INTO accounts(id, name, last_created) VALUES (1, 'ada', 9), (2, 'ben', 0);
         INSERT INTO policies(id, name, rev, body) VALUES (1, 'default', 1, '{}');
         INSERT INTO contents(id, key) VALUES (1, x'01');
         INSERT INTO pins(requestid, account, content, created, status, policy, need, want, have, was_pinned, accepted, meta)
         VALUES (x'01', 1, 1, 1, 0, 1, 1, 1, 0, 0, 1, '{\"a\":\"ü\"}'), (x'02', 1, 1, 2, 0, 1, 1, 1, 0, 0, 2, NULL)",
    )
    .unwrap();
}

#[test]
fn what_accounts_have_used_is_counted_when_an_older_database_is_opened() {
    let (_dir, path) = database();
    of_the_first_version(&path);
    let (writer, _lock) = open_writer(&path).unwrap();
    let used = |name: &str| -> (i64, i64, i64, i64) {
        let sql = "SELECT pins, meta_bytes, accepted, last_created FROM accounts WHERE name = ?1";
        writer.query_row(sql, [name], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))).unwrap()
    };
    assert_eq!(used("ada"), (2, 10, 0, 9));
    assert_eq!(used("ben"), (0, 0, 0, 0));
}
