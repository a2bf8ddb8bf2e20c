//! What bounds a claim beside the hands that are free: the calls that the provider's budget leaves, and the places in its
//! queue (I9).

use std::time::Duration;

use rusqlite::params;

use super::{budget, tx::Tx};
use crate::{
    model::{BudgetClass, ByClass, Op, ReplicaId, ReplicaState, Reserved, Timestamp},
    policy::{Purse, replica::Work},
    store::{Claim, ClaimRequest, StoreError},
};

/// Of a line where nothing may be submitted.
const REMOVES: &[Op] = &[Op::Remove];

pub(super) struct Means<'a> {
    request: &'a ClaimRequest,
    /// `None`: nothing limits the calls.
    purse: Option<Purse>,
    /// In the provider's queue; `None`: nothing limits them.
    places: Option<u32>,
    calls: ByClass<u32>,
}

/// How much of a line may be claimed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Allowed {
    pub(super) line: &'static [Op],
    pub(super) most: usize,
    /// It was cut to what there are calls for: there are more after this time.
    more_in: Option<Duration>,
    /// Further copies that may be looked for: their submit, whose answer was not seen, has its place already.
    pub(super) doubtful: usize,
}

impl<'a> Means<'a> {
    pub(super) fn of(tx: &Tx<'_>, request: &'a ClaimRequest) -> Result<Self, StoreError> {
        let purse = match &request.allowance {
            Some(allowance) => {
                let rooms = budget::rooms(tx, allowance)?;
                let mut purse = Purse::new(rooms, allowance.costs, request.exclusive);
                if request.looks > 0 {
                    purse.set_aside(rand::random_range(0..4));
                }
                Some(purse)
            }
            None => None,
        };
        let places = match request.max_queued {
            Some(most) if request.singles > 0 => Some(most.saturating_sub(queued(tx, request)?)),
            _ => None,
        };
        Ok(Self { request, purse, places, calls: ByClass::default() })
    }

    /// How much of a line may be claimed, `most` at most.
    pub(super) fn allow(&self, line: &'static [Op], most: usize) -> Allowed {
        // What costs most of it: submits come with removes.
        let dearest = *line.last().unwrap_or(&Op::Verify);
        let paid = self.affords(dearest, most);
        let cut = |paid: usize, op: Op| (paid < most).then(|| self.more_in(op));
        let allowed = Allowed { line, most: paid, more_in: cut(paid, dearest), doubtful: 0 };
        let places = match dearest {
            Op::Submit => self.places.map_or(usize::MAX, |places| places as usize),
            _ => usize::MAX,
        };
        match (paid.min(places), dearest) {
            (0, Op::Submit) => {
                let removes = self.affords(Op::Remove, most);
                let more_in = allowed.more_in.or_else(|| cut(removes, Op::Remove));
                Allowed { line: REMOVES, most: removes, more_in, doubtful: paid }
            }
            (fewer, _) => Allowed { most: fewer, ..allowed },
        }
    }

    /// Whether more of what is sent may be claimed once no look wants what was kept for them.
    pub(super) fn release(&mut self) -> bool {
        self.purse.as_mut().is_some_and(Purse::release)
    }

    /// Takes note of what claims will call.
    pub(super) fn spend(&mut self, claims: &[Claim]) {
        let submits = claims.iter().filter(|claim| claim.op == Op::Submit).count();
        self.places =
            self.places.map(|places| places.saturating_sub(u32::try_from(submits).unwrap_or(u32::MAX)));
        let Some(purse) = &mut self.purse else { return };
        let count = |is: &dyn Fn(&Claim) -> bool| {
            u32::try_from(claims.iter().filter(|claim| is(claim)).count()).unwrap_or(u32::MAX)
        };
        let looks = |claim: &Claim| claim.work == Work::Look;
        let sees = |claim: &Claim| matches!(claim.work, Work::See(_));
        let twice = claims.iter().any(|claim| looks(claim) && claim.content.v0().is_some());
        let lists = (BudgetClass::List, purse.lists(count(&looks), twice));
        let writes = (BudgetClass::Write, count(&|claim| !sees(claim)));
        for (class, calls) in [lists, writes, purse.looks(count(&sees))] {
            self.calls[class] += purse.spend(class, calls);
        }
    }

    /// Counts the calls, so that nobody else takes them.
    pub(super) fn reserve(&self, tx: &Tx<'_>) -> Result<Vec<Reserved>, StoreError> {
        let Some(allowance) = &self.request.allowance else { return Ok(Vec::new()) };
        let limited = |class: BudgetClass| allowance.rates.bounds(class).next().is_some();
        let taken = self.calls.iter().filter(|(class, calls)| **calls > 0 && limited(*class));
        taken
            .map(|(class, calls)| {
                let (now, until) = (allowance.at.now, allowance.at.now.plus(allowance.lasts));
                budget::charge(tx, &allowance.group, &allowance.rates, (class, *calls), now, until)
            })
            .collect()
    }

    fn affords(&self, op: Op, most: usize) -> usize {
        let Some(purse) = &self.purse else { return most };
        purse.affords(op, u32::try_from(most).unwrap_or(u32::MAX)) as usize
    }

    fn more_in(&self, op: Op) -> Duration {
        self.purse.as_ref().map(|purse| purse.more_in(op)).unwrap_or_default()
    }
}

impl Allowed {
    /// When to come again for a line of which something is due `next`.
    pub(super) fn next(&self, next: Option<Timestamp>, now: Timestamp) -> Option<Timestamp> {
        let Some(more) = self.more_in.map(|more_in| now.plus(more_in)) else { return next };
        // Of what was left out of the line nobody knows when it is due.
        let left_out = (self.line.len() < 2 && self.line == REMOVES).then_some(more);
        next.map(|next| next.max(more)).into_iter().chain(left_out).min()
    }
}

/// Copies that wait in the provider's queue, or may, by our submits.
fn queued(tx: &Tx<'_>, request: &ClaimRequest) -> Result<u32, StoreError> {
    // replicas_sending: on its way
    let sending: i64 = tx
        .conn
        .prepare_cached(
            "SELECT count(*) FROM replicas INDEXED BY replicas_sending
             WHERE provider = ?1 AND upstream IS NULL AND (leased OR doubt = 1)",
        )?
        .query_row([request.provider.0], |row| row.get(0))?;
    let mut known = 0;
    for state in [ReplicaState::Queued, ReplicaState::Pinning] {
        known += tx.replicas_in(request.provider, state)?;
    }
    Ok(u32::try_from((sending + known).max(0)).unwrap_or(u32::MAX))
}

/// Copies whose submit may have got through, and that may be looked for now; those whose lease ran out, too.
pub(super) fn doubtful(
    tx: &Tx<'_>,
    request: &ClaimRequest,
    most: usize,
) -> Result<Vec<ReplicaId>, StoreError> {
    // replicas_sending: due
    let mut select = tx.conn.prepare_cached(
        "SELECT id FROM replicas INDEXED BY replicas_sending
         WHERE provider = ?1 AND upstream IS NULL AND (leased OR doubt = 1) AND op = ?2 AND next_at <= ?3 LIMIT ?4",
    )?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    let rows = select
        .query_map(params![request.provider.0, Op::Submit.code(), request.now.as_millis(), most], |row| {
            row.get(0).map(ReplicaId)
        })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
