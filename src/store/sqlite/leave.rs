//! Counts what is left of a drain, and of the taking up of a policy's newest revision.

use rusqlite::{Connection, params};

use super::{plans::revisions, providers::load_providers, tx::Tx};
use crate::{
    model::{Job, JobKind, JobProgress, JobState, Op, PolicyId, ProviderId, ProviderRecord, ReplicaState},
    policy::{self, Unapplied, Undrained},
    store::StoreError,
};

/// `copies`: all that are on record there.
pub(super) fn undrained(
    conn: &Connection,
    provider: ProviderId,
    copies: u64,
) -> Result<Undrained, StoreError> {
    // replicas_due: those of a provider that are let go; each replica has something due
    let removing: u64 = conn
        .prepare_cached(
            "SELECT count(*) FROM replicas INDEXED BY replicas_due
             WHERE provider = ?1 AND op = ?2 AND next_at IS NOT NULL",
        )?
        .query_row(params![provider.0, Op::Remove.code()], |row| row.get(0))?;
    let known = load_providers(conn)?.into_iter().find(|known| known.id == provider);
    let gone = known.is_none_or(|known| known.is_gone());
    Ok(Undrained { wanted: copies.saturating_sub(removing), removing, gone })
}

/// `older`: pins that follow older revisions.
pub(super) fn unapplied(conn: &Connection, policy: &str, older: u64) -> Result<Unapplied, StoreError> {
    let mut left = Unapplied { older, ..Unapplied::default() };
    let Some(newest) = revisions(conn, policy)?.pop() else { return Ok(left) };
    // pins_trim: of a revision
    left.waiting = conn
        .prepare_cached("SELECT count(*) FROM pins INDEXED BY pins_trim WHERE trim AND policy = ?1")?
        .query_row([newest.0], |row| row.get(0))?;
    for provider in load_providers(conn)? {
        let removing = removing(conn, &provider, newest)?;
        left.removing += removing;
        left.stranded += if provider.is_gone() { removing } else { 0 };
    }
    Ok(left)
}

/// Copies at a provider that are let go, of contents of which there are pins by this revision: these let them go.
fn removing(conn: &Connection, provider: &ProviderRecord, of: PolicyId) -> Result<u64, StoreError> {
    // replicas_due: those of a provider that are let go; pins_content: any by a revision
    let removing = conn
        .prepare_cached(
            "SELECT count(*) FROM replicas r INDEXED BY replicas_due
             WHERE r.provider = ?1 AND r.op = ?2 AND r.next_at IS NOT NULL
               AND EXISTS(SELECT 1 FROM pins p INDEXED BY pins_content WHERE p.content = r.content AND p.policy = ?3)",
        )?
        .query_row(params![provider.id.0, Op::Remove.code(), of.0], |row| row.get(0))?;
    Ok(removing)
}

/// What a job says once it is in a state that an operator brought it to: what is so now. One that is at rest, or over, waits
/// for nothing and asks nothing any more.
pub(super) fn told(tx: &Tx<'_>, job: &Job, state: JobState) -> Result<JobProgress, StoreError> {
    match (job.kind, &job.provider) {
        (JobKind::Drain, Some((provider, _))) => {
            let mut copies = 0;
            for state in ReplicaState::ALL {
                copies += tx.replicas_in(*provider, *state)?;
            }
            let copies = u64::try_from(copies).unwrap_or(0);
            Ok(policy::drained(&job.progress, state, &undrained(tx.conn, *provider, copies)?))
        }
        (JobKind::Apply, _) => {
            let terms: serde_json::Value =
                serde_json::from_str(&job.terms).map_err(|error| StoreError::Corrupt(error.into()))?;
            let name = terms["policy"].as_str().unwrap_or_default();
            let mut older = 0;
            if let Some((_, before)) = revisions(tx.conn, name)?.split_last() {
                for revision in before {
                    older += tx.follow(*revision)?;
                }
            }
            let left = unapplied(tx.conn, name, u64::try_from(older).unwrap_or(0))?;
            Ok(policy::applied(&job.progress, state, name, &left))
        }
        _ => Ok(JobProgress { words: String::new(), ..job.progress.clone() }),
    }
}
