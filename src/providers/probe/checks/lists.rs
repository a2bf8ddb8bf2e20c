//! Asks for the test pins in every way that a list allows.

use serde_json::json;

use super::{
    super::{
        judge,
        lab::{Lab, STATUSES, escaped},
        seen::{MARK, Page, Shown},
    },
    Pins,
};
use crate::{model::Content, presets::Count};

const ALL: &str = "status=queued,pinning,pinned,failed";

pub(super) async fn run(lab: &mut Lab, pins: &Pins) {
    let Some(whole) = whole(lab, pins).await else { return };
    default_status(lab, &whole).await;
    page_default(lab, &whole).await;
    names(lab, pins).await;
    statuses(lab, pins).await;
    let before = times(lab, &whole).await;
    count(lab, &whole, before).await;
}

/// The largest page, of which the test pins are a part.
async fn whole(lab: &mut Lab, pins: &Pins) -> Option<Page> {
    const CHECK: &str = "limit=1000";
    let query = |limit| format!("{ALL}&limit={limit}");
    let page = match lab.list(&query(1000)).await {
        Err(miss) => {
            lab.findings.untold(CHECK, Some("/page/max"), miss.why);
            None
        }
        Ok((_, Some(page))) => {
            lab.findings.fits(CHECK, "/page/max", "taken".to_owned());
            Some(page)
        }
        Ok((reply, None)) => {
            let said = lab.caller.say(&reply);
            let advice = "tell Pinfold's makers: it asks for pages of 1000";
            lab.findings.fail(CHECK, said, advice);
            lab.list(&query(100)).await.ok().and_then(|(_, page)| page)
        }
    }?;
    let own: Vec<Shown> = page.rows.iter().filter(|row| lab.is_own(row)).cloned().collect();
    if own.is_empty() {
        let advice = "do not rely on its lists: new pins are not on the first page";
        lab.findings.fail("list shows new pins", "none of them".to_owned(), advice);
        return None;
    }
    let seen = format!("{} of {}", own.len(), pins.made.len());
    lab.findings.note("list shows new pins", seen);
    match judge::ordered(&page.rows) {
        Some(ordered) => lab.findings.bit("order", "/ordered", json!(ordered)),
        None => lab.findings.untold("order", Some("/ordered"), "there are not enough pins"),
    }
    match judge::created(own.iter().chain([&pins.first])) {
        Some(created) => lab.findings.bit("created", "/created", json!(created)),
        None => lab.findings.untold("created", Some("/created"), "no time that can be read"),
    }
    Some(page)
}

async fn default_status(lab: &mut Lab, whole: &Page) {
    const CHECK: &str = "list without status";
    const AT: &str = "/default_status";
    let page = match lab.list("limit=20").await {
        Err(miss) => return lab.findings.untold(CHECK, Some(AT), miss.why),
        Ok((reply, None)) if reply.code == 400 => return lab.findings.bit(CHECK, AT, json!("required")),
        Ok((reply, None)) => {
            let said = lab.caller.say(&reply);
            return lab.findings.untold(CHECK, Some(AT), said);
        }
        Ok((_, Some(page))) => page,
    };
    let shown: Vec<&Shown> = page.rows.iter().filter(|row| lab.is_own(row)).collect();
    let is_shown = |row: &&Shown| shown.iter().any(|other| other.content == row.content);
    let hidden: Vec<&Shown> = whole.rows.iter().filter(|row| lab.is_own(row) && !is_shown(row)).collect();
    match judge::default_status(&shown, &hidden) {
        Some(rule) => lab.findings.bit(CHECK, AT, json!(rule)),
        None => lab.findings.untold(CHECK, Some(AT), "every test pin was pinned by then"),
    }
}

async fn page_default(lab: &mut Lab, whole: &Page) {
    const CHECK: &str = "page without limit";
    const AT: &str = "/page/default";
    let page = match lab.list(ALL).await {
        Ok((_, Some(page))) => page,
        Ok((reply, None)) => {
            let said = lab.caller.say(&reply);
            return lab.findings.untold(CHECK, Some(AT), said);
        }
        Err(miss) => return lab.findings.untold(CHECK, Some(AT), miss.why),
    };
    let known = lab.preset().page;
    match (page.items < whole.items, known.map(|page| page.default)) {
        // A page of which nothing else is known is at most what was taken.
        (true, None) => {
            lab.findings.bit(CHECK, AT, json!(page.items));
            lab.findings.bit("largest page", "/page/max", json!(1000));
        }
        (true, Some(_)) => lab.findings.bit(CHECK, AT, json!(page.items)),
        (false, Some(Some(default))) if default < page.items => {
            lab.findings.bit(CHECK, AT, json!(page.items));
        }
        (false, Some(_)) => lab.findings.fits(CHECK, AT, format!("{} or more", page.items)),
        (false, None) => lab.findings.untold(CHECK, Some(AT), format!("{} or more", page.items)),
    }
}

/// The filters that pick the first pin.
async fn names(lab: &mut Lab, pins: &Pins) {
    let (first, others) = contents(pins);
    let (name, run) = (lab.name("One"), lab.run.clone());
    let mark = escaped(&json!({ MARK: lab.mark("One") }).to_string());
    let cid = pins.made[0].as_str().to_owned();
    let queries = [
        ("filter cid", "/filters/cid", format!("limit=100&cid={cid}")),
        ("filter name", "/filters/name", format!("limit=100&name={name}")),
        ("filter iexact", "/filters/iexact", format!("limit=100&match=iexact&name={}", name.to_uppercase())),
        ("filter partial", "/filters/partial", format!("limit=100&match=partial&name=Probe-{run}-On")),
        (
            "filter ipartial",
            "/filters/ipartial",
            format!("limit=100&match=ipartial&name=PROBE-{}-ON", run.to_uppercase()),
        ),
        // Some cut the page first and filter then: the oldest of the pins is not on a page of one.
        ("filter meta", "/filters/meta", format!("limit=1&meta={mark}")),
    ];
    for (check, at, query) in queries {
        match lab.list(&format!("{ALL}&{query}")).await {
            Err(miss) => lab.findings.untold(check, Some(at), miss.why),
            Ok((_, Some(page))) => {
                let works = judge::filters(&page, &[first], &others);
                lab.findings.bit(check, at, json!(works));
            }
            Ok((reply, None)) => refused(lab, check, at, &reply),
        }
    }
}

