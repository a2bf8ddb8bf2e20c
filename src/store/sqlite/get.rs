//! One pin with its copies: a point read in one statement, so that pin and copies are of one snapshot.

use rusqlite::{Connection, params};

use crate::{
    model::{AccountId, RequestId},
    store::{PinRecord, StoreError},
};

use super::{
    rows::{self, DelegateSets, copy_columns, pin_columns},
    unfit::Unfits,
};

/// get_pin: a row for each of its own copies, or one without.
const GET: &str = concat!(
    "SELECT ",
    pin_columns!(),
    ", ",
    copy_columns!(),
    " FROM pins p LEFT JOIN pin_replicas l ON l.pin = p.id AND l.held_since IS NULL \
     LEFT JOIN replicas r ON r.id = l.replica LEFT JOIN providers v ON v.id = r.provider \
     WHERE p.requestid = ? AND p.account = ?"
);

/// Reads one pin of an account.
pub(super) fn get_pin(
    connection: &Connection,
    sets: &DelegateSets,
    account: AccountId,
    requestid: RequestId,
) -> Result<Option<PinRecord>, StoreError> {
    let mut statement = connection.prepare_cached(GET)?;
    let mut found = statement.query(params![requestid.as_bytes(), account.0])?;
    let Some(row) = found.next()? else { return Ok(None) };
    let (id, mut pin) = rows::pin(row)?;
    let mut copies = Vec::new();
    let mut next = Some(row);
    while let Some(row) = next {
        if row.get_ref(rows::PIN_WIDTH)? != rusqlite::types::ValueRef::Null {
            copies.push(rows::copy(row, rows::PIN_WIDTH)?);
        }
        next = found.next()?;
    }
    pin.delegates = sets.of_copies(connection, &copies)?;
    if pin.delegates.is_empty() {
        pin.delegates = sets.last_seen(connection)?;
    }
    pin.copies = copies.into_iter().map(|copy| copy.record).collect();
    Unfits::default().fill(connection, id, &mut pin)?;
    Ok(Some(pin))
}

#[cfg(test)]
mod tests {
    use crate::{
        lifecycle::Changes,
        model::*,
        policy::{Copies, Policy, replica::Work},
        store::{
            sqlite::{SqliteSettings, SqliteStore},
            *,
        },
        telemetry::Metrics,
    };

    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const CID: &str = "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n";

    fn config() -> Registration {
        let (name, fingerprint) = ("x".to_owned(), Fingerprint::new("x", None));
        let policy = Policy::plain("p", Copies { min: 1, max: 1 }, 1, vec![name.clone()]);
        Registration {
            accounts: vec![AccountDecl::new("a", "p")],
            policies: vec![policy],
            providers: vec![ProviderDecl::new(name, fingerprint)],
        }
    }

    fn asked(account: AccountId) -> AcceptPin {
        let spec = PinSpec::bare(PinCid::parse(CID).unwrap());
        AcceptPin {
            account,
            requestid: RequestId::mint(NOW),
            spec,
            policy: "p".into(),
            quota: Quota::NONE,
            expires: None,
            by: None,
            now: NOW,
        }
    }

    #[tokio::test]
    async fn a_pin_made_again_during_its_delete_is_queued_and_shows_no_copy() {
        let folder = crate::store::sqlite::founded::founded();
        let settings = SqliteSettings::default();
        let path = folder.path().join("pins.db");
        let store = SqliteStore::open(&path, &settings, Changes::default(), &Metrics::new()).unwrap();
        let known = store.register(config(), NOW).await.unwrap();
        let account = known.accounts[0].1;
        let claim = ClaimRequest {
            provider: known.providers[0].id,
            singles: 1,
            looks: 0,
            now: NOW,
            lease_until: NOW,
            doubt_until: NOW,
            exclusive: true,
            allowance: None,
            max_queued: None,
            introduces: true,
        };
        let first = store.accept_pin(asked(account)).await.unwrap();
        let submitted = store.claim_due(claim.clone()).await.unwrap().claims.remove(0);
        let upstream = UpstreamId::new("u").unwrap();
        let word = Word::Landed { upstream, status: Status::Pinned, delegates: Vec::new(), existed: false };
        store.record_outcomes(vec![Outcome { key: submitted.key, word }], NOW).await.unwrap();
        assert!(store.delete_pin(account, first.requestid, None, NOW).await.unwrap());
        let deleting = store.claim_due(claim).await.unwrap().claims.remove(0);
        assert!(matches!(deleting.work, Work::Delete(_)));
        let again = store.accept_pin(asked(account)).await.unwrap();
        let shown = store.get_pin(account, again.requestid).await.unwrap().unwrap();
        assert_eq!(
            (again.status, again.answered, shown.status, shown.have),
            (Status::Queued, false, Status::Queued, 0)
        );
        assert_eq!(shown.copies[0].state, ReplicaState::None);
    }
}
