//! The ledger of calls: what started, or may yet, in the windows of each limit (I9).

use rusqlite::{Connection, params};

use super::{errors::bad_code, tx::Tx};
use crate::{
    model::{
        Allowance, Ask, BudgetClass, ByClass, Granted, Learned, LedgerTime, Lesson, Rate, Rates, Reserved,
        Timestamp,
    },
    policy::window::{self, Room, Slot},
    store::{Ledger, StoreError},
};

/// A difference of clocks that is only the rounding of a millisecond.
const ROUNDING: i64 = 2;

/// Counts calls of one class, or says when there is room for some.
pub(super) fn reserve(tx: &mut Tx<'_>, ask: &Ask) -> Result<Granted, StoreError> {
    note_ahead(tx, ask.at)?;
    give_back(tx, &ask.group, &ask.unspent)?;
    let (mut free, mut wait) = (ask.want, None);
    for (bound, rate) in ask.rates.bounds(ask.class) {
        let room = room(tx, &ask.group, bound, rate, ask.at.now)?;
        free = free.min(room.free);
        wait = wait.max((room.free == 0).then_some(room.more_in));
    }
    match wait {
        Some(wait) => Ok(Granted::Wait(wait)),
        None => {
            let until = ask.at.now.plus(ask.lasts);
            charge(tx, &ask.group, &ask.rates, (ask.class, free), ask.at.now, until).map(Granted::Calls)
        }
    }
}

/// What each limit leaves.
pub(super) fn rooms(tx: &Tx<'_>, allowance: &Allowance) -> Result<ByClass<Room>, StoreError> {
    note_ahead(tx, allowance.at)?;
    give_back(tx, &allowance.group, &allowance.unspent)?;
    let mut rooms = ByClass::from_fn(|_| Room { free: u32::MAX, more_in: std::time::Duration::ZERO });
    for class in BudgetClass::ALL.iter().copied() {
        let shut = allowance.shut[class];
        if !shut.is_zero() {
            rooms[class] = Room { free: 0, more_in: shut };
        } else if let Some(rate) = allowance.rates[class] {
            rooms[class] = room(tx, &allowance.group, class, rate, allowance.at.now)?;
        }
    }
    Ok(rooms)
}

fn room(
    tx: &Tx<'_>,
    group: &str,
    class: BudgetClass,
    rate: Rate,
    now: Timestamp,
) -> Result<Room, StoreError> {
    pull(tx, group, class, rate, now)?;
    // budget_use: what is outside of every window
    tx.conn
        .prepare_cached("DELETE FROM budget_use WHERE grp = ?1 AND class = ?2 AND ends <= ?3")?
        .execute(params![group, class.code(), now.minus(rate.per).as_millis()])?;
    // budget_use: one limit's slots
    let mut select =
        tx.conn.prepare_cached("SELECT begins, ends, used FROM budget_use WHERE grp = ?1 AND class = ?2")?;
    let slots = select.query_map(params![group, class.code()], |row| {
        Ok(Slot {
            begins: Timestamp::from_millis(row.get(0)?),
            ends: Timestamp::from_millis(row.get(1)?),
            used: row.get(2)?,
        })
    })?;
    Ok(window::room(&slots.collect::<Result<Vec<_>, _>>()?, rate, now))
}

/// Counts slots that are more than a window ahead as this one: a process counted them by a clock that was ahead. Nobody
/// knows how long ago that was, so that they stay for one window from now, and no longer. Those that are less ahead stay
/// as they are: of two that ask at once the one that read the time first may be counted last.
fn pull(tx: &Tx<'_>, group: &str, class: BudgetClass, rate: Rate, now: Timestamp) -> Result<(), StoreError> {
    let far = now.plus(rate.per).as_millis();
    // budget_use: slots of a clock that was ahead
    let ahead: Option<u32> = tx
        .conn
        .prepare_cached("SELECT sum(used) FROM budget_use WHERE grp = ?1 AND class = ?2 AND begins > ?3")?
        .query_row(params![group, class.code(), far], |row| row.get(0))?;
    let Some(ahead) = ahead else { return Ok(()) };
    // budget_use: no slots of a clock that was ahead
    tx.conn
        .prepare_cached("DELETE FROM budget_use WHERE grp = ?1 AND class = ?2 AND begins > ?3")?
        .execute(params![group, class.code(), far])?;
    count(tx, group, class, Slot { used: ahead, ..Slot::at(rate.per, now) })
}

/// Counts calls that may start from now until the first of their slots ends, each of which lasts `until` then at least.
pub(super) fn charge(
    tx: &Tx<'_>,
    group: &str,
    rates: &Rates,
    (class, calls): (BudgetClass, u32),
    now: Timestamp,
    until: Timestamp,
) -> Result<Reserved, StoreError> {
    let mut reserved =
        Reserved { class, calls, ends: Timestamp::from_millis(i64::MAX), counted: ByClass::default() };
    for (bound, rate) in rates.bounds(class) {
        let slot = Slot::at(rate.per, now);
        let slot = Slot { used: calls, ends: slot.ends.max(until), ..slot };
        count(tx, group, bound, slot)?;
        reserved.ends = reserved.ends.min(slot.ends);
        reserved.counted[bound] = Some(slot.begins);
    }
    Ok(reserved)
}

