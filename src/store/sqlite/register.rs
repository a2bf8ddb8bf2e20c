//! Makes the config's accounts, policies and providers known, marks what it no longer names, frees what a process
//! that died had claimed, and looks at the clock.

use rusqlite::{Connection, OptionalExtension, params};

use super::{outcome, providers, replicas, tx::Tx};
use crate::{
    model::{AccountDecl, AccountId, Health, KeptTime, Mode, ProviderDecl, ReplicaId, Timestamp},
    policy::{Policy, replica::Event},
    store::{Recorded, Registered, Registration, StoreError},
};

pub(super) fn register(
    tx: &mut Tx<'_>,
    config: &Registration,
    now: Timestamp,
) -> Result<Registered, StoreError> {
    let mut registered = Registered::default();
    look_at_the_clock(tx, now, &mut registered)?;
    declare(tx, config, now, &mut registered)?;
    registered.recovered = free_claims(tx, now)?;
    tx.saw(now);
    Ok(registered)
}

/// Another config, of the process that serves already.
pub(super) fn reregister(
    tx: &mut Tx<'_>,
    config: &Registration,
    now: Timestamp,
) -> Result<Registered, StoreError> {
    let mut registered = Registered::default();
    declare(tx, config, now, &mut registered)?;
    tx.saw(now);
    Ok(registered)
}

fn declare(
    tx: &mut Tx<'_>,
    config: &Registration,
    now: Timestamp,
    registered: &mut Registered,
) -> Result<(), StoreError> {
    for account in &config.accounts {
        registered.accounts.push((account.name.clone(), register_account(tx, account)?));
    }
    retire_accounts(tx, config, now)?;
    for policy in &config.policies {
        register_policy(tx, policy)?;
    }
    registered.orphaned_policies = orphaned_policies(tx, config)?;
    for provider in &config.providers {
        register_provider(tx, provider, now)?;
    }
    tx.forget_config();
    mark_absent(tx, config, now, registered)
}

fn look_at_the_clock(tx: &Tx<'_>, now: Timestamp, registered: &mut Registered) -> Result<(), StoreError> {
    // instance: latest time
    let floor: i64 = tx.conn.query_row("SELECT clock_floor FROM instance", [], |row| row.get(0))?;
    let floor = Timestamp::from_millis(floor);
    registered.time = kept_time(tx.conn)?;
    registered.clock_behind = (now < floor).then(|| floor.since(now));
    if registered.clock_behind.is_some() {
        // instance: the clock went back, and stays there
        tx.conn.execute("UPDATE instance SET clock_floor = ?1", [now.as_millis()])?;
    }
    Ok(())
}

pub(super) fn kept_time(conn: &Connection) -> Result<KeptTime, StoreError> {
    // instance: the time that was believed last
    let select = "SELECT clock_sure, clock_wall, clock_left FROM instance";
    let kept = conn.query_row(select, [], |row| {
        let left: Option<i64> = row.get(2)?;
        Ok(KeptTime {
            sure: Timestamp::from_millis(row.get(0)?),
            wall: Timestamp::from_millis(row.get(1)?),
            left: left.map(|left| Timestamp::from_millis(left).since(Timestamp::ZERO)),
        })
    })?;
    Ok(kept)
}

/// Keeps the time that is believed, for the next start.
pub(super) fn keep_time(tx: &Tx<'_>, time: KeptTime) -> Result<(), StoreError> {
    let left = time.left.map(|left| Timestamp::ZERO.plus(left).as_millis());
    // instance: the time that is believed
    tx.conn
        .prepare_cached("UPDATE instance SET clock_sure = ?1, clock_wall = ?2, clock_left = ?3")?
        .execute(params![time.sure.as_millis(), time.wall.as_millis(), left])?;
    Ok(())
}

fn register_account(tx: &mut Tx<'_>, account: &AccountDecl) -> Result<AccountId, StoreError> {
    // account: new, or back
    let id = tx.conn.query_row(
        "INSERT INTO accounts(name, weight) VALUES(?1, ?2)
         ON CONFLICT DO UPDATE SET retired_at = NULL, weight = excluded.weight RETURNING id",
        params![account.name, account.weight.get()],
        |row| row.get(0),
    )?;
    let id = AccountId(id);
    tx.account(id)?.retired = false;
    Ok(id)
}

/// An account that still has pins cannot vanish silently: nobody could list or delete them any more.
fn retire_accounts(tx: &mut Tx<'_>, config: &Registration, now: Timestamp) -> Result<(), StoreError> {
    // accounts: in use
    let mut select = tx.conn.prepare("SELECT id, name FROM accounts WHERE retired_at IS NULL")?;
    let known: Vec<(i64, String)> =
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    for (id, name) in known {
        if config.accounts.iter().any(|account| account.name == name) {
            continue;
        }
        let account = tx.account(AccountId(id))?;
        if account.used.pins > 0 {
            return Err(StoreError::StillUsed { what: "account", name, pins: account.used.pins });
        }
        account.retired = true;
        // account: retired
        tx.conn.execute("UPDATE accounts SET retired_at = ?2 WHERE id = ?1", params![id, now.as_millis()])?;
    }
    Ok(())
}

