//! A probe at work: its calls, the pins that it made, what it found.

use std::sync::Arc;

use ::http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{
    super::stack::Parts,
    NAME, Report, Route, Waits,
    caller::{Caller, Miss, Reply, With, request},
    content,
    findings::Findings,
    seen::{MARK, Page, Shown},
};
use crate::{
    model::{Content, PinCid, Rates, Timestamp},
    presets::Preset,
};

pub(super) const STATUSES: &str = "queued,pinning,pinned,failed";

/// The pins that are the probe's own.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// Every CID that was ever sent.
    pub(super) asked: Vec<PinCid>,
    /// Ids that were answered and not removed since.
    pub(super) live: Vec<String>,
    /// A POST may have made a pin whose id was not told.
    pub(super) doubt: bool,
    /// Since when the answer to a POST is missing; while that is so it may still take effect.
    pub(super) unanswered: Option<Timestamp>,
}

pub(super) struct Lab {
    pub(super) caller: Caller,
    pub(super) findings: Findings,
    pub(super) ledger: Ledger,
    pub(super) left: Vec<String>,
    /// Tells the pins of this run from those of others.
    pub(super) run: String,
    pins: String,
}

/// A pin to ask for.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) cid: PinCid,
    /// The end of its name; `None`: no name is sent.
    pub(super) name: Option<&'static str>,
    pub(super) origin: Option<&'static str>,
}

impl Wish {
    pub(super) fn new(cid: PinCid, name: &'static str) -> Self {
        Self { cid, name: Some(name), origin: None }
    }
}

impl Lab {
    pub(super) fn new(parts: Parts, rates: Rates, waits: Arc<dyn Waits>) -> Self {
        let findings = Findings::new(&parts.settings.preset);
        let pins = format!("{}/pins", parts.settings.endpoint);
        let caller = Caller::new(parts, rates, waits);
        let (ledger, left) = (Ledger::default(), Vec::new());
        Self { caller, findings, ledger, left, run: content::run(), pins }
    }

    pub(super) fn preset(&self) -> Arc<Preset> {
        self.caller.parts().settings.preset.clone()
    }

    /// The name of a pin of this run.
    pub(super) fn name(&self, end: &str) -> String {
        format!("{NAME}{}-{end}", self.run)
    }

    /// The mark in the meta of a pin of this run.
    pub(super) fn mark(&self, end: &str) -> String {
        format!("{}-{end}", self.run)
    }

    fn body(&self, wish: &Wish) -> Value {
        let mark = self.mark(wish.name.unwrap_or("nameless"));
        let meta = json!({ MARK: mark, "made_by": "pinfold provider probe" });
        let mut body = json!({ "cid": wish.cid.as_str(), "meta": meta });
        if let Some(name) = wish.name {
            body["name"] = json!(self.name(name));
        }
        if let Some(origin) = wish.origin {
            body["origins"] = json!([origin]);
        }
        body
    }

    /// Asks for a pin, or to replace one by it. What may be made is on record before the call leaves.
    async fn make(&mut self, route: Route, uri: &str, wish: &Wish) -> Result<(Reply, Option<Shown>), Miss> {
        self.ledger.asked.push(wish.cid.clone());
        let (doubt, unanswered) = (self.ledger.doubt, self.ledger.unanswered);
        self.ledger.doubt = true;
        self.ledger.unanswered = Some(self.caller.now());
        let request = request(Method::POST, uri, Some(&self.body(wish)));
        let sent = self.caller.send(route, With::Credential, request).await;
        match &sent {
            Err(miss) if miss.maybe_done => self.ledger.unanswered = Some(self.caller.now()),
            // A middleman may have given up on one that is still at work.
            Ok(reply) if matches!(reply.code, 408 | 502 | 504 | 520..) => {
                self.ledger.unanswered = Some(self.caller.now());
            }
            _ => self.ledger.unanswered = unanswered,
        }
        let reply = sent?;
        let shown = Shown::of(&reply.body).filter(|_| reply.is_success());
        if shown.is_some() || (400..500).contains(&reply.code) {
            self.ledger.doubt = doubt;
        }
        if let Some(shown) = &shown
            && !self.ledger.live.contains(&shown.id)
        {
            self.ledger.live.push(shown.id.clone());
        }
        Ok((reply, shown))
    }

    pub(super) async fn add(&mut self, wish: &Wish) -> Result<(Reply, Option<Shown>), Miss> {
        let uri = self.pins.clone();
        self.make(Route::Add, &uri, wish).await
    }

    pub(super) async fn replace(&mut self, id: &str, wish: &Wish) -> Result<(Reply, Option<Shown>), Miss> {
        let uri = self.pin(id);
        self.make(Route::Replace, &uri, wish).await
    }

    pub(super) async fn get(&mut self, id: &str) -> Result<(Reply, Option<Shown>), Miss> {
        let request = request(Method::GET, &self.pin(id), None);
        let reply = self.caller.send(Route::Get, With::Credential, request).await?;
        let shown = Shown::of(&reply.body).filter(|_| reply.is_success());
        Ok((reply, shown))
    }

    /// Removes a pin; one that was removed is no longer on record.
    pub(super) async fn remove(&mut self, id: &str) -> Result<Reply, Miss> {
        let request = request(Method::DELETE, &self.pin(id), None);
        let reply = self.caller.send(Route::Remove, With::Credential, request).await?;
        if reply.is_success() || reply.code == 404 {
            self.ledger.live.retain(|live| live != id);
        }
        Ok(reply)
    }

    /// A list with this query; a 404 is an empty one where the preset says so.
    pub(super) async fn list(&mut self, query: &str) -> Result<(Reply, Option<Page>), Miss> {
        self.list_with(With::Credential, query).await
    }

    pub(super) async fn list_with(&mut self, with: With, query: &str) -> Result<(Reply, Option<Page>), Miss> {
        let mark = if query.is_empty() { "" } else { "?" };
        let request = request(Method::GET, &format!("{}{mark}{query}", self.pins), None);
        let reply = self.caller.send(Route::List, with, request).await?;
        let page = match reply.code {
            200..300 => Page::of(&reply.body),
            404 if reply.class.is_ok() => Some(Page::default()),
            _ => None,
        };
        Ok((reply, page))
    }

    fn pin(&self, id: &str) -> String {
        format!("{}/{}", self.pins, escaped(id))
    }

    /// Whether a pin is of this run.
    pub(super) fn is_own(&self, shown: &Shown) -> bool {
        let own = |content: &Content| self.ledger.asked.iter().any(|cid| cid.content() == content);
        shown.content.as_ref().is_some_and(own)
    }

    pub(super) fn report(self, stopped: bool) -> Report {
        let (lines, learned) = self.findings.end();
        Report {
            lines,
            learned,
            latencies: self.caller.latencies(),
            limits: self.caller.limits(),
            calls: self.caller.used(),
            stopped,
            ahead: self.caller.ahead(),
            left: self.left,
        }
    }
}

/// A text as a part of a path or query.
pub(super) fn escaped(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}
