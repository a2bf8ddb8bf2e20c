//! Takes due replicas of one provider under a lease: what is sent, then polls, then re-checks; accounts in turn
//! (`lanes.rs`).

use rusqlite::{OptionalExtension, params};

use super::{
    lanes::{self, LINES},
    means::{self, Means},
    replicas, settle,
    tx::Tx,
};
use crate::{
    model::{Content, Doubt, Goal, Op, Origins, Owned, PolicyId, ReplicaId, Timestamp, replica::Replica},
    policy::replica::{Event, Work},
    store::{Claim, ClaimKey, ClaimRequest, Claimed, StoreError},
};

/// Pins whose origins are sent.
const ASKED: i64 = 32;
/// The most that are looked at to see that nothing is due.
const GLANCE: i64 = 32;
/// The pluses take the affinity of columns away, which would keep the index from being sought by more than its first.
const HEADS: &str = "WITH RECURSIVE heads(op, lane, rank, next_at) AS (
    SELECT * FROM (SELECT op, lane, rank, next_at FROM replicas INDEXED BY replicas_due
        WHERE provider = ?1 AND next_at IS NOT NULL AND op >= 0 ORDER BY op, lane, rank, next_at LIMIT 1)
    UNION ALL
    SELECT r.op, r.lane, r.rank, r.next_at FROM heads h CROSS JOIN replicas r ON r.id =
        (SELECT n.id FROM replicas n INDEXED BY replicas_due
         WHERE n.provider = ?1 AND n.next_at IS NOT NULL AND (n.op, n.lane, n.rank) > (+h.op, +h.lane, +h.rank)
         ORDER BY n.op, n.lane, n.rank, n.next_at LIMIT 1)
    WHERE h.next_at > ?2 LIMIT ?3)
    SELECT count(*), min(next_at) FROM heads";

pub(super) fn claim_due(tx: &mut Tx<'_>, request: &ClaimRequest) -> Result<Claimed, StoreError> {
    tx.saw(request.now);
    if let Some(next_due) = idle_until(tx, request)? {
        return Ok(Claimed { next_due, ..Claimed::default() });
    }
    let mut claiming = Claiming {
        request,
        means: Means::of(tx, request)?,
        singles: request.singles as usize,
        looks: request.looks as usize,
        claimed: Claimed::default(),
    };
    for line in LINES {
        claiming.line(tx, line)?;
    }
    if claiming.means.release() {
        claiming.line(tx, LINES[0])?;
    }
    let Claiming { means, mut claimed, .. } = claiming;
    settle::settle_heirs(tx, request.now)?;
    claimed.calls = means.reserve(tx)?;
    Ok(claimed)
}

/// Until when nothing is due, where that is soon seen: most claims find nothing, and go by this one statement. `None`:
/// something may be due, or calls are to be given back.
fn idle_until(tx: &Tx<'_>, request: &ClaimRequest) -> Result<Option<Option<Timestamp>>, StoreError> {
    if request.allowance.as_ref().is_some_and(|allowance| !allowance.unspent.is_empty()) {
        return Ok(None);
    }
    // replicas_due: the soonest of each op, account and rank, by a seek each, up to the first that is due
    let (heads, soonest): (i64, Option<i64>) = tx
        .conn
        .prepare_cached(HEADS)?
        .query_row(params![request.provider.0, request.now.as_millis(), GLANCE], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let is_idle = heads < GLANCE && soonest.is_none_or(|at| at > request.now.as_millis());
    Ok(is_idle.then(|| soonest.map(Timestamp::from_millis)))
}

/// A claim in the making.
struct Claiming<'a> {
    request: &'a ClaimRequest,
    means: Means<'a>,
    singles: usize,
    looks: usize,
    claimed: Claimed,
}

impl Claiming<'_> {
    /// Claims what is due of a line, as far as there are hands and means for it.
    fn line(&mut self, tx: &mut Tx<'_>, line: &'static [Op]) -> Result<(), StoreError> {
        let request = self.request;
        let hands = match line[0] {
            Op::Remove | Op::Submit => &mut self.singles,
            Op::Poll | Op::Verify => &mut self.looks,
        };
        let allowed = self.means.allow(line, *hands);
        let due = lanes::due(tx, request, allowed.line, allowed.most)?;
        let next = allowed.next(due.next, request.now);
        self.claimed.next_due = lanes::earlier(self.claimed.next_due, next);
        let doubtful = match allowed.doubtful {
            0 => Vec::new(),
            most => means::doubtful(tx, request, most.saturating_sub(due.replicas.len()))?,
        };
        let before = self.claimed.claims.len();
        for replica in due.replicas.into_iter().chain(doubtful) {
            if let Some(claim) = take(tx, request, replica)? {
                *hands = hands.saturating_sub(1);
                self.claimed.claims.push(claim);
            }
        }
        self.means.spend(&self.claimed.claims[before..]);
        Ok(())
    }
}

