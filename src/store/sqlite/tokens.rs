//! Tokens' rows.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{SqliteStore, errors::bad_code, events, tx::Tx, writer::Lane};
use crate::{
    model::{AccountId, NewEvent, Scope, Scopes, Timestamp, TokenHash, TokenId},
    store::{NewToken, StoreError, Successor, TokenRecord, TokenStore, TokenUse},
    telemetry::StoreClass::{Read, Write},
};

/// So many changes are read at a time.
const CHANGES: u32 = 4096;

/// Columns of a token, in the order of [`record`].
const COLUMNS: &str = "t.id, t.account, a.name, t.name, t.hash, t.scopes, t.policies, t.created, t.expires, t.revoked,
    t.replaced_by, t.last_used, t.last_from, t.revision FROM tokens t LEFT JOIN accounts a ON a.id = t.account";

#[async_trait::async_trait]
impl TokenStore for SqliteStore {
    async fn token_changes(&self, after: u64) -> Result<Vec<TokenRecord>, StoreError> {
        let began = std::time::Instant::now();
        let changes = changes(&self.readers.point(), after);
        self.noted(Read, began, changes)
    }

    async fn tokens(&self, after: Option<TokenId>, limit: u32) -> Result<Vec<TokenRecord>, StoreError> {
        let began = std::time::Instant::now();
        let page = page(&self.readers.point(), after, limit);
        self.noted(Read, began, page)
    }

    async fn token(&self, id: TokenId) -> Result<Option<TokenRecord>, StoreError> {
        let began = std::time::Instant::now();
        let found = by_id(&self.readers.point(), id);
        self.noted(Read, began, found)
    }

    async fn create_token(&self, token: NewToken, now: Timestamp) -> Result<TokenRecord, StoreError> {
        self.write(Write, Lane::Request, move |tx| create(tx, &token, now)).await
    }

    async fn revoke_token(
        &self,
        id: TokenId,
        by: Option<Arc<str>>,
        now: Timestamp,
    ) -> Result<Option<TokenRecord>, StoreError> {
        self.write(Write, Lane::Request, move |tx| revoke(tx, id, by.as_deref(), now)).await
    }

    async fn rotate_token(
        &self,
        id: TokenId,
        successor: Successor,
        now: Timestamp,
    ) -> Result<Option<TokenRecord>, StoreError> {
        self.write(Write, Lane::Request, move |tx| rotate(tx, id, successor, now)).await
    }

    async fn note_token_uses(&self, uses: Vec<TokenUse>) -> Result<(), StoreError> {
        self.write(Write, Lane::Background, move |tx| note_uses(tx, &uses)).await
    }

    async fn forget_tokens(&self, ended_before: Timestamp) -> Result<u64, StoreError> {
        self.write(Write, Lane::Background, move |tx| forget(tx, ended_before)).await
    }
}

fn changes(conn: &Connection, after: u64) -> Result<Vec<TokenRecord>, StoreError> {
    // token_changes: newest revision
    let newest: u64 =
        conn.prepare_cached("SELECT revision FROM token_changes")?.query_row([], |row| row.get(0))?;
    if newest <= after {
        return Ok(Vec::new());
    }
    // tokens: changed after a revision
    let mut select =
        conn.prepare_cached(&format!("SELECT {COLUMNS} WHERE t.revision > ?1 ORDER BY t.revision LIMIT ?2"))?;
    let rows = select.query_map(params![after, CHANGES], |row| Ok(record(row)))?;
    rows.map(|row| row?).collect()
}

fn page(conn: &Connection, after: Option<TokenId>, limit: u32) -> Result<Vec<TokenRecord>, StoreError> {
    // tokens: by id
    let mut select =
        conn.prepare_cached(&format!("SELECT {COLUMNS} WHERE t.id > ?1 ORDER BY t.id LIMIT ?2"))?;
    let after = after.as_ref().map_or("", TokenId::as_str);
    let rows = select.query_map(params![after, limit], |row| Ok(record(row)))?;
    rows.map(|row| row?).collect()
}

fn by_id(conn: &Connection, id: TokenId) -> Result<Option<TokenRecord>, StoreError> {
    // token: by id
    let found = conn
        .prepare_cached(&format!("SELECT {COLUMNS} WHERE t.id = ?1"))?
        .query_row([id.as_str()], |row| Ok(record(row)))
        .optional()?;
    found.transpose()
}

