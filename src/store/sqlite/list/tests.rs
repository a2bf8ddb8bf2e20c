use std::collections::BTreeSet;

use proptest::{prelude::*, sample::subsequence};

use super::{
    seed::{ONE, Row, Seed, cid},
    *,
};
use crate::{
    model::{NameFilter, NameMatch, StatusSet, Timestamp, name},
    store::sqlite::open::open_reader,
};

const NAMES: [&str; 9] = ["", "a", "A", "Ab", "ab", "straße", "STRASSE", "a%b_", "über ab"];
const KEYS: [&str; 3] = ["k", "we\"ird.[0]", "ключ"];
const HOUR: i64 = 3_600_000;

fn long(c: char) -> String {
    c.to_string().repeat(300)
}

fn values() -> Vec<String> {
    vec!["v".into(), "".into(), "w'\"\\".into(), long('x'), long('y'), count::meta_key(&long('x'))]
}

fn row() -> impl Strategy<Value = (i64, Row)> {
    let name = proptest::option::of(proptest::sample::select(&NAMES[..]).prop_map(str::to_owned));
    let value = proptest::sample::select(values());
    let meta = (subsequence(&KEYS[..], 0..=3), proptest::collection::vec(value, 3));
    // Steps that cross seconds, ten-second and hour buckets, and hit their edges.
    let step = prop_oneof![Just(1), Just(10_000), Just(HOUR), Just(9_999), 1..HOUR];
    (step, 1..3i64, 0..4usize, 0..4u64, name, meta).prop_map(|(step, account, status, n, name, meta)| {
        let meta = meta.0.into_iter().map(str::to_owned).zip(meta.1).collect();
        let status = Status::ALL[status];
        (step, Row { account, created: 0, status, cid: cid(n), name, meta })
    })
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    (0..3 * HOUR, proptest::collection::vec(row(), 0..60)).prop_map(|(mut created, rows)| {
        let at = |(step, row)| {
            created += step;
            Row { created, ..row }
        };
        rows.into_iter().map(at).collect()
    })
}

/// A query whose edges are near (or on) those of pins and buckets.
fn query() -> impl Strategy<Value = ListQuery> {
    let matching = proptest::sample::select(vec![
        NameMatch::Exact,
        NameMatch::IExact,
        NameMatch::Partial,
        NameMatch::IPartial,
    ]);
    let text = proptest::sample::select(vec![
        "", "a", "A", "ab", "AB", "straße", "Strasse", "ss", "%", "Über AB", "z",
    ]);
    let name = (text, matching).prop_map(|(text, matching)| NameFilter { text: text.into(), matching });
    let edge =
        prop_oneof![0..30 * HOUR, (0..30i64).prop_map(|n| n * HOUR), (0..9000i64).prop_map(|n| n * 10_000)];
    let entry = (proptest::sample::select(&KEYS[..]), proptest::sample::select(values()));
    (
        proptest::collection::vec(0..6u64, 0..4),
        proptest::option::weighted(0.4, name),
        1u8..16,
        proptest::option::of(edge.clone()),
        proptest::option::of(edge),
        1u16..30,
        proptest::collection::vec(entry, 0..3),
        0..3,
    )
        .prop_map(|(cids, name, statuses, before, after, limit, meta, kind)| ListQuery {
            cids: if kind == 1 {
                cids.into_iter().map(|n| cid(n).content().clone()).collect()
            } else {
                vec![]
            },
            name,
            statuses: Status::ALL.into_iter().filter(|status| statuses >> status.code() & 1 == 1).collect(),
            before: before.map(Timestamp::from_millis),
            after: after.map(Timestamp::from_millis),
            limit,
            meta: if kind == 2 { meta.into_iter().map(|(k, v)| (k.to_owned(), v)).collect() } else { vec![] },
        })
}

/// What the API promises, written down naively.
fn matches(row: &Row, query: &ListQuery) -> bool {
    let named = |filter: &NameFilter| {
        let Some(name) = &row.name else { return false };
        match filter.matching {
            NameMatch::Exact => *name == filter.text,
            NameMatch::IExact => name::fold(name) == name::fold(&filter.text),
            NameMatch::Partial => name.contains(&filter.text),
            NameMatch::IPartial => name::fold(name).contains(&name::fold(&filter.text)),
        }
    };
    row.account == ONE.0
        && query.statuses.contains(row.status)
        && (query.cids.is_empty() || query.cids.contains(row.cid.content()))
        && query.name.as_ref().is_none_or(named)
        && query.before.is_none_or(|before| row.created < before.as_millis())
        && query.after.is_none_or(|after| row.created > after.as_millis())
        && query.meta.iter().all(|entry| row.meta.contains(entry))
}

struct Bench {
    seed: Seed,
    reader: Connection,
    sets: DelegateSets,
    _dir: tempfile::TempDir,
}

fn bench(rows: &[Row]) -> Bench {
    let dir = crate::store::contract::scratch();
    let path = dir.path().join("pins.db");
    let mut seed = Seed::at(&path);
    seed.pins(rows);
    Bench { seed, reader: open_reader(&path).unwrap(), sets: DelegateSets::default(), _dir: dir }
}