/// Counts each limit as used up by now: nobody knows what was sent.
pub(super) fn fill(tx: &Tx<'_>, group: &str, rates: &Rates, now: Timestamp) -> Result<(), StoreError> {
    for (class, rate) in rates.iter() {
        let Some(rate) = *rate else { continue };
        // budget_use: one limit's slots, which the one below takes in
        tx.conn
            .prepare_cached("DELETE FROM budget_use WHERE grp = ?1 AND class = ?2")?
            .execute(params![group, class.code()])?;
        count(tx, group, class, Slot { used: rate.calls, ..Slot::at(rate.per, now) })?;
    }
    Ok(())
}

fn count(tx: &Tx<'_>, group: &str, class: BudgetClass, slot: Slot) -> Result<(), StoreError> {
    // budget_use: add
    tx.conn
        .prepare_cached(
            "INSERT INTO budget_use(grp, class, begins, ends, used) VALUES(?1, ?2, ?3, ?4, ?5)
             ON CONFLICT DO UPDATE SET used = used + excluded.used, ends = max(ends, excluded.ends)",
        )?
        .execute(params![group, class.code(), slot.begins.as_millis(), slot.ends.as_millis(), slot.used])?;
    Ok(())
}

/// Forgets calls that never started.
fn give_back(tx: &Tx<'_>, group: &str, unspent: &[Reserved]) -> Result<(), StoreError> {
    // budget_use: take off
    let mut take_off = tx.conn.prepare_cached(
        "UPDATE budget_use SET used = max(0, used - ?4) WHERE grp = ?1 AND class = ?2 AND begins = ?3",
    )?;
    for reserved in unspent {
        let counted = reserved.counted.iter().filter_map(|(bound, begins)| Some((bound, (*begins)?)));
        for (bound, begins) in counted {
            take_off.execute(params![group, bound.code(), begins.as_millis(), reserved.calls])?;
        }
    }
    Ok(())
}

/// Keeps how the wall clock stands to the ledger's time, for the next process to go on from.
fn note_ahead(tx: &Tx<'_>, at: LedgerTime) -> Result<(), StoreError> {
    // instance: ledger's time against the wall clock, when one was turned
    tx.conn
        .prepare_cached("UPDATE instance SET ledger_ahead = ?1 WHERE abs(ledger_ahead - ?1) > ?2")?
        .execute(params![at.ahead, ROUNDING])?;
    Ok(())
}

/// Keeps what a refusal taught.
pub(super) fn learn(tx: &Tx<'_>, group: &str, class: BudgetClass, lesson: Lesson) -> Result<(), StoreError> {
    let learned = lesson.learned;
    // budget_lessons: put
    tx.conn
        .prepare_cached("INSERT OR REPLACE INTO budget_lessons VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![
            group,
            class.code(),
            learned.map(|learned| learned.rate.calls),
            learned.map(|learned| i64::try_from(learned.rate.per.as_millis()).unwrap_or(i64::MAX)),
            learned.map(|learned| learned.from),
            learned.map(|learned| learned.at.as_millis()),
            lesson.blocked_until.map(Timestamp::as_millis)
        ])?;
    Ok(())
}

/// What a start needs of the ledger.
pub(super) fn ledger(conn: &Connection) -> Result<Ledger, StoreError> {
    // instance: ledger's time against the wall clock
    let ahead = conn.prepare_cached("SELECT ledger_ahead FROM instance")?.query_row([], |row| row.get(0))?;
    // budget_lessons: all
    let mut select = conn
        .prepare_cached("SELECT grp, class, calls, per, from_calls, at, blocked_until FROM budget_lessons")?;
    let mut rows = select.query([])?;
    let mut lessons = Vec::new();
    while let Some(row) = rows.next()? {
        let (class, millis): (i64, Option<i64>) = (row.get(1)?, row.get(3)?);
        let per = millis.and_then(|millis| u64::try_from(millis).ok()).map(std::time::Duration::from_millis);
        let learned = match (row.get(2)?, per, row.get(4)?, row.get(5)?) {
            (Some(calls), Some(per), Some(from), Some(at)) => {
                Some(Learned { rate: Rate { calls, per }, from, at: Timestamp::from_millis(at) })
            }
            _ => None,
        };
        let blocked_until = row.get::<_, Option<i64>>(6)?.map(Timestamp::from_millis);
        let class = BudgetClass::from_code(class).ok_or_else(|| bad_code("budget class", class))?;
        lessons.push((row.get(0)?, class, Lesson { learned, blocked_until }));
    }
    Ok(Ledger { ahead, lessons })
}
