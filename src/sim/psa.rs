//! The API of a simulated provider: what each call does, and the trouble it meets on the way.

use http::{Method, Request, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use serde_json::json;
use tokio::time::sleep;

use crate::model::{Content, ListQuery, Timestamp};

use super::{
    behaviour::CountMode,
    faults::{Fault, FaultKind, RetryAfter},
    observe::{Deleted, LogEntry, Outcome},
    pins::{Asked, Held},
    query,
    reply::{self, Answer, Reply, Shown},
    route::{Route, Target},
    world::{Inside, World},
};

/// The largest body that is read.
const MAX_BODY: usize = 4 << 20;

/// One call, read whole.
struct Called {
    route: Route,
    id: String,
    query: String,
    authorized: bool,
    body: Vec<u8>,
}

pub(super) async fn answer(world: &World, request: Request<Incoming>) -> Reply {
    let html = world.inside().behaviour.html_errors;
    let (route, id) = match Target::of(request.method(), request.uri().path()) {
        Target::Call { route, id } => (route, id),
        Target::WrongMethod => return Reply::Answer(wrong_method(html, request.method())),
        Target::Unknown => return Reply::Answer(reply::failure(html, 404, "there is no such path")),
    };
    let call = world.begin(route);
    let reply = tokio::select! {
        biased;
        () = world.down() => Reply::Reset,
        reply = play(world, route, id, request) => reply,
    };
    call.ends(match &reply {
        Reply::Answer(answer) => Outcome::Answered(answer.status().as_u16()),
        Reply::Reset => Outcome::Reset,
        Reply::Hang => Outcome::Hung,
    });
    reply
}

fn wrong_method(html: bool, method: &Method) -> Answer {
    reply::failure(html, 405, &format!("{method} is not possible here"))
}

/// Reads the call, then lets trouble and the work itself happen in their order.
async fn play(world: &World, route: Route, id: String, request: Request<Incoming>) -> Reply {
    let latency = world.inside().behaviour.latency.0;
    if !latency.is_zero() {
        sleep(latency / 2).await;
    }
    let called = match read(world, route, id, request).await {
        Ok(called) => called,
        Err(answer) => return Reply::Answer(answer),
    };
    let (done, fault) = work(world, &called);
    if let Some(Fault { kind: FaultKind::Slow(by), .. }) = fault {
        sleep(by).await;
    }
    if !latency.is_zero() {
        sleep(latency / 2).await;
    }
    done
}

async fn read(world: &World, route: Route, id: String, request: Request<Incoming>) -> Result<Called, Answer> {
    let bearer = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let authorized =
        bearer.and_then(|value| value.strip_prefix("Bearer ")).is_some_and(|token| world.is_token(token));
    let query = request.uri().query().unwrap_or_default().to_owned();
    let body = Limited::new(request.into_body(), MAX_BODY).collect().await;
    let html = || world.inside().behaviour.html_errors;
    let body = body.map_err(|error| reply::failure(html(), 413, &error.to_string()))?;
    Ok(Called { route, id, query, authorized, body: body.to_bytes().into() })
}

/// Everything that happens at one instant, under the lock.
fn work(world: &World, called: &Called) -> (Reply, Option<Fault>) {
    let now = world.now();
    let mut inside = world.inside();
    let html = inside.behaviour.html_errors;
    let content = inside.content_of(called);
    inside.seen.log(LogEntry { at: now, route: called.route, content });
    if let Err(wait) = inside.trouble.admit(called.route, now) {
        inside.seen.counts.violations += 1;
        let seconds = u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
        return (Reply::Answer(reply::too_many(html, RetryAfter::Seconds(seconds), now)), None);
    }
    let fault = inside.trouble.strike(called.route);
    let reply = match fault {
        None => Reply::Answer(inside.perform(called, now)),
        Some(Fault { stored, kind }) => {
            let done = stored.then(|| inside.perform(called, now));
            kind.over(done, html, now)
        }
    };
    (reply, fault)
}

impl FaultKind {
    /// What the caller gets in place of the answer.
    fn over(self, done: Option<Answer>, html: bool, now: Timestamp) -> Reply {
        match self {
            Self::TooMany(retry_after) => Reply::Answer(reply::too_many(html, retry_after, now)),
            Self::Status(code) => {
                Reply::Answer(reply::failure(html, code, "failed on purpose by the simulator"))
            }
            Self::Reset => Reply::Reset,
            Self::Hang => Reply::Hang,
            Self::Garbage => Reply::Answer(reply::garbage()),
            Self::Slow(_) => done.map_or(Reply::Hang, Reply::Answer),
        }
    }
}

impl Inside {
    fn content_of(&self, called: &Called) -> Option<Content> {
        match called.route {
            Route::Add => Asked::parse(&called.body).ok().map(|asked| asked.cid.content().clone()),
            Route::List => {
                let statuses = self.behaviour.default_status.statuses();
                query::parse(&called.query, statuses).ok()?.cids.into_iter().next()
            }
            _ => self.pins.get(&called.id).map(|held| held.asked.cid.content().clone()),
        }
    }

    fn perform(&mut self, called: &Called, now: Timestamp) -> Answer {
        if !called.authorized {
            return self.failure(401, "the access token is missing or wrong");
        }
        match called.route {
            Route::List => self.list(&called.query, now),
            Route::Add => self.add(&called.body, now),
            Route::Get => self.get(&called.id, now),
            Route::Replace => self.replace(&called.id, &called.body, now),
            Route::Remove => self.remove(&called.id, now),
        }
    }

    fn failure(&self, code: u16, details: &str) -> Answer {
        reply::failure(self.behaviour.html_errors, code, details)
    }

    fn unknown(&self) -> Answer {
        self.failure(404, "there is no pin with this requestid")
    }

    fn show(&self, code: u16, held: &Held, now: Timestamp, shown: Shown) -> Answer {
        reply::json(code, &reply::pin_status(held, &self.behaviour, self.moment(now), shown))
    }

    fn add(&mut self, body: &[u8], now: Timestamp) -> Answer {
        let asked = match Asked::parse(body) {
            Ok(asked) => asked,
            Err(wrong) => return self.failure(400, &wrong),
        };
        let code = self.behaviour.codes.add;
        if self.behaviour.collapse_duplicates
            && let Some(held) = self.pins.first_of(asked.cid.content())
        {
            return self.show(code, held, now, Shown::Posted);
        }
        if self.behaviour.max_queued.is_some_and(|max| self.pins.queued(self.moment(now)) >= max) {
            return self.queue_full();
        }
        let id = self.insert(asked, now);
        self.posted(code, &id, now)
    }

    fn queue_full(&self) -> Answer {
        if self.behaviour.html_errors {
            return self.failure(429, "");
        }
        let details = "too many pins are queued: wait until some are pinned";
        reply::json(429, &json!({ "error": { "reason": "QUEUE_FULL", "details": details } }))
    }

    fn insert(&mut self, asked: Asked, now: Timestamp) -> String {
        let doomed = self.dooms(&asked);
        self.pins.insert(asked, doomed, now).id.clone()
    }

    fn posted(&self, code: u16, id: &str, now: Timestamp) -> Answer {
        self.pins.get(id).map_or_else(|| self.unknown(), |held| self.show(code, held, now, Shown::Posted))
    }

    fn get(&self, id: &str, now: Timestamp) -> Answer {
        self.pins.get(id).map_or_else(|| self.unknown(), |held| self.show(200, held, now, Shown::Read))
    }

    fn replace(&mut self, id: &str, body: &[u8], now: Timestamp) -> Answer {
        let asked = match Asked::parse(body) {
            Ok(asked) => asked,
            Err(wrong) => return self.failure(400, &wrong),
        };
        if !self.take_away(id, now) {
            return self.unknown();
        }
        let new = self.insert(asked, now);
        self.posted(self.behaviour.codes.replace, &new, now)
    }

    fn remove(&mut self, id: &str, now: Timestamp) -> Answer {
        if self.take_away(id, now) { reply::empty(self.behaviour.codes.remove) } else { self.unknown() }
    }

    /// Removes a pin at a caller's wish; whether it was there.
    fn take_away(&mut self, id: &str, now: Timestamp) -> bool {
        let Some(held) = self.pins.remove(id) else { return false };
        let content = held.asked.cid.content().clone();
        self.seen.deleted(Deleted { at: now, id: held.id, content });
        true
    }

    fn list(&self, raw: &str, now: Timestamp) -> Answer {
        let mut query = match query::parse(raw, self.behaviour.default_status.statuses()) {
            Ok(query) => query,
            Err(wrong) => return self.failure(400, &wrong),
        };
        if self.behaviour.ignore_cid_filter {
            query.cids.clear();
        }
        let moment = self.moment(now);
        let listed = self.pins.list(&query, moment);
        let count = self.count(&query, listed.page.len(), listed.total, now);
        let show = |held: &&Held| reply::pin_status(held, &self.behaviour, moment, Shown::Read);
        let results: Vec<_> = listed.page.iter().map(show).collect();
        let null = self.behaviour.null_arrays && results.is_empty();
        let results = if null { serde_json::Value::Null } else { results.into() };
        reply::json(200, &json!({ "count": count, "results": results }))
    }

    fn count(&self, query: &ListQuery, page: usize, total: usize, now: Timestamp) -> usize {
        match self.behaviour.count {
            CountMode::Exact => total,
            CountMode::PageLength => page,
            CountMode::ResultsPlusOne => page + usize::from(total > page),
            CountMode::IgnoringBefore => {
                let query = ListQuery { before: None, limit: 1, ..query.clone() };
                self.pins.list(&query, self.moment(now)).total
            }
        }
    }
}
