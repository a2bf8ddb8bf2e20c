//! Raw rows for the tests of the read side, counted as the writer counts them.

use std::path::Path;

use rusqlite::{Connection, params};

use crate::{
    model::{AccountId, Meta, PinCid, RequestId, Status, name},
    policy::{Copies, Policy},
    store::sqlite::{
        count::{WIDTHS, meta_key},
        files::LockFile,
        open,
    },
};

/// One pin to insert.
#[derive(Clone, Debug)]
pub(in crate::store::sqlite) struct Row {
    pub(in crate::store::sqlite) account: i64,
    pub(in crate::store::sqlite) created: i64,
    pub(in crate::store::sqlite) status: Status,
    pub(in crate::store::sqlite) cid: PinCid,
    pub(in crate::store::sqlite) name: Option<String>,
    pub(in crate::store::sqlite) meta: Vec<(String, String)>,
}

/// A database with two accounts, two providers and a policy.
pub(in crate::store::sqlite) struct Seed {
    pub(in crate::store::sqlite) writer: Connection,
    _lock: LockFile,
}

/// The nth of a row of contents.
pub(in crate::store::sqlite) fn cid(n: u64) -> PinCid {
    let digest = [n.to_be_bytes(); 4].concat();
    let hash = multihash::Multihash::<64>::wrap(0x12, &digest).unwrap();
    PinCid::parse(&cid::Cid::new_v1(0x55, hash).to_string()).unwrap()
}

impl Seed {
    pub(in crate::store::sqlite) fn at(path: &Path) -> Self {
        let (writer, _lock) = open::open_writer(path).unwrap();
        writer
            .execute_batch(
                "INSERT INTO accounts(id, name) VALUES (1, 'one'), (2, 'two');
                 INSERT INTO delegate_sets(id, body) VALUES (1, '[\"/a\",\"/b\"]'), (2, '[\"/c\"]'), (3, '[]');
                 INSERT INTO providers(id, name, fingerprint, mode, health, health_since, delegates)
                 VALUES (1, 'alpha', zeroblob(32), 0, 0, 0, 1), (2, 'beta', zeroblob(32), 0, 0, 0, 2);",
            )
            .unwrap();
        let both = ["alpha", "beta"].map(String::from).to_vec();
        let policy = Policy::plain("default", Copies { min: 2, max: 2 }, 1, both);
        let body = serde_json::to_string(&policy).unwrap();
        writer
            .execute("INSERT INTO policies(id, name, rev, body) VALUES (1, 'default', 1, ?1)", [body])
            .unwrap();
        Self { writer, _lock }
    }

    pub(in crate::store::sqlite) fn pins(&mut self, rows: &[Row]) {
        let tx = self.writer.transaction().unwrap();
        for row in rows {
            insert(&tx, row);
        }
        tx.commit().unwrap();
    }

    pub(in crate::store::sqlite) fn pin(&mut self, row: &Row) -> (i64, RequestId) {
        let id = insert(&self.writer, row);
        (id, requestid(row))
    }

    /// Links a copy to a pin and says what state it is in; `delegates` as in [`Seed::at`].
    pub(in crate::store::sqlite) fn copy(
        &mut self,
        pin: i64,
        provider: i64,
        state: i64,
        delegates: Option<i64>,
    ) -> i64 {
        let replica = "INSERT INTO replicas(provider, content, goal, state, owned, attempt, doubt, op, next_at, leased, \
             lane, tries, refusals, state_at, delegates) \
             SELECT ?, content, 0, ?, 0, 1, 0, 2, 5000, 0, account, 0, 0, 0, ? FROM pins WHERE id = ?";
        self.writer.execute(replica, params![provider, state, delegates, pin]).unwrap();
        let id = self.writer.last_insert_rowid();
        self.writer.execute("INSERT INTO pin_replicas(pin, replica) VALUES (?, ?)", [pin, id]).unwrap();
        id
    }
}

pub(in crate::store::sqlite) fn requestid(row: &Row) -> RequestId {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&row.created.to_be_bytes());
    id[8..].copy_from_slice(&row.account.to_be_bytes());
    RequestId::from_bytes(id)
}

fn insert(tx: &Connection, row: &Row) -> i64 {
    let content = "INSERT INTO contents(key) VALUES (?) ON CONFLICT DO UPDATE SET key = key RETURNING id";
    let key = row.cid.content().as_bytes();
    let content: i64 = tx.prepare_cached(content).unwrap().query_row([key], |found| found.get(0)).unwrap();
    let meta = Meta::try_new(row.meta.iter().cloned().collect()).unwrap();
    let pin = "INSERT INTO pins(requestid, account, content, created, status, policy, need, want, have, was_pinned, \
         accepted, cid, name, folded, meta) VALUES (?, ?, ?, ?, ?, 1, 1, 2, 0, 0, ?, ?, ?, ?, ?)";
    tx.prepare_cached(pin)
        .unwrap()
        .execute(params![
            requestid(row).as_bytes(),
            row.account,
            content,
            row.created,
            row.status.code(),
            row.created,
            row.cid.text_unless_canonical(),
            row.name,
            row.name.as_deref().and_then(name::folded_unless_same),
            (!row.meta.is_empty()).then(|| meta.to_json()),
        ])
        .unwrap();
    let id = tx.last_insert_rowid();
    let entry = "INSERT INTO pin_meta(account, key, value, pin) VALUES (?, ?, ?, ?)";
    for (key, value) in meta.iter() {
        tx.prepare_cached(entry).unwrap().execute(params![row.account, key, meta_key(value), id]).unwrap();
    }
    let count = "INSERT INTO pin_counts(account, status, width, bucket, n) VALUES (?, ?, ?, ?, 1) \
         ON CONFLICT DO UPDATE SET n = n + 1";
    for width in WIDTHS {
        let bucket = row.created / width;
        tx.prepare_cached(count).unwrap().execute([row.account, row.status.code(), width, bucket]).unwrap();
    }
    id
}

/// The account that tests look at.
pub(in crate::store::sqlite) const ONE: AccountId = AccountId(1);
