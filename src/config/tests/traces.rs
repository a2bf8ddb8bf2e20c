//! Where traces go, and what may be wrong with that.

use super::*;
use crate::telemetry::traces::Accept;

fn with_traces(traces: &str) -> String {
    with(&format!("{ENDPOINT}, token: a"), "secret: t-laptop", &format!("traces: {traces}\n"))
}

#[test]
fn without_an_endpoint_there_are_no_traces() {
    assert!(good(SAMPLE).settings.traces.is_none());
    assert!(!good(SAMPLE).settings.effective().contains("traces"));
    let text = bad(&with_traces("{ sample: 1 }"));
    assert!(text.contains("traces: `endpoint` is missing"), "{text}");
}

#[test]
fn what_is_not_said_has_its_default() {
    let traces = good(&with_traces("{ endpoint: \"http://127.0.0.1:4318/\" }")).settings.traces.unwrap();
    assert_eq!(traces.traces.endpoint, "http://127.0.0.1:4318/v1/traces");
    assert_eq!((traces.traces.sample, traces.traces.propagate), (0.1, false));
    assert_eq!((traces.traces.accept, traces.traces.headers.len()), (Accept::Trace, 0));
}

#[test]
fn all_of_it_can_be_said_and_is_shown_without_its_secrets() {
    let source = with_traces(
        "{ endpoint: \"https://Otlp.example/x\", sample: 1, propagate: true, accept: decision, \
         headers: [ { name: Authorization, value: Bearer hunter2 }, { name: x-team, value_env: TEAM } ] }",
    );
    let loaded = read(&source, &environment([("TEAM", "hunter3")])).unwrap();
    let traces = loaded.settings.traces.clone().unwrap().traces;
    assert_eq!(traces.endpoint, "https://otlp.example/x/v1/traces");
    assert_eq!(traces.headers["authorization"], "Bearer hunter2");
    assert_eq!(traces.headers["x-team"], "hunter3");
    assert_eq!((traces.sample, traces.propagate, traces.accept), (1.0, true, Accept::Decision));
    let text = loaded.settings.effective();
    assert!(!shown(&Ok(loaded)).contains("hunter"), "{text}");
    let again = good(&text.replacen("secret: \"***\"", "secret: t-laptop", 1)).settings;
    assert_eq!(again.effective(), text);
}

#[test]
fn another_secret_is_a_change_that_waits_for_a_restart() {
    let settings = |secret: &str| {
        let headers = format!("[ {{ name: authorization, value: {secret} }} ]");
        good(&with_traces(&format!("{{ endpoint: \"http://127.0.0.1:1\", headers: {headers} }}"))).settings
    };
    let (old, new) = (settings("hunter2"), settings("hunter3"));
    let changes = old.changes(&new);
    assert_eq!(changes.len(), 1, "{changes:?}");
    assert_eq!(changes[0].to_string(), "traces.headers: another secret");
    assert!(changes[0].needs_restart());
    assert_eq!(old.taken_up(new).traces.unwrap().traces.headers["authorization"], "hunter2");
}

#[test]
fn every_mistake_is_told_with_its_place() {
    for (traces, words) in [
        ("{ endpoint: here }", "traces.endpoint: not a whole address"),
        ("{ endpoint: \"http://ada:hunter2@x\" }", "traces.endpoint: holds a user or password"),
        ("{ endpoint: \"http://x/v1/traces\" }", "traces.endpoint: ends in /v1/traces"),
        ("{ endpoint: \"http://x\", sample: 1.5 }", "traces.sample: not a share"),
        ("{ endpoint: \"http://x\", sample: NaN }", "traces.sample: not a share"),
        (
            "{ endpoint: \"http://x\", accept: traces }",
            "traces.accept: no such choice; did you mean `trace`?",
        ),
        ("{ endpoint: \"http://x\", headers: { a: hunter2 } }", "traces.headers: expected a list"),
        (
            "{ endpoint: \"http://x\", headers: [ { name: host, value: hunter2 } ] }",
            "traces.headers[0].name: not a header that can be set",
        ),
        ("{ endpoint: \"http://x\", headers: [ { name: a } ] }", "traces.headers[0]: has no secret"),
        (
            "{ endpoint: \"http://x\", headers: [ { name: a, value: b }, { name: A, value: c } ] }",
            "traces.headers[1]: is there twice",
        ),
    ] {
        let text = bad(&with_traces(traces));
        assert!(text.contains(words) && !text.contains("hunter2"), "{words:?} is not in:\n{text}");
    }
}