impl Bench {
    fn list(&self, query: &ListQuery) -> PinPage {
        whole(&self.reader, &self.sets, ONE, query).unwrap()
    }
}

fn numbered(n: i64) -> Row {
    let status = Status::ALL[usize::try_from(n % 4).unwrap()];
    let name = Some(format!("pin {n}"));
    Row { account: 1, created: 1_000_000 + 700 * n, status, cid: cid(n.unsigned_abs()), name, meta: vec![] }
}

fn all() -> ListQuery {
    ListQuery::with_statuses(StatusSet::ALL)
}

fn created(page: &PinPage) -> Vec<i64> {
    page.pins.iter().map(|pin| pin.created.as_millis()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn every_filter_and_count_agrees_with_a_naive_walk(
        rows in rows(),
        queries in proptest::collection::vec(query(), 24),
    ) {
        let bench = bench(&rows);
        for query in queries {
            let mut expected: Vec<i64> =
                rows.iter().filter(|row| matches(row, &query)).map(|row| row.created).collect();
            expected.reverse();
            let page = bench.list(&query);
            prop_assert_eq!(page.count, expected.len() as u64, "{:?}", query);
            expected.truncate(usize::from(query.limit));
            prop_assert_eq!(created(&page), expected.clone(), "{:?}", query);
            let near = short(&bench.reader, &bench.sets, ONE, &query).unwrap().unwrap();
            prop_assert_eq!((near.count, created(&near)), (page.count, expected));
        }
    }
}

#[test]
fn a_row_holds_what_was_stored() {
    let mut row = numbered(3);
    row.meta = vec![("k".into(), "v".into())];
    let bench = bench(std::slice::from_ref(&row));
    let pin = bench.list(&all()).pins.remove(0);
    assert_eq!(pin.requestid, seed::requestid(&row));
    assert_eq!(pin.cid, row.cid.as_str());
    assert_eq!(pin.name, row.name);
    assert_eq!(pin.meta.as_deref(), Some("{\"k\":\"v\"}"));
    assert_eq!((pin.status, pin.need, pin.want), (Status::Failed, 1, 2));
}

#[test]
fn delegates_are_the_copies_own_or_else_those_last_seen() {
    let mut bench = bench(&[]);
    let (queued, _) = bench.seed.pin(&numbered(0));
    let (pinned, _) = bench.seed.pin(&numbered(2));
    let (bare, _) = bench.seed.pin(&numbered(4));
    bench.seed.copy(queued, 1, 1, Some(3));
    bench.seed.copy(queued, 2, 1, Some(2));
    bench.seed.copy(pinned, 2, 3, Some(2));
    assert!(bare > pinned);
    let pins = bench.list(&all()).pins;
    let of = |at: usize| (pins[at].copies.len(), pins[at].delegates.join(" "));
    assert_eq!(of(0), (0, "/a /b /c".into()), "no copies: all that were last seen");
    assert_eq!(of(1), (0, "/a /b /c".into()), "copies of pinned pins are not listed");
    assert_eq!(of(2), (2, "/a /b /c".into()), "an empty set of its own falls back to its provider's");
}

/// As boxo walks: `before` the last one's `created`, until a page holds all that are counted.
#[test]
fn a_walk_in_boxos_manner_sees_every_pin_once_while_pins_are_added() {
    let rows: Vec<Row> = (0..25).map(numbered).collect();
    let mut bench = bench(&rows);
    let (mut seen, mut query, mut added) = (Vec::new(), all(), 25);
    let pages = loop {
        let page = bench.list(&query);
        seen.extend(created(&page));
        query.before = page.pins.last().map(|pin| pin.created);
        bench.seed.pins(&[numbered(added)]);
        added += 1;
        if page.count == page.pins.len() as u64 {
            break added - 25;
        }
    };
    assert_eq!(pages, 3);
    assert_eq!(seen, rows.iter().rev().map(|row| row.created).collect::<Vec<_>>());
}

/// As Helia walks: `after` the newest seen, until a page is short.
#[test]
fn a_walk_in_helias_manner_ends() {
    let bench = bench(&(0..25).map(numbered).collect::<Vec<_>>());
    let (mut seen, mut query) = (BTreeSet::new(), all());
    for _ in 0..25 {
        let page = bench.list(&query);
        seen.extend(created(&page));
        query.after = page.pins.first().map(|pin| pin.created);
        if page.pins.is_empty() {
            return assert_eq!(seen.len(), 10);
        }
    }
    panic!("the walk goes on for ever");
}

#[test]
fn edges_of_buckets_are_exclusive_on_both_sides() {
    let edges = count::WIDTHS.iter().flat_map(|width| [width - 1, *width, width + 1, 2 * width]);
    let times: BTreeSet<i64> = edges.chain([0, 1]).collect();
    let rows: Vec<Row> = times.iter().map(|at| Row { created: *at, ..numbered(2) }).collect();
    let bench = bench(&rows);
    for from in times.iter().copied() {
        for to in times.iter().copied() {
            let mut query = all();
            query.after = Some(Timestamp::from_millis(from));
            query.before = Some(Timestamp::from_millis(to));
            let expected = times.iter().filter(|at| from < **at && **at < to).count();
            assert_eq!(bench.list(&query).count, expected as u64, "between {from} and {to}");
        }
    }
    let mut beyond = all();
    beyond.before = Some(Timestamp::from_millis(i64::MAX));
    beyond.after = Some(Timestamp::from_millis(i64::MIN));
    assert_eq!(bench.list(&beyond).count, times.len() as u64);
}

#[test]
fn a_page_and_its_count_are_of_one_snapshot_while_a_writer_adds() {
    let mut bench = bench(&(0..20).map(numbered).collect::<Vec<_>>());
    let mut query = all();
    query.limit = 1000;
    std::thread::scope(|scope| {
        let (seed, reader, sets) = (&mut bench.seed, bench.reader, &bench.sets);
        let writer = scope.spawn(move || (20..320).for_each(|n| seed.pins(&[numbered(n)])));
        while !writer.is_finished() {
            let page = whole(&reader, sets, ONE, &query).unwrap();
            assert_eq!(page.count, page.pins.len() as u64);
        }
    });
}

/// One query for each way to combine filters.
fn combinations() -> Vec<ListQuery> {
    let filters = [NameMatch::Exact, NameMatch::IExact, NameMatch::Partial, NameMatch::IPartial];
    let mut names: Vec<_> = filters.map(|matching| Some(NameFilter { text: "Ab".into(), matching })).into();
    names.push(None);
    let metas = [vec![], vec![("k", "v".to_owned())], vec![("k", "v".to_owned()), ("l", long('x'))]];
    let mut queries = Vec::new();
    for bits in 0..5 * 3 * 4 * 4 {
        let (name, rest) = (&names[bits % 5], bits / 5);
        let (meta, rest) = (&metas[rest % 3], rest / 3);
        let (cids, rest) = ([0, 1, 2, 10][rest % 4], rest / 4);
        for statuses in [1, 2, 4].map(|many| Status::ALL.into_iter().take(many).collect()) {
            queries.push(ListQuery {
                cids: (0..cids).map(|n| cid(n).content().clone()).collect(),
                name: name.clone(),
                before: (rest & 1 == 1).then(|| Timestamp::from_millis(5)),
                after: (rest & 2 == 2).then(|| Timestamp::from_millis(1)),
                meta: meta.iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
                ..ListQuery::with_statuses(statuses)
            });
        }
    }
    queries
}

fn explain(reader: &Connection, (sql, values): (String, Vec<rusqlite::types::Value>)) -> Vec<String> {
    let mut statement = reader.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let lines = statement.query_map(params_from_iter(values), |row| row.get(3)).unwrap();
    lines.map(Result::unwrap).collect()
}

#[test]
fn every_combination_of_filters_is_answered_by_its_index() {
    let bench = bench(&[]);
    for query in combinations() {
        let plan = Plan::new(ONE, &query, 0);
        let index = match plan.driver {
            Driver::Status | Driver::Names => {
                "pins_list (account=? AND status=? AND created>? AND created<?)"
            }
            Driver::Content => "pins_content (content=? AND account=? AND created>? AND created<?)",
            Driver::Name => "pins_name (account=? AND <expr>=? AND status=? AND created>? AND created<?)",
            Driver::FoldedNames => "pins_name (account=?",
            Driver::Meta => "SEARCH m USING PRIMARY KEY (account=? AND key=? AND value=?)",
        };
        for plan in [plan.page(pin_columns!(), 10), plan.count(0), plan.measure(0, 10)]
            .map(|sql| explain(&bench.reader, sql))
        {
            assert!(plan.iter().any(|line| line.contains(index)), "{index} for {query:?}: {plan:#?}");
            for line in &plan {
                let harmless =
                    line.contains("VIRTUAL TABLE") || line == "SCAN h" || line.starts_with("SCAN (sub");
                assert!(!line.starts_with("SCAN") || harmless, "{query:?}: {plan:#?}");
                let sorts = line.contains("TEMP B-TREE") && !Driver::of(&query).is_scan();
                assert!(!sorts, "{query:?}: {plan:#?}");
            }
        }
    }
}

/// Counting reads nothing but the index wherever the filters allow it.
#[test]
fn counts_by_name_content_and_part_of_a_name_never_look_at_rows() {
    let bench = bench(&[]);
    for query in combinations().iter().filter(|query| query.meta.is_empty()) {
        let plan = Plan::new(ONE, query, 0);
        if plan.driver == Driver::Content && query.name.is_some() {
            continue;
        }
        let lines = explain(&bench.reader, plan.count(0));
        assert!(lines.iter().any(|line| line.contains("COVERING INDEX")), "{query:?}: {lines:#?}");
    }
}
