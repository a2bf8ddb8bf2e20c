//! `GET /pins`: a page of pins, and what the service calls their count.

use serde_json::{Value, json};

use crate::{
    model::{Status, Timestamp},
    presets::Count,
};

use crate::sim::{
    behaviour::Lists,
    dialect::{MetaFilter, Nulls, Rows},
    errors::Problem,
    pins::{Held, Listed},
    query::{Filter, Query},
    reply::{self, Answer},
    shown::{self, Place},
    world::Inside,
};

impl Inside {
    pub(super) fn list(&self, raw: &str, now: Timestamp) -> Result<Answer, Problem> {
        let query = Query::parse(raw, &self.behaviour)?;
        let filter = Filter::new(&query, &self.behaviour, now);
        let Listed { mut page, mut total } = if self.behaviour.ordered {
            self.pins.list(&query, &filter)
        } else {
            self.shuffled(&query, &filter)
        };
        match self.behaviour.lists {
            _ if !query.cids.is_empty() => {}
            Lists::All => {}
            Lists::First(most) => {
                let shown = self.pins.list(&Query { limit: most, ..query.without_end() }, &filter).page;
                let is_shown = |held: &Held| shown.iter().any(|one| one.id == held.id);
                page.retain(|held| is_shown(held));
                total = total.min(page.len());
            }
            Lists::Twice => page = page.iter().flat_map(|held| [*held, *held]).collect(),
        }
        if self.behaviour.dialect.meta_filter == MetaFilter::AfterLimit {
            page.retain(|held| filter.takes_meta(held));
        }
        let count = match self.behaviour.count {
            Count::Exact => total,
            Count::PageLength => page.len(),
            Count::ResultsPlusOne => page.len() + usize::from(total > page.len()),
            Count::IgnoringBefore => self.pins.list(&query.without_end(), &filter).total,
        };
        let results = self.rows(&page, now);
        Ok(reply::json(200, &json!({ "count": count, "results": results })))
    }

    /// In the order of ids, which is none.
    fn shuffled(&self, query: &Query, filter: &Filter<'_>) -> Listed<'_> {
        let all = Query { limit: usize::MAX, ..query.clone() };
        let mut listed = self.pins.list(&all, filter);
        listed.page.sort_by(|one, other| one.id.cmp(&other.id));
        listed.page.truncate(query.limit);
        listed
    }

    fn rows(&self, page: &[&Held], now: Timestamp) -> Value {
        if page.is_empty() && self.behaviour.dialect.nulls >= Nulls::Lists {
            return Value::Null;
        }
        let show = |held: &&Held| {
            let status = self.row_status(self.status(held, now), page.len());
            shown::pin_status(held, status, &self.behaviour, now, Place::Read)
        };
        page.iter().map(show).collect()
    }

    /// What a row says of a pin in this state.
    fn row_status(&self, status: Status, rows: usize) -> Status {
        /// Pages of more rows ask nobody.
        const ASKED: usize = 10;
        match self.behaviour.dialect.rows {
            Rows::True if self.behaviour.true_rows.is_some_and(|most| rows > most) => Status::Queued,
            Rows::True => status,
            Rows::Recorded if rows > ASKED => Status::Queued,
            // The cluster has not heard of it yet.
            Rows::Recorded if status == Status::Queued => Status::Failed,
            Rows::Recorded => status,
        }
    }
}