/// Tokens that let in.
pub(super) fn live(conn: &Connection, now: Timestamp) -> Result<Vec<TokenId>, StoreError> {
    // tokens: without an end, or before it
    let live = "SELECT id FROM tokens WHERE revoked IS NULL AND (expires IS NULL OR expires > ?1)";
    let mut select = conn.prepare_cached(live)?;
    let ids = select.query_map([now.as_millis()], |row| row.get::<_, String>(0))?;
    ids.map(|id| TokenId::parse(&id?).ok_or_else(|| bad_code("token id", 0))).collect()
}

fn must(conn: &Connection, id: TokenId) -> Result<TokenRecord, StoreError> {
    by_id(conn, id)?
        .ok_or_else(|| StoreError::Corrupt(anyhow::anyhow!("token {id} is not there after its change")))
}

fn record(row: &Row<'_>) -> Result<TokenRecord, StoreError> {
    let millis = |index: usize| -> Result<Option<Timestamp>, StoreError> {
        Ok(row.get::<_, Option<i64>>(index)?.map(Timestamp::from_millis))
    };
    let account = row.get::<_, Option<i64>>(1)?.map(AccountId);
    let (hash, policies, scopes): ([u8; 32], String, i64) = (row.get(4)?, row.get(6)?, row.get(5)?);
    let from: Option<String> = row.get(12)?;
    let replaced_by: Option<String> = row.get(10)?;
    let id = |text: String| TokenId::parse(&text).ok_or_else(|| bad_code("token id", 0));
    Ok(TokenRecord {
        id: id(row.get(0)?)?,
        account: account.zip(row.get(2)?),
        name: row.get(3)?,
        hash: TokenHash::from(hash),
        scopes: Scopes::from_code(scopes).ok_or_else(|| bad_code("scopes", scopes))?,
        policies: serde_json::from_str(&policies).map_err(|error| StoreError::Corrupt(error.into()))?,
        created: millis(7)?.unwrap_or_default(),
        expires: millis(8)?,
        revoked: millis(9)?,
        replaced_by: replaced_by.map(id).transpose()?,
        last_use: millis(11)?.zip(from.and_then(|from| from.parse().ok())),
        revision: row.get(13)?,
    })
}

/// The number of the next change: whoever reads tokens up to it has seen all before it.
fn next_revision(tx: &Tx<'_>) -> Result<u64, StoreError> {
    // token_changes: one more
    let next = "UPDATE token_changes SET revision = revision + 1 RETURNING revision";
    Ok(tx.conn.prepare_cached(next)?.query_row([], |row| row.get(0))?)
}

fn create(tx: &mut Tx<'_>, token: &NewToken, now: Timestamp) -> Result<TokenRecord, StoreError> {
    check_account(tx, token.account)?;
    // token: live, of that name, without a successor
    let named = "SELECT EXISTS(SELECT 1 FROM tokens WHERE name = ?1 AND account IS ?2 AND replaced_by IS NULL
                 AND revoked IS NULL AND (expires IS NULL OR expires > ?3))";
    let account = token.account.map(|account| account.0);
    let taken: bool = tx
        .conn
        .prepare_cached(named)?
        .query_row(params![token.name, account, now.as_millis()], |row| row.get(0))?;
    if taken {
        return Err(StoreError::Taken { what: "token", name: token.name.clone() });
    }
    insert(tx, token, now)?;
    tx.saw(now);
    let made = must(tx.conn, token.id)?;
    note(tx, "token_created", &made, token.by.as_deref(), now)?;
    Ok(made)
}

/// Tells operators what one of them did; the secret is nowhere.
fn note(
    tx: &mut Tx<'_>,
    act: &str,
    token: &TokenRecord,
    by: Option<&str>,
    now: Timestamp,
) -> Result<(), StoreError> {
    let account = token.account.as_ref().map(|(id, _)| *id);
    let act = NewEvent::act(act, token.id.as_str(), by).of(account).with("name", token.name.as_str());
    events::note(tx, &act, now)
}

