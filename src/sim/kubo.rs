//! A simulated Kubo node: the part of its RPC API that pinning takes, over the same pins and the same trouble.
//!
//! Calls are counted by the routes that are most like them: pin/add as `add`, pin/ls as `get`, pin/rm as `remove`,
//! swarm/connect as `replace`, id and version as `list`. A pin with `meta.hold = direct` is a direct one.

use std::{io, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::{
    model::{PinCid, Status, Timestamp},
    presets::Auth,
};

use super::{
    asked::Asked,
    behaviour::Behaviour,
    faults::{Fault, FaultKind, RetryAfter},
    observe::{Deleted, LogEntry, Outcome},
    reply::{self, Answer, Reply},
    route::Route,
    world::{Inside, World},
};

mod adding;

/// The answer that every other provider gives is one whole; a node's may go on for as long as it fetches.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What becomes of a request.
pub(super) enum Played {
    Answer(Response<Body>),
    Reset,
    Hang,
}

impl From<Reply> for Played {
    fn from(reply: Reply) -> Self {
        match reply {
            Reply::Answer(answer) => Self::Answer(whole(answer)),
            Reply::Reset => Self::Reset,
            Reply::Hang => Self::Hang,
        }
    }
}

/// An answer that is there at once.
pub(super) fn whole(answer: Answer) -> Response<Body> {
    answer.map(|body| body.map_err(|never| match never {}).boxed_unsync())
}

/// A node as it sees itself.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Peers that it was told to connect to.
    pub(super) connected: Vec<String>,
}

/// One call.
pub(super) struct Called {
    command: String,
    route: Route,
    arguments: Vec<(String, String)>,
    authorization: Option<String>,
}

impl Called {
    fn of(request: &Request<Incoming>) -> Option<Self> {
        let command = request.uri().path().strip_prefix("/api/v0/")?.to_owned();
        let route = match command.as_str() {
            "pin/add" => Route::Add,
            "pin/ls" => Route::Get,
            "pin/rm" => Route::Remove,
            "swarm/connect" => Route::Replace,
            "id" | "version" => Route::List,
            _ => return None,
        };
        let query = request.uri().query().unwrap_or_default();
        let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        let decoded = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let arguments = pairs.map(|(key, value)| (key.to_owned(), decoded(value))).collect();
        let authorization = request.headers().get(header::AUTHORIZATION);
        let authorization = authorization.and_then(|value| value.to_str().ok()).map(str::to_owned);
        Some(Self { command, route, arguments, authorization })
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.arguments.iter().find(|(known, _)| known == key).map(|(_, value)| value.as_str())
    }

    fn cid(&self) -> Result<PinCid, String> {
        let text = self.get("arg").ok_or(r#"argument "ipfs-path" is required"#)?;
        PinCid::parse(text)
            .map_err(|_| format!("invalid path {text:?}: path does not have enough components"))
    }

    fn asked(&self) -> Result<Asked, String> {
        let name = self.get("name").map(str::to_owned);
        Ok(Asked { cid: self.cid()?, name, meta: None, origins: Vec::new() })
    }
}

pub(super) async fn answer(world: &Arc<World>, request: Request<Incoming>) -> Played {
    let Some(called) = Called::of(&request) else {
        return Played::Answer(text(404, "404 page not found"));
    };
    if request.method() != Method::POST {
        return Played::Answer(text(405, "405 - Method Not Allowed"));
    }
    let call = world.begin(called.route);
    let played = tokio::select! {
        biased;
        () = world.down() => Played::Reset,
        played = play(world, called) => played,
    };
    call.ends(match &played {
        Played::Answer(answer) => Outcome::Answered(answer.status().as_u16()),
        Played::Reset => Outcome::Reset,
        Played::Hang => Outcome::Hung,
    });
    played
}

async fn play(world: &Arc<World>, called: Called) -> Played {
    let latency = world.inside().behaviour.latency.0;
    if !latency.is_zero() {
        sleep(latency).await;
    }
    let (fault, now) = (world.inside().meets(&called, world.now()), world.now());
    let kind = match fault {
        Ok(None) => return Played::Answer(perform(world, called)),
        Ok(Some(Fault { stored, kind })) => {
            let done = stored.then(|| perform(world, called));
            if let (FaultKind::Slow(by), Some(done)) = (kind, done) {
                sleep(by).await;
                return Played::Answer(done);
            }
            kind
        }
        Err(wait) => {
            let seconds = u32::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u32::MAX);
            FaultKind::TooMany(RetryAfter::Seconds(seconds))
        }
    };
    match kind {
        FaultKind::Status(code) => Played::Answer(failure(code, "failed on purpose by the simulator")),
        FaultKind::TooMany(after) => {
            let errors = world.inside().behaviour.dialect.errors;
            Reply::Answer(reply::too_many(errors, after, now)).into()
        }
        FaultKind::Reset => Played::Reset,
        FaultKind::Garbage => Reply::Answer(reply::garbage()).into(),
        FaultKind::Hang | FaultKind::Slow(_) => Played::Hang,
    }
}

