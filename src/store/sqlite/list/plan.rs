//! How a list query is answered: which index drives it, what is left to check, in which lane it runs.
//!
//! A plan has arms that cannot overlap (one a status, or one a content), each of them in the order of `created`
//! by its index, so that a page is a merge of arms. All arms share one text; only the values differ.

use rusqlite::types::Value;

use crate::model::{AccountId, ListQuery, NameFilter, NameMatch, StatusSet, name};
use crate::store::sqlite::count::{Span, meta_key};

/// Which way in a query takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::store::sqlite) enum Driver {
    /// Statuses and times only: a page costs its own length, and counters know the count.
    Status,
    /// By contents; linear in the pins of these contents.
    Content,
    /// By the folded name; linear in the pins of this name.
    Name,
    /// By a meta entry; linear in the pins that have it.
    Meta,
    /// Through all of an account's names, as written.
    Names,
    /// Through all of an account's names, folded.
    FoldedNames,
}

impl Driver {
    pub(in crate::store::sqlite) fn of(query: &ListQuery) -> Self {
        match query.name.as_ref().map(|name| name.matching) {
            _ if !query.cids.is_empty() => Self::Content,
            Some(NameMatch::Exact | NameMatch::IExact) => Self::Name,
            _ if !query.meta.is_empty() => Self::Meta,
            Some(NameMatch::Partial) => Self::Names,
            Some(NameMatch::IPartial) => Self::FoldedNames,
            None => Self::Status,
        }
    }

    /// Whether what it reads grows with the account, whatever is asked for.
    pub(in crate::store::sqlite) fn is_scan(self) -> bool {
        matches!(self, Self::Names | Self::FoldedNames)
    }

    fn source(self) -> &'static str {
        match self {
            Self::Status | Self::Names => {
                "pins p INDEXED BY pins_list WHERE p.account = ? AND p.status = ? AND p.created >= ? AND p.created < ?"
            }
            Self::Content => {
                "pins p INDEXED BY pins_content WHERE p.content = (SELECT id FROM contents WHERE key = ?) \
                 AND p.account = ? AND p.created >= ? AND p.created < ? AND (? >> p.status) & 1"
            }
            Self::Name => {
                "pins p INDEXED BY pins_name WHERE p.account = ? AND coalesce(p.folded, p.name) = ? \
                 AND p.status = ? AND p.created >= ? AND p.created < ?"
            }
            Self::FoldedNames => {
                "pins p INDEXED BY pins_name WHERE p.account = ? AND coalesce(p.folded, p.name) IS NOT NULL \
                 AND p.created >= ? AND p.created < ? AND (? >> p.status) & 1"
            }
            Self::Meta => {
                "pin_meta m CROSS JOIN pins p ON p.id = m.pin WHERE m.account = ? AND m.key = ? AND m.value = ? \
                 AND p.created >= ? AND p.created < ? AND (? >> p.status) & 1"
            }
        }
    }

    /// What its index is sorted by; row ids of pins rise with `created` inside an account.
    fn order(self) -> &'static str {
        match self {
            Self::Meta => "m.pin",
            _ => "p.created",
        }
    }

    fn arms(self, account: AccountId, query: &ListQuery, first: usize) -> Vec<Vec<Value>> {
        let Span { from, to } = Span::of(query);
        let (account, from, to) = (Value::from(account.0), Value::from(from), Value::from(to));
        let mask = || Value::from(mask(query.statuses));
        let statuses = query.statuses.iter().map(|status| Value::from(status.code()));
        match self {
            Self::Status | Self::Names => {
                statuses.map(|status| vec![account.clone(), status, from.clone(), to.clone()]).collect()
            }
            Self::Content => contents(query)
                .map(|key| vec![key, account.clone(), from.clone(), to.clone(), mask()])
                .collect(),
            Self::Name => {
                let folded = Value::from(folded(query.name.as_ref()));
                statuses
                    .map(|status| vec![account.clone(), folded.clone(), status, from.clone(), to.clone()])
                    .collect()
            }
            Self::FoldedNames => vec![vec![account, from, to, mask()]],
            Self::Meta => {
                let (key, value) = query.meta.get(first).cloned().unwrap_or_default();
                vec![vec![account, key.into(), meta_key(&value).into(), from, to, mask()]]
            }
        }
    }
}

/// The contents asked for, each once: a double would be a second arm with the same pins.
fn contents(query: &ListQuery) -> impl Iterator<Item = Value> {
    let cids = &query.cids;
    let fresh = |(at, cid): (usize, &_)| (!cids[..at].contains(cid)).then(|| cids[at].as_bytes().to_vec());
    cids.iter().enumerate().filter_map(fresh).map(Value::from)
}

fn mask(statuses: StatusSet) -> i64 {
    statuses.iter().map(|status| 1 << status.code()).sum()
}

fn folded(filter: Option<&NameFilter>) -> String {
    filter.map(|filter| name::fold(&filter.text)).unwrap_or_default()
}

/// What a driver leaves to check, with the values to bind.
#[derive(Default)]
struct Checks {
    sql: String,
    values: Vec<Value>,
}

