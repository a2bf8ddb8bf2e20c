use std::path::PathBuf;

use super::*;

fn database() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let dir = crate::store::contract::scratch();
    let (from, to) = (dir.path().join("pins.db"), dir.path().join("copy.db"));
    (dir, from, to)
}

fn add_pins(writer: &Connection, pins: i64) {
    writer
        .execute_batch(
            "INSERT INTO accounts(id, name) VALUES (1, 'ada');
             INSERT INTO policies(id, name, rev, body) VALUES (1, 'default', 1, '{}');
             INSERT INTO contents(id, key) VALUES (1, x'01')",
        )
        .unwrap();
    writer
        .execute(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
             INSERT INTO pins(requestid, account, content, created, status, policy, need, want, have, was_pinned, accepted)
             SELECT cast(i AS BLOB), 1, 1, i, 0, 1, 1, 1, 0, 0, 1 FROM n",
            [pins],
        )
        .unwrap();
    writer.execute("UPDATE accounts SET pins = ?1", [pins]).unwrap();
}

#[test]
fn a_copy_is_one_whole_file_of_what_was_committed() {
    let (dir, from, to) = database();
    let (writer, _lock) = open::open_writer(&from).unwrap();
    add_pins(&writer, 100);
    writer.execute_batch("BEGIN; DELETE FROM pins WHERE id > 50; UPDATE accounts SET pins = 50").unwrap();
    let held = copy(&from, &to, &Stop::default()).unwrap();
    assert_eq!((held.pins, held.bytes), (100, to.metadata().unwrap().len()));
    writer.execute_batch("COMMIT").unwrap();
    assert_eq!(check(&to, &Stop::default()).unwrap(), held);
    let header = std::fs::read(&to).unwrap();
    assert_eq!(header[18..20], [1, 1], "it needs no log");
    let names: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().starts_with("copy.db-")), "{names:?}");
}

#[test]
fn what_is_no_database_of_ours_is_refused() {
    let (dir, from, to) = database();
    assert!(matches!(copy(&from, &to, &Stop::default()), Err(CopyError::Unreadable { .. })));
    std::fs::write(&from, "hello ".repeat(1000)).unwrap();
    assert!(matches!(copy(&from, &to, &Stop::default()), Err(CopyError::Foreign { .. })));
    let other = dir.path().join("other.db");
    Connection::open(&other).unwrap().execute_batch("CREATE TABLE pins(x)").unwrap();
    assert!(matches!(copy(&other, &to, &Stop::default()), Err(CopyError::Foreign { .. })));
}

#[test]
fn one_of_a_newer_version_is_refused() {
    let (_dir, from, to) = database();
    let (writer, _lock) = open::open_writer(&from).unwrap();
    let newer = "INSERT INTO refinery_schema_history SELECT 999, name, applied_on, checksum FROM refinery_schema_history LIMIT 1";
    writer.execute(newer, []).unwrap();
    assert!(matches!(
        copy(&from, &to, &Stop::default()),
        Err(CopyError::Store(StoreError::Newer { found: 999, .. }))
    ));
}

#[test]
fn a_page_that_was_spoilt_is_found() {
    let (dir, from, to) = database();
    let (writer, _lock) = open::open_writer(&from).unwrap();
    add_pins(&writer, 2000);
    copy(&from, &to, &Stop::default()).unwrap();
    let mut bytes = std::fs::read(&to).unwrap();
    let at = bytes.len() / 4096 / 2 * 4096;
    bytes[at..at + 4096].fill(0xa5);
    std::fs::write(&to, bytes).unwrap();
    assert!(matches!(check(&to, &Stop::default()), Err(StoreError::Corrupt(_))));
    let again = dir.path().join("again.db");
    let error = copy(&to, &again, &Stop::default()).unwrap_err();
    assert!(
        matches!(&error, CopyError::Damaged { file, .. } if *file == to),
        "what is told of is the file that was given: {error}"
    );
    assert!(!matches!(quick_check(&to, Duration::from_secs(60)), Ok(None)));
}

#[test]
fn a_copy_that_is_damaged_is_not_blamed_on_a_sound_store() {
    let (_dir, from, _to) = database();
    let (writer, _lock) = open::open_writer(&from).unwrap();
    add_pins(&writer, 10);
    let told = blame(&from, &anyhow!("page 7 is torn"), &Stop::default());
    assert!(matches!(&told, CopyError::BadCopy { file, why } if *file == from && why == "page 7 is torn"));
    assert!(told.to_string().contains("see dmesg"), "{told}");
    writer.execute("UPDATE accounts SET pins = 11", []).unwrap();
    let told = blame(&from, &anyhow!("it has 10 pins but counts 11"), &Stop::default());
    assert!(matches!(&told, CopyError::Damaged { file, .. } if *file == from), "{told}");
}

#[test]
fn counters_that_do_not_fit_are_found() {
    let (_dir, from, to) = database();
    let (writer, _lock) = open::open_writer(&from).unwrap();
    add_pins(&writer, 10);
    writer.execute("UPDATE accounts SET pins = 11", []).unwrap();
    let error = copy(&from, &to, &Stop::default()).unwrap_err();
    assert!(
        matches!(&error, CopyError::Damaged { file, why } if *file == from && why.contains("10 pins but counts 11"))
    );
}

#[test]
fn it_ends_when_it_is_told() {
    let (_dir, from, to) = database();
    let (writer, _lock) = open::open_writer(&from).unwrap();
    add_pins(&writer, 20_000);
    let stop = Stop::default();
    stop.tell();
    assert!(matches!(copy(&from, &to, &stop), Err(CopyError::Stopped)));
}