fn register_policy(tx: &Tx<'_>, policy: &Policy) -> Result<(), StoreError> {
    let body = serde_json::to_string(policy).map_err(|error| StoreError::Corrupt(error.into()))?;
    // policy: newest revision
    let newest: Option<(i64, String)> = tx
        .conn
        .query_row(
            "SELECT rev, body FROM policies WHERE name = ?1 ORDER BY rev DESC LIMIT 1",
            [&policy.name],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let rev = match newest {
        Some((_, known)) if known == body => return Ok(()),
        Some((rev, _)) => rev + 1,
        None => 1,
    };
    // policy: new revision
    tx.conn.execute(
        "INSERT INTO policies(name, rev, body) VALUES(?1, ?2, ?3)",
        params![policy.name, rev, body],
    )?;
    Ok(())
}

/// Policies that the config does not name any more, with the pins that follow their last revisions.
fn orphaned_policies(tx: &Tx<'_>, config: &Registration) -> Result<Vec<(String, u64)>, StoreError> {
    // policies: with the pins that follow them
    let mut select = tx.conn.prepare(
        "SELECT p.name, sum(t.n) FROM policies p JOIN tallies t ON t.what = 'policy/' || p.id
         WHERE t.n > 0 GROUP BY p.name",
    )?;
    let used: Vec<(String, u64)> =
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    let named = |name: &String| config.policies.iter().any(|policy| policy.name == *name);
    Ok(used.into_iter().filter(|(name, _)| !named(name)).collect())
}

fn register_provider(tx: &mut Tx<'_>, declared: &ProviderDecl, now: Timestamp) -> Result<(), StoreError> {
    write_provider(tx, declared, now)?;
    // provider: copies may come to lack looks of their own
    tx.conn
        .prepare_cached("UPDATE providers SET unplanned = 1 WHERE name = ?1 AND ?2 AND NOT unplanned")?
        .execute(params![declared.name, declared.facts.is_swept()])?;
    Ok(())
}

fn write_provider(tx: &mut Tx<'_>, declared: &ProviderDecl, now: Timestamp) -> Result<(), StoreError> {
    let facts = serde_json::to_string(&declared.facts).map_err(|error| StoreError::Corrupt(error.into()))?;
    let Some(known) = providers::by_name(tx.conn, &declared.name)? else {
        // provider: new
        tx.conn.execute(
            "INSERT INTO providers(name, fingerprint, mode, health, health_since, facts)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
            params![
                declared.name,
                declared.fingerprint.as_bytes(),
                Mode::Active.code(),
                Health::Healthy.code(),
                now.as_millis(),
                facts
            ],
        )?;
        return Ok(());
    };
    if known.fingerprint != declared.fingerprint && has_replicas(tx, &known)? {
        return Err(StoreError::Rebind { name: known.name });
    }
    // provider: back, or never used under its old fingerprint
    tx.conn.execute(
        "UPDATE providers SET fingerprint = ?2, absent_since = NULL, facts = ?3 WHERE id = ?1",
        params![known.id.0, declared.fingerprint.as_bytes(), facts],
    )?;
    if known.facts.tags != declared.facts.tags {
        // Of copies that are spread by a tag others may count now.
        providers::resettle(tx, known.id)?;
    }
    if known.facts.max_pins != declared.facts.max_pins {
        tx.made_room();
    }
    match (known.absent_since, known.health) {
        // Whoever names it again wants it used; where it does not answer that is found out again, and it has its time anew.
        (Some(_), health) if !health.is_usable() => providers::note(tx, known.id, Health::Healthy, None, now),
        _ => Ok(()),
    }
}

fn has_replicas(tx: &Tx<'_>, provider: &crate::model::ProviderRecord) -> Result<bool, StoreError> {
    // replicas: any at a provider
    let any = tx.conn.query_row(
        "SELECT EXISTS(SELECT 1 FROM replicas WHERE provider = ?1)",
        [provider.id.0],
        |row| row.get(0),
    )?;
    Ok(any)
}

fn mark_absent(
    tx: &mut Tx<'_>,
    config: &Registration,
    now: Timestamp,
    registered: &mut Registered,
) -> Result<(), StoreError> {
    // providers: no longer named by the config
    let mut mark =
        tx.conn.prepare("UPDATE providers SET absent_since = coalesce(absent_since, ?2) WHERE id = ?1")?;
    for mut provider in providers::load_providers(tx.conn)? {
        if config.providers.iter().any(|declared| declared.name == provider.name) {
            registered.providers.push(provider);
            continue;
        }
        mark.execute(params![provider.id.0, now.as_millis()])?;
        provider.absent_since.get_or_insert(now);
        let copies = providers::copies_on_record(tx.conn, provider.id)?;
        registered.absent.push((provider, copies));
    }
    Ok(())
}

/// Only one process serves a database: whatever is claimed when it starts, nobody works on.
fn free_claims(tx: &mut Tx<'_>, now: Timestamp) -> Result<u64, StoreError> {
    // replicas: claimed
    let claimed: Vec<i64> = tx
        .conn
        .prepare("SELECT id FROM replicas INDEXED BY replicas_leased WHERE leased")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    let freed = claimed.len() as u64;
    for id in claimed {
        if let Some(replica) = replicas::load(tx, ReplicaId(id))? {
            let freed = replicas::step(tx, replica.clone(), Event::Deferred { until: now }, now)?;
            if replicas::shows(&replica, freed.as_ref()) {
                outcome::settle_pins(tx, replica.id, now, &mut Recorded::default())?;
            }
        }
    }
    Ok(freed)
}
