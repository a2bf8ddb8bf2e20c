//! Limits and quotas in the configuration.

use super::*;
use crate::limits::Limit;
use crate::model::Quota;

/// A configuration with something more on its account and on its token.
fn owned(account: &str, token: &str, rest: &str) -> String {
    format!(
        "accounts:\n  - {{ name: default, {account} tokens: [ {{ name: laptop, secret: t-laptop{token} }} ] }}\nproviders:\n  - {{ name: alpha, {ENDPOINT}, token: t-alpha }}\n{rest}"
    )
}

fn limit(rate: &str, burst: u32) -> Option<Limit> {
    Some(Limit::new(rate.parse().expect("a rate"), burst).expect("a limit"))
}

#[test]
fn without_a_word_tokens_have_the_default_limits_and_accounts_none() {
    let settings = good(&owned("", "", "")).settings;
    let defaults = crate::limits::Settings::default();
    assert_eq!(settings.limits.each_token.over(Caps::default()), defaults.each_token);
    assert_eq!(settings.limits.failed_logins(), defaults.failed_logins);
    assert!(!settings.limits.shadow);
    let [terms] = &settings.terms[..] else { panic!("{:?}", settings.terms) };
    assert_eq!((terms.limits, terms.quota), (OwnLimits::default(), Quota::NONE));
    assert_eq!(settings.tokens[0].limits, OwnLimits::default());
}

#[test]
fn limits_are_read_wherever_they_stand() {
    let settings = good(&owned(
        "limits: { read: 50/s, write: 10/min },",
        ", limits: { write: 1/s, burst: 7 }",
        "limits: { read: 20/s, burst: 40, failed_logins: none, shadow: true }\n",
    ))
    .settings;
    let each_token = settings.limits.each_token.over(Caps::default());
    assert_eq!(each_token, Caps { read: limit("20/s", 40), write: limit("500/s", 40) });
    assert_eq!((settings.limits.failed_logins(), settings.limits.shadow), (None, true));
    let terms = &settings.terms[0];
    let account = terms.limits.over(Caps::default());
    assert_eq!(account, Caps { read: limit("50/s", 50), write: limit("10/min", 10) });
    let own = settings.tokens[0].limits;
    assert_eq!(own.over(each_token), Caps { read: limit("20/s", 7), write: limit("1/s", 7) });
}

#[test]
fn none_is_no_limit() {
    let settings = good(&owned("", ", limits: { read: none }", "limits: { write: none }\n")).settings;
    let each_token = settings.limits.each_token.over(Caps::default());
    assert_eq!(each_token.write, None);
    assert_eq!(settings.tokens[0].limits.over(each_token), Caps::default());
}

#[test]
fn quotas_are_read_with_units() {
    let read = |quota: &str| good(&owned(&format!("quota: {quota},"), "", "")).settings.terms[0].quota;
    let quota = read("{ pins: 1000000, pins_per_day: 50000, meta_bytes: 1GiB }");
    let all = Quota { pins: Some(1_000_000), pins_per_day: Some(50_000), meta_bytes: Some(1 << 30) };
    assert_eq!(quota, all);
    assert_eq!(read("{ pins: 0 }"), Quota { pins: Some(0), ..Quota::NONE });
    for (text, bytes) in [("7", 7), ("2KB", 2000), ("3 MiB", 3 << 20), ("1TB", 1_000_000_000_000)] {
        assert_eq!(read(&format!("{{ meta_bytes: {text} }}")).meta_bytes, Some(bytes));
    }
}

#[test]
fn the_environment_wins_over_the_general_limits() {
    let set = [("PINFOLD_LIMITS_READ", "7/s"), ("PINFOLD_LIMITS_SHADOW", "true")].into_iter().collect();
    let loaded = read(&owned("", "", "limits: { read: 5/s }\n"), &set).expect("a good configuration");
    let each_token = loaded.settings.limits.each_token.over(Caps::default());
    assert_eq!((each_token.read, loaded.settings.limits.shadow), (limit("7/s", 7), true));
    assert_eq!(loaded.warnings, []);
}

#[test]
fn mistakes_are_told_at_their_paths() {
    let told = |source: String, words: &str| {
        let text = bad(&source);
        assert!(text.contains(words), "{words:?} is not in:\n{text}");
        assert_eq!(text.lines().count(), 1, "{text}");
    };
    let account = |text: &str| owned(text, "", "");
    told(account("limits: { read: fast },"), "accounts[0].limits.read: not a rate; write calls and a time");
    told(account("limits: { raed: 1/s },"), "accounts[0].limits.raed: unknown key; did you mean `read`?");
    told(
        account("limits: { read: 2000000/s },"),
        "limits.read: no limit that can be kept: more than a million",
    );
    told(account("limits: { read: 1/s, burst: 0 },"), "limits.burst: not a number that can be used");
    told(account("limits: 50/s,"), "accounts[0].limits: expected a map");
    told(account("quota: { pins: many },"), "accounts[0].quota.pins: not a number");
    told(
        account("quota: { meta_bytes: 1 GiB and more },"),
        "accounts[0].quota.meta_bytes: not a number of bytes",
    );
    told(
        account("quota: { meta_bytes: 9999999TiB },"),
        "accounts[0].quota.meta_bytes: not a number of bytes",
    );
    told(
        owned("", ", limits: { write: 1/day, burst: 367 }", ""),
        "accounts[0].tokens[0].limits.write: no limit",
    );
    told(owned("", ", quota: { pins: 1 }", ""), "accounts[0].tokens[0].quota: unknown key");
    told(owned("", "", "limits: { failed_logins: often }\n"), "limits.failed_logins: not a rate");
    told(owned("", "", "limits: { shadow: 2 }\n"), "limits.shadow: neither true nor false");
    told(
        owned("", ", limits: { burst: 1000 }", "limits: { read: 1/day, burst: 1 }\n"),
        "accounts[0].tokens[0].limits.burst: no limit that can be kept: a burst that takes more than a year",
    );
}

#[test]
fn the_effective_settings_say_the_same_again() {
    let source = owned(
        "limits: { read: 50/s, burst: 9 }, quota: { pins: 5, meta_bytes: 1KiB },",
        ", limits: { write: none }",
        "limits: { read: none, failed_logins: 5/min, shadow: true }\n",
    );
    let settings = good(&source).settings;
    let text = settings.effective();
    for words in [
        "limits:\n  read: none\n  write: 500/s\n  failed_logins: 5/min\n  shadow: true\n",
        "    limits: { read: 50/s, burst: 9 }\n    quota: { pins: 5, meta_bytes: 1024 }\n",
        "scopes: [\"pins:write\"], limits: { write: none } }",
    ] {
        assert!(text.contains(words), "{words} is not in\n{text}");
    }
    let again = good(&text).settings;
    assert_eq!((again.limits, &again.terms), (settings.limits, &settings.terms));
    assert_eq!(again.effective(), text);
}
