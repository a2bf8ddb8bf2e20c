//! Exact counts: from counters where they know, else by index, always in the page's own snapshot.

use rusqlite::{Connection, params, params_from_iter};
use sha2::{Digest, Sha256};

use crate::{
    model::{AccountId, ListQuery},
    store::StoreError,
};

use super::list::plan::Plan;

/// Widths of the counted buckets of `created`, in ms, widest first: each 60 of the next (25 days, 10 hours, 10
/// minutes, 10 seconds), so that no sum is longer however long pins have been coming.
pub(super) const WIDTHS: [i64; 4] = [2_160_000_000, 36_000_000, 600_000, 10_000];
/// The longest meta value that is its own key.
const MAX_META_KEY: usize = 256;

/// count_buckets: whole buckets of one width.
const BUCKETS: &str = "SELECT coalesce(sum(n), 0) FROM pin_counts \
     WHERE account = ? AND status = ? AND width = ? AND bucket >= ? AND bucket < ?";
/// count_part: what is left of a bucket that is cut; at most one every millisecond.
const PART: &str = "SELECT count(*) FROM pins INDEXED BY pins_list \
     WHERE account = ? AND status = ? AND created >= ? AND created < ?";

/// Which `created` are meant, in ms: from the first to, but without, the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) from: i64,
    pub(super) to: i64,
}

impl Span {
    /// The end of time, on the edge of the widest bucket.
    const END: i64 = i64::MAX / WIDTHS[0] * WIDTHS[0];

    /// Both edges of a query are exclusive.
    pub(super) fn of(query: &ListQuery) -> Self {
        let from = query.after.map_or(0, |after| after.as_millis().saturating_add(1));
        let to = query.before.map_or(Self::END, |before| before.as_millis());
        Self { from: from.clamp(0, Self::END), to: to.clamp(0, Self::END) }
    }
}

/// Under which value a meta entry is found: its own, or for long ones a hash.
pub(super) fn meta_key(value: &str) -> String {
    if value.len() <= MAX_META_KEY {
        return value.to_owned();
    }
    let hash = Sha256::digest(value);
    hash.iter().fold("sha256:".to_owned(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// Counts by statuses and times alone: some short reads a status.
pub(super) fn counted(
    connection: &Connection,
    account: AccountId,
    query: &ListQuery,
) -> Result<u64, StoreError> {
    let mut count = 0;
    for status in query.statuses.iter() {
        let arm = Arm { connection, account: account.0, status: status.code() };
        count += arm.count(Span::of(query), &WIDTHS)?;
    }
    Ok(count)
}

/// One status of one account.
struct Arm<'a> {
    connection: &'a Connection,
    account: i64,
    status: i64,
}

impl Arm<'_> {
    /// Whole buckets of the widest width, then what sticks out at both ends by the narrower ones.
    fn count(&self, span: Span, widths: &[i64]) -> Result<u64, StoreError> {
        if span.from >= span.to {
            return Ok(0);
        }
        let Some((&width, narrower)) = widths.split_first() else { return self.part(span) };
        let (first, last) = ((span.from + width - 1).div_euclid(width), span.to.div_euclid(width));
        if first >= last {
            return self.count(span, narrower);
        }
        let head = Span { to: first * width, ..span };
        let tail = Span { from: last * width, ..span };
        Ok(self.buckets(width, first, last)? + self.count(head, narrower)? + self.count(tail, narrower)?)
    }

    fn buckets(&self, width: i64, first: i64, last: i64) -> Result<u64, StoreError> {
        let mut statement = self.connection.prepare_cached(BUCKETS)?;
        let values = params![self.account, self.status, width, first, last];
        Ok(statement.query_row(values, |row| row.get(0))?)
    }

    fn part(&self, span: Span) -> Result<u64, StoreError> {
        let mut statement = self.connection.prepare_cached(PART)?;
        Ok(statement.query_row(params![self.account, self.status, span.from, span.to], |row| row.get(0))?)
    }
}

/// Counts all that match, by index.
pub(super) fn by_index(connection: &Connection, plan: &Plan) -> Result<u64, StoreError> {
    sum(connection, plan, |arm| plan.count(arm))
}

/// Whether answering has to read no more than `most` entries of an index.
pub(super) fn is_short(connection: &Connection, plan: &Plan, most: u32) -> Result<bool, StoreError> {
    Ok(sum(connection, plan, |arm| plan.measure(arm, most + 1))? <= u64::from(most))
}

fn sum(
    connection: &Connection,
    plan: &Plan,
    query: impl Fn(usize) -> (String, Vec<rusqlite::types::Value>),
) -> Result<u64, StoreError> {
    let mut count = 0;
    for arm in 0..plan.arms() {
        let (sql, values) = query(arm);
        let mut statement = connection.prepare_cached(&sql)?;
        count += statement.query_row(params_from_iter(values), |row| row.get::<_, u64>(0))?;
    }
    Ok(count)
}
