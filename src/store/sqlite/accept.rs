//! Records a pin, its missing replicas and its links in one go.

use std::time::Duration;

use rusqlite::{OptionalExtension, params};

use super::{
    accounts,
    count::meta_key,
    events, replicas,
    settle::{Pin, insert_link, note_late, note_rank},
    tx::Tx,
};
use crate::{
    model::{
        AccountId, Charge, Content, ContentId, Meta, NewEvent, OverQuota, PinSpec, PolicyId, Quota, Status,
        Timestamp, name, replica::Replica,
    },
    policy::{self, CopyView, PinView, Placement, Policy},
    store::{AcceptPin, StoreError},
};

/// A pin that was just recorded.
pub(super) struct Accepted {
    pub(super) pin: Pin,
    /// Whether waiting for its copies is no use.
    pub(super) answered: bool,
    /// Whether it has copies that may go.
    pub(super) lets_go: bool,
}

/// Records a pin, unless its account would be over its quota.
pub(super) fn add(tx: &mut Tx<'_>, request: &AcceptPin) -> Result<Result<Accepted, OverQuota>, StoreError> {
    match check_quota(tx, request, Charge::default())? {
        Err(over) => Ok(Err(over)),
        Ok(()) => accept(tx, request).map(Ok),
    }
}

/// Whether the account may have the pin, after `freed` is gone.
pub(super) fn check_quota(
    tx: &mut Tx<'_>,
    request: &AcceptPin,
    freed: Charge,
) -> Result<Result<(), OverQuota>, StoreError> {
    if request.quota == Quota::NONE {
        return Ok(Ok(()));
    }
    let more = Charge { pins: 1 - freed.pins, meta_bytes: meta_bytes(&request.spec) - freed.meta_bytes };
    Ok(request.quota.check(tx.account(request.account)?.used, &more, request.now))
}

fn meta_bytes(spec: &PinSpec) -> i64 {
    accounts::length(spec.meta.as_ref().map(Meta::to_json).as_deref())
}

pub(super) fn accept(tx: &mut Tx<'_>, request: &AcceptPin) -> Result<Accepted, StoreError> {
    let policy_id = tx.current_policy(&request.policy)?;
    let policy = tx.policy(policy_id)?;
    let (content, is_new) = content_id(tx, request.spec.cid.content())?;
    let (need, want) = match request.spec.cid.content().is_identity() {
        // The CID is the content: pinned by definition, placed nowhere.
        true => (0, 0),
        false => (policy.need, policy.copies.max),
    };
    let mut copies = Vec::new();
    let views = tx.views(&policy, Some(content), request.now)?;
    let placement = Placement {
        policy: &policy,
        content: request.spec.cid.content(),
        lives: lives(&policy, request),
        views: &views,
    };
    for provider in placement.choose(want.into(), &[]).map(|chosen| chosen.provider) {
        copies.push(match is_new {
            true => replicas::make(tx, provider, content, request.account, request.now)?,
            false => replicas::want(tx, provider, content, request.account, request.now)?,
        });
    }
    let view = PinView { need, want, was_pinned: false, trim: false };
    record(tx, request, (policy_id, &policy), content, view, &copies)
}

/// Asks for the further copies that a pin wants beside those that it has.
pub(super) fn ask_for_more(
    tx: &mut Tx<'_>,
    request: &AcceptPin,
    policy: &Policy,
    content: ContentId,
    view: &PinView,
    copies: &mut Vec<Replica>,
) -> Result<(), StoreError> {
    loop {
        let shown: Vec<CopyView> = copies.iter().map(CopyView::from).collect();
        let views = tx.views(policy, Some(content), request.now)?;
        let placement = Placement {
            policy,
            content: request.spec.cid.content(),
            lives: lives(policy, request),
            views: &views,
        };
        let link = policy::settle(view, &shown, &placement, request.now).link;
        if link.is_empty() {
            return Ok(());
        }
        for provider in link {
            copies.push(replicas::want(tx, provider, content, request.account, request.now)?);
        }
    }
}

