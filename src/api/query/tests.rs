use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;

use super::*;

const V0: &str = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n";
const V1: &str = "bafybeihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku";
const INLINE: &str = "bafkqaaa";

fn parse(query: &str) -> Result<ListQuery, QueryError> {
    super::parse(Some(query), StatusSet::EMPTY.with(Status::Pinned))
}

fn content(text: &str) -> Content {
    PinCid::parse(text).unwrap().content().clone()
}

#[test]
fn no_query_asks_for_the_ten_newest_pinned() {
    let pinned = StatusSet::EMPTY.with(Status::Pinned);
    assert_eq!(parse(""), Ok(ListQuery::with_statuses(pinned)));
    assert_eq!(super::parse(None, StatusSet::ALL), Ok(ListQuery::with_statuses(StatusSet::ALL)));
}

#[test]
fn a_list_by_kubo_is_understood() {
    let query = parse("cid=bafkqaaa%2CQmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n&limit=10&name=policy%2F12D3%2Fmfs+1&status=queued%2Cpinning%2Cpinned%2Cfailed").unwrap();
    assert_eq!(query.cids, [content(INLINE), content(V0)]);
    assert_eq!(query.name.unwrap().text, "policy/12D3/mfs 1");
    assert_eq!(query.statuses, StatusSet::ALL);
}

#[test]
fn lists_come_with_commas_or_repeated_or_both() {
    for query in ["status=queued,failed", "status=queued%2cfailed", "status=failed&limit=10&status=queued"] {
        let expected: StatusSet = [Status::Queued, Status::Failed].into_iter().collect();
        assert_eq!(parse(query).unwrap().statuses, expected, "{query}");
    }
    let query = parse(&format!("cid={INLINE}&cid={V0},{V1}")).unwrap();
    assert_eq!(query.cids, [content(INLINE), content(V0)], "v0 equals v1");
}

#[test]
fn meta_comes_as_json_and_in_brackets() {
    let expected = [("app".to_owned(), "a b".to_owned())];
    for query in [
        "meta=%7B%22app%22%3A%22a+b%22%7D",
        "meta={\"app\":\"a%20b\"}",
        "meta%5Bapp%5D=a%20b",
        "meta[app]=a+b",
        "meta[app]=a+b&meta={\"app\":\"a+b\"}",
    ] {
        assert_eq!(parse(query).unwrap().meta, expected, "{query}");
    }
    assert!(parse("meta={}").unwrap().meta.is_empty());
}

#[test]
fn what_boxo_sends_as_meta_is_refused_not_ignored() {
    for query in ["meta=map%5Bapp%3Ax%5D", "meta=", "meta=[]", "meta=null", "meta=%22x%22"] {
        assert_eq!(parse(query), Err(QueryError::Meta), "{query}");
    }
    assert_eq!(parse("meta={\"n\":1}"), Err(QueryError::MetaValue("n".into())));
    assert_eq!(parse("meta={\"n\":\"\\u0000\"}"), Err(QueryError::Encoding));
    let many: Vec<String> = (0..=MAX_META).map(|n| format!("meta[{n}]=x")).collect();
    assert_eq!(parse(&many.join("&")), Err(QueryError::TooMuchMeta));
}

#[test]
fn limits_are_whole_numbers_from_1_to_1000() {
    assert_eq!(parse("limit=1").unwrap().limit, 1);
    assert_eq!(parse("limit=1000").unwrap().limit, 1000);
    for text in ["0", "1001", "abc", "", "-1", "1.0", "1e2", "99999999999999999999"] {
        assert_eq!(parse(&format!("limit={text}")), Err(QueryError::Limit(text.into())));
    }
    assert_eq!(parse("limit=%2B5"), Err(QueryError::Limit("+5".into())));
}

#[test]
fn times_come_in_any_precision_and_offset() {
    let at = Timestamp::from_millis(1_595_871_148_000);
    for text in [
        "2020-07-27T17:32:28Z",
        "2020-07-27T17:32:28.000Z",
        "2020-07-27T17%3A32%3A28.000000000Z",
        "2020-07-27T13:32:28-04:00",
        "2020-07-27T21:32:28%2B04:00",
        "2020-07-27T21:32:28+04:00",
    ] {
        assert_eq!(parse(&format!("before={text}")).unwrap().before, Some(at), "{text}");
        assert_eq!(parse(&format!("after={text}")).unwrap().after, Some(at), "{text}");
    }
    let fine = parse("before=2020-07-27T17:32:28.0000001Z&after=2020-07-27T17:32:28.0009999Z").unwrap();
    assert_eq!((fine.before.unwrap().as_millis(), fine.after), (1_595_871_148_001, Some(at)));
    for text in ["", "now", "1595871148", "2020-07-27", "2020-13-27T17:32:28Z"] {
        assert!(matches!(parse(&format!("before={text}")), Err(QueryError::Time { key: "before", .. })));
    }
}

