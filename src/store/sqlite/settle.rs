//! Settles one pin inside the transaction that changed its copies: status, counters, further copies, copies let go.

mod heir;
pub(super) mod room;

use std::{sync::Arc, time::Duration};

use rusqlite::{OptionalExtension, params};

pub(super) use self::heir::inherit;
use super::{events, replicas, tx::Tx};
use crate::{
    lifecycle::Change,
    model::{
        AccountId, Content, ContentId, PinId, PolicyId, ProviderId, ReplicaId, ReplicaState, RequestId,
        Status, Timestamp, replica::Replica,
    },
    policy::{self, CopyView, PinView, Placement, Policy, ProviderView, Verdict, replica::Event},
    store::{Missing, StoreError},
};

/// What settling reads of a pin's row.
pub(super) struct Pin {
    pub(super) id: i64,
    pub(super) requestid: RequestId,
    pub(super) account: AccountId,
    pub(super) content: ContentId,
    pub(super) created: Timestamp,
    /// By the wall clock, which `created` may run ahead of.
    pub(super) accepted: Timestamp,
    pub(super) status: Status,
    pub(super) policy: PolicyId,
    pub(super) need: u16,
    pub(super) want: u16,
    pub(super) have: u16,
    pub(super) was_pinned: bool,
    pub(super) trim: bool,
    pub(super) missing: u16,
    pub(super) expires: Option<Timestamp>,
    /// Since when one that was pinned has fewer copies than its policy's least.
    pub(super) short_since: Option<Timestamp>,
}

/// The columns that [`Pin::decode`] reads, in its order.
macro_rules! columns {
    () => {
        "id, requestid, account, content, created, accepted, status, policy, need, want, have, was_pinned, trim,
         expires_at, missing, short_since"
    };
}

impl Pin {
    pub(super) fn load(tx: &Tx<'_>, id: i64) -> Result<Option<Self>, StoreError> {
        // pin by id
        let pin = tx
            .conn
            .prepare_cached(concat!("SELECT ", columns!(), " FROM pins WHERE id = ?1"))?
            .query_row([id], Self::decode)
            .optional()?;
        Ok(pin)
    }

    pub(super) fn find(
        tx: &Tx<'_>,
        account: AccountId,
        requestid: RequestId,
    ) -> Result<Option<Self>, StoreError> {
        // pin by requestid, of this account only
        let pin = tx
            .conn
            .prepare_cached(concat!(
                "SELECT ",
                columns!(),
                " FROM pins WHERE requestid = ?1 AND account = ?2"
            ))?
            .query_row(params![requestid.as_bytes(), account.0], Self::decode)
            .optional()?;
        Ok(pin)
    }

    fn decode(row: &rusqlite::Row<'_>) -> rusqlite::Result<Self> {
        let code: i64 = row.get(6)?;
        Ok(Self {
            id: row.get(0)?,
            requestid: RequestId::from_bytes(row.get(1)?),
            account: AccountId(row.get(2)?),
            content: ContentId(row.get(3)?),
            created: Timestamp::from_millis(row.get(4)?),
            accepted: Timestamp::from_millis(row.get(5)?),
            status: Status::from_code(code).ok_or(rusqlite::Error::IntegralValueOutOfRange(6, code))?,
            policy: PolicyId(row.get(7)?),
            need: row.get(8)?,
            want: row.get(9)?,
            have: row.get(10)?,
            was_pinned: row.get(11)?,
            trim: row.get(12)?,
            expires: row.get::<_, Option<i64>>(13)?.map(Timestamp::from_millis),
            missing: row.get(14)?,
            short_since: row.get::<_, Option<i64>>(15)?.map(Timestamp::from_millis),
        })
    }

    /// Whether `have` copies are fewer than its policy's least. One that needs none is never short.
    pub(super) fn is_short(&self, policy: &Policy, have: u16) -> bool {
        have < policy.copies.min.min(self.want)
    }

    /// Since when it is short with so many copies; one that never was pinned is only on its way.
    pub(super) fn short_since(
        &self,
        policy: &Policy,
        have: u16,
        was_pinned: bool,
        now: Timestamp,
    ) -> Option<Timestamp> {
        (was_pinned && self.is_short(policy, have)).then(|| self.short_since.unwrap_or(now))
    }
}

/// What a pin is settled by: its policy, and the providers there are.
struct Ground {
    policy: Arc<Policy>,
    content: Content,
    views: Vec<ProviderView>,
    /// For how long the pin stays, where it ends.
    lives: Option<Duration>,
    now: Timestamp,
}

impl Ground {
    fn of(tx: &mut Tx<'_>, pin: &Pin, now: Timestamp) -> Result<Self, StoreError> {
        let policy = tx.policy(pin.policy)?;
        let views = tx.views(&policy, Some(pin.content), now)?;
        let content = replicas::content(tx, pin.content)?;
        Ok(Self { policy, content, views, lives: pin.expires.map(|expires| expires.since(now)), now })
    }

