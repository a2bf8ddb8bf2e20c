use std::time::Duration;

use bytes::Bytes;
use futures::stream;
use http::HeaderValue;
use proptest::prelude::*;
use serde_json::json;

use super::*;

const CID: &str = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n";

fn parsed(value: &Value) -> Result<PinSpec, BodyError> {
    parse(value.to_string().as_bytes())
}

#[test]
fn a_whole_pin_is_taken_as_it_was_sent() {
    let spec = parsed(&json!({
        "cid": CID, "name": "policy/12D3/mfs", "meta": {"app": "x", "": null}, "origins": [], "unknown": [1],
    }));
    assert_eq!(spec, Err(BodyError::MetaValue(String::new())));
    let spec = parsed(&json!({
        "cid": CID, "name": "policy/12D3/mfs", "meta": {"app": "x"}, "unknown": [1],
        "origins": ["/ip4/203.0.113.7/tcp/4001", "/unheard/of", "/ip4/192.168.0.7/udp/4001/quic-v1"],
    }))
    .unwrap();
    assert_eq!(spec.cid.as_str(), CID);
    assert_eq!(spec.name.as_deref(), Some("policy/12D3/mfs"));
    assert_eq!(spec.meta.unwrap().to_json(), r#"{"app":"x"}"#);
    assert_eq!(spec.origins.as_slice().len(), 2);
}

#[test]
fn null_is_the_same_as_absent() {
    let spec = parsed(&json!({"cid": CID, "name": null, "meta": null, "origins": null})).unwrap();
    assert_eq!(spec, PinSpec::bare(PinCid::parse(CID).unwrap()));
    assert_eq!(parsed(&json!({"cid": null})), Err(BodyError::NoCid));
}

#[test]
fn each_mistake_has_its_own_words() {
    assert!(matches!(parse(b""), Err(BodyError::Json(_))));
    assert!(matches!(parse(b"{\"cid\":"), Err(BodyError::Json(_))));
    assert!(matches!(parse(b"\xff\xfe"), Err(BodyError::Json(_))));
    assert!(matches!(parse("[".repeat(100_000).as_bytes()), Err(BodyError::Json(_))));
    assert_eq!(parse(b"[]"), Err(BodyError::NotAnObject));
    assert_eq!(parsed(&json!({})), Err(BodyError::NoCid));
    assert_eq!(parsed(&json!({"cid": 7})), Err(BodyError::Cid(CidError::Syntax)));
    assert_eq!(parsed(&json!({"cid": "/ipfs/Qm"})), Err(BodyError::Cid(CidError::Path)));
    let with = |key: &str, value: Value| parsed(&json!({"cid": CID, key: value})).unwrap_err();
    assert!(matches!(with("name", json!(7)), BodyError::Type(..)));
    assert_eq!(with("name", json!("a\0b")), BodyError::Nul("name"));
    assert_eq!(with("name", json!("é".repeat(256))), BodyError::NameTooLong);
    assert!(matches!(with("meta", json!([])), BodyError::Type(..)));
    assert_eq!(with("meta", json!({"n": 1})), BodyError::MetaValue("n".into()));
    assert_eq!(with("meta", json!({"n": "\0"})), BodyError::Nul("meta"));
    assert!(matches!(with("meta", json!({"n": "x".repeat(8193)})), BodyError::Meta(MetaError::Value(_))));
    assert!(matches!(with("origins", json!("/ip4/1.2.3.4")), BodyError::Type(..)));
    assert!(matches!(with("origins", json!([1])), BodyError::Type(..)));
}

#[test]
fn a_name_of_255_characters_fits_whatever_their_bytes() {
    let spec = parsed(&json!({"cid": CID, "name": "é".repeat(255)})).unwrap();
    assert_eq!(spec.name.unwrap().chars().count(), 255);
}

fn headers(content_type: &'static str) -> HeaderMap {
    HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))])
}

#[test]
fn json_by_any_of_its_names_is_taken_and_nothing_else() {
    for good in ["application/json", "Application/JSON; charset=utf-8", "text/json", "application/ld+json"] {
        assert_eq!(check_headers(&headers(good)), Ok(()), "{good}");
    }
    for bad in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "json"] {
        assert_eq!(check_headers(&headers(bad)), Err(BodyError::ContentType), "{bad}");
    }
    assert_eq!(check_headers(&HeaderMap::new()), Ok(()));
    let gzip = HeaderMap::from_iter([(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"))]);
    assert_eq!(check_headers(&gzip), Err(BodyError::Encoding));
}

fn chunks(count: usize, size: usize) -> Body {
    Body::from_stream(stream::iter(
        (0..count).map(move |_| Ok::<_, std::io::Error>(Bytes::from(vec![b' '; size]))),
    ))
}

#[tokio::test]
async fn the_limit_holds_to_the_byte_in_however_many_pieces() {
    assert_eq!(read(chunks(10, 10), 100).await.map(|kept| kept.len()), Ok(100));
    assert_eq!(read(chunks(11, 10), 100).await, Err(BodyError::TooLarge(100)));
    assert_eq!(read(chunks(10_000, 10), 100).await, Err(BodyError::TooLarge(100)));
}

#[tokio::test]
async fn a_body_that_breaks_off_is_the_clients_mistake() {
    let broken = Body::from_stream(stream::iter([Err::<Bytes, _>(std::io::Error::other("reset"))]));
    assert_eq!(read(broken, 100).await, Err(BodyError::Broken));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_given_up() {
    let settings = Settings { body_timeout: Duration::from_secs(3), ..Settings::default() };
    let endless = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    assert_eq!(pin_spec(&HeaderMap::new(), endless, &settings).await, Err(BodyError::Late));
}

proptest! {
    #[test]
    fn no_body_makes_the_parser_panic(
        bytes in proptest::collection::vec(any::<u8>(), 0..64),
        value in "[\\[{\":,}\\]0-9a-z\\\\]{0,24}",
    ) {
        let near = ["cid", "name", "meta", "origins"].map(|key| format!("{{\"cid\":\"bafkqaaa\",\"{key}\":{value}}}"));
        for body in near.iter().map(String::as_bytes).chain([&bytes[..]]) {
            if let Err(error) = parse(body) {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
}
