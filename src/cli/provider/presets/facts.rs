//! One preset in words, in the order in which an operator asks.

use std::fmt::{Display, Write};

use serde::Serialize;
use serde_json::{Value, json};

use crate::presets::{
    Count, DefaultStatus, Delegates, Duplicates, Filters, IdKind, MetaRule, NameRule, Preset, Protocol,
    RefreshOrigins, Replace, TimeBound,
};

/// A thing that may be known of a service.
struct Fact {
    what: &'static str,
    said: Option<String>,
}

fn fact(what: &'static str, said: Option<impl Display>) -> Fact {
    Fact { what, said: said.map(|said| said.to_string()) }
}

/// All that is known of a preset.
pub(super) fn page(preset: &Preset) -> String {
    let (known, unknown): (Vec<Fact>, Vec<Fact>) =
        facts(preset).into_iter().partition(|fact| fact.said.is_some());
    let state = preset.retired_on.as_ref().map_or("open".to_owned(), |day| format!("closed {day}"));
    let mut page = format!("{}: {}\n{state}; as of {}\n\n", preset.name, preset.title, preset.as_of);
    for Fact { what, said } in known {
        page += &format!("{what:<22}{}\n", said.unwrap_or_default());
    }
    let unknown: Vec<&str> = unknown.iter().map(|fact| fact.what).chain(unknown_filters(preset)).collect();
    if !unknown.is_empty() {
        page += &format!("\nunknown: {}\n", unknown.join(", "));
    }
    for (head, items) in [("notes", &preset.notes), ("sources", &preset.source)] {
        if !items.is_empty() {
            page += &format!("\n{head}\n");
            page.extend(items.iter().map(|item| format!("  - {item}\n")));
        }
    }
    page
}

fn facts(preset: &Preset) -> Vec<Fact> {
    let mut facts = access(preset);
    if preset.protocol == Protocol::Psa {
        facts.extend(writes(preset));
        facts.extend(lists(preset));
    }
    facts.extend(bounds(preset));
    facts
}

fn access(preset: &Preset) -> Vec<Fact> {
    let protocol = match preset.protocol {
        Protocol::Psa => "IPFS Pinning Services API",
        Protocol::Kubo => "RPC API of a Kubo node",
    };
    let endpoint = preset.endpoint.as_deref().unwrap_or("your own server's");
    let login = preset.login.as_ref().map(|login| format!("at {}, with {}", login.url, words(&login.style)));
    let mut facts = vec![
        fact("protocol", Some(protocol)),
        fact("endpoint", Some(endpoint)),
        fact("credentials", Some(words(&preset.auth))),
    ];
    // Who has no login lacks nothing.
    facts.extend(login.map(|login| fact("login", Some(login))));
    facts.extend(preset.instead.as_ref().map(|instead| fact("what to do", Some(instead))));
    facts
}

fn writes(preset: &Preset) -> Vec<Fact> {
    let codes = preset.codes.map(|codes| {
        format!("{} for a new pin, {} replaced, {} removed", codes.add, codes.replace, codes.remove)
    });
    let mut facts = vec![
        fact("success codes", codes),
        fact("requestid", preset.requestid.map(id)),
        fact("a second POST", preset.duplicates.map(duplicates)),
        fact("replace", preset.replace.map(replace)),
        fact("meta", preset.meta.map(meta)),
        fact("names", preset.names.map(names)),
        fact("delegates", preset.delegates.map(delegates)),
        fact("later origins", preset.refresh_origins.map(origins)),
    ];
    facts.extend(preset.existing_code.map(|code| fact("code if it was there", Some(code))));
    facts
}

