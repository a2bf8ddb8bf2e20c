//! Counts what is left of a drain, and of the taking up of a policy's newest revision.

use rusqlite::{Connection, params};

use super::{plans::revisions, providers::load_providers, tx::Tx};
use crate::{
    model::{Job, JobKind, JobProgress, JobState, Op, PolicyId, ProviderId, ProviderRecord, ReplicaState},
    policy::{self, Unapplied, Undrained},
    store::StoreError,
};

/// Copies that are let go, looked at in one step.
const STEP: u32 = 1000;

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

/// Providers of which a revision's removals are still to be counted: how far that is.
pub(super) struct Removals {
    of: PolicyId,
    providers: Vec<ProviderRecord>,
    after: Place,
}

/// A place in the order of `replicas_due`.
type Place = (i64, i64, i64, i64);

const FIRST: Place = (i64::MIN, i64::MIN, i64::MIN, i64::MIN);

/// What is left but for the copies that are let go, and these to be counted. `older`: pins that follow older revisions.
pub(super) fn unapplied(
    conn: &Connection,
    policy: &str,
    older: u64,
) -> Result<(Unapplied, Option<Removals>), StoreError> {
    let mut left = Unapplied { older, ..Unapplied::default() };
    let Some(newest) = revisions(conn, policy)?.pop() else { return Ok((left, None)) };
    // pins_trim: of a revision
    left.waiting = conn
        .prepare_cached("SELECT count(*) FROM pins INDEXED BY pins_trim WHERE trim AND policy = ?1")?
        .query_row([newest.0], |row| row.get(0))?;
    Ok((left, Some(Removals { of: newest, providers: load_providers(conn)?, after: FIRST })))
}

impl Removals {
    /// Counts on, a bounded number of copies at one provider; `None`: all are counted.
    pub(super) fn count(
        mut self,
        conn: &Connection,
        left: &mut Unapplied,
    ) -> Result<Option<Self>, StoreError> {
        let Some(provider) = self.providers.last() else { return Ok(None) };
        let (removing, next) = removing(conn, provider, self.of, self.after)?;
        left.removing += removing;
        left.stranded += if provider.is_gone() { removing } else { 0 };
        if next.is_none() {
            self.providers.pop();
        }
        self.after = next.unwrap_or(FIRST);
        Ok(Some(self))
    }

    /// As [`count`](Self::count), of each provider only what one step takes.
    fn count_some(mut self, conn: &Connection, left: &mut Unapplied) -> Result<(), StoreError> {
        while let Some(mut next) = self.count(conn, left)? {
            if next.after != FIRST {
                left.more = true;
                next.providers.pop();
                next.after = FIRST;
            }
            self = next;
        }
        Ok(())
    }
}

/// Copies at a provider that are let go, of contents of which there are pins by this revision: these let them go. Counts on
/// after a place; returns where to go on, if there are more to look at.
fn removing(
    conn: &Connection,
    provider: &ProviderRecord,
    of: PolicyId,
    after: Place,
) -> Result<(u64, Option<Place>), StoreError> {
    let (lane, rank, at, id) = after;
    let (mut removing, mut seen, mut last) = (0, 0, after);
    // Those that are due at the same time first: after a restore that may be all, and only the last one is sought by its id.
    for place in [
        "(r.lane, r.rank, r.next_at) = (?4, ?5, ?6) AND r.id > ?7",
        "(r.lane, r.rank, r.next_at) > (?4, ?5, ?6) AND ?7 IS NOT NULL",
    ] {
        // replicas_due: those of a provider that are let go, after one; pins_content: any by a revision
        let mut select = conn.prepare_cached(&format!(
            "SELECT r.lane, r.rank, r.next_at, r.id,
                    EXISTS(SELECT 1 FROM pins p INDEXED BY pins_content
                           WHERE p.content = r.content AND p.policy = ?3)
             FROM replicas r INDEXED BY replicas_due
             WHERE r.provider = ?1 AND r.op = ?2 AND r.next_at IS NOT NULL AND {place}
             ORDER BY r.lane, r.rank, r.next_at, r.id LIMIT ?8"
        ))?;
        let of_step = params![provider.id.0, Op::Remove.code(), of.0, lane, rank, at, id, STEP - seen];
        let mut rows = select.query(of_step)?;
        while let Some(row) = rows.next()? {
            last = (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
            removing += u64::from(row.get::<_, bool>(4)?);
            seen += 1;
        }
    }
    Ok((removing, (seen == STEP).then_some(last)))
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
            let (mut left, removals) = unapplied(tx.conn, name, u64::try_from(older).unwrap_or(0))?;
            if let Some(removals) = removals {
                // Whoever writes next waits for this.
                removals.count_some(tx.conn, &mut left)?;
            }
            Ok(policy::applied(&job.progress, state, name, &left))
        }
        _ => Ok(JobProgress { words: String::new(), ..job.progress.clone() }),
    }
}
