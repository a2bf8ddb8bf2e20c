use super::*;
use crate::store::sqlite::open;

fn database(path: &Path, account: &str) {
    let (writer, _lock) = open::open_writer(path).unwrap();
    writer.execute("INSERT INTO accounts(name) VALUES (?1)", [account]).unwrap();
}

fn account(path: &Path) -> String {
    snapshot::read_only(path).unwrap().query_row("SELECT name FROM accounts", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_database_takes_the_place_of_another_which_is_kept_with_its_log() {
    let dir = crate::store::contract::scratch();
    let [here, new, aside] = ["pins.db", "new.db", "old.db"].map(|name| dir.path().join(name));
    database(&new, "new");
    // Closed without its log being brought into it, as by a kill.
    {
        let (writer, lock) = open::open_writer(&here).unwrap();
        writer.execute("INSERT INTO accounts(name) VALUES ('old')", []).unwrap();
        let reader = open::open_reader(&here).unwrap();
        reader.query_row("SELECT count(*) FROM accounts", [], |row| row.get::<_, i64>(0)).unwrap();
        drop((writer, lock));
        std::mem::forget(reader);
    }
    let place = Place::take(&here).unwrap();
    assert!(place.is_taken() && place.later().is_some());
    place.put(&new, &aside).unwrap();
    assert_eq!((account(&here), account(&aside)), ("new".to_owned(), "old".to_owned()));
    assert!(!new.exists() && !beside(&here, "-wal").exists());
    drop(place);
    assert!(open::open_writer(&here).is_ok());
}

#[test]
fn a_broken_database_is_put_aside_as_it_is() {
    let dir = crate::store::contract::scratch();
    let [here, new, aside] = ["pins.db", "new.db", "old.db"].map(|name| dir.path().join(name));
    database(&new, "new");
    fs::write(&here, "broken").unwrap();
    fs::write(beside(&here, "-wal"), "its log").unwrap();
    let place = Place::take(&here).unwrap();
    assert!(place.later().is_none());
    place.put(&new, &aside).unwrap();
    assert_eq!(account(&here), "new");
    assert_eq!(fs::read_to_string(&aside).unwrap(), "broken");
    assert_eq!(fs::read_to_string(beside(&aside, "-wal")).unwrap(), "its log");
    assert!(!beside(&here, "-wal").exists(), "a log of another database would be read into this one");
}

#[test]
fn nobody_else_may_hold_it() {
    let dir = crate::store::contract::scratch();
    let here = dir.path().join("pins.db");
    let _served = open::open_writer(&here).unwrap();
    assert!(matches!(Place::take(&here), Err(StoreError::Locked { .. })));
}

#[test]
fn what_cannot_be_kept_is_left_in_its_place() {
    let dir = crate::store::contract::scratch();
    let [here, new, aside] = ["pins.db", "new.db", "old.db"].map(|name| dir.path().join(name));
    database(&here, "old");
    database(&new, "new");
    fs::write(&aside, "another").unwrap();
    assert!(Place::take(&here).unwrap().put(&new, &aside).is_err());
    assert_eq!(
        (account(&here), fs::read_to_string(&aside).unwrap()),
        ("old".to_owned(), "another".to_owned())
    );
}

#[test]
fn a_database_behind_a_link_is_replaced_where_it_is() {
    let (near, far) = (crate::store::contract::scratch(), crate::store::contract::scratch());
    let (link, here) = (near.path().join("pins.db"), far.path().join("real.db"));
    let new = far.path().join("new.db");
    database(&here, "old");
    database(&new, "new");
    std::os::unix::fs::symlink(&here, &link).unwrap();
    let place = Place::take(&link).unwrap();
    let aside = beside(place.database(), ".old");
    place.put(&new, &aside).unwrap();
    assert!(link.is_symlink() && !here.is_symlink() && !aside.is_symlink());
    assert_eq!([account(&link), account(&here), account(&aside)], ["new", "new", "old"]);
}
