//! Which providers of a pin's policy can never take it, for pins that have too few copies: so that they say why.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension};

use super::providers::load_providers;
use crate::{
    model::{Codec, Content, ProviderRecord, Status},
    policy::Policy,
    store::{PinRecord, StoreError, Unfit},
};

/// pin: its policy and content
const POLICY: &str = "SELECT p.policy, o.body, c.key FROM pins p CROSS JOIN policies o ON o.id = p.policy \
                      CROSS JOIN contents c ON c.id = p.content WHERE p.id = ?1";

/// What was found out for the pins of one page: those of one policy and codec, with or without an end, have it in common.
#[derive(Default)]
pub(super) struct Unfits(HashMap<(i64, Codec, bool), Option<Unfit>>);

impl Unfits {
    /// Fills it in, after the copies.
    pub(super) fn fill(&mut self, conn: &Connection, id: i64, pin: &mut PinRecord) -> Result<(), StoreError> {
        let waits = matches!(pin.status, Status::Queued | Status::Failed);
        if waits && pin.copies.len() < pin.need.into() {
            pin.unfit = self.of(conn, id, pin.expires.is_some())?;
        }
        Ok(())
    }

    /// Nothing, too, where the pin went since it was read.
    fn of(&mut self, conn: &Connection, id: i64, has_end: bool) -> Result<Option<Unfit>, StoreError> {
        let read =
            |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get::<_, Vec<u8>>(2)?));
        let found = conn.prepare_cached(POLICY)?.query_row([id], read).optional()?;
        let Some((policy, body, key)) = found else { return Ok(None) };
        let content = Content::from_bytes(&key).map_err(|error| StoreError::Corrupt(error.into()))?;
        let known = (policy, content.codec(), has_end);
        if let Some(found) = self.0.get(&known) {
            return Ok(found.clone());
        }
        let found = unfit(conn, &body, &content, has_end)?;
        self.0.insert(known, found.clone());
        Ok(found)
    }
}

fn unfit(
    conn: &Connection,
    policy: &str,
    content: &Content,
    has_end: bool,
) -> Result<Option<Unfit>, StoreError> {
    let policy: Policy = serde_json::from_str(policy).map_err(|error| StoreError::Corrupt(error.into()))?;
    let mut known = load_providers(conn)?;
    known.retain(|provider| policy.providers.contains(&provider.name));
    let (takers, others): (Vec<_>, Vec<_>) =
        known.into_iter().partition(|provider| provider.facts.takes(content));
    let names = |all: Vec<ProviderRecord>| all.into_iter().map(|provider| provider.name).collect::<Vec<_>>();
    let ending = takers.into_iter().filter(|provider| !provider.facts.keeps(has_end)).collect();
    let (providers, ending) = (names(others), names(ending));
    let is_any = !providers.is_empty() || !ending.is_empty();
    Ok(is_any.then(|| Unfit { codec: content.codec(), providers, ending }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::list::seed::Seed;

    /// A read of one pin is no transaction: a delete may come between its statements.
    #[test]
    fn a_pin_that_goes_while_it_is_read_has_nothing_that_does_not_fit() {
        let dir = crate::store::contract::scratch();
        let seed = Seed::at(&dir.path().join("pins.db"));
        assert!(Unfits::default().of(&seed.writer, 4711, false).unwrap().is_none());
    }
}
