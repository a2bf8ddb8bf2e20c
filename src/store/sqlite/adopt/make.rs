//! Makes pins of what was staged, the oldest first, each with its copy at the provider as adopted.

use std::{sync::Arc, time::Duration};

use rusqlite::{OptionalExtension, Row, params};

use super::{BOTH, GONE, HAD, MADE, OPEN, WAITING, is_on_record, same_pin};
use crate::{
    model::{
        Content, ContentId, Doubt, Goal, Meta, Origins, Owned, PinCid, PinSpec, PolicyId, Quota, ReplicaId,
        ReplicaState, RequestId, Status, Timestamp, UpstreamId, replica::Replica,
    },
    policy::{self, CopyView, PinView, Placement, Policy, replica::Event},
    store::{
        AcceptPin, Adopted, Adoption, StoreError,
        sqlite::{
            accept,
            errors::bad_code,
            outcome,
            replicas::{self, decode_upstream, upstream_value},
            settle,
            tx::Tx,
        },
    },
};

/// What was listed longer ago is looked at again before other copies may go for it (I8). Wall clock.
const FRESH: Duration = Duration::from_secs(3600);

/// A staged pin.
struct Listed {
    upstream: UpstreamId,
    spec: PinSpec,
    created: Option<Timestamp>,
}

/// Who can stand for a content's replica.
struct Stand {
    upstream: UpstreamId,
    status: Status,
    seen: Timestamp,
}

/// What became of one.
#[derive(Default)]
struct Decision {
    state: i64,
    doubled: bool,
    copies: u64,
}

/// The columns that [`Listed::decode`] reads, in its order.
const COLUMNS: &str = "upstream, content, cid, name, meta, origins, created";

pub(super) fn step(
    tx: &mut Tx<'_>,
    adoption: &Adoption,
    limit: u32,
    now: Timestamp,
) -> Result<Adopted, StoreError> {
    let mut adopting = Adopting::new(tx, adoption, now)?;
    let mut adopted = Adopted::default();
    for listed in open(adopting.tx, adoption, limit)? {
        let decision = match adoption.is_dry {
            true => adopting.plan(&listed)?,
            false => adopting.decide(&listed)?,
        };
        adopting.record(&listed.upstream, &decision)?;
        adopted.decided += u64::from(decision.state != WAITING);
        adopted.made += u64::from(decision.state == MADE && !adoption.is_dry);
        adopted.doubles += u64::from(decision.doubled);
    }
    if adopted.decided == 0 {
        adopted.waiting = take_up(adopting.tx, adoption)?;
    }
    Ok(adopted)
}

/// The next ones to decide on, the oldest first.
fn open(tx: &Tx<'_>, adoption: &Adoption, limit: u32) -> Result<Vec<Listed>, StoreError> {
    // adopting_next: open ones of a job, oldest first
    let mut select = tx.conn.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM adopting INDEXED BY adopting_next WHERE job = ?1 AND state = ?2
         ORDER BY created, upstream LIMIT ?3"
    ))?;
    let rows = select.query_map(params![adoption.job.0, OPEN, limit], |row| Ok(Listed::decode(row)))?;
    rows.map(|row| row?).collect()
}

/// Has those that were put off decided on next. Returns how many they are.
fn take_up(tx: &Tx<'_>, adoption: &Adoption) -> Result<u64, StoreError> {
    // adopting_next: put off, and open again
    let taken = tx
        .conn
        .prepare_cached("UPDATE adopting SET state = ?2 WHERE job = ?1 AND state = ?3")?
        .execute(params![adoption.job.0, OPEN, WAITING])?;
    Ok(taken as u64)
}

impl Listed {
    fn decode(row: &Row<'_>) -> Result<Self, StoreError> {
        let key: Vec<u8> = row.get(1)?;
        let content = Content::from_bytes(&key).map_err(|error| StoreError::Corrupt(error.into()))?;
        let cid = match row.get::<_, Option<String>>(2)? {
            Some(text) => PinCid::parse(&text).map_err(|error| StoreError::Corrupt(error.into()))?,
            None => PinCid::canonical(content),
        };
        let (meta, origins): (Option<String>, Option<String>) = (row.get(4)?, row.get(5)?);
        let spec = PinSpec {
            cid,
            name: row.get(3)?,
            meta: meta.as_deref().and_then(Meta::from_json),
            origins: origins.as_deref().and_then(Origins::from_json).unwrap_or_default(),
        };
        let created = row.get::<_, Option<i64>>(6)?.map(Timestamp::from_millis);
        Ok(Self { upstream: decode_id(row, 0)?, spec, created })
    }

