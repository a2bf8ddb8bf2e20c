//! Bounds, starting values and names of the series.

use std::{collections::BTreeMap, time::Duration};

use ::http::{Method, StatusCode};

use super::{labels::Label, *};
use crate::model::{
    ErrorClass, Health, JobKind, JobState, Operation, Quota, QuotaKind, ReplicaState, Status, Timestamp,
};

fn started() -> Metrics {
    let metrics = Metrics::new();
    metrics.provider("alpha");
    metrics.account("default");
    metrics.route("backups");
    metrics
}

/// The value of a series, written as the text format does.
fn value(metrics: &Metrics, series: &str) -> Option<f64> {
    let text = metrics.render();
    let line =
        text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')))?;
    line.rsplit(' ').next()?.parse().ok()
}

fn families(text: &str) -> BTreeMap<&str, &str> {
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    types.filter_map(|line| line.split_once(' ')).collect()
}

#[test]
fn every_series_of_the_list_starts_at_zero() {
    let metrics = started();
    for series in [
        r#"pinfold_http_requests_total{code="202",method="POST",route="/pins"}"#,
        r#"pinfold_http_requests_total{code="404",method="GET",route="/pins/{requestid}"}"#,
        r#"pinfold_http_request_duration_seconds_count{method="DELETE",route="/pins/{requestid}"}"#,
        r#"pinfold_http_requests_in_flight{listener="public"}"#,
        r#"pinfold_http_connections{listener="admin"}"#,
        r#"pinfold_http_rejections_total{reason="rate_limit"}"#,
        r#"pinfold_pins{status="queued"}"#,
        "pinfold_pins_under_replicated",
        "pinfold_pins_oldest_under_replicated_timestamp_seconds",
        "pinfold_pins_oldest_unsettled_timestamp_seconds",
        r#"pinfold_pin_requests_accepted_total{operation="replace"}"#,
        r#"pinfold_pin_transitions_total{to="failed"}"#,
        "pinfold_pins_expired_total",
        r#"pinfold_route_pins_total{route="backups"}"#,
        r#"pinfold_pin_settle_duration_seconds_count{outcome="pinned"}"#,
        r#"pinfold_replicas{provider="alpha",state="lost"}"#,
        r#"pinfold_provider_up{provider="alpha"}"#,
        r#"pinfold_provider_requests_total{operation="submit",outcome="funds",provider="alpha"}"#,
        r#"pinfold_provider_request_duration_seconds_count{operation="look",provider="alpha"}"#,
        r#"pinfold_provider_requests_in_flight{provider="alpha"}"#,
        r#"pinfold_provider_throttle_wait_seconds_total{provider="alpha"}"#,
        r#"pinfold_provider_last_success_timestamp_seconds{provider="alpha"}"#,
        r#"pinfold_provider_breaker_state{provider="alpha",state="open"}"#,
        r#"pinfold_provider_breaker_transitions_total{provider="alpha",to="open"}"#,
        r#"pinfold_provider_proofs_total{outcome="served",provider="alpha"}"#,
        r#"pinfold_provider_unproven{provider="alpha"}"#,
        r#"pinfold_provider_gateway_down{provider="alpha"}"#,
        r#"pinfold_provider_health{health="down",provider="alpha"}"#,
        r#"pinfold_provider_draining{provider="alpha"}"#,
        r#"pinfold_provider_last_audit_timestamp_seconds{provider="alpha"}"#,
        r#"pinfold_provider_drifted_replicas{kind="missing",provider="alpha"}"#,
        r#"pinfold_jobs{kind="drain",state="asking"}"#,
        "pinfold_pins_adopted_total",
        r#"pinfold_store_connections{state="used"}"#,
        r#"pinfold_tasks_due{kind="remerge"}"#,
        r#"pinfold_tasks_oldest_due_timestamp_seconds{kind="poll"}"#,
        r#"pinfold_task_executions_total{kind="verify",outcome="lease_lost"}"#,
        r#"pinfold_task_duration_seconds_count{kind="remove"}"#,
        "pinfold_task_queue_wait_seconds_count",
        "pinfold_engine_last_tick_timestamp_seconds",
        r#"pinfold_store_operation_duration_seconds_count{class="claim"}"#,
        r#"pinfold_store_errors_total{kind="corrupt"}"#,
        "pinfold_store_size_bytes",
        "pinfold_store_stats_last_refresh_timestamp_seconds",
        r#"pinfold_account_pins{account="default",status="pinned"}"#,
        r#"pinfold_account_requests_total{account="default",code="202"}"#,
        r#"pinfold_account_quota_used{account="default",quota="meta_bytes"}"#,
        r#"pinfold_rate_limited_requests_total{class="write",limit="login",outcome="shadowed"}"#,
        "pinfold_created_ahead_seconds",
        "pinfold_clock_doubted_seconds",
        r#"pinfold_log_messages_total{level="error"}"#,
    ] {
        assert_eq!(value(&metrics, series), Some(0.0), "{series}");
    }
}

