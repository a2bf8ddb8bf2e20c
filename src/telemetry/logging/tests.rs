//! What is written where, and counted.

use std::{
    io,
    sync::{Arc, LazyLock, Mutex},
    thread,
    time::Duration,
};

use ::http::{Method, StatusCode};
use tracing::{Dispatch, subscriber::NoSubscriber};

use super::*;
use crate::telemetry::{Label, Listener, Metrics, RequestLine, Route};

/// What was written, as JSON.
#[derive(Clone, Default)]
pub(crate) struct Sink(Arc<Mutex<Vec<u8>>>);

impl Sink {
    pub(crate) fn lines(&self) -> Vec<serde_json::Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Keeps tracing from taking one test's subscriber for the only one: while there is one alone, whether a line is written
/// anywhere is settled by the thread that comes by it first, which may be that of a test without any.
fn many_subscribers() {
    static OTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::default()));
    LazyLock::force(&OTHER);
}

/// For other modules' tests: what to set as the subscriber, what it keeps, and what it wrote.
pub(crate) fn captured(filter: &str) -> (impl Subscriber + Send + Sync + use<>, Filter, Sink) {
    many_subscribers();
    let (sink, settings) = (Sink::default(), Settings { filter: filter.to_owned(), ..Settings::default() });
    let (subscriber, filter) = subscriber(&settings, Metrics::new().log(), false, sink.clone()).unwrap();
    (subscriber, filter, sink)
}

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Sink {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

fn logged(settings: &Settings, metrics: &Metrics, terminal: bool, act: impl FnOnce()) -> String {
    many_subscribers();
    let sink = Sink::default();
    let (subscriber, _filter) = subscriber(settings, metrics.log(), terminal, sink.clone()).unwrap();
    tracing::subscriber::with_default(subscriber, act);
    let bytes = sink.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn a_request() {
    RequestLine {
        listener: Listener::Public,
        request_id: "0190",
        method: &Method::GET,
        route: Route::Pin.as_str(),
        code: StatusCode::OK,
        elapsed: Duration::from_nanos(9_297_588),
        account: Some("default"),
        token: None,
        is_routine: false,
    }
    .log();
}

#[test]
fn away_from_a_terminal_a_request_is_one_line_of_json() {
    let text = logged(&Settings::default(), &Metrics::new(), false, a_request);
    assert_eq!(text.lines().count(), 1);
    let line: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(line["request_id"], "0190");
    assert_eq!(line["route"], "/pins/{requestid}");
    assert_eq!(line["code"], 200);
    assert_eq!(line["ms"], 9.297);
    assert_eq!(line["account"], "default");
    assert!(line.get("token").is_none());
}

#[test]
fn at_a_terminal_lines_are_text_and_coloured_unless_told_not_to() {
    let coloured = logged(&Settings::default(), &Metrics::new(), true, a_request);
    assert!(coloured.contains("\u{1b}["));
    let plain = Settings { no_color: true, ..Settings::default() };
    let plain = logged(&plain, &Metrics::new(), true, a_request);
    assert!(!plain.contains('\u{1b}') && plain.contains("code=200"));
}

#[test]
fn warnings_and_errors_that_pass_the_filter_are_counted() {
    let metrics = Metrics::new();
    let settings = Settings { filter: "error,pinfold=warn".to_owned(), ..Settings::default() };
    logged(&settings, &metrics, false, || {
        tracing::warn!(target: "pinfold::engine", "counted");
        tracing::warn!(target: "elsewhere", "dropped");
        tracing::error!(target: "elsewhere", "counted");
        tracing::info!(target: "pinfold::engine", "dropped");
    });
    let text = metrics.render();
    assert!(text.contains("pinfold_log_messages_total{level=\"warn\"} 1"));
    assert!(text.contains("pinfold_log_messages_total{level=\"error\"} 1"));
}

#[test]
fn a_bad_filter_is_refused_with_an_example() {
    let settings = Settings { filter: "pinfold=shout".to_owned(), ..Settings::default() };
    let error = subscriber(&settings, Metrics::new().log(), false, io::sink).err().unwrap();
    assert!(error.to_string().contains("info,pinfold::engine=debug"));
}

#[test]
fn a_word_that_is_no_level_is_refused_rather_than_silencing_everything() {
    for filter in ["warning", "info,verbose", "hyper", "inf"] {
        let error = check_filter(filter).unwrap_err().to_string();
        assert!(error.contains("write one of off, error, warn, info, debug and trace"), "{error}");
    }
    for filter in ["info", "WARN", "off", "pinfold", "pinfold::engine", "info,hyper=debug", "", "info, debug"]
    {
        assert!(check_filter(filter).is_ok(), "{filter}");
    }
    assert!(matches!(check_filter(&"info,".repeat(300)), Err(LoggingError::Long)));
}

#[test]
fn the_filter_is_changed_while_messages_are_logged() {
    many_subscribers();
    let (sink, metrics) = (Sink::default(), Metrics::new());
    let (subscriber, filter) = subscriber(&Settings::default(), metrics.log(), false, sink.clone()).unwrap();
    let written = || String::from_utf8(sink.0.lock().unwrap().clone()).unwrap();
    tracing::subscriber::with_default(subscriber, || {
        let say = |words: &str| tracing::debug!(target: "pinfold::engine", "{words}");
        say("one");
        assert_eq!(filter.set("warn,pinfold::engine=debug").unwrap(), "info");
        say("two");
        for wrong in ["", " ", "shout", "pinfold=shout"] {
            assert!(filter.set(wrong).is_err(), "{wrong}");
        }
        say("three");
        assert_eq!(filter.set(filter.configured()).unwrap(), "warn,pinfold::engine=debug");
        say("four");
    });
    assert_eq!((filter.configured(), filter.current().as_str()), ("info", "info"));
    let written = written();
    assert!(!written.contains("one") && written.contains("two"), "{written}");
    assert!(written.contains("three") && !written.contains("four"), "{written}");
}

#[test]
fn routine_requests_are_told_only_to_who_looks_for_them() {
    let line = || {
        RequestLine {
            listener: Listener::Admin,
            request_id: "0191",
            method: &Method::GET,
            route: "/livez",
            code: StatusCode::OK,
            elapsed: Duration::ZERO,
            account: None,
            token: None,
            is_routine: true,
        }
        .log();
    };
    assert_eq!(logged(&Settings::default(), &Metrics::new(), false, line), "");
    let debug = Settings { filter: "pinfold::request=debug".to_owned(), ..Settings::default() };
    assert!(logged(&debug, &Metrics::new(), false, line).contains("/livez"));
}

fn break_down() {
    panic!("words of a panic")
}

#[test]
fn a_panic_is_a_line_like_any_other_and_tells_whose_request_it_was() {
    let text = logged(&Settings::default(), &Metrics::new(), false, || {
        let before = panic::take_hook();
        panic::set_hook(Box::new(tell_panic));
        let id = ::http::HeaderValue::from_static("mine-1");
        let answering = request_id::within(id, async { break_down() });
        let caught = panic::catch_unwind(panic::AssertUnwindSafe(|| futures::executor::block_on(answering)));
        panic::set_hook(before);
        assert!(caught.is_err());
    });
    let line: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!((&line["level"], &line["panic"]), (&"ERROR".into(), &"words of a panic".into()));
    assert_eq!(line["request_id"], "mine-1");
    assert!(line["at"].as_str().unwrap().contains("tests.rs"));
}

#[test]
fn a_line_is_captured_though_a_test_that_captures_none_came_by_first() {
    let (subscriber, _filter, sink) = captured("info");
    let say = || tracing::info!("here");
    tracing::subscriber::with_default(subscriber, || {
        thread::scope(|scope| scope.spawn(say).join().unwrap());
        say();
    });
    assert_eq!(sink.lines().len(), 1);
}