fn perform(world: &Arc<World>, called: Called) -> Response<Body> {
    let now = world.now();
    if !world.inside().lets_in(&called, now) {
        return text(
            403,
            "Kubo RPC Access Denied: Please provide a valid authorization token as defined in the \
             API.Authorizations configuration.",
        );
    }
    let done = match called.route {
        Route::Add => return adding::start(world, called.asked()),
        Route::Get => called.cid().and_then(|cid| world.inside().kubo_ls(&cid, called.get("type"))),
        Route::Remove => called.cid().and_then(|cid| world.inside().kubo_rm(&cid, now)),
        Route::Replace => world.inside().kubo_connect(called.get("arg").unwrap_or_default()),
        _ => Ok(world.inside().kubo_id(&called.command)),
    };
    match done {
        Ok(body) => text(200, &body.to_string()),
        Err(message) => failure(500, &message),
    }
}

impl Inside {
    /// Notes a call, and what goes wrong with it; the error is how long it came too early.
    fn meets(&mut self, called: &Called, now: Timestamp) -> Result<Option<Fault>, Duration> {
        let content = called.cid().ok().map(|cid| cid.content().clone());
        self.seen.log(LogEntry { at: now, route: called.route, content });
        if let Err(wait) = self.trouble.admit(called.route, now) {
            self.seen.counts.violations += 1;
            return Err(wait);
        }
        Ok(self.trouble.strike(called.route))
    }

    /// Whoever reaches a node that has no `API.Authorizations` may do everything.
    fn lets_in(&self, called: &Called, now: Timestamp) -> bool {
        let Behaviour { open, .. } = self.behaviour;
        let takes = [Auth::Bearer, Auth::Basic];
        open || self.credentials.check(called.authorization.as_deref(), &takes, now).is_ok()
    }

    /// The pin of just this spelling, and whether it is a direct one.
    fn kubo_pin(&self, cid: &PinCid) -> Option<(String, bool)> {
        let held = self.pins.of(cid.content()).find(|held| held.asked.cid == *cid)?;
        let mut meta = held.asked.meta.iter().flat_map(crate::model::Meta::iter);
        Some((held.id.clone(), meta.any(|entry| entry == ("hold", "direct"))))
    }

    fn kubo_ls(&self, cid: &PinCid, wanted: Option<&str>) -> Result<Value, String> {
        let found = self.kubo_pin(cid).map(|(_, direct)| if direct { "direct" } else { "recursive" });
        let wanted = wanted.unwrap_or("all");
        let found = found.filter(|kind| wanted == "all" || *kind == wanted);
        let kind = found.ok_or_else(|| format!("path '{}' is not pinned", cid.as_str()))?;
        Ok(json!({ "Keys": { cid.as_str(): { "Type": kind, "Name": "" } } }))
    }

    fn kubo_rm(&mut self, cid: &PinCid, now: Timestamp) -> Result<Value, String> {
        let (id, _) = self.kubo_pin(cid).ok_or("not pinned or pinned indirectly")?;
        self.pins.remove(&id);
        self.seen.deleted(Deleted { at: now, id, content: cid.content().clone() });
        Ok(json!({ "Pins": [cid.as_str()] }))
    }

    fn kubo_connect(&mut self, peer: &str) -> Result<Value, String> {
        let Some((_, id)) = peer.rsplit_once("/p2p/") else {
            return Err(format!("invalid peer address: {peer}"));
        };
        self.node.connected.push(peer.to_owned());
        Ok(json!({ "Strings": [format!("connect {id} success")] }))
    }

    fn kubo_id(&self, command: &str) -> Value {
        let id = Behaviour::DELEGATE.rsplit_once('/').map_or("", |(_, id)| id);
        match command {
            "version" => json!({ "Version": "0.42.0", "Repo": "18" }),
            _ => json!({ "ID": id, "Addresses": self.behaviour.delegates, "AgentVersion": "kubo/0.42.0" }),
        }
    }

    /// A node that has fetched all of a content pins it, in place of a direct pin.
    fn kubo_pinned(&mut self, asked: &Asked, now: Timestamp) {
        match self.kubo_pin(&asked.cid) {
            Some((_, false)) => return,
            Some((id, true)) => drop(self.pins.remove(&id)),
            None => {}
        }
        self.put(asked.clone(), false, now);
        self.force(asked.cid.content(), Some(Status::Pinned));
    }
}

fn text(code: u16, body: &str) -> Response<Body> {
    let mut answer = reply::empty(code);
    *answer.body_mut() = Full::from(body.to_owned());
    whole(answer)
}

/// An error as a node writes it.
fn failure(code: u16, message: &str) -> Response<Body> {
    text(code, &json!({ "Message": message, "Code": 0, "Type": "error" }).to_string())
}
