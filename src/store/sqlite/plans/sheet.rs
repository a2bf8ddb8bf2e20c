//! The working of a plan: one content after the other, with all its pins and copies.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rusqlite::{Connection, Row, params};

use super::{load, revisions};
use crate::{
    model::{
        Content, ContentId, Goal, Mode, Owned, PolicyId, ProviderId, ProviderRecord, ReplicaId, RequestId,
        Timestamp, replica::Replica,
    },
    policy::{self, CopyView, Forecast, PinView, Placement, Policy, ProviderView, Reason},
    store::{
        Change, Plan, StoreError,
        sqlite::{
            providers::load_providers,
            replicas::{self, replica_columns},
        },
    },
};

/// Pins of one content that are looked at: further ones are as these.
const ALIKE: u32 = 10_000;
/// Pins that are short of copies and named.
const NAMED: usize = 10;

pub(super) struct Sheet<'a> {
    conn: &'a Connection,
    change: &'a Change,
    now: Timestamp,
    /// As they are once the change is made.
    providers: Vec<ProviderRecord>,
    /// Of a policy that is applied, oldest first.
    revisions: Vec<PolicyId>,
    policies: BTreeMap<PolicyId, (Arc<Policy>, Vec<ProviderView>)>,
    pub(super) plan: Plan,
}

/// A pin, with its own copies.
#[derive(Clone, PartialEq)]
struct Pin {
    requestid: RequestId,
    policy: PolicyId,
    view: PinView,
    expires: Option<Timestamp>,
    own: Vec<ReplicaId>,
}

impl<'a> Sheet<'a> {
    pub(super) fn open(
        conn: &'a Connection,
        change: &'a Change,
        plan: Plan,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let mut providers = load_providers(conn)?;
        let mut revisions_of = Vec::new();
        match change {
            Change::Drain { provider, allow_fewer } => {
                let drained = providers.iter_mut().find(|known| known.id == *provider);
                let drained = drained.ok_or_else(|| unknown("provider", provider))?;
                (drained.mode, drained.allow_fewer) = (Mode::Draining, *allow_fewer);
            }
            Change::Apply { policy } => revisions_of = revisions(conn, policy)?,
        }
        if let (Change::Apply { policy }, true) = (change, revisions_of.is_empty()) {
            return Err(unknown("policy", policy));
        }
        Ok(Self { conn, change, now, providers, revisions: revisions_of, policies: BTreeMap::new(), plan })
    }

    /// Adds what becomes of a content; returns how many pins were looked at.
    pub(super) fn add(&mut self, id: ContentId, content: &Content) -> Result<usize, StoreError> {
        let mut pins = self.pins(id)?;
        let copies = self.copies(id)?;
        let looked_at = pins.len() + 1;
        if let Change::Drain { provider, .. } = self.change
            && let Some(leaving) =
                copies.iter().find(|copy| copy.provider == *provider && copy.goal == Goal::Remove)
        {
            self.plan.leaving.removing += 1;
            self.goes(leaving);
            return Ok(looked_at);
        }
        let mut kept: BTreeSet<ReplicaId> = BTreeSet::new();
        let mut awaited: BTreeSet<ReplicaId> = BTreeSet::new();
        let mut coming: BTreeSet<ProviderId> = BTreeSet::new();
        let mut last: Option<(Pin, Forecast)> = None;
        for pin in &mut pins {
            if !self.touches(pin, &copies) {
                kept.extend(&pin.own);
                continue;
            }
            self.change_over(pin)?;
            let alike = last.as_ref().filter(|(other, _)| is_alike(other, pin));
            let end = match alike {
                Some((_, end)) => end.clone(),
                None => self.forecast(pin, content, &copies)?,
            };
            kept.extend(pin.own.iter().filter(|own| !end.gone.contains(own)));
            let made = |at: &&ProviderId| !copies.iter().any(|copy| copy.provider == **at && is_kept(copy));
            coming.extend(end.came.iter().filter(made));
            // A copy of another pin that it gets is kept for it.
            kept.extend(copies.iter().filter(|copy| end.came.contains(&copy.provider)).map(|copy| copy.id));
            let is_awaited = |copy: &&Replica| {
                is_kept(copy) && end.safe.contains(&copy.provider) && !CopyView::from(*copy).confirmed
            };
            awaited.extend(copies.iter().filter(is_awaited).map(|copy| copy.id));
            self.note(pin, &end);
            last = Some((pin.clone(), end));
        }
        self.sum(&copies, &kept, &coming, &awaited);
        Ok(looked_at)
    }