/// Records the row, its links to `copies`, its meta and its counts.
pub(super) fn record(
    tx: &mut Tx<'_>,
    request: &AcceptPin,
    (policy_id, policy): (PolicyId, &Policy),
    content: ContentId,
    view: PinView,
    copies: &[Replica],
) -> Result<Accepted, StoreError> {
    let shown: Vec<CopyView> = copies.iter().map(CopyView::from).collect();
    let views = tx.views(policy, Some(content), request.now)?;
    let placement = Placement {
        policy,
        content: request.spec.cid.content(),
        lives: lives(policy, request),
        views: &views,
    };
    let verdict = policy::settle(&view, &shown, &placement, request.now);
    // A first status is never failed, whatever the providers' state: clients would give up at once. Where too few of
    // them ever take such a content they may.
    let status = match verdict.status {
        Status::Failed if placement.takers() >= view.need.into() => Status::Queued,
        status => status,
    };
    tx.saw(request.now);
    let meta = request.spec.meta.as_ref().map(Meta::to_json);
    let created = accounts::in_use(tx, request.account)?.accept(meta.as_deref(), request.now);
    let mut pin = Pin {
        id: 0,
        requestid: request.requestid,
        account: request.account,
        content,
        created,
        accepted: request.now,
        status,
        policy: policy_id,
        need: view.need,
        want: view.want,
        have: verdict.have,
        was_pinned: view.was_pinned || status == Status::Pinned,
        trim: view.trim && !(verdict.trimmed && verdict.unlink.is_empty()),
        missing: verdict.missing + u16::try_from(verdict.link.len()).unwrap_or(0),
        expires: policy.ends(request.now, request.expires),
        short_since: None,
    };
    pin.short_since = pin.short_since(policy, pin.have, pin.was_pinned, request.now);
    pin.id = insert(tx, &pin, request, meta.as_deref())?;
    for copy in copies {
        insert_link(tx, pin.id, copy.id, None)?;
    }
    note_late(tx, &verdict.late_at)?;
    if verdict.rank != 0 {
        note_rank(tx, &shown, verdict.rank)?;
    }
    if let Some(meta) = &request.spec.meta {
        insert_meta(tx, request.account, meta, pin.id)?;
    }
    count(tx, &pin, policy);
    if request.by.is_some() {
        let act = NewEvent::act("pin_added", pin.requestid.to_string(), request.by.as_deref());
        let act = act.of(Some(pin.account)).with("cid", request.spec.cid.as_str());
        events::note(tx, &act, request.now)?;
    }
    Ok(Accepted { pin, answered: verdict.answered, lets_go: !verdict.unlink.is_empty() })
}

/// How long the pin is to live, where it ends.
fn lives(policy: &Policy, request: &AcceptPin) -> Option<Duration> {
    policy.ends(request.now, request.expires).map(|ends| ends.since(request.now))
}

fn count(tx: &mut Tx<'_>, pin: &Pin, policy: &Policy) {
    tx.count_pin(pin.account.0, pin.status, pin.created, 1);
    tx.count_policy(pin.policy, 1);
    if pin.is_short(policy, pin.have) {
        tx.count_short(1);
    }
    tx.entered(pin.status, Some(Duration::ZERO));
}

fn insert(tx: &Tx<'_>, pin: &Pin, request: &AcceptPin, meta: Option<&str>) -> Result<i64, StoreError> {
    let folded = request.spec.name.as_deref().and_then(name::folded_unless_same);
    // pin: new
    let id = tx
        .conn
        .prepare_cached(
            "INSERT INTO pins(requestid, account, content, created, status, policy, need, want, have, was_pinned,
                              accepted, cid, name, folded, meta, origins, expires_at, trim, missing,
                              short_since)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)
             RETURNING id",
        )?
        .query_row(
            params![
                pin.requestid.as_bytes(),
                pin.account.0,
                pin.content.0,
                pin.created.as_millis(),
                pin.status.code(),
                pin.policy.0,
                pin.need,
                pin.want,
                pin.have,
                pin.was_pinned,
                pin.accepted.as_millis(),
                request.spec.cid.text_unless_canonical(),
                request.spec.name,
                folded,
                meta,
                request.spec.origins.to_json(),
                pin.expires.map(Timestamp::as_millis),
                pin.trim,
                pin.missing,
                pin.short_since.map(Timestamp::as_millis)
            ],
            |row| row.get(0),
        )?;
    Ok(id)
}

/// The content's id, and whether it was not on record: then nobody has a copy of it either.
pub(super) fn content_id(tx: &Tx<'_>, content: &Content) -> Result<(ContentId, bool), StoreError> {
    // content: new, as most are
    let made = tx
        .conn
        .prepare_cached("INSERT INTO contents(key) VALUES(?1) ON CONFLICT DO NOTHING RETURNING id")?
        .query_row([content.as_bytes()], |row| row.get(0))
        .optional()?;
    if let Some(id) = made {
        return Ok((ContentId(id), true));
    }
    // content by key
    let known = tx
        .conn
        .prepare_cached("SELECT id FROM contents WHERE key = ?1")?
        .query_row([content.as_bytes()], |row| row.get(0))?;
    Ok((ContentId(known), false))
}

fn insert_meta(tx: &Tx<'_>, account: AccountId, meta: &Meta, pin: i64) -> Result<(), StoreError> {
    // pin_meta: a pin's pairs
    let mut insert =
        tx.conn.prepare_cached("INSERT INTO pin_meta(account, key, value, pin) VALUES(?1, ?2, ?3, ?4)")?;
    for (key, value) in meta.iter() {
        insert.execute(params![account.0, key, meta_key(value), pin])?;
    }
    Ok(())
}
