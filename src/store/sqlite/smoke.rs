//! Smoke: one pin through its whole life.
use super::*;
use crate::model::*;
use crate::policy::{Copies, Policy, replica::Work};

fn t(ms: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + ms)
}

#[tokio::test]
async fn one_pin_through_its_whole_life() {
    let dir = tempfile::tempdir().unwrap();
    let store =
        SqliteStore::open(&dir.path().join("p.db"), &SqliteSettings::default(), Changes::default()).unwrap();
    let reg = store
        .register(
            Registration {
                accounts: vec![AccountDecl { name: "a".into(), policy: "p".into() }],
                policies: vec![Policy {
                    name: "p".into(),
                    copies: Copies { min: 2, max: 2 },
                    need: 1,
                    providers: vec!["x".into(), "y".into()],
                }],
                providers: ["x", "y"]
                    .map(|n| ProviderDecl { name: n.into(), fingerprint: Fingerprint::new(n, None) })
                    .to_vec(),
            },
            t(0),
        )
        .await
        .unwrap();
    let account = reg.accounts[0].1;
    let provider = reg.providers[0].id;
    let spec = PinSpec::bare(PinCid::parse("QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n").unwrap());
    let id = RequestId::mint(t(1));
    let pin = store
        .accept_pin(AcceptPin { account, requestid: id, spec: spec.clone(), policy: "p".into(), now: t(1) })
        .await
        .unwrap();
    assert_eq!((pin.status, pin.want, pin.need, pin.copies.len()), (Status::Queued, 2, 1, 2));
    let claim = ClaimRequest {
        provider,
        singles: 4,
        looks: 4,
        now: t(2),
        lease_until: t(1000),
        doubt_until: t(2000),
        exclusive: true,
    };
    let claimed = store.claim_due(claim).await.unwrap();
    assert_eq!(claimed.claims.len(), 1);
    assert_eq!(claimed.claims[0].work, Work::Submit);
    let rec = store
        .record_outcomes(
            vec![Outcome {
                key: claimed.claims[0].key,
                word: Word::Landed {
                    upstream: UpstreamId::new("u1").unwrap(),
                    status: Status::Pinned,
                    delegates: vec![],
                },
            }],
            t(3),
        )
        .await
        .unwrap();
    assert_eq!((rec.applied, rec.settled), (1, 1));
    let pin = store.get_pin(account, id).await.unwrap().unwrap();
    assert_eq!((pin.status, pin.have), (Status::Pinned, 1));
    let page = store.list_pins(account, ListQuery::with_statuses(StatusSet::ALL)).await.unwrap();
    assert_eq!((page.count, page.pins.len()), (1, 1));
    let new = RequestId::mint(t(5));
    let spec2 =
        PinSpec::bare(PinCid::parse("bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi").unwrap());
    store
        .replace_pin(id, AcceptPin { account, requestid: new, spec: spec2, policy: "p".into(), now: t(5) })
        .await
        .unwrap()
        .unwrap();
    assert!(store.get_pin(account, id).await.unwrap().is_none());
    let claimed = store.claim_due(ClaimRequest { now: t(6), ..claim }).await.unwrap();
    assert_eq!(claimed.claims.len(), 1, "the old copy is held");
    store
        .record_outcomes(
            vec![Outcome {
                key: claimed.claims[0].key,
                word: Word::Landed {
                    upstream: UpstreamId::new("u2").unwrap(),
                    status: Status::Pinned,
                    delegates: vec![],
                },
            }],
            t(7),
        )
        .await
        .unwrap();
    let claimed = store.claim_due(ClaimRequest { now: t(8), ..claim }).await.unwrap();
    assert_eq!(claimed.claims.len(), 1);
    assert!(matches!(claimed.claims[0].work, Work::Delete(_)));
    store
        .record_outcomes(vec![Outcome { key: claimed.claims[0].key, word: Word::Removed }], t(9))
        .await
        .unwrap();
    assert!(store.delete_pin(account, new, t(10)).await.unwrap());
    assert!(!store.delete_pin(account, new, t(10)).await.unwrap());
    let page = store.list_pins(account, ListQuery::with_statuses(StatusSet::ALL)).await.unwrap();
    assert_eq!(page.count, 0);
}