    fn settle(&self, pin: &Pin, copies: &[CopyView]) -> Verdict {
        let Self { policy, content, views, lives, now } = self;
        let placement = Placement { policy, content, lives: *lives, views };
        let view = PinView { need: pin.need, want: pin.want, was_pinned: pin.was_pinned, trim: pin.trim };
        policy::settle(&view, copies, &placement, *now)
    }
}

fn copies_of(tx: &Tx<'_>, pin: &Pin) -> Result<Vec<CopyView>, StoreError> {
    Ok(replicas::own_copies(tx, pin.id)?.iter().map(CopyView::from).collect())
}

/// Settles a pin, and those to which a copy comes that it lets go; returns how many links were made or dropped.
pub(super) fn settle(tx: &mut Tx<'_>, pin: i64, now: Timestamp) -> Result<u64, StoreError> {
    let (mut relinked, mut pins) = (0, vec![pin]);
    while let Some(pin) = pins.pop() {
        if let Some(pin) = Pin::load(tx, pin)? {
            relinked += settle_one(tx, &pin, &mut pins, now)?;
        }
    }
    Ok(relinked)
}

/// Settles the pins that places were kept for; returns how many, and how many links were made or dropped.
pub(super) fn settle_heirs(tx: &mut Tx<'_>, now: Timestamp) -> Result<(u64, u64), StoreError> {
    let (mut settled, mut relinked) = (0, 0);
    while let Some(heir) = tx.heirs.pop() {
        relinked += settle(tx, heir, now)?;
        settled += 1;
    }
    Ok((settled, relinked))
}

fn settle_one(tx: &mut Tx<'_>, pin: &Pin, heirs: &mut Vec<i64>, now: Timestamp) -> Result<u64, StoreError> {
    let mut copies = copies_of(tx, pin)?;
    let ground = Ground::of(tx, pin, now)?;
    let mut relinked = 0;
    // A further copy may be there already, for another pin: it counts at once. Each round has fewer left to ask.
    let verdict = loop {
        let verdict = ground.settle(pin, &copies);
        if verdict.link.is_empty() {
            break verdict;
        }
        for provider in &verdict.link {
            copies.push(CopyView::from(&link(tx, pin, *provider, now)?));
            relinked += 1;
        }
    };
    for copy in copies.iter().filter(|copy| verdict.unlink.contains(&copy.replica)) {
        if let Some(heir) = heir::find(tx, pin, copy, now)? {
            insert_link(tx, heir, copy.replica, None)?;
            heirs.push(heir);
        }
        unlink(tx, pin.id, copy.replica, now)?;
        relinked += 1;
    }
    if verdict.release_held {
        relinked += release_held(tx, pin.id, now)?;
    } else if verdict.missing > 0 {
        relinked += room::make(tx, pin, now)?;
    }
    note_late(tx, &verdict.late_at)?;
    note_rank(tx, &copies, verdict.rank)?;
    record(tx, pin, &ground.policy, &verdict, now)?;
    Ok(relinked)
}

