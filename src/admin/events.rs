//! `GET /api/v1/events`: what happened, and, for who waits, what happens next.

use std::{fmt::Display, str::FromStr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{RawQuery, State},
    response::Response,
    routing::get,
};
use http::StatusCode;
use serde_json::{Value, json};
use tokio::{
    sync::Semaphore,
    time::{Instant, sleep, sleep_until},
};

use super::{Failure, json_response};
use crate::{
    lifecycle::{Changes, Shutdown},
    model::{Event, EventId, EventKind, Span},
    store::{EventPage, EventQuery, EventStore, EventsFrom},
};

/// Events of one page, unless it is said otherwise.
const PAGE: u32 = 100;
/// The longest that one request may wait.
const LONGEST: Duration = Duration::from_secs(60);
/// Requests that may wait: a part of those that the listener takes.
const WAITING: usize = 16;
/// Between hearing of news and looking: what comes in the same moment is read at once, and however much happens nobody
/// looks more often.
const LINGER: Duration = Duration::from_millis(50);

/// All that it takes; clones share it.
#[derive(Clone)]
struct Reader {
    store: Arc<dyn EventStore>,
    changes: Changes,
    shutdown: Shutdown,
    waiting: Arc<Semaphore>,
}

/// The route, below `/api/v1`. `changes` is the bus that the store tells of new events.
pub fn event_routes(store: Arc<dyn EventStore>, changes: &Changes, shutdown: &Shutdown) -> Router {
    let (changes, shutdown) = (changes.clone(), shutdown.clone());
    let reader = Reader { store, changes, shutdown, waiting: Arc::new(Semaphore::new(WAITING)) };
    Router::new().route("/events", get(read)).with_state(reader)
}

async fn read(State(reader): State<Reader>, RawQuery(query): RawQuery) -> Result<Response, Failure> {
    let (query, wait) = asked(query.as_deref().unwrap_or_default())?;
    let page =
        if wait.is_zero() { reader.store.events(query).await? } else { reader.wait(query, wait).await? };
    Ok(json_response(StatusCode::OK, &shown(&page)))
}

impl Reader {
    /// The first events that match, or none once the wait is over.
    async fn wait(&self, mut query: EventQuery, wait: Duration) -> Result<EventPage, Failure> {
        let _place = self.waiting.try_acquire().map_err(|_| Failure::overloaded())?;
        let end = Instant::now() + wait;
        let mut news = self.changes.follow_events();
        loop {
            let page = self.store.events(query.clone()).await?;
            let over = Instant::now() >= end || self.shutdown.has_begun();
            if !page.events.is_empty() || page.missed || over {
                return Ok(page);
            }
            query.from = EventsFrom::After(page.next);
            if page.more {
                continue;
            }
            tokio::select! {
                biased;
                () = self.shutdown.begun() => {}
                () = sleep_until(end) => {}
                () = news.woken() => sleep(LINGER).await,
            }
        }
    }
}

/// What is asked for, and how long it may take to come.
fn asked(text: &str) -> Result<(EventQuery, Duration), Failure> {
    let mut query = EventQuery { limit: PAGE, ..EventQuery::default() };
    let mut wait = Duration::ZERO;
    for pair in text.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        match key {
            "after" => query.from = EventsFrom::After(EventId(number(key, value, i64::MAX)?)),
            "last" => query.from = EventsFrom::Last(number(key, value, EventQuery::MAX_LIMIT)?),
            "limit" => query.limit = number(key, value, EventQuery::MAX_LIMIT)?.max(1),
            "account" => query.account = Some(value.to_owned()),
            "kind" => query.kinds = kinds(value)?,
            "wait" => wait = value.parse::<Span>().map_err(Failure::bad_request)?.0.min(LONGEST),
            _ => {
                let known = "after=ID or last=N, limit, account, kind and wait";
                return Err(Failure::bad_request(format!("{key:?} is not for events: write {known}")));
            }
        }
    }
    Ok((query, wait))
}

fn number<T: FromStr + PartialOrd + Default + Display + Copy>(
    key: &str,
    text: &str,
    most: T,
) -> Result<T, Failure> {
    let number = text.parse().ok().filter(|number| (T::default()..=most).contains(number));
    number.ok_or_else(|| Failure::bad_request(format!("{key} is a whole number from 0 to {most}")))
}

fn kinds(text: &str) -> Result<Vec<EventKind>, Failure> {
    let words = text.split(',').filter(|word| !word.is_empty());
    words.map(|word| word.parse().map_err(Failure::bad_request)).collect()
}

fn shown(page: &EventPage) -> Value {
    json!({
        "events": page.events.iter().map(event).collect::<Vec<_>>(),
        "next": page.next.0,
        "oldest": page.oldest.map(|id| id.0),
        "missed": page.missed,
        "more": page.more,
    })
}

fn event(event: &Event) -> Value {
    json!({
        "id": event.id.0,
        "at": event.at.to_string(),
        "kind": event.kind.as_str(),
        "account": event.account,
        "subject": event.subject,
        "body": event.body,
    })
}

#[cfg(test)]
mod tests;
