use std::time::Duration;

use super::*;
use crate::store::sqlite::{
    list::seed::{Row, Seed, cid},
    open::open_reader,
};

const NOW: Timestamp = Timestamp::from_millis(10_000);

fn seeded() -> (tempfile::TempDir, std::path::PathBuf, Seed) {
    let dir = crate::store::contract::scratch();
    let path = dir.path().join("pins.db");
    let mut seed = Seed::at(&path);
    for n in 0..6 {
        let status = [Status::Queued, Status::Pinned][usize::try_from(n % 2).unwrap()];
        let row = Row {
            account: 1,
            created: 3000 + n,
            status,
            cid: cid(n.unsigned_abs()),
            name: None,
            meta: vec![],
        };
        let (pin, _) = seed.pin(&row);
        seed.copy(pin, 1, 1, None);
    }
    (dir, path, seed)
}

fn read(path: &Path) -> StoreStats {
    stats(&open_reader(path).unwrap(), path, NOW).unwrap()
}

#[test]
fn pins_and_replicas_are_counted_from_counters_with_zeros() {
    let (_dir, path, seed) = seeded();
    seed.writer
        .execute_batch(
            "INSERT INTO replica_counts VALUES (1, 1, 6); INSERT INTO tallies VALUES ('short', 4);
             UPDATE accounts SET last_created = 12000; INSERT INTO remerge VALUES (1, 0)",
        )
        .unwrap();
    let stats = read(&path);
    assert_eq!(stats.pins.len(), 2 * 4);
    assert!(stats.pins.contains(&("one".into(), Status::Queued, 3)));
    assert!(stats.pins.contains(&("two".into(), Status::Queued, 0)));
    assert_eq!(stats.replicas.len(), 2 * 6);
    assert!(stats.replicas.contains(&("alpha".into(), ReplicaState::Queued, 6)));
    assert_eq!((stats.under_replicated, stats.remerge), (4, 1));
    assert_eq!(stats.oldest_unsettled, Some(Timestamp::from_millis(3000)));
    assert_eq!(stats.short_since, None);
    seed.writer.execute_batch("UPDATE pins SET short_since = 5000 + id WHERE id > 2").unwrap();
    assert_eq!(read(&path).short_since, Some(Timestamp::from_millis(5003)));
    assert_eq!(stats.created_ahead, Duration::from_secs(2));
    assert!(stats.size_bytes > 0);
}

#[test]
fn due_is_what_may_be_claimed_now() {
    let (_dir, path, seed) = seeded();
    seed.writer
        .execute_batch(
            "UPDATE replicas SET next_at = 20000, leased = 1 WHERE id = 1;
             UPDATE replicas SET next_at = 4000 WHERE id = 2;
             UPDATE replicas SET op = NULL, next_at = NULL WHERE id = 3",
        )
        .unwrap();
    let due = read(&path).due;
    assert_eq!(due.len(), Op::ALL.len());
    assert!(due.contains(&(Op::Poll, 4, Some(Timestamp::from_millis(4000)))));
    assert!(due.contains(&(Op::Submit, 0, None)));
}

#[test]
fn no_statement_scans_pins_or_replicas() {
    let (_dir, path, _seed) = seeded();
    let reader = open_reader(&path).unwrap();
    for sql in
        [PINS, REPLICAS, PROVIDERS, JOBS, AUDITS, AUDITED, OLDEST, DUE, DUE_SINCE, SHORT, REMERGE, NEWEST]
    {
        let mut statement = reader.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let nulls = vec![rusqlite::types::Null; statement.parameter_count()];
        let lines =
            statement.query_map(rusqlite::params_from_iter(nulls), |row| row.get::<_, String>(3)).unwrap();
        for line in lines.map(Result::unwrap) {
            let small =
                ["SCAN a", "SCAN v", "SCAN k", "SCAN j", "SCAN accounts", "SCAN remerge", "SCAN (sub"];
            assert!(
                !line.starts_with("SCAN") || small.iter().any(|small| line.starts_with(small)),
                "{sql}: {line}"
            );
        }
    }
}

#[test]
fn jobs_are_counted_and_the_last_audit_says_what_drifted() {
    let (_dir, path, seed) = seeded();
    seed.writer
        .execute_batch(
            "INSERT INTO jobs(kind, state, provider, terms, counts, created, updated) VALUES
               (2, 3, 1, '{}', '{\"lost\": 9}', 1, 7000), (2, 3, 1, '{}', '{\"lost\": 2, \"suspect\": 5}', 1, 8000),
               (2, 4, 1, '{}', '{\"lost\": 7}', 1, 9000), (2, 3, 2, '{}', '{}', 1, 5000),
               (2, 2, 2, '{}', '{\"suspect\": 40, \"found\": 3, \"lost\": 1}', 1, 9000), (0, 0, 2, '{}', '{}', 1, 1);
             UPDATE providers SET orphans = 6, swept_at = 7500, mode = 2 WHERE id = 1",
        )
        .unwrap();
    let stats = read(&path);
    assert!(stats.jobs.contains(&(JobKind::Audit, JobState::Done, 3)), "{:?}", stats.jobs);
    assert!(stats.jobs.contains(&(JobKind::Drain, JobState::Running, 1)));
    let (one, two) = (&stats.providers[0], &stats.providers[1]);
    assert_eq!((one.missing, one.suspect, one.orphans, one.mode), (2, 0, 6, Mode::Draining));
    assert_eq!((two.missing, two.suspect, two.orphans, two.mode), (1, 36, 0, Mode::Active));
    assert_eq!(one.audited, Some(Timestamp::from_millis(8000)));
    assert_eq!(two.audited, Some(Timestamp::from_millis(5000)));
}