    fn content(&self) -> &Content {
        self.spec.cid.content()
    }

    fn meta(&self) -> Option<String> {
        self.spec.meta.as_ref().map(Meta::to_json)
    }
}

fn decode_id(row: &Row<'_>, column: usize) -> Result<UpstreamId, StoreError> {
    decode_upstream(row.get_ref(column)?)?.ok_or_else(|| bad_code("upstream id", 0))
}

/// Decides within one transaction.
struct Adopting<'t, 'a> {
    tx: &'t mut Tx<'a>,
    adoption: &'t Adoption,
    policy: (PolicyId, Arc<Policy>),
    now: Timestamp,
}

impl<'t, 'a> Adopting<'t, 'a> {
    fn new(tx: &'t mut Tx<'a>, adoption: &'t Adoption, now: Timestamp) -> Result<Self, StoreError> {
        let id = tx.current_policy(&adoption.policy)?;
        let policy = (id, tx.policy(id)?);
        Ok(Self { tx, adoption, policy, now })
    }

    fn record(&self, upstream: &UpstreamId, decision: &Decision) -> Result<(), StoreError> {
        let Decision { state, doubled, copies } = decision;
        // adopting: decided on
        self.tx
            .conn
            .prepare_cached(
                "UPDATE adopting SET state = ?3, doubled = ?4, copies = ?5 WHERE job = ?1 AND upstream = ?2",
            )?
            .execute(params![self.adoption.job.0, upstream_value(upstream), state, doubled, copies])?;
        Ok(())
    }

    fn decide(&mut self, listed: &Listed) -> Result<Decision, StoreError> {
        if self.is_both(listed)? {
            return Ok(Decision { state: BOTH, ..Decision::default() });
        }
        let (content, _) = accept::content_id(self.tx, listed.content())?;
        let known = replicas::load_at(self.tx, self.adoption.provider, content)?;
        if known.as_ref().is_some_and(is_busy) {
            return Ok(Decision { state: WAITING, ..Decision::default() });
        }
        let copy = self.copy(listed, content, known)?;
        let doubled = copy.upstream.as_ref() != Some(&listed.upstream);
        if doubled {
            self.delete_later(&listed.upstream, content)?;
        }
        let state = self.pin(listed, content, &copy)?;
        Ok(Decision { state, doubled, copies: 0 })
    }

    fn is_both(&self, listed: &Listed) -> Result<bool, StoreError> {
        let known =
            || is_on_record(self.tx, self.adoption.provider, listed.content().as_bytes(), &listed.upstream);
        Ok(known()? && !self.is_taken(&listed.upstream)?)
    }

    /// Whether it stands for its replica only since an older one of its content was decided on.
    fn is_taken(&self, upstream: &UpstreamId) -> Result<bool, StoreError> {
        // adopting: one
        let taken = self
            .tx
            .conn
            .prepare_cached("SELECT taken FROM adopting WHERE job = ?1 AND upstream = ?2")?
            .query_row(params![self.adoption.job.0, upstream_value(upstream)], |row| row.get(0))?;
        Ok(taken)
    }

    /// The content's replica there, with the best of its pins standing for it.
    fn copy(
        &mut self,
        listed: &Listed,
        content: ContentId,
        known: Option<Replica>,
    ) -> Result<Replica, StoreError> {
        let known = match known {
            Some(copy) => copy,
            None => {
                let Adoption { provider, account, .. } = *self.adoption;
                replicas::make(self.tx, provider, content, account, self.now)?
            }
        };
        let is_ours = known.owned != Owned::Found;
        if known.upstream.as_ref() == Some(&listed.upstream) {
            return if is_ours { Ok(known) } else { self.own(known) };
        }
        let best = self.best(listed)?;
        let is_there = known.seen_at > Some(best.seen) || self.was_listed(&known)?;
        if stays(&known, is_ours, is_there, best.status) {
            return Ok(known);
        }
        if let Some(other) = known.upstream.clone().filter(|other| is_ours && *other != best.upstream) {
            self.delete_later(&other, content)?;
        }
        self.adopt(known, best)
    }

