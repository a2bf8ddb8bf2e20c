//! Makes the probe's calls: each is paced, counted, timed, and bounded in what it waits for.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use ::http::{
    HeaderValue, Method, Request, Response,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE},
};
use bytes::Bytes;
use tokio::time::Instant;
use tower::ServiceExt;

use super::{
    super::{
        classify::{self, Expect, Failure},
        stack::{self, Call, InDoubt, Lower, Parts},
        words::{self, Words},
    },
    Latency, MOST_CALLS, MOST_TRIES, Route, Waits,
    pace::Pace,
};
use crate::{
    http,
    model::{BudgetClass, ErrorClass, Operation, Rates, Timestamp},
};

/// The longest wait for a provider that asks to be left alone.
const LONGEST_WAIT: Duration = Duration::from_secs(120);

/// Checks end after this, also where calls are left.
const LONGEST: Duration = Duration::from_secs(20 * 60);

/// So many calls without an answer, one after the other, end the checks.
const QUIET: u32 = 3;

/// An answer, as it came.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) body: Bytes,
    pub(super) class: Result<(), ErrorClass>,
}

impl Reply {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.code)
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Miss {
    pub(super) why: String,
    /// The call may have taken effect.
    pub(super) maybe_done: bool,
    /// There is no credential to call with, such as where a login is refused.
    pub(super) locked_out: bool,
}

/// Whose credential a call carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum With {
    Credential,
    WrongToken,
}

pub(super) struct Caller {
    parts: Parts,
    raw: Lower,
    bare: Lower,
    waits: Arc<dyn Waits>,
    pace: Pace,
    began: Timestamp,
    used: usize,
    /// Calls in a row without an answer.
    quiet: u32,
    /// Cleaning up has calls of its own.
    cleaning: bool,
    took: Vec<(Route, Duration)>,
    limits: BTreeMap<String, String>,
    ahead: Option<i64>,
}