/// Settles pins after one that wait for a provider to have a further copy; returns the last one, where there are more.
pub(super) fn settle_missing(
    tx: &mut Tx<'_>,
    after: PinId,
    limit: u32,
    now: Timestamp,
) -> Result<Missing, StoreError> {
    // pins_missing: after one
    let pins: Vec<i64> = tx
        .conn
        .prepare_cached(
            "SELECT id FROM pins INDEXED BY pins_missing WHERE missing > 0 AND id > ?1 ORDER BY id LIMIT ?2",
        )?
        .query_map(params![after.0, limit], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let mut relinked = 0;
    for pin in &pins {
        relinked += settle(tx, *pin, now)?;
    }
    let next = pins.last().filter(|_| pins.len() == limit as usize).map(|last| PinId(*last));
    Ok(Missing { next, relinked })
}

/// Writes what changed of the pin itself, and tells who waits.
fn record(
    tx: &mut Tx<'_>,
    pin: &Pin,
    policy: &Policy,
    verdict: &Verdict,
    now: Timestamp,
) -> Result<(), StoreError> {
    let was_pinned = pin.was_pinned || verdict.status == Status::Pinned;
    let trim = pin.trim && !verdict.trimmed;
    let short_since = pin.short_since(policy, verdict.have, was_pinned, now);
    let before = (pin.status, pin.have, pin.missing, pin.was_pinned, pin.trim, pin.short_since);
    if (verdict.status, verdict.have, verdict.missing, was_pinned, trim, short_since) != before {
        // pin: its new status
        tx.conn
            .prepare_cached(
                "UPDATE pins SET status = ?2, have = ?3, missing = ?4, was_pinned = ?5, trim = ?6, short_since = ?7
                 WHERE id = ?1",
            )?
            .execute(params![
                pin.id,
                verdict.status.code(),
                verdict.have,
                verdict.missing,
                was_pinned,
                trim,
                short_since.map(Timestamp::as_millis)
            ])?;
    }
    if verdict.status != pin.status {
        tx.count_pin(pin.account.0, pin.status, pin.created, -1);
        tx.count_pin(pin.account.0, verdict.status, pin.created, 1);
        let first = !pin.was_pinned;
        tx.entered(verdict.status, first.then(|| now.since(pin.accepted)));
        events::pin_status(tx, pin.account, pin.requestid, (pin.status, verdict.status), now)?;
    }
    match (pin.is_short(policy, pin.have), pin.is_short(policy, verdict.have)) {
        (true, false) => tx.count_short(-1),
        (false, true) => tx.count_short(1),
        _ => {}
    }
    tx.tell(pin.requestid, Change { status: verdict.status, answered: verdict.answered });
    Ok(())
}

/// Plans to settle the pins of copies again when they become late.
pub(super) fn note_late(tx: &Tx<'_>, late_at: &[(ReplicaId, Timestamp)]) -> Result<(), StoreError> {
    for (replica, at) in late_at {
        // replica: late for the first of its pins
        tx.conn
            .prepare_cached(
                "UPDATE replicas SET late_at = ?2 WHERE id = ?1 AND coalesce(late_at, ?2 + 1) > ?2",
            )?
            .execute([replica.0, at.as_millis()])?;
    }
    Ok(())
}

/// Plans when copies that are not sent are, before or after others. Of several pins the most urgent one counts.
pub(super) fn note_rank(tx: &Tx<'_>, copies: &[CopyView], rank: i64) -> Result<(), StoreError> {
    let waits = |copy: &&CopyView| {
        matches!(copy.state, ReplicaState::None | ReplicaState::Lost | ReplicaState::Failed)
    };
    for copy in copies.iter().filter(waits) {
        // replica: its rank; tens are live copies, of which all pins have about the same
        tx.conn
            .prepare_cached(
                "UPDATE replicas SET rank = ?2 WHERE id = ?1 AND rank <> ?2
                 AND (rank > ?2 OR (rank + 4) / 10 <> (?2 + 4) / 10)",
            )?
            .execute([copy.replica.0, rank])?;
    }
    Ok(())
}

/// Links a pin to its copy at a provider, own and not held.
fn link(tx: &mut Tx<'_>, pin: &Pin, provider: ProviderId, now: Timestamp) -> Result<Replica, StoreError> {
    let replica = replicas::want(tx, provider, pin.content, pin.account, now)?;
    insert_link(tx, pin.id, replica.id, None)?;
    Ok(replica)
}

/// Makes a link; one that was held becomes own.
pub(super) fn insert_link(
    tx: &Tx<'_>,
    pin: i64,
    replica: ReplicaId,
    held_since: Option<Timestamp>,
) -> Result<(), StoreError> {
    // link: new, or held no longer
    tx.conn
        .prepare_cached(
            "INSERT INTO pin_replicas(pin, replica, held_since) VALUES(?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET held_since = NULL WHERE excluded.held_since IS NULL",
        )?
        .execute(params![pin, replica.0, held_since.map(Timestamp::as_millis)])?;
    Ok(())
}

/// Drops one link; a replica that nobody needs any more is removed in time.
pub(super) fn unlink(
    tx: &mut Tx<'_>,
    pin: i64,
    replica: ReplicaId,
    now: Timestamp,
) -> Result<(), StoreError> {
    // link: gone
    tx.conn
        .prepare_cached("DELETE FROM pin_replicas WHERE pin = ?1 AND replica = ?2")?
        .execute([pin, replica.0])?;
    release_if_unneeded(tx, replica, now)
}

/// Tells a replica that it is not needed if its last link is gone (I6).
pub(super) fn release_if_unneeded(
    tx: &mut Tx<'_>,
    replica: ReplicaId,
    now: Timestamp,
) -> Result<(), StoreError> {
    // links: does anybody need it
    let needed: bool = tx
        .conn
        .prepare_cached("SELECT EXISTS(SELECT 1 FROM pin_replicas WHERE replica = ?1)")?
        .query_row([replica.0], |row| row.get(0))?;
    if !needed && let Some(replica) = replicas::load(tx, replica)? {
        replicas::step(tx, replica, Event::Unwanted, now)?;
    }
    Ok(())
}

fn release_held(tx: &mut Tx<'_>, pin: i64, now: Timestamp) -> Result<u64, StoreError> {
    // links: held ones of a pin
    let held: Vec<i64> = tx
        .conn
        .prepare_cached("SELECT replica FROM pin_replicas WHERE pin = ?1 AND held_since IS NOT NULL")?
        .query_map([pin], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let released = held.len() as u64;
    for replica in held {
        unlink(tx, pin, ReplicaId(replica), now)?;
    }
    Ok(released)
}
