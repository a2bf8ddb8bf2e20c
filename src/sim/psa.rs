//! The API of a simulated provider: how a call is read, and the trouble that it meets on the way to being done.

use http::{Method, Request, header};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use tokio::time::sleep;

use crate::model::{Content, Status, Timestamp};

use super::{
    asked::Asked,
    behaviour::Account,
    errors::{Errors, Problem},
    faults::{Fault, FaultKind, RateLimit, RetryAfter},
    observe::{LogEntry, Outcome},
    pins::Held,
    query,
    reply::{self, Answer, Reply},
    route::{Route, Routes, Target},
    shown::{self, Place},
    world::{Inside, World},
};

mod add;
mod list;
mod one;
mod replace;

/// The largest body that is read.
const MAX_BODY: usize = 4 << 20;

/// One call, read whole.
pub(super) struct Called {
    pub(super) method: Method,
    pub(super) route: Route,
    /// The requestid; of a [`Route::Mail`] the address.
    pub(super) id: String,
    pub(super) query: String,
    pub(super) authorization: Option<String>,
    pub(super) body: Vec<u8>,
}

pub(super) async fn answer(world: &World, request: Request<Incoming>) -> Reply {
    let target = {
        let inside = world.inside();
        let target = Target::of(request.method(), request.uri().path(), &inside.behaviour);
        match target {
            Target::Call { route, id } => Ok((route, id)),
            _ if inside.behaviour.retired => Err(gone(request.method())),
            Target::WrongMethod => Err(inside.refuse(&Problem::WrongMethod)),
            Target::Unknown => Err(inside.refuse(&Problem::NoSuchPath)),
        }
    };
    let (route, id) = match target {
        Ok(call) => call,
        Err(refused) => return Reply::Answer(refused),
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

/// What is left where a service was.
fn gone(method: &Method) -> Answer {
    if method == Method::GET { reply::page(404) } else { reply::empty(405) }
}

/// Reads the call, then lets trouble and the work itself happen in their order.
async fn play(world: &World, route: Route, id: String, request: Request<Incoming>) -> Reply {
    let latency = world.inside().behaviour.latency.0;
    if !latency.is_zero() {
        sleep(latency / 2).await;
    }
    let called = match read(route, id, request).await {
        Ok(called) => called,
        Err(problem) => return Reply::Answer(world.inside().refuse(&problem)),
    };
    let (done, fault) = world.inside().work(&called, world.now());
    if let Some(Fault { kind: FaultKind::Slow(by), .. }) = fault {
        sleep(by).await;
    }
    if !latency.is_zero() {
        sleep(latency / 2).await;
    }
    done
}

async fn read(route: Route, id: String, request: Request<Incoming>) -> Result<Called, Problem> {
    let (head, body) = request.into_parts();
    let authorization = head.headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let body = Limited::new(body, MAX_BODY).collect().await;
    let body = body.map_err(|error| Problem::TooLarge(error.to_string()))?.to_bytes();
    Ok(Called {
        method: head.method,
        route,
        id,
        query: head.uri.query().unwrap_or_default().to_owned(),
        authorization: authorization.map(str::to_owned),
        body: body.into(),
    })
}

impl FaultKind {
    /// What the caller gets in place of the answer.
    fn over(self, done: Option<Answer>, errors: Errors, now: Timestamp) -> Reply {
        match self {
            Self::TooMany(retry_after) => Reply::Answer(reply::too_many(errors, retry_after, now)),
            Self::Status(code) => Reply::Answer(errors.answer(&Problem::Struck(code))),
            Self::Reset => Reply::Reset,
            Self::Hang => Reply::Hang,
            Self::Garbage => Reply::Answer(reply::garbage()),
            Self::Slow(_) => done.map_or(Reply::Hang, Reply::Answer),
        }
    }
}

impl Inside {
    /// Everything that happens at one instant.
    fn work(&mut self, called: &Called, now: Timestamp) -> (Reply, Option<Fault>) {
        let content = self.content_of(called);
        self.seen.log(LogEntry { at: now, route: called.route, content });
        let list_limit = self.told_limit(called.route);
        if let Err(wait) = self.trouble.admit(called.route, now) {
            self.seen.counts.violations += 1;
            let seconds = u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
            let said = match (self.behaviour.dialect.backends, list_limit) {
                (0, _) => RetryAfter::Seconds(seconds),
                (_, Some(_)) => RetryAfter::RateLimitReset(seconds),
                (_, None) => RetryAfter::Unsaid,
            };
            return (Reply::Answer(reply::too_many(self.behaviour.dialect.errors, said, now)), None);
        }
        let fault = self.trouble.strike(called.route);
        let mut reply = match fault {
            None => Reply::Answer(self.perform(called, now)),
            Some(Fault { stored, kind }) => {
                let done = stored.then(|| self.perform(called, now));
                kind.over(done, self.behaviour.dialect.errors, now)
            }
        };
        if let (Reply::Answer(answer), Some(limit)) = (&mut reply, list_limit) {
            self.backends.tell(answer.headers_mut(), limit, self.behaviour.dialect.backends, now);
        }
        (reply, fault)
    }

    /// The limit that is told of in headers: that of lists, to who asks for one.
    fn told_limit(&self, route: Route) -> Option<RateLimit> {
        if self.behaviour.dialect.backends == 0 || route != Route::List {
            return None;
        }
        self.trouble.limits().into_iter().find(|limit| limit.routes == Routes::Only(Route::List))
    }

    fn content_of(&self, called: &Called) -> Option<Content> {
        match called.route {
            Route::Add => {
                Asked::parse(&called.body, &self.behaviour).ok().map(|asked| asked.cid.content().clone())
            }
            Route::List => query::first_content(&called.query),
            _ => self.pins.get(&called.id).map(|held| held.asked.cid.content().clone()),
        }
    }

    fn perform(&mut self, called: &Called, now: Timestamp) -> Answer {
        if self.behaviour.retired {
            return gone(&called.method);
        }
        if called.route.is_entrance() {
            return self.let_in(called, now);
        }
        if let Err(problem) = self.admit(called, now) {
            return self.refuse(&problem);
        }
        let done = match called.route {
            Route::List => self.list(&called.query, now),
            Route::Add => self.add(&called.body, now),
            Route::Replace => self.replace(&called.id, &called.body, now),
            Route::Remove => self.remove(&called.id, now),
            _ => self.get(&called.id, now),
        };
        done.unwrap_or_else(|problem| self.refuse(&problem))
    }

    fn admit(&self, called: &Called, now: Timestamp) -> Result<(), Problem> {
        if !self.behaviour.open {
            self.credentials.check(called.authorization.as_deref(), &self.behaviour.auth, now)?;
        }
        if self.behaviour.account == Account::Locked { Err(Problem::NoPlan) } else { Ok(()) }
    }

    pub(super) fn refuse(&self, problem: &Problem) -> Answer {
        self.behaviour.dialect.errors.answer(problem)
    }

    fn status(&self, held: &Held, now: Timestamp) -> Status {
        held.status(self.behaviour.pin_after, now)
    }

    /// The answer that shows a pin.
    fn show(&self, code: u16, id: &str, now: Timestamp, place: Place) -> Result<Answer, Problem> {
        let held = self.pins.get(id).ok_or(Problem::NoSuchPin)?;
        let shown = shown::pin_status(held, self.status(held, now), &self.behaviour, now, place);
        Ok(reply::json(code, &shown))
    }
}