    /// Whether the pin that stands for a replica was in the list, too: another one that was is not to go for it (I8) otherwise.
    fn was_listed(&self, known: &Replica) -> Result<bool, StoreError> {
        // adopting: one of a job
        let listed = self
            .tx
            .conn
            .prepare_cached(
                "SELECT EXISTS(SELECT 1 FROM adopting WHERE job = ?1 AND upstream = ?2 AND state <> ?3)",
            )?
            .query_row(
                params![self.adoption.job.0, known.upstream.as_ref().map(upstream_value), GONE],
                |row| row.get(0),
            )?;
        Ok(listed)
    }

    /// What was found there is the account's by its operator's word, and so ours.
    fn own(&mut self, found: Replica) -> Result<Replica, StoreError> {
        let (Some(upstream), seen_at) = (found.upstream.clone(), self.now) else { return Ok(found) };
        let event = Event::Adopted { upstream, status: Status::Queued, confirmed: false, seen_at };
        let owned = replicas::step(self.tx, found.clone(), event, self.now)?;
        // Holds: a replica that is to be kept is never forgotten.
        Ok(owned.unwrap_or(found))
    }

    fn adopt(&mut self, before: Replica, best: Stand) -> Result<Replica, StoreError> {
        let Stand { upstream, status, seen } = best;
        // adopting: it stands for the replica
        self.tx
            .conn
            .prepare_cached("UPDATE adopting SET taken = 1 WHERE job = ?1 AND upstream = ?2")?
            .execute(params![self.adoption.job.0, upstream_value(&upstream)])?;
        outcome::is_no_double(self.tx, self.adoption.provider, &upstream)?;
        let confirmed = self.adoption.is_telling && self.now.since(seen) < FRESH;
        let event = Event::Adopted { upstream, status, confirmed, seen_at: seen };
        let after = replicas::step(self.tx, before.clone(), event, self.now)?;
        if replicas::shows(&before, after.as_ref()) {
            replicas::leave_to_remerge(self.tx, before.id)?;
        }
        // Holds: a replica that is to be kept is never forgotten.
        Ok(after.unwrap_or(before))
    }

    /// Of the content's staged pins the furthest along, the oldest of these.
    fn best(&self, listed: &Listed) -> Result<Stand, StoreError> {
        // adopting_content: open ones of a content
        let best = self
            .tx
            .conn
            .prepare_cached(
                "SELECT upstream, status, seen FROM adopting INDEXED BY adopting_content
                 WHERE job = ?1 AND content = ?2 AND state <= ?3
                 ORDER BY status = ?4 DESC, status <> ?5 DESC, created, upstream LIMIT 1",
            )?
            .query_row(
                params![
                    self.adoption.job.0,
                    listed.content().as_bytes(),
                    WAITING,
                    Status::Pinned.code(),
                    Status::Failed.code()
                ],
                |row| Ok((decode_id(row, 0), row.get(1)?, row.get(2)?)),
            )?;
        let (upstream, status, seen) = best;
        let status = Status::from_code(status).ok_or_else(|| bad_code("status", status))?;
        Ok(Stand { upstream: upstream?, status, seen: Timestamp::from_millis(seen) })
    }

    /// Has a pin upstream deleted, once the one that is kept is confirmed.
    fn delete_later(&self, upstream: &UpstreamId, content: ContentId) -> Result<(), StoreError> {
        outcome::note_doubles(
            self.tx,
            self.adoption.provider,
            content,
            std::slice::from_ref(upstream),
            self.now,
        )
    }

    /// Links the copy to a pin that asks for what was asked for upstream; one is made where the account has none.
    fn pin(&mut self, listed: &Listed, content: ContentId, copy: &Replica) -> Result<i64, StoreError> {
        let (name, meta) = (listed.spec.name.as_deref(), listed.meta());
        let (state, pin) = match same_pin(self.tx, self.adoption, content, name, meta.as_deref())? {
            Some(pin) => {
                settle::insert_link(self.tx, pin, copy.id, None)?;
                (HAD, pin)
            }
            None => (MADE, self.make_pin(listed, content, copy)?),
        };
        settle::settle(self.tx, pin, self.now)?;
        Ok(state)
    }