/// Claims one replica; `None` where there is nothing to call for.
fn take(tx: &mut Tx<'_>, request: &ClaimRequest, id: ReplicaId) -> Result<Option<Claim>, StoreError> {
    let Some(replica) = replicas::load(tx, id)? else { return Ok(None) };
    let goes = replica.goal == Goal::Remove;
    if goes && (wait_to_remove(tx, &replica, request.now)? || settle::inherit(tx, &replica, request.now)?) {
        return Ok(None);
    }
    let due_at = replica.due.map_or(request.now, |(_, at)| at);
    let (op, work) = (replica.due.map_or(Op::Verify, |(op, _)| op), replica.work(request.exclusive));
    if work == Work::Forget || matches!(work, Work::Delete(_)) && goes && is_shared(tx, &replica)? {
        replicas::step(tx, replica, Event::Removed, request.now)?;
        return Ok(None);
    }
    let claimed = Event::Claimed { lease_until: request.lease_until };
    let Some(mut replica) = replicas::step(tx, replica, claimed, request.now)? else { return Ok(None) };
    let (doubt, doubt_until) = (replica.doubt, replica.doubt_until);
    if let Some(sends) = sends(&work) {
        let sending = Event::Sending { doubt: sends, until: request.doubt_until };
        let Some(sent) = replicas::step(tx, replica, sending, request.now)? else { return Ok(None) };
        replica = sent;
    }
    let content = replicas::content(tx, replica.content)?;
    let (name, origins) = match replica.goal {
        Goal::Keep
            if op == Op::Submit
                || (op == Op::Poll && request.introduces && replica.owned != Owned::Found) =>
        {
            (upstream_name(tx, replica.id, &content)?, origins_of_last(tx, replica.id)?)
        }
        _ => (None, Vec::new()),
    };
    Ok(Some(Claim {
        key: ClaimKey { replica: replica.id, attempt: replica.attempt },
        due_at,
        content,
        goal: replica.goal,
        op,
        work,
        doubt,
        doubt_until,
        upstream: replica.upstream,
        state: replica.state,
        name,
        origins,
    }))
}

/// Whether the same pin upstream is another entry's copy, too, which goes by the same account, as where one was named anew:
/// deleted for the one it would be gone for both (I8).
fn is_shared(tx: &Tx<'_>, replica: &Replica) -> Result<bool, StoreError> {
    let Some(upstream) = &replica.upstream else { return Ok(false) };
    // replicas: of a content that is to be kept, at providers of one fingerprint
    let shared = tx
        .conn
        .prepare_cached(
            "SELECT EXISTS(SELECT 1 FROM providers here CROSS JOIN providers there
                           CROSS JOIN replicas r ON r.provider = there.id AND r.content = ?2
                           WHERE here.id = ?1 AND there.id <> here.id AND there.fingerprint = here.fingerprint
                                 AND r.upstream = ?3 AND r.goal = ?4)",
        )?
        .query_row(
            params![
                replica.provider.0,
                replica.content.0,
                replicas::upstream_value(upstream),
                Goal::Keep.code()
            ],
            |row| row.get(0),
        )?;
    Ok(shared)
}

/// After a restore copies are removed only when there was time to find out what they are needed for (decision 13).
fn wait_to_remove(tx: &mut Tx<'_>, replica: &Replica, now: Timestamp) -> Result<bool, StoreError> {
    // instance: since when copies may be removed
    let from =
        tx.conn.prepare_cached("SELECT removals_from FROM instance")?.query_row([], |row| row.get(0))?;
    let until = Timestamp::from_millis(from);
    if now < until {
        replicas::step(tx, replica.clone(), Event::Deferred { until }, now)?;
    }
    Ok(now < until)
}