fn lists(preset: &Preset) -> Vec<Fact> {
    let created =
        preset.created.map(|created| format!("{}, offset {}", words(&created.precision), created.offset));
    let page = preset.page.map(|page| {
        let size = |size: Option<usize>, none: &str| size.map_or(none.to_owned(), |size| size.to_string());
        format!("{} unless asked, at most {}", size(page.default, "all"), size(page.max, "as many as asked"))
    });
    let rows = preset.true_rows.map(|rows| match rows {
        0 => "in no list, only by id".to_owned(),
        rows => format!("in lists of up to {rows} rows, and by id"),
    });
    let broken = filters(&preset.filters, false);
    let mut facts = vec![
        fact("list without status", preset.default_status.map(default_status)),
        fact("working filters", filters(&preset.filters, true)),
        fact("before and after", preset.bounds.map(bound)),
        fact("created", created),
        fact("count", preset.count.map(count)),
        fact("page", page),
        fact("404 to a list", preset.empty_404.map(|is| if is { "nothing to list" } else { "an error" })),
        fact("order", preset.ordered.map(|is| if is { "newest first" } else { "none" })),
        fact("true states", Some(rows.unwrap_or_else(|| "in every list".to_owned()))),
        fact("CIDs in one look-up", Some(preset.batch())),
    ];
    facts.extend(broken.map(|broken| fact("broken filters", Some(broken))));
    facts
}

fn bounds(preset: &Preset) -> Vec<Fact> {
    let limits = &preset.limits;
    let queued = preset.max_queued.map(|max| format!("{max} at once"));
    let mut facts = vec![
        fact("list calls", limits.list),
        fact("other reads", limits.read),
        fact("writes", limits.write),
        fact("all calls", limits.any),
        fact("calls at once", limits.concurrency),
        fact("queued pins", queued),
        fact("codecs", preset.codecs.as_ref().map(|codecs| codecs.join(", "))),
        fact("largest pin", preset.max_size.as_ref()),
        fact("retention", preset.retention.as_ref()),
        fact("price", preset.price.as_ref()),
    ];
    let spans = [
        ("one answer within", preset.try_timeout),
        ("a call within", preset.deadline),
        ("effect within", preset.settle),
        ("stuck after", preset.stuck_after),
    ];
    facts.extend(spans.into_iter().filter_map(|(what, span)| span.map(|span| fact(what, Some(span)))));
    facts
}

fn filters(filters: &Filters, work: bool) -> Option<String> {
    let value = json!(filters);
    let keys = value.as_object().into_iter().flatten();
    let named: Vec<&str> =
        keys.filter(|(_, works)| **works == json!(work)).map(|(key, _)| key.as_str()).collect();
    (!named.is_empty()).then(|| named.join(", "))
}

fn unknown_filters(preset: &Preset) -> impl Iterator<Item = &'static str> {
    let Filters { cid, name, iexact, partial, ipartial, status, before, after, meta } = preset.filters;
    let each = [
        ("filter cid", cid),
        ("filter name", name),
        ("filter iexact", iexact),
        ("filter partial", partial),
        ("filter ipartial", ipartial),
        ("filter status", status),
        ("filter before", before),
        ("filter after", after),
        ("filter meta", meta),
    ];
    // One word tells of all.
    let told = preset.protocol != Protocol::Psa || preset.filters == Filters::default();
    each.into_iter().filter(move |(_, works)| !told && works.is_none()).map(|(name, _)| name)
}

/// Words as the presets file writes them; several with commas.
pub(super) fn words(value: &impl Serialize) -> String {
    let mut text = String::new();
    let value = json!(value);
    let all = value.as_array().map_or(std::slice::from_ref(&value), Vec::as_slice);
    for word in all.iter().filter_map(Value::as_str) {
        let comma = if text.is_empty() { "" } else { ", " };
        // Holds: a String takes whatever is written.
        write!(text, "{comma}{word}").expect("a String takes it");
    }
    text
}

fn id(kind: IdKind) -> &'static str {
    match kind {
        IdKind::Uuid => "a UUID",
        IdKind::Cid => "the CID itself",
        IdKind::Integer => "a number",
        IdKind::Nanoid => "21 characters of URL-safe base64",
        IdKind::Gid => "base64 of a URI",
        IdKind::UuidTime => "a UUID and a time",
    }
}