    fn make_pin(&mut self, listed: &Listed, content: ContentId, copy: &Replica) -> Result<i64, StoreError> {
        let (id, policy) = &self.policy;
        let request = AcceptPin {
            account: self.adoption.account,
            requestid: RequestId::mint(self.now),
            spec: listed.spec.clone(),
            policy: self.adoption.policy.clone(),
            // What is there is there: it is counted, and not refused.
            quota: Quota::NONE,
            expires: None,
            by: None,
            now: self.now,
        };
        let view = PinView { need: policy.need, want: policy.copies.max, was_pinned: false, trim: false };
        let copies = std::slice::from_ref(copy);
        let accepted = accept::record(self.tx, &request, (*id, policy), content, view, copies)?;
        // pin: its time upstream
        self.tx
            .conn
            .prepare_cached("UPDATE pins SET adopted_created = ?2 WHERE id = ?1")?
            .execute(params![accepted.pin.id, listed.created.map(Timestamp::as_millis)])?;
        Ok(accepted.pin.id)
    }

    /// What would become of one, as far as it can be told before the others are made.
    fn plan(&mut self, listed: &Listed) -> Result<Decision, StoreError> {
        if self.is_both(listed)? {
            return Ok(Decision { state: BOTH, ..Decision::default() });
        }
        let content = self.known_content(listed.content())?;
        let meta = listed.meta();
        let had = match content {
            Some(content) => {
                same_pin(self.tx, self.adoption, content, listed.spec.name.as_deref(), meta.as_deref())?
                    .is_some()
            }
            None => false,
        };
        let (planned, alike) = self.planned(listed, meta.as_deref())?;
        let state = if had || alike { HAD } else { MADE };
        let copies = if planned || had { 0 } else { self.copies_elsewhere(listed.content(), content)? };
        Ok(Decision { state, doubled: planned, copies })
    }

    /// Whether one of the same content is planned already, and whether that asks for all the same.
    fn planned(&self, listed: &Listed, meta: Option<&str>) -> Result<(bool, bool), StoreError> {
        let key = listed.content().as_bytes();
        // adopting_content: planned ones of a content
        let planned = self
            .tx
            .conn
            .prepare_cached(
                "SELECT count(*) > 0, coalesce(max(name IS ?4 AND meta IS ?5), 0)
                 FROM adopting INDEXED BY adopting_content WHERE job = ?1 AND content = ?2 AND state = ?3",
            )?
            .query_row(params![self.adoption.job.0, key, MADE, listed.spec.name, meta], |row| {
                Ok((row.get(0)?, row.get(1)?))
            })?;
        Ok(planned)
    }

    fn known_content(&self, content: &Content) -> Result<Option<ContentId>, StoreError> {
        // content by key
        let known = self
            .tx
            .conn
            .prepare_cached("SELECT id FROM contents WHERE key = ?1")?
            .query_row([content.as_bytes()], |row| row.get(0))
            .optional()?;
        Ok(known.map(ContentId))
    }

    /// Copies that the policy wants beside the one that is there, and that nobody has asked for yet.
    fn copies_elsewhere(&mut self, content: &Content, known: Option<ContentId>) -> Result<u64, StoreError> {
        let policy = self.policy.1.clone();
        let views = self.tx.views(&policy, known, self.now)?;
        let lives = policy.ends(self.now, None).map(|ends| ends.since(self.now));
        let placement = Placement { policy: &policy, content, lives, views: &views };
        let there = Replica::new(ReplicaId(0), self.adoption.provider, ContentId(0), self.now);
        let there = CopyView::from(&Replica { state: ReplicaState::Pinned, ..there });
        let own = policy::weigh(&[there], &placement, self.now);
        let counting = own.iter().filter(|own| own.counts).count();
        let more = usize::from(policy.copies.max).saturating_sub(counting);
        let mut copies = 0;
        for chosen in placement.choose(more, &own) {
            let there = match known {
                Some(known) => replicas::load_at(self.tx, chosen.provider, known)?,
                None => None,
            };
            copies += u64::from(there.is_none());
        }
        Ok(copies)
    }
}

/// Whether a call for it is under way, or may still take effect, or it is on its way out: nothing is decided meanwhile.
fn is_busy(copy: &Replica) -> bool {
    copy.leased || copy.doubt != Doubt::None || copy.goal == Goal::Remove
}

/// Whether the pin that stands for a replica is as good as the best that was listed. One of ours may be taken at its word
/// where it was listed, too, or seen since; one that was only found may be somebody else's and gone by now.
fn stays(copy: &Replica, is_ours: bool, is_there: bool, best: Status) -> bool {
    let pinned = copy.state == ReplicaState::Pinned;
    let better = best == Status::Pinned && !(is_ours && is_there && pinned);
    let missing = copy.upstream.is_none() || !(is_ours || pinned);
    !(better || missing)
}