/// What is in doubt from the moment that this work's first call leaves.
fn sends(work: &Work) -> Option<Doubt> {
    match work {
        Work::Submit => Some(Doubt::Submit),
        Work::Delete(_) => Some(Doubt::Remove),
        Work::Look | Work::See(_) | Work::Forget => None,
    }
}

/// What a replica is to be called, as the first pin that asks for it as its own has it; one that merely holds it names another
/// content.
fn upstream_name(
    tx: &mut Tx<'_>,
    replica: ReplicaId,
    content: &Content,
) -> Result<Option<String>, StoreError> {
    // first pin that asks for a replica
    let first: Option<(Option<String>, PolicyId)> = tx
        .conn
        .prepare_cached(
            "SELECT p.name, p.policy FROM pin_replicas r INDEXED BY pin_replicas_rev
             CROSS JOIN pin_replicas l ON l.pin = r.pin AND l.replica = r.replica
             CROSS JOIN pins p ON p.id = l.pin
             WHERE r.replica = ?1 AND l.held_since IS NULL ORDER BY r.pin LIMIT 1",
        )?
        .query_row([replica.0], |row| Ok((row.get(0)?, PolicyId(row.get(1)?))))
        .optional()?;
    let Some((name, policy)) = first else { return Ok(None) };
    Ok(tx.policy(policy)?.upstream_name.of(name, content))
}

/// Public origins of the pins that asked for a replica last: who came last is most likely to be there still.
fn origins_of_last(tx: &Tx<'_>, replica: ReplicaId) -> Result<Vec<String>, StoreError> {
    // last pins that ask for a replica
    let mut select = tx.conn.prepare_cached(
        "SELECT p.origins FROM pin_replicas r INDEXED BY pin_replicas_rev
         CROSS JOIN pin_replicas l ON l.pin = r.pin AND l.replica = r.replica
         CROSS JOIN pins p ON p.id = l.pin
         WHERE r.replica = ?1 AND l.held_since IS NULL ORDER BY r.pin DESC LIMIT ?2",
    )?;
    let mut rows = select.query(params![replica.0, ASKED])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let kept: Option<String> = row.get(0)?;
        let kept = kept.as_deref().and_then(Origins::from_json).unwrap_or_default();
        all.extend(kept.public());
    }
    Ok(Origins::keep_usable(all).public())
}

/// Commits the doubt of submits that are about to leave; returns those that may.
pub(super) fn begin_submits(
    tx: &mut Tx<'_>,
    claims: &[ClaimKey],
    doubt_until: Timestamp,
    asked_at: Timestamp,
    now: Timestamp,
) -> Result<Vec<ReplicaId>, StoreError> {
    let mut may_leave = Vec::new();
    for claim in claims {
        let Some(replica) = replicas::load(tx, claim.replica)? else { continue };
        let ours = replica.attempt == claim.attempt && replica.leased;
        let may_send =
            replica.goal == Goal::Keep && replica.upstream.is_none() && !replica.in_doubt_at(asked_at);
        if !(ours && may_send) {
            continue;
        }
        let sending = Event::Sending { doubt: Doubt::Submit, until: doubt_until };
        if replicas::step(tx, replica, sending, now)?.is_some() {
            may_leave.push(claim.replica);
        }
    }
    Ok(may_leave)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::{
        founded::founded,
        open::{open_reader, open_writer},
    };

    #[test]
    fn to_see_that_nothing_is_due_takes_a_seek_for_each_head() {
        let dir = founded();
        let (_writer, _lock) = open_writer(&dir.path().join("pins.db")).unwrap();
        let reader = open_reader(&dir.path().join("pins.db")).unwrap();
        let mut statement = reader.prepare(&format!("EXPLAIN QUERY PLAN {HEADS}")).unwrap();
        let lines = statement.query_map(params![1, 1, GLANCE], |row| row.get::<_, String>(3)).unwrap();
        let lines: Vec<String> = lines.map(Result::unwrap).collect();
        let seeks: Vec<_> = lines.iter().filter(|line| line.starts_with("SEARCH")).collect();
        assert_eq!(seeks.len(), 3, "{lines:#?}");
        assert!(
            seeks.iter().any(|line| line.contains("(provider=? AND (op,lane,rank)>(?,?,?))")),
            "{lines:#?}"
        );
        assert!(!lines.iter().any(|line| line.contains("B-TREE")), "{lines:#?}");
    }
}