fn duplicates(rule: Duplicates) -> &'static str {
    match rule {
        Duplicates::New => "makes a second pin",
        Duplicates::Same => "answers the pin that is there",
        Duplicates::SameText => "answers the pin that is there, if the CID is spelled the same",
        Duplicates::Reissued => "gives the pin a new id and ends the old one",
    }
}

fn replace(rule: Replace) -> &'static str {
    match rule {
        Replace::NewId => "makes the new pin and removes the old one",
        Replace::InPlace => "keeps the id where the CID is the same",
        Replace::Unpins => "with the same CID unpins it: never asked for",
        Replace::DeletesFirst => {
            "removes the old pin first, and may lose both: never asked for with the same CID"
        }
        Replace::Refuses => "refuses the same CID",
    }
}

fn meta(rule: MetaRule) -> &'static str {
    match rule {
        MetaRule::Kept => "kept",
        MetaRule::Dropped => "dropped silently",
    }
}

fn names(rule: NameRule) -> &'static str {
    match rule {
        NameRule::Kept => "kept",
        NameRule::CidByDefault => "the CID where none is given",
        NameRule::Required => "required",
    }
}

fn delegates(rule: Delegates) -> &'static str {
    match rule {
        Delegates::Always => "in every answer",
        Delegates::PostOnly => "in the answer to a POST only",
        Delegates::Bare => "without addresses, of no use",
        Delegates::Never => "never",
    }
}

fn origins(rule: RefreshOrigins) -> &'static str {
    match rule {
        RefreshOrigins::Post => "by a second POST",
        RefreshOrigins::Replace => "by a replace with the same CID",
        RefreshOrigins::Never => "never taken up",
    }
}

fn default_status(rule: DefaultStatus) -> &'static str {
    match rule {
        DefaultStatus::Pinned => "shows what is pinned",
        DefaultStatus::All => "shows everything",
        DefaultStatus::Required => "is refused",
    }
}

fn bound(rule: TimeBound) -> &'static str {
    match rule {
        TimeBound::Strict => "exclude the instant that they name",
        TimeBound::Inclusive => "include the instant that they name",
    }
}

fn count(rule: Count) -> &'static str {
    match rule {
        Count::Exact => "all that match",
        Count::PageLength => "the results on the page",
        Count::ResultsPlusOne => "the results on the page, and one if there are more",
        Count::IgnoringBefore => "all that match, whatever `before` says",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::presets::Presets;

    #[test]
    fn a_page_tells_what_is_known_and_lists_what_is_not() {
        let page = page(&Presets::known("pinata"));
        assert!(page.starts_with("pinata: Pinata\nopen; as of 2025-02-04\n\nprotocol "), "{page}");
        assert!(page.contains("\nlist calls            30/min\n"), "{page}");
        let unknown = page.lines().find(|line| line.starts_with("unknown: ")).unwrap();
        assert!(unknown.contains("a second POST") && unknown.contains("filter meta"), "{unknown}");
        assert!(!unknown.contains("list calls"), "{unknown}");
        let (notes, sources) = (page.find("\nnotes\n").unwrap(), page.find("\nsources\n").unwrap());
        assert!(page.find("\nunknown:").unwrap() < notes && notes < sources);
    }

    #[test]
    fn every_preset_has_a_page_on_which_nothing_is_told_twice() {
        for preset in Presets::built_in().iter() {
            let facts = facts(preset);
            let names: std::collections::BTreeSet<_> = facts.iter().map(|fact| fact.what).collect();
            assert_eq!(names.len(), facts.len(), "{}", preset.name);
            assert!(page(preset).lines().filter(|line| line.starts_with("unknown:")).count() <= 1);
            assert!(facts.iter().all(|fact| fact.what.len() < 22), "{}", preset.name);
        }
    }
}
