//! Calls that were counted in the ledger and have not left yet.

use crate::model::{BudgetClass, Reserved, Timestamp};

#[derive(Debug, Default)]
pub(super) struct Pocket(Vec<Reserved>);

impl Pocket {
    pub(super) fn put(&mut self, reserved: impl IntoIterator<Item = Reserved>) {
        self.0.extend(reserved);
    }

    /// Takes one call of a class that may start now.
    pub(super) fn take(&mut self, class: BudgetClass, now: Timestamp) -> bool {
        let usable = |found: &&mut Reserved| found.class == class && found.calls > 0 && now < found.ends;
        let Some(found) = self.0.iter_mut().filter(usable).min_by_key(|found| found.ends) else {
            return false;
        };
        found.calls -= 1;
        true
    }

    /// Takes out what nobody used in time: it may never be used later.
    pub(super) fn lapsed(&mut self, now: Timestamp) -> Vec<Reserved> {
        let (fresh, lapsed) = std::mem::take(&mut self.0).into_iter().partition(|found| now < found.ends);
        self.0 = fresh;
        let mut lapsed: Vec<Reserved> = lapsed;
        lapsed.retain(|found| found.calls > 0);
        lapsed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ByClass;

    fn reserved(class: BudgetClass, calls: u32, ends: i64) -> Reserved {
        Reserved { class, calls, ends: Timestamp::from_millis(ends), counted: ByClass::default() }
    }

    /// I9.
    #[test]
    fn what_was_reserved_is_used_inside_its_slot_or_not_at_all() {
        let mut pocket = Pocket::default();
        pocket.put([reserved(BudgetClass::List, 2, 10), reserved(BudgetClass::Write, 1, 20)]);
        let at = Timestamp::from_millis;
        assert!(pocket.take(BudgetClass::List, at(9)));
        assert!(!pocket.take(BudgetClass::List, at(10)) && !pocket.take(BudgetClass::Read, at(9)));
        assert_eq!(pocket.lapsed(at(10)), [reserved(BudgetClass::List, 1, 10)]);
        assert!(pocket.take(BudgetClass::Write, at(19)) && !pocket.take(BudgetClass::Write, at(19)));
        assert!(pocket.lapsed(at(30)).is_empty());
    }
}
