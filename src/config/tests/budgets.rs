//! The calls that a provider allows.

use super::*;
use crate::config::settings::BudgetDecl;

fn of(budget: &str) -> String {
    with(&format!("preset: pinata, token: t-alpha, budget: {{ {budget} }}"), "secret: t-laptop", "")
}

fn budget(source: &str) -> BudgetDecl {
    good(source).settings.providers[0].budget.clone()
}

#[test]
fn a_budget_is_its_presets_but_for_what_the_entry_says() {
    let shown = |budget: &str| {
        let effective = good(&of(budget)).settings.effective();
        effective.lines().find(|line| line.contains("budget:")).expect("a budget").trim().to_owned()
    };
    let preset =
        "budget: { list: 30/min, read: none, write: none, any: 60/min, concurrency: 4, max_queued: 250 }";
    assert_eq!(shown(""), preset);
    assert_eq!(
        shown("list: 100/s, any: unlimited, write: 500/10s, concurrency: 9, max_queued: none, group: team"),
        "budget: { list: 100/s, read: none, write: 500/10s, any: none, concurrency: 9, max_queued: none, group: \"team\" }"
    );
}

#[test]
fn what_is_shown_of_a_budget_reads_back_as_it() {
    let source = of("list: 100/s, any: none, group: team");
    let shown = good(&source).settings.effective().replace("***", "t-alpha");
    assert_eq!(budget(&shown), budget(&source));
}

#[test]
fn mistakes_in_a_budget_are_told_where_they_are() {
    for (wrong, told) in [
        ("list: fast", "providers[0].budget.list: no limit of calls"),
        ("any: 3/min", "providers[0].budget.any: too few calls"),
        ("max_queued: 0", "providers[0].budget.max_queued"),
        ("group: My Team", "providers[0].budget.group"),
        ("lists: 30/min", "providers[0].budget.lists"),
    ] {
        let said = bad(&of(wrong));
        assert!(said.contains(told), "{wrong}: {said}");
    }
}

#[test]
fn a_group_has_one_budget() {
    let two = |second: &str| {
        let first = format!("{ENDPOINT}, token: a, account: a, budget: {{ group: team, any: 60/min }}");
        let second = format!(
            "  - {{ name: beta, {ENDPOINT}, token: b, account: b, budget: {{ group: team, {second} }} }}\n"
        );
        with(&first, "secret: t-laptop", &second)
    };
    let same = good(&two("any: 60/min")).settings.providers;
    assert_eq!(
        (same[0].budget.group.as_deref(), same[1].budget.group.as_deref()),
        (Some("team"), Some("team"))
    );
    let said = bad(&two("any: 90/min"));
    assert!(said.contains("providers[1].budget.group") && said.contains("other limits"), "{said}");
}
