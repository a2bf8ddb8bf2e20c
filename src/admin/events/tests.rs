//! Events are read and waited for over a real store.

use axum::body::{Body, to_bytes};
use http::Request;
use tower::ServiceExt;

use super::*;
use crate::{
    model::{NewEvent, Timestamp},
    store::sqlite::SqliteStore,
    telemetry::Metrics,
};

struct House {
    reader: Reader,
    _dir: tempfile::TempDir,
}

impl House {
    fn open() -> Self {
        let dir = crate::store::sqlite::founded::founded();
        let changes = Changes::default();
        let path = dir.path().join("pins.db");
        let store = SqliteStore::open(&path, &Default::default(), changes.clone(), &Metrics::new());
        let store: Arc<dyn EventStore> = Arc::new(store.unwrap());
        let (shutdown, waiting) = (Shutdown::default(), Arc::new(Semaphore::new(1)));
        Self { reader: Reader { store, changes, shutdown, waiting }, _dir: dir }
    }

    async fn note(&self, kind: EventKind, subject: &str) {
        let event = NewEvent::new(kind, subject).with("word", "x");
        self.reader.store.note_event(event, Timestamp::from_millis(1_700_000_000_000)).await.unwrap();
    }

    async fn get(&self, query: &str) -> (u16, Value) {
        let request = Request::get(format!("/events?{query}")).body(Body::empty()).unwrap();
        let routes = Router::new().route("/events", get(read)).with_state(self.reader.clone());
        let answer = routes.oneshot(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = to_bytes(answer.into_body(), 1 << 20).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }
}

#[tokio::test]
async fn a_page_says_what_happened_and_where_to_go_on() {
    let house = House::open();
    house.note(EventKind::Reload, "config").await;
    house.note(EventKind::Job, "7").await;
    let (status, page) = house.get("limit=1").await;
    let event = json!({
        "id": 1, "at": "2023-11-14T22:13:20.000Z", "kind": "reload", "account": null, "subject": "config",
        "body": { "word": "x" },
    });
    let expected = json!({ "events": [event], "next": 1, "oldest": 1, "missed": false, "more": true });
    assert_eq!((status, page), (200, expected));
    let (_, page) = house.get("after=1&kind=job,admin").await;
    assert_eq!((&page["events"][0]["subject"], &page["next"]), (&json!("7"), &json!(2)));
    assert_eq!(house.get("last=1").await.1["events"][0]["id"], 2);
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused_with_what_can() {
    let house = House::open();
    for query in ["after=x", "after=-1", "limit=1001", "last=1001", "kind=polls", "wait=5", "page=2"] {
        let (status, told) = house.get(query).await;
        assert_eq!((status, &told["error"]["reason"]), (400, &json!("BAD_REQUEST")), "{query}");
    }
    assert_eq!(house.get("account=nobody").await.0, 404);
    assert_eq!(house.get("account=nobody&wait=60s").await.0, 404);
}

#[tokio::test]
async fn who_waits_is_answered_as_soon_as_something_happens_that_matches() {
    let house = House::open();
    let waiting = house.get("after=0&kind=job&wait=60s");
    let happening = async {
        house.note(EventKind::Reload, "config").await;
        house.note(EventKind::Job, "7").await;
    };
    let ((_, page), ()) = tokio::join!(waiting, happening);
    assert_eq!((&page["events"][0]["id"], &page["next"]), (&json!(2), &json!(2)));
}

#[tokio::test(start_paused = true)]
async fn a_wait_for_nothing_ends_with_an_empty_page_and_a_cursor() {
    let house = House::open();
    house.note(EventKind::Reload, "config").await;
    let (status, page) = house.get("after=0&kind=job&wait=20s").await;
    assert_eq!((status, &page["events"], &page["next"]), (200, &json!([]), &json!(1)));
}

#[tokio::test]
async fn stopping_ends_every_wait() {
    let house = House::open();
    let waiting = house.get("wait=60s");
    let ((status, page), ()) = tokio::join!(waiting, async { house.reader.shutdown.begin() });
    assert_eq!((status, &page["events"]), (200, &json!([])));
}

#[tokio::test]
async fn no_more_wait_than_there_are_places_for() {
    let house = House::open();
    let place = house.reader.waiting.clone().try_acquire_owned().unwrap();
    assert_eq!(house.get("wait=60s").await.0, 503);
    assert_eq!(house.get("").await.0, 200, "who does not wait needs no place");
    drop(place);
    house.note(EventKind::Reload, "config").await;
    assert_eq!(house.get("wait=60s").await.0, 200);
}
