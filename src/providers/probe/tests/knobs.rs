//! Each way of being different is seen.

use serde_json::json;

use super::*;
use crate::presets::{
    Codes, Count, DefaultStatus, Delegates, Duplicates, IdKind, MetaRule, NameRule, Offset, Page, Precision,
    TimeBound,
};
use crate::sim::Behaviour;

/// What is learned at `at` of a server of which nothing is known, and that does this.
async fn seen(at: &str, change: impl FnOnce(&mut Behaviour)) -> Value {
    let trial = Trial::of(GENERIC, |builder| builder.behaviour(change)).await;
    let report = trial.run().await;
    trial.is_clean(&report);
    learned(&report, at)
}

#[tokio::test]
async fn a_correct_server_is_learned_whole() {
    let trial = Trial::of(GENERIC, |builder| builder.pin_after(Duration::from_secs(7))).await;
    let report = trial.run().await;
    trial.is_clean(&report);
    assert!(report.is_good(), "{:#?}", report.lines);
    let all = json!({
        "codes": { "add": 202, "replace": 202, "remove": 202 },
        "bounds": "strict", "count": "exact", "created": { "precision": "millis", "offset": "Z" },
        "default_status": "pinned", "delegates": "always", "duplicates": "new", "meta": "kept", "names": "kept",
        "filters": {
            "cid": true, "name": true, "iexact": true, "partial": true, "ipartial": true, "status": true,
            "before": true, "after": true, "meta": true,
        },
        "ordered": true, "requestid": "uuid",
    });
    assert_eq!(Value::Object(report.learned.clone()), all);
    assert_eq!(report.latencies.len(), Route::ALL.len());
}

#[tokio::test]
async fn every_way_of_counting_is_seen() {
    for mode in [Count::Exact, Count::PageLength, Count::ResultsPlusOne, Count::IgnoringBefore] {
        assert_eq!(seen("/count", |is| is.count = mode).await, json!(mode));
    }
}

#[tokio::test]
async fn what_a_list_without_status_shows_is_seen() {
    for rule in [DefaultStatus::Pinned, DefaultStatus::All, DefaultStatus::Required] {
        let played = |is: &mut Behaviour| {
            is.default_status = rule;
            is.pin_after = "never".parse().unwrap();
        };
        assert_eq!(seen("/default_status", played).await, json!(rule));
    }
}

#[tokio::test]
async fn every_filter_that_does_not_work_is_seen() {
    for filter in ["cid", "name", "iexact", "partial", "ipartial", "status", "before", "after", "meta"] {
        let broken = |is: &mut Behaviour| {
            is.filters = serde_json::from_value(json!({ filter: false })).unwrap();
        };
        assert_eq!(seen(&format!("/filters/{filter}"), broken).await, json!(false), "{filter}");
    }
}

#[tokio::test]
async fn ids_of_every_kind_are_told_apart() {
    for kind in [IdKind::Uuid, IdKind::Cid, IdKind::Integer, IdKind::Nanoid, IdKind::Gid, IdKind::UuidTime] {
        let played = |is: &mut Behaviour| {
            is.requestid = kind;
            is.duplicates = Duplicates::Same;
        };
        assert_eq!(seen("/requestid", played).await, json!(kind));
    }
}

#[tokio::test]
async fn what_a_second_post_does_is_seen() {
    for rule in [Duplicates::New, Duplicates::Same, Duplicates::SameText, Duplicates::Reissued] {
        assert_eq!(seen("/duplicates", |is| is.duplicates = rule).await, json!(rule));
    }
    let coded = |is: &mut Behaviour| {
        is.duplicates = Duplicates::Same;
        is.existing_code = Some(200);
    };
    assert_eq!(seen("/existing_code", coded).await, json!(200));
}

#[tokio::test]
async fn times_and_their_bounds_are_seen() {
    for (precision, offset) in [(Precision::Seconds, -240), (Precision::Millis, 0), (Precision::Micros, 330)]
    {
        let created = crate::presets::Created { precision, offset: Offset(offset) };
        assert_eq!(seen("/created", |is| is.created = created).await, json!(created));
    }
    assert_eq!(seen("/bounds", |is| is.bounds = TimeBound::Inclusive).await, json!("inclusive"));
    assert_eq!(seen("/ordered", |is| is.ordered = false).await, json!(false));
}

#[tokio::test]
async fn what_becomes_of_meta_names_and_delegates_is_seen() {
    assert_eq!(seen("/meta", |is| is.meta = MetaRule::Dropped).await, json!("dropped"));
    for rule in [NameRule::CidByDefault, NameRule::Required] {
        assert_eq!(seen("/names", |is| is.names = rule).await, json!(rule));
    }
    for rule in [Delegates::PostOnly, Delegates::Bare, Delegates::Never] {
        assert_eq!(seen("/delegates", |is| is.delegates_rule = rule).await, json!(rule));
    }
}

#[tokio::test]
async fn codes_and_pages_are_seen() {
    let codes = Codes { add: 200, replace: 201, remove: 204 };
    assert_eq!(seen("/codes", |is| is.codes = codes).await, json!(codes));
    let page = Page { default: Some(2), max: Some(1000) };
    assert_eq!(seen("/page", |is| is.page = page).await, json!(page));
}

#[tokio::test]
async fn a_preset_that_is_wrong_is_told_with_what_to_write() {
    let codes = Codes { add: 202, ..Codes::all(200) };
    let trial = Trial::of("pinata", |builder| builder.success_codes(codes)).await;
    let report = trial.run().await;
    trial.is_clean(&report);
    let line = line(&report, "new pin");
    assert_eq!(
        (line.verdict, line.says.as_deref(), line.seen.as_str()),
        (Verdict::Differs, Some("200"), "202")
    );
    assert!(line.advice.as_deref().unwrap().contains("`codes.add: 202`"), "{line:?}");
    assert!(!report.is_good());
    assert_eq!(learned(&report, "/codes"), json!({ "add": 202 }));
}

#[tokio::test]
async fn odd_shapes_do_not_disturb_it() {
    for odd in [Builder::camel_case_ids, Builder::html_errors, Builder::null_arrays] {
        let trial = Trial::of(GENERIC, odd).await;
        let report = trial.run().await;
        trial.is_clean(&report);
        assert!(report.is_good(), "{:#?}", report.lines);
    }
}