impl Checks {
    fn of(driver: Driver, account: AccountId, query: &ListQuery) -> Self {
        let mut checks = Self::default();
        if let Some(filter) = &query.name {
            checks.name(driver, filter);
        }
        if !query.meta.is_empty() {
            checks.meta(account, query);
        }
        checks
    }

    fn add(&mut self, sql: &str, values: impl IntoIterator<Item = Value>) {
        self.sql.push_str(sql);
        self.values.extend(values);
    }

    fn name(&mut self, driver: Driver, filter: &NameFilter) {
        let folded = name::fold(&filter.text);
        let text = filter.text.clone();
        match filter.matching {
            NameMatch::IExact if driver == Driver::Name => {}
            NameMatch::IExact => self.add(" AND coalesce(p.folded, p.name) = ?", [folded.into()]),
            NameMatch::Exact if driver == Driver::Name => {
                let spelling = if folded == text { Value::Null } else { text.into() };
                self.add(" AND iif(p.folded IS NULL, NULL, p.name) IS ?", [spelling]);
            }
            NameMatch::Exact => self.add(" AND p.name = ?", [text.into()]),
            NameMatch::Partial => self.add(" AND instr(p.name, ?) > 0", [text.into()]),
            NameMatch::IPartial => self.add(" AND instr(coalesce(p.folded, p.name), ?) > 0", [folded.into()]),
        }
    }

    /// All entries at once, whatever their number: none of those wanted may be missing.
    fn meta(&mut self, account: AccountId, query: &ListQuery) {
        let keyed: Vec<_> = query.meta.iter().map(|(key, value)| (key, meta_key(value))).collect();
        self.add(
            " AND NOT EXISTS (SELECT 1 FROM json_each(?) w WHERE NOT EXISTS (SELECT 1 FROM pin_meta x \
             WHERE x.account = ? AND x.key = w.value ->> 0 AND x.value = w.value ->> 1 AND x.pin = p.id))",
            [json(&keyed), account.0.into()],
        );
        // A hash stands for a long value, and a short value may look like one: only the row itself tells.
        let unsure: Vec<_> =
            query.meta.iter().filter(|(_, value)| meta_key(value).starts_with("sha256:")).collect();
        if !unsure.is_empty() {
            self.add(
                " AND NOT EXISTS (SELECT 1 FROM json_each(?) w WHERE NOT EXISTS (SELECT 1 FROM json_each(p.meta) x \
                 WHERE x.key = w.value ->> 0 AND x.value = w.value ->> 1))",
                [json(&unsure)],
            );
        }
    }
}

fn json<T: serde::Serialize>(value: &T) -> Value {
    // Holds: strings always serialise.
    serde_json::to_string(value).expect("strings serialise").into()
}

/// A query made ready to run.
pub(in crate::store::sqlite) struct Plan {
    pub(in crate::store::sqlite) driver: Driver,
    /// The checks that its driver leaves.
    checks: Checks,
    /// The driver's values, arm by arm.
    arms: Vec<Vec<Value>>,
}

impl Plan {
    /// `first`: which of the meta entries drives, where one does.
    pub(in crate::store::sqlite) fn new(account: AccountId, query: &ListQuery, first: usize) -> Self {
        let driver = Driver::of(query);
        let arms = driver.arms(account, query, first);
        Self { driver, checks: Checks::of(driver, account, query), arms }
    }

    /// How many arms there are: each is counted by itself.
    pub(in crate::store::sqlite) fn arms(&self) -> usize {
        self.arms.len()
    }

    /// count_arm: the pins of one arm.
    pub(in crate::store::sqlite) fn count(&self, arm: usize) -> (String, Vec<Value>) {
        let sql = format!("SELECT count(*) FROM {}{}", self.driver.source(), self.checks.sql);
        (sql, self.arms[arm].iter().chain(&self.checks.values).cloned().collect())
    }

    /// measure_arm: what one arm has to read, counted up to `most`.
    pub(in crate::store::sqlite) fn measure(&self, arm: usize, most: u32) -> (String, Vec<Value>) {
        let sql = format!("SELECT count(*) FROM (SELECT 1 FROM {} LIMIT ?)", self.driver.source());
        (sql, self.arms[arm].iter().cloned().chain([most.into()]).collect())
    }

    /// page: the newest pins of all arms. The heads are merged by row id and time alone; rows are fetched for those
    /// that are on the page. `columns` are those of a pin `p`.
    pub(in crate::store::sqlite) fn page(&self, columns: &str, limit: u16) -> (String, Vec<Value>) {
        let arm = format!(
            "SELECT p.id AS id, {} AS at FROM {}{}",
            self.driver.order(),
            self.driver.source(),
            self.checks.sql
        );
        let heads = vec![arm; self.arms.len()].join(" UNION ALL ");
        let sql = format!(
            "SELECT {columns} FROM ({heads} ORDER BY at DESC LIMIT ?) h CROSS JOIN pins p ON p.id = h.id"
        );
        let of_arms = self.arms.iter().flat_map(|arm| arm.iter().chain(&self.checks.values));
        (sql, of_arms.cloned().chain([limit.into()]).collect())
    }
}