    /// Whether the change is about it.
    fn touches(&self, pin: &Pin, copies: &[Replica]) -> bool {
        match self.change {
            Change::Drain { provider, .. } => {
                let at = copies.iter().find(|copy| copy.provider == *provider);
                at.is_some_and(|copy| pin.own.contains(&copy.id))
            }
            Change::Apply { .. } => {
                let newest = self.revisions.last() == Some(&pin.policy);
                self.revisions.contains(&pin.policy) && (!newest || pin.view.trim)
            }
        }
    }

    /// Makes it follow the newest revision.
    fn change_over(&mut self, pin: &mut Pin) -> Result<(), StoreError> {
        if let Some(newest) = self.revisions.last().copied() {
            let policy = self.policy(newest)?;
            pin.policy = newest;
            pin.view = crate::store::sqlite::apply::changed_over(&pin.view, &policy);
        }
        Ok(())
    }

    fn policy(&mut self, id: PolicyId) -> Result<Arc<Policy>, StoreError> {
        if let Some((known, _)) = self.policies.get(&id) {
            return Ok(known.clone());
        }
        // policy by id
        let body: String = self
            .conn
            .prepare_cached("SELECT body FROM policies WHERE id = ?1")?
            .query_row([id.0], |row| row.get(0))?;
        let policy: Policy =
            serde_json::from_str(&body).map_err(|error| StoreError::Corrupt(error.into()))?;
        let (policy, views) = (Arc::new(policy), Vec::new());
        self.policies.insert(id, (policy.clone(), views));
        Ok(policy)
    }

    /// The providers as placement would see them once all that was planned until now is done.
    fn views(&mut self, id: PolicyId, policy: &Policy) -> Result<Vec<ProviderView>, StoreError> {
        let known = self.policies.get(&id).map(|(_, views)| views).filter(|views| !views.is_empty());
        let mut views = known.cloned().unwrap_or_else(|| policy.views(&self.providers, self.now));
        for view in views.iter_mut().filter(|view| view.needs_load(policy)) {
            view.copies = load(self.conn, view.id.0)? + self.plan.coming.get(&view.id).copied().unwrap_or(0);
        }
        if let Some((_, kept)) = self.policies.get_mut(&id) {
            kept.clone_from(&views);
        }
        Ok(views)
    }

    fn forecast(&mut self, pin: &Pin, content: &Content, copies: &[Replica]) -> Result<Forecast, StoreError> {
        let policy = self.policy(pin.policy)?;
        let views = self.views(pin.policy, &policy)?;
        let lives = pin.expires.map(|expires| expires.since(self.now));
        let placement = Placement { policy: &policy, content, lives, views: &views };
        let own = copies.iter().filter(|copy| pin.own.contains(&copy.id));
        let there = |provider: ProviderId| {
            let known = copies.iter().find(|copy| copy.provider == provider && is_kept(copy));
            match known {
                // What was refused is tried anew.
                Some(known) => CopyView { refused: false, stalled: false, ..CopyView::from(known) },
                None => CopyView::from(&fresh(provider, self.now)),
            }
        };
        Ok(policy::forecast(&pin.view, own.map(CopyView::from).collect(), &placement, self.now, there))
    }

    fn note(&mut self, pin: &Pin, end: &Forecast) {
        self.plan.pins += 1;
        let is_short = match self.change {
            Change::Drain { .. } => end.is_short(),
            Change::Apply { .. } => !end.whole && pin.view.want > 0,
        };
        if is_short {
            self.plan.short += 1;
            if self.plan.first.len() < NAMED {
                self.plan.first.push((pin.requestid, self.words(pin, end)));
            }
        }
    }

    /// Why it is short.
    fn words(&self, pin: &Pin, end: &Forecast) -> String {
        let least = end.least.max(if end.is_short() { 0 } else { pin.view.want.into() });
        let others = end.others.iter().filter_map(|(id, reason)| {
            let name = &self.providers.iter().find(|provider| provider.id == *id)?.name;
            match reason {
                None => Some(format!("{name} is of no use now")),
                Some(Reason::Holds) if end.stuck.contains(id) || end.safe.contains(id) => None,
                Some(Reason::Holds) => Some(format!("{name} has not confirmed its copy")),
                Some(reason) => Some(format!("{name} {reason}")),
            }
        });
        let others: Vec<String> = others.collect();
        let why = if others.is_empty() {
            "its policy names no other provider".to_owned()
        } else {
            others.join("; ")
        };
        let safe = end.safe.len();
        format!("{least} {} asked, {safe} elsewhere: {why}", if least == 1 { "copy" } else { "copies" })
    }

