use super::*;

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