fn check_account(tx: &Tx<'_>, account: Option<AccountId>) -> Result<(), StoreError> {
    let Some(account) = account else { return Ok(()) };
    // account: in the config
    let known = "SELECT EXISTS(SELECT 1 FROM accounts WHERE id = ?1 AND retired_at IS NULL)";
    let known: bool = tx.conn.prepare_cached(known)?.query_row([account.0], |row| row.get(0))?;
    if known {
        Ok(())
    } else {
        Err(StoreError::Unknown { what: "account", name: account.to_string(), known: Vec::new() })
    }
}

fn insert(tx: &Tx<'_>, token: &NewToken, now: Timestamp) -> Result<(), StoreError> {
    let policies =
        serde_json::to_string(&token.policies).map_err(|error| StoreError::Corrupt(error.into()))?;
    let revision = next_revision(tx)?;
    // token: new
    let inserted = tx
        .conn
        .prepare_cached(
            "INSERT INTO tokens(id, account, name, hash, scopes, policies, created, expires, revision)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            token.id.as_str(),
            token.account.map(|account| account.0),
            token.name,
            token.hash.as_bytes(),
            token.scopes.code(),
            policies,
            now.as_millis(),
            token.expires.map(Timestamp::as_millis),
            revision
        ])?;
    if inserted == 0 {
        return Err(StoreError::Taken { what: "token with this secret", name: token.name.clone() });
    }
    Ok(())
}

pub(super) fn revoke(
    tx: &mut Tx<'_>,
    id: TokenId,
    by: Option<&str>,
    now: Timestamp,
) -> Result<Option<TokenRecord>, StoreError> {
    let Some(found) = by_id(tx.conn, id)? else { return Ok(None) };
    if !found.is_live(now) {
        return Ok(Some(found));
    }
    let revision = next_revision(tx)?;
    // token: revoked
    tx.conn
        .prepare_cached("UPDATE tokens SET revoked = ?2, revision = ?3 WHERE id = ?1 AND revoked IS NULL")?
        .execute(params![id.as_str(), now.as_millis(), revision])?;
    tx.saw(now);
    note(tx, "token_revoked", &found, by, now)?;
    by_id(tx.conn, id)
}

fn rotate(
    tx: &mut Tx<'_>,
    id: TokenId,
    successor: Successor,
    now: Timestamp,
) -> Result<Option<TokenRecord>, StoreError> {
    let Some(old) = by_id(tx.conn, id)?.filter(|old| old.is_live(now) && old.replaced_by.is_none()) else {
        return Ok(None);
    };
    let ends = old.expires.map_or(successor.overlap_until, |expires| expires.min(successor.overlap_until));
    let revision = next_revision(tx)?;
    // token: replaced
    tx.conn
        .prepare_cached("UPDATE tokens SET replaced_by = ?2, expires = ?3, revision = ?4 WHERE id = ?1")?
        .execute(params![id.as_str(), successor.id.as_str(), ends.as_millis(), revision])?;
    let new = NewToken {
        id: successor.id,
        hash: successor.hash,
        account: old.account.map(|(id, _)| id),
        name: old.name,
        scopes: old.scopes,
        policies: old.policies,
        expires: successor.expires,
        by: successor.by,
    };
    check_account(tx, new.account)?;
    insert(tx, &new, now)?;
    tx.saw(now);
    let made = must(tx.conn, new.id)?;
    note(tx, "token_rotated", &made, new.by.as_deref(), now)?;
    Ok(Some(made))
}

fn note_uses(tx: &Tx<'_>, uses: &[TokenUse]) -> Result<(), StoreError> {
    // token: last used
    let mut note = tx.conn.prepare_cached(
        "UPDATE tokens SET last_used = ?2, last_from = ?3 WHERE id = ?1 AND coalesce(last_used, 0) < ?2",
    )?;
    for used in uses {
        note.execute(params![used.id.as_str(), used.at.as_millis(), used.from.to_string()])?;
    }
    Ok(())
}

fn forget(tx: &Tx<'_>, ended_before: Timestamp) -> Result<u64, StoreError> {
    let operators = Scopes::NONE.with(Scope::AdminWrite).code();
    // tokens: ended long ago
    let forgotten = tx.conn.execute(
        "DELETE FROM tokens WHERE scopes & ?2 = 0 AND (revoked < ?1 OR expires < ?1)",
        params![ended_before.as_millis(), operators],
    )?;
    Ok(forgotten as u64)
}
