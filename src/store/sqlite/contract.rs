//! The store's contract, held against SQLite.

use std::path::PathBuf;

use rusqlite::Connection;

use super::founded::founded;
use super::*;
use crate::store::contract::{Backend, contract_suite, scratch};

/// A database in a folder of its own; a crash moves on to a copy of the files as they are.
struct SqliteBackend {
    dir: tempfile::TempDir,
    store: SharedStore,
}

fn database(dir: &tempfile::TempDir) -> PathBuf {
    dir.path().join("pins.db")
}

fn opened(dir: &tempfile::TempDir) -> SharedStore {
    let settings = SqliteSettings::default();
    Arc::new(SqliteStore::open(&database(dir), &settings, Changes::default(), &Metrics::new()).unwrap())
}

impl Backend for SqliteBackend {
    async fn open() -> Self {
        let dir = founded();
        let store = opened(&dir);
        Self { dir, store }
    }

    fn handles(&self) -> [SharedStore; 2] {
        [self.store.clone(), self.store.clone()]
    }

    /// What `kill -9` leaves: the file and its log, with nothing closed or moved from one to the other.
    async fn reopen(&mut self) {
        let after = scratch();
        for ending in ["", "-wal"] {
            let (from, to) =
                (files::beside(&database(&self.dir), ending), files::beside(&database(&after), ending));
            std::fs::copy(from, to).unwrap();
        }
        self.store = opened(&after);
        self.dir = after;
    }

    async fn check(&self) {
        check(&database(&self.dir));
    }
}

pub(super) fn check(database: &std::path::Path) {
    let conn = open::open_reader(database).unwrap();
    for (what, sql) in RULES {
        assert_eq!(broken(&conn, sql), 0, "{what}");
    }
    for width in count::WIDTHS {
        let sql = PIN_COUNTS.replace("WIDTH", &width.to_string());
        assert_eq!(broken(&conn, &sql), 0, "pin_counts of width {width}");
    }
}

fn broken(conn: &Connection, sql: &str) -> i64 {
    conn.query_row(&format!("SELECT count(*) FROM ({sql})"), [], |row| row.get(0)).unwrap()
}

/// Each finds the rows that break a rule.
const RULES: &[(&str, &str)] = &[
    (
        "contents that nobody names",
        "SELECT 1 FROM contents c WHERE c.id NOT IN (SELECT content FROM pins)
         AND c.id NOT IN (SELECT content FROM replicas)",
    ),
    ("replicas of no content", "SELECT 1 FROM replicas WHERE content NOT IN (SELECT id FROM contents)"),
    ("links of no pin", "SELECT 1 FROM pin_replicas WHERE pin NOT IN (SELECT id FROM pins)"),
    ("links to no replica", "SELECT 1 FROM pin_replicas WHERE replica NOT IN (SELECT id FROM replicas)"),
    (
        "own links to another content",
        "SELECT 1 FROM pin_replicas l JOIN pins p ON p.id = l.pin JOIN replicas r ON r.id = l.replica
         WHERE l.held_since IS NULL AND r.content <> p.content",
    ),
    (
        "kept exactly where linked",
        "SELECT 1 FROM replicas r WHERE (r.goal = 0) <> (r.id IN (SELECT replica FROM pin_replicas))",
    ),
    ("meta of no pin", "SELECT 1 FROM pin_meta WHERE pin NOT IN (SELECT id FROM pins)"),
    (
        "replica_counts",
        "SELECT provider, state, n FROM replica_counts WHERE n <> 0 EXCEPT
         SELECT provider, state, count(*) FROM replicas GROUP BY provider, state",
    ),
    (
        "replica_counts that are missing",
        "SELECT provider, state, count(*) FROM replicas GROUP BY provider, state EXCEPT
         SELECT provider, state, n FROM replica_counts",
    ),
    (
        "tallies of policies",
        "SELECT 1 FROM policies v LEFT JOIN tallies t ON t.what = 'policy/' || v.id
         WHERE coalesce(t.n, 0) <> (SELECT count(*) FROM pins p WHERE p.policy = v.id)",
    ),
    (
        "usage of accounts",
        "SELECT 1 FROM accounts a WHERE (a.pins, a.meta_bytes) IS NOT
         (SELECT count(*), coalesce(sum(octet_length(p.meta)), 0) FROM pins p WHERE p.account = a.id)",
    ),
    ("nothing due", "SELECT 1 FROM replicas WHERE next_at IS NULL OR op IS NULL"),
];

const PIN_COUNTS: &str =
    "SELECT * FROM (SELECT account, status, bucket, n FROM pin_counts WHERE width = WIDTH
     EXCEPT SELECT account, status, created / WIDTH, count(*) FROM pins GROUP BY 1, 2, 3)
     UNION ALL SELECT * FROM (SELECT account, status, created / WIDTH, count(*) FROM pins GROUP BY 1, 2, 3
     EXCEPT SELECT account, status, bucket, n FROM pin_counts WHERE width = WIDTH)";

contract_suite!(SqliteBackend);
