use super::*;
use crate::{
    model::{AccountId, PinSpec, RequestId, Status},
    store::{
        AcceptPin, Store,
        contract::house::{cid, config, t},
        sqlite::{SqliteSettings, SqliteStore, accept},
    },
    telemetry::Metrics,
};

struct House {
    store: SqliteStore,
    metrics: Metrics,
    account: AccountId,
    _dir: tempfile::TempDir,
}

async fn house() -> House {
    let dir = crate::store::sqlite::founded::founded();
    let metrics = Metrics::new();
    let path = dir.path().join("pins.db");
    let store = SqliteStore::open(&path, &SqliteSettings::default(), Changes::default(), &metrics).unwrap();
    let account = store.register(config(), t(0)).await.unwrap().accounts[0].1;
    House { store, metrics, account, _dir: dir }
}

impl House {
    fn request(&self, n: u64) -> AcceptPin {
        AcceptPin {
            account: self.account,
            requestid: RequestId::mint(t(1)),
            spec: PinSpec::bare(cid(n)),
            policy: "both".into(),
            quota: crate::model::Quota::NONE,
            expires: None,
            by: None,
            now: t(1),
        }
    }

    async fn accept(&self, n: u64) -> Result<(), StoreError> {
        self.store.accept_pin(self.request(n)).await.map(drop)
    }

    async fn pins(&self) -> u64 {
        let stats = self.store.stats(t(2)).await.unwrap();
        stats.pins.iter().filter(|(_, status, _)| *status == Status::Queued).map(|(_, _, n)| n).sum()
    }

    /// Lets the file grow by so many pages and no more; none: as it likes.
    async fn pages_left(&self, more: Option<i64>) {
        let limit = move |tx: &mut Tx<'_>| {
            let pages: i64 = tx.conn.query_row("PRAGMA page_count", [], |row| row.get(0))?;
            let most = more.map_or(1 << 30, |more| pages + more);
            tx.conn.query_row(&format!("PRAGMA max_page_count = {most}"), [], |row| row.get::<_, i64>(0))?;
            Ok(())
        };
        self.store.writer.write(Lane::Request, limit).await.unwrap();
    }
}

#[tokio::test]
async fn a_panic_is_told_to_its_caller_undone_and_survived() {
    let house = house().await;
    let (before, after) = (house.request(1), house.request(2));
    let writer = &house.store.writer;
    let writes = |request: AcceptPin, breaks: bool| {
        writer.write(Lane::Request, move |tx| {
            accept::accept(tx, &request)?;
            assert!(!breaks, "half done");
            Ok(())
        })
    };
    let (one, two, three) =
        tokio::join!(writes(before, false), writes(house.request(3), true), writes(after, false),);
    assert!(one.is_ok() && three.is_ok());
    let told = two.unwrap_err();
    assert!(
        matches!(&told, StoreError::Corrupt(cause) if cause.to_string().contains("half done")),
        "{told:?}"
    );
    assert_eq!(house.pins().await, 2);
    house.accept(3).await.unwrap();
    assert_eq!(house.pins().await, 3);
}

#[tokio::test]
async fn a_full_disk_is_told_as_such_and_writes_go_on_once_there_is_room() {
    let house = house().await;
    house.accept(0).await.unwrap();
    house.pages_left(Some(20)).await;
    let mut kept = 1;
    let full = loop {
        match house.accept(kept).await {
            Ok(()) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(full, StoreError::Full(_)), "{full:?}");
    assert_eq!(house.pins().await, kept, "reads go on, and the failed write left nothing");
    house.pages_left(None).await;
    house.accept(kept).await.unwrap();
    assert_eq!(house.pins().await, kept + 1);
    let refused =
        house.store.register(crate::store::Registration { accounts: Vec::new(), ..config() }, t(3)).await;
    assert!(matches!(refused, Err(StoreError::StillUsed { .. })), "{refused:?}");
    let text = house.metrics.render();
    assert!(text.contains(r#"pinfold_store_errors_total{kind="full"} 1"#));
    let counted = text.lines().filter(|line| line.starts_with("pinfold_store_errors_total{"));
    assert_eq!(counted.filter(|line| !line.ends_with(" 0")).count(), 1, "a refusal is no failure");
    assert!(text.contains(&format!(r#"pinfold_pin_transitions_total{{to="queued"}} {}"#, kept + 1)));
}

#[tokio::test]
async fn a_full_disk_is_logged_once_however_many_it_refuses() {
    let (subscriber, _, sink) = crate::telemetry::logging::tests::captured("info");
    let _guard = tracing::subscriber::set_default(subscriber);
    let house = house().await;
    house.pages_left(Some(0)).await;
    let mut refused = 0;
    for n in 0..100 {
        refused += u64::from(house.accept(n).await.is_err());
    }
    assert!(refused > 1);
    let lines = sink.lines();
    let [line] = &lines[..] else { panic!("{lines:?}") };
    assert!(line["level"] == "ERROR" && line["error"].as_str().unwrap().contains("full"), "{line}");
}

#[tokio::test]
async fn everybody_in_a_batch_that_found_the_disk_full_is_told_so_or_has_written() {
    let house = house().await;
    house.pages_left(Some(20)).await;
    let all = (0..2000).map(|n| house.accept(n));
    let told = futures::future::join_all(all).await;
    let written = told.iter().filter(|told| told.is_ok()).count();
    assert!(told.iter().all(|told| matches!(told, Ok(()) | Err(StoreError::Full(_)))));
    assert!(written < told.len());
    assert_eq!(house.pins().await, written as u64);
}

#[tokio::test]
async fn a_commit_that_fails_is_told_to_all_and_leaves_nothing() {
    let house = house().await;
    // Its link to nowhere is found at the commit only.
    let breaking = |tx: &mut Tx<'_>| {
        tx.conn.execute_batch(
            "PRAGMA defer_foreign_keys = ON; INSERT INTO pin_replicas(pin, replica) VALUES(1, 999)",
        )?;
        Ok(())
    };
    let (one, broken, two) =
        tokio::join!(house.accept(1), house.store.writer.write(Lane::Request, breaking), house.accept(2));
    assert!(broken.is_err());
    let written = [one, two].iter().filter(|told| told.is_ok()).count();
    assert_eq!(house.pins().await, written as u64);
    house.accept(3).await.unwrap();
    assert_eq!(house.pins().await, written as u64 + 1);
}

#[tokio::test]
async fn a_store_that_was_dropped_has_let_go_of_its_file_and_left_nothing_beside_it() {
    let house = house().await;
    house.accept(1).await.unwrap();
    assert_eq!(house.pins().await, 1);
    let House { store, _dir: dir, .. } = house;
    drop(store);
    let path = dir.path().join("pins.db");
    let log = std::fs::metadata(dir.path().join("pins.db-wal"));
    assert!(log.map_or(0, |log| log.len()) == 0, "the log still holds what the file lacks");
    SqliteStore::open(&path, &SqliteSettings::default(), Changes::default(), &Metrics::new()).unwrap();
}
