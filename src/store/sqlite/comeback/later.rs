//! What the store that is put aside knows, and one from a backup must heed: calls, tokens' ends, times.

use std::path::Path;

use rusqlite::{Connection, params_from_iter, types::Value};

use crate::{
    model::{KeptTime, Timestamp},
    store::{
        StoreError,
        sqlite::{snapshot, tx::Tx},
    },
};

/// What a later state of the database knows that outlives a rollback.
#[derive(Clone, Debug, Default)]
pub struct Later {
    pub(super) instance: [u8; 16],
    ledger_ahead: i64,
    /// Rows of `budget_use` and `budget_lessons`.
    used: Vec<Vec<Value>>,
    lessons: Vec<Vec<Value>>,
    /// Tokens by id, with their ends.
    tokens: Vec<(String, Option<i64>, Option<i64>)>,
    /// By name: the newest `created` of each account.
    pub(super) created: Vec<(String, i64)>,
    pub(super) newest_event: i64,
    pub(super) time: KeptTime,
}

impl Later {
    /// Reads what it takes of a database that nobody serves; one that was never served knows nothing.
    ///
    /// # Errors
    /// Where it cannot be read, or is of another version than this.
    pub fn read(file: &Path) -> Result<Self, StoreError> {
        let old = snapshot::read_only(file)?;
        let number = |sql: &str| old.query_row(sql, [], |row| row.get(0));
        Ok(Self {
            instance: old.query_row("SELECT id FROM instance", [], |row| row.get(0))?,
            ledger_ahead: number("SELECT ledger_ahead FROM instance")?,
            newest_event: number("SELECT coalesce(max(id), 0) FROM events")?,
            time: snapshot::time(&old)?,
            used: rows(&old, "SELECT grp, class, begins, ends, used FROM budget_use", 5)?,
            lessons: rows(
                &old,
                "SELECT grp, class, calls, per, from_calls, at, blocked_until FROM budget_lessons",
                7,
            )?,
            tokens: old
                .prepare("SELECT id, revoked, expires FROM tokens")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect::<Result<_, _>>()?,
            created: old
                .prepare("SELECT name, last_created FROM accounts")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?,
        })
    }

    /// Whether it knows of a token's end, if only by not knowing the token any more.
    pub(super) fn has_ended(&self, token: &str, now: Timestamp) -> bool {
        match self.tokens.iter().find(|(id, ..)| id == token) {
            None => true,
            Some((_, revoked, expires)) => {
                [*revoked, *expires].into_iter().flatten().any(|end| end <= now.as_millis())
            }
        }
    }

    /// Its calls take the place of those on record.
    pub(super) fn take_ledger(&self, tx: &Tx<'_>) -> Result<(), StoreError> {
        tx.conn.execute_batch("DELETE FROM budget_use; DELETE FROM budget_lessons")?;
        // instance: ledger's time, as it went on
        tx.conn.execute("UPDATE instance SET ledger_ahead = ?1", [self.ledger_ahead])?;
        let tables = [
            ("INSERT INTO budget_use(grp, class, begins, ends, used) VALUES(?1, ?2, ?3, ?4, ?5)", &self.used),
            ("INSERT INTO budget_lessons VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)", &self.lessons),
        ];
        for (insert, rows) in tables {
            let mut insert = tx.conn.prepare(insert)?;
            for row in rows {
                insert.execute(params_from_iter(row))?;
            }
        }
        Ok(())
    }
}

fn rows(conn: &Connection, sql: &str, width: usize) -> rusqlite::Result<Vec<Vec<Value>>> {
    let mut select = conn.prepare(sql)?;
    let rows = select.query_map([], |row| (0..width).map(|at| row.get(at)).collect())?;
    rows.collect()
}