#[test]
fn names_match_in_four_modes_and_have_a_bound() {
    for (word, mode) in [
        ("exact", NameMatch::Exact),
        ("iexact", NameMatch::IExact),
        ("partial", NameMatch::Partial),
        ("ipartial", NameMatch::IPartial),
    ] {
        let filter = parse(&format!("match={word}&name=x")).unwrap().name.unwrap();
        assert_eq!(filter.matching, mode);
    }
    assert_eq!(parse("match=fuzzy&name=x"), Err(QueryError::Match("fuzzy".into())));
    assert_eq!(parse("match=partial").unwrap().name, None);
    assert!(parse(&format!("name={}", "%C3%A9".repeat(255))).is_ok());
    assert_eq!(parse(&format!("name={}", "x".repeat(256))), Err(QueryError::Name));
}

#[test]
fn bad_cids_and_too_many_are_refused() {
    assert_eq!(parse("cid=QmCIDToBePinned"), Err(QueryError::Cid(CidError::Syntax)));
    assert_eq!(parse("cid="), Err(QueryError::Cid(CidError::Empty)));
    let cid = |n: u8| {
        let hash = multihash::Multihash::<64>::wrap(0x12, &[n; 32]).unwrap();
        cid::Cid::new_v1(0x55, hash).to_string()
    };
    let ten: Vec<String> = (0..10).map(cid).collect();
    assert_eq!(parse(&format!("cid={}", ten.join(","))).unwrap().cids.len(), 10);
    assert_eq!(parse(&format!("cid={},{}", ten.join(","), cid(10))), Err(QueryError::TooManyCids));
}

#[test]
fn unknown_statuses_and_doubles_are_refused() {
    for text in ["PINNED", "", "pinned, queued"] {
        assert!(matches!(parse(&format!("status={text}")), Err(QueryError::Status(_))), "{text}");
    }
    assert_eq!(parse("name=a&name=b"), Err(QueryError::Twice("name")));
    assert_eq!(parse("limit=1&limit=1"), Err(QueryError::Twice("limit")));
}

#[test]
fn bad_encoding_is_refused_and_unknown_keys_are_ignored() {
    for query in ["name=%", "name=%4", "name=%zz", "name=%ff", "name=a%00b", "%zz=1", "name=%+1"] {
        assert_eq!(parse(query), Err(QueryError::Encoding), "{query}");
    }
    assert!(parse("x=1&&utm_source=&=&flag&Meta[x]=1").is_ok());
}

fn print(query: &ListQuery, encode: impl Fn(&str) -> String) -> String {
    let mut parts = vec![format!("limit={}", query.limit)];
    let statuses: Vec<&str> = query.statuses.iter().map(Status::as_str).collect();
    parts.push(format!("status={}", encode(&statuses.join(","))));
    if !query.cids.is_empty() {
        let cids: Vec<String> = query.cids.iter().map(Content::canonical).collect();
        parts.push(format!("cid={}", encode(&cids.join(","))));
    }
    if let Some(name) = &query.name {
        parts.push(format!("match=ipartial&name={}", encode(&name.text)));
    }
    for (key, at) in [("before", query.before), ("after", query.after)] {
        parts.extend(at.map(|at| format!("{key}={}", encode(&at.to_string()))));
    }
    parts
        .extend(query.meta.iter().map(|(key, value)| encode(&format!("meta[{key}]")) + "=" + &encode(value)));
    parts.join("&")
}

fn text() -> impl Strategy<Value = String> {
    "[^\0]{0,20}"
}

prop_compose! {
    fn queries()(
        cids in proptest::sample::subsequence(vec![V0, INLINE], 0..=2),
        name in proptest::option::of(text()),
        statuses in proptest::sample::subsequence(Status::ALL.to_vec(), 1..=4),
        before in proptest::option::of(0i64..253_402_300_800_000),
        after in proptest::option::of(0i64..253_402_300_800_000),
        limit in 1u16..=1000,
        meta in proptest::collection::btree_map(text(), text(), 0..4),
    ) -> ListQuery {
        ListQuery {
            cids: cids.into_iter().map(content).collect(),
            name: name.map(|text| NameFilter { text, matching: NameMatch::IPartial }),
            statuses: statuses.into_iter().collect(),
            before: before.map(Timestamp::from_millis),
            after: after.map(Timestamp::from_millis),
            limit,
            meta: meta.into_iter().collect(),
        }
    }
}

proptest! {
    #[test]
    fn print_then_parse_is_the_identity(query in queries()) {
        let percent = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let plus = |text: &str| percent(text).replace("%20", "+").to_lowercase_escapes();
        prop_assert_eq!(parse(&print(&query, percent)), Ok(query.clone()));
        prop_assert_eq!(parse(&print(&query, plus)), Ok(query));
    }

    #[test]
    fn no_query_makes_the_parser_panic(query in "\\PC*", more in "(cid|name|meta|meta\\[|limit|before|status|match)=[%+,&=0-9a-f\\]{}\":-]{0,40}") {
        for query in [&query, &more] {
            if let Err(error) = parse(query) {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
}

/// Clients disagree on the case of their escapes.
trait LowercaseEscapes {
    fn to_lowercase_escapes(&self) -> String;
}

impl LowercaseEscapes for String {
    fn to_lowercase_escapes(&self) -> String {
        let mut parts = self.split('%');
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| text + "%" + &part[..2].to_lowercase() + &part[2..])
    }
}