#[test]
fn hostile_methods_routes_and_codes_make_no_new_series() {
    let metrics = started();
    let http = metrics.http();
    let record = |method: &str, code: u16| {
        let (method, code) = (Method::from_bytes(method.as_bytes()), StatusCode::from_u16(code));
        http.answered(&method.unwrap(), Route::Other, code.unwrap(), Duration::ZERO);
    };
    record("BREW", 418);
    let before = metrics.render().lines().count();
    for n in 0..1000 {
        record(&format!("BREW{n}"), 600 + n % 400);
    }
    assert_eq!(metrics.render().lines().count(), before);
    let other = r#"pinfold_http_requests_total{code="other",method="other",route="other"}"#;
    assert_eq!(value(&metrics, other), Some(1001.0));
}

#[test]
fn accounts_beyond_the_bound_share_one_label() {
    let metrics = Metrics::new();
    for n in 0..300 {
        metrics.account(&format!("account{n}")).answered(StatusCode::OK);
    }
    let pins = (0..300).map(|n| (format!("account{n}"), Status::Pinned, 2)).collect();
    metrics.refresh(&Snapshot { pins, ..Snapshot::default() });
    assert_eq!(value(&metrics, r#"pinfold_account_requests_total{account="other",code="200"}"#), Some(100.0));
    assert_eq!(value(&metrics, r#"pinfold_account_pins{account="other",status="pinned"}"#), Some(200.0));
    assert_eq!(value(&metrics, r#"pinfold_pins{status="pinned"}"#), Some(600.0));
    let text = metrics.render();
    let accounts = text.lines().filter(|line| line.starts_with("pinfold_account_pins{")).count();
    assert_eq!(accounts, (accounts::MAX + 1) * Status::ALL.len());
}

fn named<'a>(providers: &[&'a str], accounts: &[&'a str], routes: &[&'a str]) -> Named<'a> {
    let set = |names: &[&'a str]| names.iter().copied().collect();
    Named { providers: set(providers), accounts: set(accounts), routes: set(routes) }
}

fn lines_with(metrics: &Metrics, label: &str) -> usize {
    metrics.render().lines().filter(|line| line.contains(label)).count()
}

#[test]
fn what_leaves_the_config_leaves_no_series_behind_and_begins_at_zero_when_it_is_back() {
    let metrics = started();
    let (alpha, default, backups) =
        (metrics.provider("alpha"), metrics.account("default"), metrics.route("backups"));
    let quota = Quota { pins: Some(7), ..Quota::NONE };
    default.quota(&quota);
    alpha.call(Operation::Look, Ok(()), Duration::ZERO);
    let labels = [r#"provider="alpha""#, r#"account="default""#, r#"route="backups""#];
    let before = labels.map(|label| lines_with(&metrics, label));
    assert!(before.iter().all(|lines| *lines > 0));
    metrics.keep(&named(&["beta"], &["ada"], &["photos"]));
    // Who still holds a handle, or is on record, brings nothing back.
    alpha.call(Operation::Look, Ok(()), Duration::ZERO);
    metrics.provider_if_named("alpha").up(true);
    default.answered(StatusCode::IM_A_TEAPOT);
    backups.placed();
    let replicas = vec![("alpha".to_owned(), ReplicaState::Pinned, 7)];
    let pins = vec![("default".to_owned(), Status::Pinned, 7)];
    metrics.refresh(&Snapshot { replicas, pins, ..Snapshot::default() });
    assert_eq!(labels.map(|label| lines_with(&metrics, label)), [0; 3], "{}", metrics.render());
    assert_eq!(
        value(&metrics, r#"pinfold_http_requests_total{code="200",method="GET",route="other"}"#),
        Some(0.0)
    );
    metrics.provider("alpha");
    metrics.account("default").quota(&quota);
    metrics.route("backups");
    assert_eq!(labels.map(|label| lines_with(&metrics, label)), before);
    let calls = r#"pinfold_provider_requests_total{operation="look",outcome="ok",provider="alpha"}"#;
    assert_eq!(value(&metrics, calls), Some(0.0));
}

#[test]
fn a_name_that_others_share_stays_though_one_of_them_leaves() {
    let metrics = Metrics::new();
    metrics.account("other").answered(StatusCode::OK);
    metrics.keep(&Named::default());
    assert_eq!(value(&metrics, r#"pinfold_account_requests_total{account="other",code="200"}"#), Some(1.0));
    for n in 0..accounts::MAX {
        metrics.account(&format!("account{n}"));
    }
    assert_eq!(
        lines_with(&metrics, r#"account="account199""#),
        lines_with(&metrics, r#"account="account0""#)
    );
}

#[test]
fn names_follow_the_conventions() {
    let metrics = started();
    let text = metrics.render();
    for (name, kind) in families(&text) {
        assert!(name.starts_with("pinfold_") || name.starts_with("process_"), "{name}");
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert_eq!(kind == "counter", name.ends_with("_total"), "{name} is a {kind}");
        assert!(kind != "histogram" || name.ends_with("_seconds"), "{name} has no unit");
        let forbidden = ["_count", "_sum", "_bucket", "_info_total", "_milliseconds", "_ms"];
        assert!(!forbidden.iter().any(|suffix| name.ends_with(suffix)), "{name}");
        assert!(text.contains(&format!("# HELP {name} ")), "{name} has no help");
    }
}

#[test]
fn model_codes_count_from_zero_without_gaps() {
    fn check<L: Label>() {
        assert!(L::ALL.iter().enumerate().all(|(index, label)| label.index() == index));
    }
    check::<Health>();
    check::<JobKind>();
    check::<JobState>();
    check::<Operation>();
    check::<QuotaKind>();
    check::<ReplicaState>();
    check::<Status>();
}

#[test]
fn a_breaker_is_in_one_state_and_counts_its_transitions() {
    let metrics = started();
    let alpha = metrics.provider("alpha");
    let state = |state: &str| {
        value(&metrics, &format!(r#"pinfold_provider_breaker_state{{provider="alpha",state="{state}"}}"#))
    };
    assert_eq!((state("closed"), state("open"), state("half-open")), (Some(1.0), Some(0.0), Some(0.0)));
    alpha.breaker(BreakerState::Open);
    alpha.breaker(BreakerState::Open);
    assert_eq!((state("closed"), state("open"), state("half-open")), (Some(0.0), Some(1.0), Some(0.0)));
    let opened = r#"pinfold_provider_breaker_transitions_total{provider="alpha",to="open"}"#;
    assert_eq!(value(&metrics, opened), Some(1.0));
}

#[test]
fn calls_are_counted_by_operation_and_outcome() {
    let metrics = started();
    let alpha = metrics.provider("alpha");
    let guard = alpha.in_flight();
    assert_eq!(value(&metrics, r#"pinfold_provider_requests_in_flight{provider="alpha"}"#), Some(1.0));
    drop(guard);
    assert_eq!(value(&metrics, r#"pinfold_provider_requests_in_flight{provider="alpha"}"#), Some(0.0));
    alpha.call(Operation::Look, Err(ErrorClass::Throttled), Duration::from_millis(70));
    let throttled =
        r#"pinfold_provider_requests_total{operation="look",outcome="throttled",provider="alpha"}"#;
    assert_eq!(value(&metrics, throttled), Some(1.0));
    alpha.last_success(Timestamp::from_millis(1_700_000_000_999));
    let success = r#"pinfold_provider_last_success_timestamp_seconds{provider="alpha"}"#;
    assert_eq!(value(&metrics, success), Some(1_700_000_000.0));
}

#[test]
fn a_refresh_sets_what_it_names_zeroes_the_rest_and_shows_nobody_else() {
    let metrics = started();
    let replicas =
        vec![("alpha".to_owned(), ReplicaState::Pinned, 7), ("absent".to_owned(), ReplicaState::Pinned, 3)];
    let due = vec![(TaskKind::Poll, 5, Some(Timestamp::from_millis(9000)))];
    let providers = vec![ProviderSnapshot {
        name: "alpha".into(),
        health: Health::Degraded,
        is_draining: true,
        audited: Some(Timestamp::from_millis(8000)),
        drifted: vec![(Drift::Missing, 4)],
    }];
    let jobs = vec![(JobKind::Drain, JobState::Running, 1)];
    metrics.refresh(&Snapshot { replicas, due, providers, jobs, ..Snapshot::default() });
    let told = |series: &str| value(&metrics, &format!("pinfold_{series}"));
    for (series, told_so) in [
        (r#"replicas{provider="alpha",state="pinned"}"#, Some(7.0)),
        (r#"replicas{provider="absent",state="pinned"}"#, None),
        (r#"tasks_oldest_due_timestamp_seconds{kind="poll"}"#, Some(9.0)),
        (r#"provider_health{health="degraded",provider="alpha"}"#, Some(1.0)),
        (r#"provider_health{health="healthy",provider="alpha"}"#, Some(0.0)),
        (r#"provider_draining{provider="alpha"}"#, Some(1.0)),
        (r#"provider_last_audit_timestamp_seconds{provider="alpha"}"#, Some(8.0)),
        (r#"provider_drifted_replicas{kind="missing",provider="alpha"}"#, Some(4.0)),
        (r#"jobs{kind="drain",state="running"}"#, Some(1.0)),
    ] {
        assert_eq!(told(series), told_so, "{series}");
    }
    metrics.refresh(&Snapshot::default());
    assert_eq!(told(r#"replicas{provider="alpha",state="pinned"}"#), Some(0.0));
    assert_eq!(told(r#"provider_draining{provider="alpha"}"#), Some(0.0));
    assert_eq!(told(r#"jobs{kind="drain",state="running"}"#), Some(0.0));
    assert_eq!(told(r#"tasks_due{kind="poll"}"#), Some(0.0));
}

#[test]
fn a_connection_is_idle_or_used_and_gone_when_it_is_closed() {
    let metrics = Metrics::new();
    let states = || {
        ["idle", "used"]
            .map(|state| value(&metrics, &format!(r#"pinfold_store_connections{{state="{state}"}}"#)))
    };
    let opened = metrics.store().opened(3);
    let used = metrics.store().in_use();
    assert_eq!(states(), [Some(2.0), Some(1.0)]);
    drop(used);
    drop(opened);
    assert_eq!(states(), [Some(0.0), Some(0.0)]);
}

#[test]
fn a_quota_is_shown_beside_what_is_used_of_it_and_only_where_there_is_one() {
    let metrics = started();
    let limit = |quota: &str| {
        value(&metrics, &format!(r#"pinfold_account_quota_limit{{account="default",quota="{quota}"}}"#))
    };
    assert_eq!(limit("pins"), None);
    metrics.account("default").quota(&Quota { pins: Some(7), meta_bytes: Some(9), ..Quota::NONE });
    assert_eq!((limit("pins"), limit("pins_per_day"), limit("meta_bytes")), (Some(7.0), None, Some(9.0)));
    metrics.account("default").quota(&Quota { pins: Some(8), ..Quota::NONE });
    assert_eq!((limit("pins"), limit("meta_bytes")), (Some(8.0), None), "gone with a reload");
    let used = vec![("default".to_owned(), QuotaKind::Pins, 5)];
    metrics.refresh(&Snapshot { used, ..Snapshot::default() });
    assert_eq!(value(&metrics, r#"pinfold_account_quota_used{account="default",quota="pins"}"#), Some(5.0));
}