    fn sum(
        &mut self,
        copies: &[Replica],
        kept: &BTreeSet<ReplicaId>,
        coming: &BTreeSet<ProviderId>,
        awaited: &BTreeSet<ReplicaId>,
    ) {
        for provider in coming {
            *self.plan.coming.entry(*provider).or_default() += 1;
        }
        for copy in copies.iter().filter(|copy| awaited.contains(&copy.id)) {
            let at = self.plan.awaited.entry(copy.provider).or_default();
            at.copies += 1;
            at.unsent += u64::from(CopyView::from(copy).untouched);
        }
        let is_ready = coming.is_empty() && awaited.is_empty();
        for copy in copies.iter().filter(|copy| is_kept(copy)) {
            let goes = !kept.contains(&copy.id);
            if goes {
                self.goes(copy);
            }
            if matches!(self.change, Change::Drain { provider, .. } if *provider == copy.provider) {
                let leaving = &mut self.plan.leaving;
                match (goes, is_ready) {
                    (false, _) => leaving.staying += 1,
                    (true, true) => leaving.spare += 1,
                    (true, false) => leaving.moving += 1,
                }
            }
        }
    }

    fn goes(&mut self, copy: &Replica) {
        let going = self.plan.going.entry(copy.provider).or_default();
        going.copies += 1;
        going.calls += u64::from(!CopyView::from(copy).untouched && copy.owned != Owned::Found);
    }

    fn pins(&self, content: ContentId) -> Result<Vec<Pin>, StoreError> {
        // pins of a content
        let mut select = self.conn.prepare_cached(
            "SELECT id, requestid, policy, need, want, was_pinned, trim, expires_at
             FROM pins INDEXED BY pins_content WHERE content = ?1 LIMIT ?2",
        )?;
        // links: own ones of a pin
        let mut links = self
            .conn
            .prepare_cached("SELECT replica FROM pin_replicas WHERE pin = ?1 AND held_since IS NULL")?;
        let rows = select.query_map(params![content.0, ALIKE], |row| Ok((row.get(0)?, pin(row)?)))?;
        let mut pins = Vec::new();
        for row in rows {
            let (id, mut pin): (i64, Pin) = row?;
            let own = links.query_map([id], |row| Ok(ReplicaId(row.get(0)?)))?;
            pin.own = own.collect::<Result<_, _>>()?;
            pins.push(pin);
        }
        Ok(pins)
    }

    /// A content's copies, those that are being removed too.
    fn copies(&self, content: ContentId) -> Result<Vec<Replica>, StoreError> {
        // replicas: by provider and content
        let mut select = self.conn.prepare_cached(concat!(
            "SELECT ",
            replica_columns!(),
            " FROM replicas r WHERE r.provider = ?1 AND r.content = ?2"
        ))?;
        let mut copies = Vec::new();
        for provider in &self.providers {
            let mut rows = select.query([provider.id.0, content.0])?;
            if let Some(row) = rows.next()? {
                copies.push(replicas::decode(row)?);
            }
        }
        Ok(copies)
    }
}

fn unknown(what: &'static str, name: &impl ToString) -> StoreError {
    StoreError::Unknown { what, name: name.to_string(), known: Vec::new() }
}

fn is_kept(copy: &Replica) -> bool {
    copy.goal == Goal::Keep
}

/// Whether the same becomes of both.
fn is_alike(one: &Pin, other: &Pin) -> bool {
    *one == Pin { requestid: one.requestid, ..other.clone() }
}

/// A copy that nobody has asked for yet; its id is no other one's.
fn fresh(provider: ProviderId, now: Timestamp) -> Replica {
    Replica::new(ReplicaId(-1 - provider.0), provider, ContentId(0), now)
}

fn pin(row: &Row<'_>) -> rusqlite::Result<Pin> {
    let view = PinView { need: row.get(3)?, want: row.get(4)?, was_pinned: row.get(5)?, trim: row.get(6)? };
    Ok(Pin {
        requestid: RequestId::from_bytes(row.get(1)?),
        policy: PolicyId(row.get(2)?),
        view,
        expires: row.get::<_, Option<i64>>(7)?.map(Timestamp::from_millis),
        own: Vec::new(),
    })
}