impl Caller {
    pub(super) fn new(parts: Parts, rates: Rates, waits: Arc<dyn Waits>) -> Self {
        Self {
            raw: stack::with_credential(parts.keeper.clone(), parts.lower.clone()),
            bare: parts.lower.clone(),
            waits,
            pace: Pace::new(rates),
            began: parts.clock.now(),
            used: 0,
            quiet: 0,
            cleaning: false,
            took: Vec::new(),
            limits: BTreeMap::new(),
            ahead: None,
            parts,
        }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    pub(super) fn used(&self) -> usize {
        self.used
    }

    pub(super) fn parts(&self) -> &Parts {
        &self.parts
    }

    pub(super) async fn wait(&self, span: Duration) {
        if !span.is_zero() {
            self.waits.wait(span.min(LONGEST_WAIT)).await;
        }
    }

    /// From now on the calls that were kept for it may be used.
    pub(super) fn clean(&mut self) {
        self.cleaning = true;
        self.quiet = 0;
    }

    /// Sends one request, and once more where the provider asked to be left alone for a while.
    pub(super) async fn send(
        &mut self,
        route: Route,
        with: With,
        request: Request<Bytes>,
    ) -> Result<Reply, Miss> {
        let mut left = self.once(route, with, &request).await?;
        if let Left::Alone(until) = left {
            self.bide(until).await?;
            left = self.once(route, with, &request).await?;
        }
        match left {
            Left::Answered(reply) => Ok(reply),
            Left::Alone(until) => Err(unasked(format!("it asked to be left alone until {until}"))),
        }
    }

    async fn once(&mut self, route: Route, with: With, request: &Request<Bytes>) -> Result<Left, Miss> {
        self.afford()?;
        self.wait(self.pace.wait(route, self.now())).await;
        self.pace.began(route, self.now());
        self.used += 1;
        let began = Instant::now();
        let outcome = self.stack(with).oneshot(self.call(route, with, request)).await;
        let maybe_done = !classify::did_nothing(&outcome);
        let class = classify::class(self.expect(route), &outcome, self.now());
        match outcome {
            Ok(answer) => {
                self.quiet = 0;
                self.took.push((route, began.elapsed()));
                Ok(self.heard(&answer, class))
            }
            Err(Failure::Shut(until) | Failure::Throttled(until)) => {
                // It never left.
                self.used -= 1;
                Ok(Left::Alone(until))
            }
            Err(failure) => {
                self.quiet += 1;
                let locked_out = matches!(failure, Failure::Unusable(_));
                Err(Miss { why: failure.to_string(), maybe_done, locked_out })
            }
        }
    }

    fn heard(&mut self, answer: &Response<Bytes>, class: Result<(), ErrorClass>) -> Left {
        let date = answer.headers().get(DATE).and_then(|value| value.to_str().ok());
        let theirs = date.and_then(|date| httpdate::parse_http_date(date).ok());
        if let Some(since) = theirs.and_then(|at| at.duration_since(std::time::UNIX_EPOCH).ok()) {
            self.ahead = i64::try_from(since.as_secs()).ok().map(|theirs| theirs - self.now().as_secs());
        }
        for (name, value) in answer.headers() {
            let name = name.as_str();
            if name.contains("ratelimit") || name.contains("rate-limit") || name == "retry-after" {
                let value = value.to_str().unwrap_or("?").chars().take(60).collect();
                self.limits.insert(name.to_owned(), value);
            }
        }
        let blocked = |class: &BudgetClass| self.parts.budget.blocked_for(*class);
        let until = BudgetClass::ALL.iter().filter_map(blocked).max().map(|span| self.now().plus(span));
        match until.filter(|_| class == Err(ErrorClass::Throttled)) {
            Some(until) => Left::Alone(until),
            None => {
                Left::Answered(Reply { code: answer.status().as_u16(), body: answer.body().clone(), class })
            }
        }
    }

    /// Whether another call may be made.
    fn afford(&self) -> Result<(), Miss> {
        let most = if self.cleaning { MOST_CALLS } else { MOST_TRIES };
        if self.used >= most {
            return Err(unasked("no calls are left".to_owned()));
        }
        if !self.cleaning && self.now().since(self.began) >= LONGEST {
            return Err(unasked("no time is left".to_owned()));
        }
        if !self.cleaning && self.quiet >= QUIET {
            return Err(unasked("it did not answer the calls before".to_owned()));
        }
        Ok(())
    }

    async fn bide(&self, until: Timestamp) -> Result<(), Miss> {
        let span = until.since(self.now());
        if span > LONGEST_WAIT {
            return Err(unasked(format!("it asked to be left alone until {until}")));
        }
        self.wait(span).await;
        Ok(())
    }

    fn stack(&self, with: With) -> Lower {
        match with {
            With::Credential => self.raw.clone(),
            With::WrongToken => self.bare.clone(),
        }
    }

    fn expect(&self, route: Route) -> Expect {
        match route {
            Route::List => Expect::Page { empty_404: self.parts.settings.preset.empty_404 == Some(true) },
            Route::Get => Expect::Pin,
            Route::Add | Route::Replace => Expect::NewPin,
            Route::Remove => Expect::Gone,
        }
    }

    fn call(&self, route: Route, with: With, request: &Request<Bytes>) -> Call {
        let mut request = request.clone();
        if with == With::WrongToken {
            let wrong = HeaderValue::from_static("Bearer pinfold-probe-of-a-wrong-token");
            request.headers_mut().insert(AUTHORIZATION, wrong);
        }
        Call {
            operation: operation(route),
            expect: self.expect(route),
            request,
            limit: http::Client::BODY_LIMIT,
            deadline: Instant::now() + self.parts.settings.deadline,
            doubt: InDoubt::default(),
            resent: 0,
            streamed: None,
        }
    }

    /// The code and the provider's own words, without secrets.
    pub(super) fn say(&self, reply: &Reply) -> String {
        Words::of(&reply.body).after(&reply.code.to_string(), self.parts.keeper.secrets())
    }

    /// A text of the provider's, without secrets and short.
    pub(super) fn plain(&self, text: &str) -> String {
        words::plain(text, self.parts.keeper.secrets())
    }

    pub(super) fn latencies(&self) -> Vec<Latency> {
        let of = |route: Route| {
            let mut took: Vec<Duration> =
                self.took.iter().filter(|(of, _)| *of == route).map(|(_, took)| *took).collect();
            took.sort_unstable();
            let median = *took.get(took.len() / 2)?;
            Some(Latency { route, calls: took.len(), median })
        };
        Route::ALL.into_iter().filter_map(of).collect()
    }

    /// How far the provider's clock is ahead, in seconds.
    pub(super) fn ahead(&self) -> Option<i64> {
        self.ahead
    }

    pub(super) fn limits(&self) -> Vec<(String, String)> {
        self.limits.iter().map(|(name, value)| (name.clone(), self.plain(value))).collect()
    }
}

/// What became of one try.
enum Left {
    Answered(Reply),
    /// Nothing was done, and nothing may be asked until then.
    Alone(Timestamp),
}

fn unasked(why: String) -> Miss {
    Miss { why, maybe_done: false, locked_out: false }
}

fn operation(route: Route) -> Operation {
    match route {
        Route::List => Operation::List,
        Route::Get => Operation::Look,
        Route::Add | Route::Replace => Operation::Submit,
        Route::Remove => Operation::Remove,
    }
}

/// A request of the API without its credential.
pub(super) fn request(method: Method, uri: &str, body: Option<&serde_json::Value>) -> Request<Bytes> {
    let json = HeaderValue::from_static("application/json");
    let mut built = Request::builder().method(method).uri(uri).header(ACCEPT, json.clone());
    if body.is_some() {
        built = built.header(CONTENT_TYPE, json);
    }
    let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
    // Holds: the endpoint is a checked URL, and what is appended is made of URL characters.
    built.body(body).expect("a checked endpoint with an escaped path is a URI")
}
