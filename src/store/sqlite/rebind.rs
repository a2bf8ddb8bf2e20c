//! Gives a provider a new fingerprint, and starts over where nothing of ours is behind it.

use rusqlite::params;

use super::{jobs, providers, replicas, tx::Tx};
use crate::{
    model::{
        ContentId, Doubt, Goal, Health, JobCommand, JobId, JobKind, Op, Owned, ProviderDecl, ReplicaState,
        Timestamp,
    },
    store::{Rebind, RebindReport, StoreError},
};

pub(super) fn rebind(
    tx: &mut Tx<'_>,
    declared: &ProviderDecl,
    rebind: Rebind,
    now: Timestamp,
) -> Result<RebindReport, StoreError> {
    let known = providers::by_name(tx.conn, &declared.name)?.ok_or_else(|| StoreError::Unknown {
        what: "provider",
        name: declared.name.clone(),
        known: Vec::new(),
    })?;
    let copies = providers::copies_on_record(tx.conn, known.id)?;
    // provider: another fingerprint, whose credential is yet to be proven
    tx.conn.execute(
        "UPDATE providers SET fingerprint = ?2, proven = NULL, health = ?3, health_since = ?4,
                blocked_until = NULL WHERE id = ?1",
        params![known.id.0, declared.fingerprint.as_bytes(), Health::Healthy.code(), now.as_millis()],
    )?;
    if known.health == Health::Dead {
        providers::resettle(tx, known.id)?;
    }
    if rebind == Rebind::NewAccount {
        start_over(tx, known.id.0, now)?;
        end_adoptions(tx, known.id.0, now)?;
    }
    tx.forget_config();
    Ok(RebindReport { provider: known.id, copies })
}

/// Nothing of ours is at the provider any more: what is wanted is made again, what was to be removed is forgotten.
fn start_over(tx: &Tx<'_>, provider: i64, now: Timestamp) -> Result<(), StoreError> {
    // replicas: forget what was to be removed there
    let forgotten: Vec<i64> = tx
        .conn
        .prepare("DELETE FROM replicas WHERE provider = ?1 AND goal = ?2 RETURNING content")?
        .query_map(params![provider, Goal::Remove.code()], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for content in forgotten {
        replicas::forget_content(tx, ContentId(content))?;
    }
    // replicas: nothing is there
    tx.conn.execute(
        "UPDATE replicas SET state = ?2, owned = ?3, doubt = ?4, doubt_until = NULL, attempt = attempt + 1,
                op = ?5, next_at = ?6, leased = 0, tries = 0, refusals = 0, error = NULL, error_text = NULL,
                state_at = ?6, seen_at = NULL, verified_at = NULL, upstream = NULL, delegates = NULL
         WHERE provider = ?1",
        params![
            provider,
            ReplicaState::Lost.code(),
            Owned::Made.code(),
            Doubt::None.code(),
            Op::Submit.code(),
            now.as_millis()
        ],
    )?;
    // replica_counts: of a provider, anew
    tx.conn.execute("DELETE FROM replica_counts WHERE provider = ?1", [provider])?;
    tx.conn.execute(
        "INSERT INTO replica_counts(provider, state, n)
         SELECT provider, state, count(*) FROM replicas WHERE provider = ?1 GROUP BY state",
        [provider],
    )?;
    // remerge: all its pins; surplus: none of it is there
    tx.conn.execute(
        "INSERT INTO remerge(replica, after_pin) SELECT id, 0 FROM replicas WHERE provider = ?1
         ON CONFLICT DO UPDATE SET after_pin = 0",
        [provider],
    )?;
    tx.conn.execute("DELETE FROM surplus WHERE provider = ?1", [provider])?;
    Ok(())
}

/// What was listed is not the new account's (I13).
fn end_adoptions(tx: &mut Tx<'_>, provider: i64, now: Timestamp) -> Result<(), StoreError> {
    // jobs: adoptions of a provider that have not ended
    let open: Vec<i64> = tx
        .conn
        .prepare("SELECT id FROM jobs WHERE kind = ?1 AND provider = ?2 AND state < 3")?
        .query_map([JobKind::Adopt.code(), provider], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for id in open {
        jobs::tell(tx, JobId(id), JobCommand::Cancel, Some("rebind"), now)?;
    }
    Ok(())
}
