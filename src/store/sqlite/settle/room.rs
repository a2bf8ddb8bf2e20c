//! What a pin holds from one that it replaced gives way to the copies that it wants itself.

use rusqlite::params;

use super::{Ground, Pin, copies_of, unlink};
use crate::{
    model::{Goal, ProviderId, ReplicaId, Timestamp},
    policy::{self, Placement, place::Footing},
    store::{StoreError, sqlite::tx::Tx},
};

/// Lets go of what a pin holds at providers that are full (`max_pins`), where it would get copies if they were not. Their
/// places are free once the providers have confirmed the removals. Returns how many.
pub(in crate::store::sqlite) fn make(tx: &mut Tx<'_>, pin: &Pin, now: Timestamp) -> Result<u64, StoreError> {
    let held = held_alone(tx, pin)?;
    if held.is_empty() {
        return Ok(0);
    }
    let mut made = 0;
    for provider in wanted(tx, pin, now)? {
        if awaits(tx, pin, provider)? {
            continue;
        }
        if let Some((replica, _)) = held.iter().find(|(_, at)| *at == provider) {
            unlink(tx, pin.id, *replica, now)?;
            note_place(tx, *replica, pin)?;
            made += 1;
        }
    }
    Ok(made)
}

/// Whether a place is on its way there for the pin already: until then the provider is as full as before.
fn awaits(tx: &Tx<'_>, pin: &Pin, provider: ProviderId) -> Result<bool, StoreError> {
    // places_pin: of copies that go from a provider
    let awaits = tx
        .conn
        .prepare_cached(
            "SELECT EXISTS(SELECT 1 FROM places p CROSS JOIN replicas r ON r.id = p.replica
                           WHERE p.pin = ?1 AND r.provider = ?2 AND r.goal = ?3)",
        )?
        .query_row(params![pin.id, provider.0, Goal::Remove.code()], |row| row.get(0))?;
    Ok(awaits)
}

/// What waits for places is another pin now.
pub(in crate::store::sqlite) fn hand_on(tx: &Tx<'_>, old: &Pin, new: &Pin) -> Result<(), StoreError> {
    // places_pin: those of a pin
    tx.conn.prepare_cached("UPDATE places SET pin = ?2 WHERE pin = ?1")?.execute([old.id, new.id])?;
    Ok(())
}

/// The place is the pin's own once the copy is gone: whoever else waits for one there had none to give.
fn note_place(tx: &Tx<'_>, replica: ReplicaId, pin: &Pin) -> Result<(), StoreError> {
    // places: one, unless the copy is gone already
    tx.conn
        .prepare_cached(
            "INSERT OR REPLACE INTO places(replica, pin) SELECT id, ?2 FROM replicas WHERE id = ?1",
        )?
        .execute([replica.0, pin.id])?;
    Ok(())
}

/// What only this pin needs, and only holds, the oldest first: of any other the place would not get free.
fn held_alone(tx: &Tx<'_>, pin: &Pin) -> Result<Vec<(ReplicaId, ProviderId)>, StoreError> {
    // links: held ones of a pin, of replicas that no other pin needs
    let held = tx
        .conn
        .prepare_cached(
            "SELECT l.replica, r.provider FROM pin_replicas l JOIN replicas r ON r.id = l.replica
             WHERE l.pin = ?1 AND l.held_since IS NOT NULL
               AND NOT EXISTS(SELECT 1 FROM pin_replicas o WHERE o.replica = l.replica AND o.pin <> ?1)
             ORDER BY l.held_since, l.replica",
        )?
        .query_map(params![pin.id], |row| Ok((ReplicaId(row.get(0)?), ProviderId(row.get(1)?))))?
        .collect::<Result<_, _>>()?;
    Ok(held)
}

/// Full providers that would get the copies which a pin lacks.
fn wanted(tx: &mut Tx<'_>, pin: &Pin, now: Timestamp) -> Result<Vec<ProviderId>, StoreError> {
    let ground = Ground::of(tx, pin, now)?;
    let copies = copies_of(tx, pin)?;
    let mut views = ground.views.clone();
    for view in &mut views {
        view.has_it = true;
    }
    let Ground { policy, content, lives, .. } = &ground;
    let roomy = Placement { policy, content, lives: *lives, views: &views };
    let own = policy::weigh(&copies, &roomy, now);
    let lacks = usize::from(pin.want).saturating_sub(own.iter().filter(|own| own.counts).count());
    let is_full = |id: &ProviderId| ground.views.iter().any(|view| view.id == *id && view.is_full());
    let usable = roomy.choose(lacks, &own).filter(|next| next.footing == Footing::Usable);
    Ok(usable.map(|next| next.provider).filter(is_full).collect())
}