/// A refusal says that a filter is not there; trouble says nothing.
fn refused(lab: &mut Lab, check: &'static str, at: &'static str, reply: &super::super::caller::Reply) {
    if matches!(reply.code, 400 | 404 | 422 | 501) {
        lab.findings.bit(check, at, json!(false));
    } else {
        let said = lab.caller.say(reply);
        lab.findings.untold(check, Some(at), said);
    }
}

async fn statuses(lab: &mut Lab, pins: &Pins) {
    const CHECK: &str = "filter status";
    const AT: &str = "/filters/status";
    let (first, _) = contents(pins);
    let seen = pins.first.status.as_str();
    // Those that are on the way may get there between two calls.
    let (own, other) =
        if seen == "pinned" { ("pinned", "queued,pinning") } else { ("queued,pinning", "pinned") };
    let mut works = true;
    for asked in [own, other] {
        match lab.list(&format!("status={asked}&limit=10")).await {
            Err(miss) => return lab.findings.untold(CHECK, Some(AT), miss.why),
            Ok((reply, None)) => return refused(lab, CHECK, AT, &reply),
            Ok((_, Some(page))) => {
                let statuses: Vec<&str> = asked.split(',').collect();
                let there = page.rows.iter().any(|row| row.content.as_ref() == Some(first));
                let moved = seen != "pinned" && asked == own;
                works &= judge::shows_only(&page, &statuses) && (asked != own || there || moved);
            }
        }
    }
    lab.findings.bit(CHECK, AT, json!(works));
}

/// `before` and `after` the pin in the middle; the count of the former, where it works.
async fn times(lab: &mut Lab, whole: &Page) -> Option<u64> {
    let mut own: Vec<Shown> =
        whole.rows.iter().filter(|row| lab.is_own(row) && row.at().is_some()).cloned().collect();
    own.sort_by_key(Shown::at);
    own.dedup_by_key(|row| row.at());
    if own.len() < 3 {
        for (check, at) in [("filter before", "/filters/before"), ("filter after", "/filters/after")] {
            lab.findings.untold(check, Some(at), "there are no three pins of different times");
        }
        return None;
    }
    let middle = own.len() / 2;
    let edge = own[middle].clone();
    let named =
        |rows: &[Shown]| -> Vec<Content> { rows.iter().filter_map(|row| row.content.clone()).collect() };
    let (older, newer) = (named(&own[..middle]), named(&own[middle + 1..]));
    let instant = escaped(edge.created.as_deref().unwrap_or_default());
    let before =
        side(lab, ("filter before", "/filters/before"), &format!("before={instant}"), &older, &newer).await;
    let after =
        side(lab, ("filter after", "/filters/after"), &format!("after={instant}"), &newer, &older).await;
    if let (Some(before), Some(after), Some(edge)) = (&before, &after, &edge.content) {
        match judge::bound(before, after, edge) {
            Some(bound) => lab.findings.bit("their instant", "/bounds", json!(bound)),
            None => lab.findings.untold("their instant", Some("/bounds"), "before and after disagree"),
        }
    }
    before?.count
}

/// One side of an instant; the page where the filter works.
async fn side(
    lab: &mut Lab,
    (check, at): (&'static str, &'static str),
    query: &str,
    wanted: &[Content],
    others: &[Content],
) -> Option<Page> {
    match lab.list(&format!("{ALL}&limit=100&{query}")).await {
        Err(miss) => lab.findings.untold(check, Some(at), miss.why),
        Ok((reply, None)) => refused(lab, check, at, &reply),
        Ok((_, Some(page))) => {
            let all = |contents: &[Content]| contents.to_vec();
            let (wanted, others) = (all(wanted), all(others));
            let works =
                judge::filters(&page, &wanted.iter().collect::<Vec<_>>(), &others.iter().collect::<Vec<_>>());
            lab.findings.bit(check, at, json!(works));
            return works.then_some(page);
        }
    }
    None
}

async fn count(lab: &mut Lab, whole: &Page, before: Option<u64>) {
    const CHECK: &str = "count";
    let page = match lab.list(&format!("status={STATUSES}&limit=1")).await {
        Err(miss) => return lab.findings.untold(CHECK, Some("/count"), miss.why),
        Ok((_, page)) => page.unwrap_or_default(),
    };
    let Some(one) = page.count else {
        return lab.findings.untold(CHECK, Some("/count"), "no count is told");
    };
    let known = u64::try_from(whole.rows.len()).unwrap_or(u64::MAX);
    let mode: Option<Count> = judge::count(one, known, before);
    match mode {
        Some(mode) => lab.findings.bit(CHECK, "/count", json!(mode)),
        None => lab.findings.untold(CHECK, Some("/count"), format!("{one} where {known} or more are there")),
    }
}

/// The first pin, and the others.
fn contents(pins: &Pins) -> (&Content, Vec<&Content>) {
    let mut all = pins.made.iter().map(|cid| cid.content());
    // Holds: there is a first pin.
    let first = all.next().expect("the first pin is there");
    (first, all.collect())
}
