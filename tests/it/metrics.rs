//! docs/metrics.md, from what the registry says of itself.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};

use http::{Method, StatusCode};
use pinfold::{
    model::Quota,
    telemetry::{Listener, Metrics, Route},
};

/// Stands for the names that the config gives.
const NAME: &str = "NAME";
/// The end of the help of what is read from the database.
const FROM_DATABASE: &str =
    " Read from the database every 30 s, the same on every gateway that shares it: take max, not sum.";
const BEGIN: &str = "<!-- made by tests/it/metrics.rs: begin -->\n";
const END: &str = "<!-- made by tests/it/metrics.rs: end -->\n";

/// The tables, and the beginnings of the names of what is in them.
const TABLES: [(&str, &[&str]); 7] = [
    ("Clients", &["http_", "rate_limited_", "tls_"]),
    ("Pins", &["pins", "pin_", "route_", "created_"]),
    ("Accounts", &["account_"]),
    ("Providers", &["provider_", "replicas"]),
    ("Engine", &["task", "engine_", "jobs"]),
    ("Store", &["store_"]),
    ("Process", &["build_", "clock_", "config_", "log_", "process_", "trace_"]),
];

/// What is worth waking somebody for.
const ALERTS: [(&str, &str); 19] = [
    ("pinfold_http_requests_total", "share of `5..` codes over 2 %"),
    ("pinfold_http_request_duration_seconds", "99th percentile over 1 s"),
    ("pinfold_tls_certificate_not_after_timestamp_seconds", "in less than 14 days"),
    ("pinfold_tls_last_reload_successful", "0"),
    ("pinfold_pins_oldest_under_replicated_timestamp_seconds", "not 0, and hours ago"),
    ("pinfold_pins_oldest_unsettled_timestamp_seconds", "not 0, and hours ago"),
    ("pinfold_provider_up", "0 for minutes"),
    ("pinfold_provider_requests_total", "`auth`, `funds`; share of what is not `ok` over a half"),
    ("pinfold_provider_token_expiry_timestamp_seconds", "not 0, and in less than 7 days"),
    ("pinfold_provider_audited_copies_total", "any `lost` within a day"),
    ("pinfold_provider_drifted_replicas", "`missing` or `suspect` over 0"),
    ("pinfold_provider_audit_alarms_total", "any"),
    ("pinfold_provider_unproven", "1"),
    ("pinfold_provider_gateway_down", "1 for hours"),
    ("pinfold_jobs", "`asking` over 0"),
    ("pinfold_tasks_oldest_due_timestamp_seconds", "not 0, and over 30 min ago"),
    ("pinfold_engine_last_tick_timestamp_seconds", "over 5 min ago"),
    ("pinfold_store_stats_last_refresh_timestamp_seconds", "over 5 min ago: what is marked S is old"),
    ("pinfold_config_last_reload_successful", "0"),
];

#[derive(Default)]
struct Family {
    help: String,
    kind: String,
    labels: BTreeMap<String, BTreeSet<String>>,
}

#[test]
fn the_document_of_the_metrics_says_what_there_is() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/metrics.md");
    let known = fs::read_to_string(&path).expect("the document is there");
    let (before, rest) = known.split_once(BEGIN).expect("the tables' beginning is marked");
    let (_, after) = rest.split_once(END).expect("the tables' end is marked");
    let written = format!("{before}{BEGIN}{}{END}{after}", tables(&families(&everything().render())));
    if known != written {
        fs::write(&path, written).expect("the document can be written");
        panic!("docs/metrics.md was out of date and has been written anew: look at it, and keep it");
    }
}

/// All that can have a series has one.
fn everything() -> Metrics {
    let metrics = Metrics::new();
    metrics.provider(NAME);
    let quota = Quota { pins: Some(1), pins_per_day: Some(1), meta_bytes: Some(1) };
    metrics.account(NAME).quota(&quota);
    metrics.route(NAME);
    metrics.tls(Listener::Public);
    metrics.tls(Listener::Admin);
    for method in [Method::HEAD, Method::PUT, Method::PATCH] {
        metrics.http().answered(&method, Route::Other, StatusCode::OK, std::time::Duration::ZERO);
    }
    for code in 200..600 {
        metrics.account(NAME).answered(StatusCode::from_u16(code).expect("a code"));
    }
    metrics
}

fn families(text: &str) -> BTreeMap<String, Family> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut name = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (of, help) = rest.split_once(' ').expect("a help");
            (name, families.entry(of.to_owned()).or_default().help) = (of.to_owned(), help.to_owned());
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (of, kind) = rest.split_once(' ').expect("a type");
            families.entry(of.to_owned()).or_default().kind = kind.to_owned();
        } else if let Some((_, labels)) = line.rsplit_once(' ').expect("a series").0.split_once('{') {
            let family = families.get_mut(&name).expect("its help comes first");
            for label in labels.trim_end_matches('}').split("\",").filter(|label| !label.is_empty()) {
                let (key, value) = label.split_once("=\"").expect("a label");
                let value = value.trim_end_matches('"').to_owned();
                family.labels.entry(key.to_owned()).or_default().insert(value);
            }
        }
    }
    families
}

fn tables(families: &BTreeMap<String, Family>) -> String {
    let mut text = String::new();
    let mut written = 0;
    for (title, beginnings) in TABLES {
        writeln!(
            text,
            "\n## {title}\n\n| metric | type | labels | S | what it says | alert |\n|---|---|---|---|---|---|"
        )
        .expect("a String takes it");
        for (name, family) in families {
            let own = name.strip_prefix("pinfold_").unwrap_or(name);
            if beginnings.iter().any(|beginning| own.starts_with(beginning)) {
                text.push_str(&row(name, family));
                written += 1;
            }
        }
    }
    assert_eq!(written, families.len(), "each metric is in one table: see TABLES");
    let known = |(name, _): &(&str, &str)| families.contains_key(*name);
    assert!(ALERTS.iter().all(known), "every metric of ALERTS is there");
    text.push('\n');
    text
}

fn row(name: &str, family: &Family) -> String {
    let Family { help, kind, labels } = family;
    let (help, shared) = match help.strip_suffix(FROM_DATABASE) {
        Some(help) => (help, "S"),
        None => (help.as_str(), ""),
    };
    let labels = labels.iter().filter(|(key, _)| *key != "le");
    let labels: Vec<_> = labels.map(|(key, values)| format!("`{key}`: {}", told(key, values))).collect();
    let alert = ALERTS.iter().find(|(of, _)| *of == name).map_or("", |(_, when)| when);
    format!("| `{name}` | {kind} | {} | {shared} | {help} | {alert} |\n", labels.join("; "))
}

fn told(key: &str, values: &BTreeSet<String>) -> String {
    let told = values.iter().map(|value| match (key, value.as_str()) {
        (_, NAME) => "*names of the config*".to_owned(),
        ("version" | "revision", _) => "*of the build*".to_owned(),
        (_, value) => format!("`{value}`"),
    });
    told.collect::<Vec<_>>().join(", ")
}
