//! How much work the calls that are free pay for: a claim takes no more, so that nothing waits under a lease (I9).

use std::time::Duration;

use super::window::Room;
use crate::model::{BudgetClass, ByClass, Costs, Op};

/// The calls that are free, by class; what no limit is about is free without end.
#[derive(Clone, Debug)]
pub struct Purse {
    room: ByClass<Room>,
    costs: Costs,
    /// Whether a submit goes without a look before it.
    exclusive: bool,
    /// Left for looks: what is new goes first, but not for ever.
    aside: ByClass<u32>,
}

/// Calls by class; in `Any` those of no other class.
type Calls = ByClass<u32>;

impl Purse {
    pub fn new(room: ByClass<Room>, costs: Costs, exclusive: bool) -> Self {
        Self { room, costs, exclusive, aside: ByClass::default() }
    }

    /// Keeps a quarter of what looks could use from what is sent; `dice` in `0..4` decide on the rest of the division.
    pub fn set_aside(&mut self, dice: u32) {
        let room = self.room;
        self.aside = ByClass::from_fn(|class| match class {
            BudgetClass::List | BudgetClass::Any => {
                room[class].free / 4 + u32::from(dice < room[class].free % 4)
            }
            BudgetClass::Read | BudgetClass::Write => 0,
        });
    }

    /// Lets everything be spent on anything; whether something was kept.
    pub fn release(&mut self) -> bool {
        std::mem::take(&mut self.aside) != ByClass::default()
    }

    /// How many replicas of this op can be worked, `most` at most.
    pub fn affords(&self, op: Op, most: u32) -> u32 {
        let (mut fits, mut above) = (0, most.saturating_add(1));
        while above - fits > 1 {
            let middle = fits + (above - fits) / 2;
            if self.pays(op, self.cost(op, middle)) { fits = middle } else { above = middle }
        }
        // A single one is asked for by its id.
        let single = fits == 0 && most > 0 && is_look(op) && self.free(op, BudgetClass::Read) > 0;
        if single && self.free(op, BudgetClass::Any) > 0 { 1 } else { fits }
    }

    /// How long until there is more for this op than now.
    pub fn more_in(&self, op: Op) -> Duration {
        let needed = self.cost(op, 2);
        let scarce = |class: &BudgetClass| needed[*class] > 0 || *class == BudgetClass::Any;
        let rooms = BudgetClass::ALL.iter().filter(|class| scarce(class)).map(|class| self.room[*class]);
        let limited = rooms.filter(|room| room.free < u32::MAX);
        // Those that are spent decide; where none is, the first that has more.
        let spent = limited.clone().filter(|room| room.free == 0).map(|room| room.more_in).max();
        spent.or_else(|| limited.map(|room| room.more_in).min()).unwrap_or_default()
    }

    /// Takes up to so many calls of a class out; returns how many.
    pub fn spend(&mut self, class: BudgetClass, calls: u32) -> u32 {
        let any = self.room[BudgetClass::Any].free;
        let spent = calls.min(self.room[class].free).min(any);
        let classes = [class, BudgetClass::Any];
        let both = if class == BudgetClass::Any { &classes[..1] } else { &classes[..] };
        for class in both {
            let room = &mut self.room[*class];
            // What is without limit stays so.
            room.free = if room.free == u32::MAX { u32::MAX } else { room.free - spent };
        }
        spent
    }

    /// The list calls of so many contents that are looked up; `twice` where some have an old spelling, too.
    pub fn lists(&self, contents: u32, twice: bool) -> u32 {
        contents.div_ceil(self.costs.batch.max(1)) * (1 + u32::from(twice))
    }

    /// What asking for the states of so many pins takes.
    pub fn looks(&self, pins: u32) -> (BudgetClass, u32) {
        match pins {
            2.. if self.costs.lists_tell => (BudgetClass::List, self.lists(pins, false)),
            _ => (BudgetClass::Read, pins),
        }
    }

    fn free(&self, op: Op, class: BudgetClass) -> u32 {
        let aside = if is_look(op) { 0 } else { self.aside[class] };
        match self.room[class].free {
            u32::MAX => u32::MAX,
            free => free.saturating_sub(aside),
        }
    }

    fn pays(&self, op: Op, cost: Calls) -> bool {
        let all = cost.iter().fold(0, |sum: u32, (_, calls)| sum.saturating_add(*calls));
        cost.iter().all(|(class, calls)| *calls <= self.free(op, class))
            && all <= self.free(op, BudgetClass::Any)
    }

    fn cost(&self, op: Op, replicas: u32) -> Calls {
        let mut cost = Calls::default();
        match op {
            Op::Remove => cost[BudgetClass::Write] = replicas,
            Op::Submit => {
                cost[BudgetClass::Write] = replicas;
                cost[BudgetClass::List] = if self.exclusive { 0 } else { self.lists(replicas, true) };
            }
            Op::Poll | Op::Verify if self.costs.lists_tell => {
                cost[BudgetClass::List] = self.lists(replicas, false);
            }
            Op::Poll | Op::Verify => cost[BudgetClass::Read] = replicas,
        }
        cost
    }
}

fn is_look(op: Op) -> bool {
    matches!(op, Op::Poll | Op::Verify)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COSTS: Costs = Costs { batch: 10, lists_tell: true };

    fn purse(free: [u32; 4], costs: Costs) -> Purse {
        let room = |class: BudgetClass| Room { free: free[class as usize], more_in: Duration::from_secs(1) };
        Purse::new(ByClass::from_fn(room), costs, false)
    }

    #[test]
    fn submits_are_paid_for_with_the_looks_before_them() {
        let purse = |free| purse(free, COSTS);
        assert_eq!(purse([u32::MAX; 4]).affords(Op::Submit, 1000), 1000);
        assert_eq!(purse([29, u32::MAX, u32::MAX, 57]).affords(Op::Submit, 1000), 47);
        assert_eq!(purse([3, u32::MAX, u32::MAX, 57]).affords(Op::Submit, 1000), 10);
        assert_eq!(purse([0, u32::MAX, u32::MAX, 57]).affords(Op::Submit, 1000), 0);
        assert_eq!(purse([0, u32::MAX, u32::MAX, 57]).affords(Op::Remove, 1000), 57);
        let alone = Purse { exclusive: true, ..purse([0, 0, 9, 57]) };
        assert_eq!(alone.affords(Op::Submit, 1000), 9);
    }

    #[test]
    fn the_least_limit_that_may_be_configured_pays_for_a_submit() {
        let least = "4/h".parse::<crate::model::Rate>().unwrap().guarded().calls;
        assert_eq!(purse([least, u32::MAX, u32::MAX, least], COSTS).affords(Op::Submit, 9), 1);
    }

    #[test]
    fn looks_are_paid_for_by_tens_where_lists_tell() {
        assert_eq!(purse([3, 0, 0, 57], COSTS).affords(Op::Poll, 1000), 30);
        assert_eq!(purse([0, 5, 0, 57], COSTS).affords(Op::Poll, 1000), 1);
        assert_eq!(purse([0, 0, 0, 57], COSTS).affords(Op::Poll, 1000), 0);
        let by_id = Costs { lists_tell: false, ..COSTS };
        assert_eq!(purse([3, 5, 0, 57], by_id).affords(Op::Poll, 1000), 5);
    }

    #[test]
    fn something_is_left_for_looks_until_nobody_wants_it() {
        let mut purse = purse([29, u32::MAX, u32::MAX, 40], COSTS);
        purse.set_aside(3);
        let sent = purse.affords(Op::Remove, 1000);
        assert_eq!(purse.spend(BudgetClass::Write, sent), 30);
        assert_eq!(purse.affords(Op::Poll, 1000), 100);
        assert!(purse.release());
        assert_eq!(purse.affords(Op::Remove, 1000), 10);
    }

    #[test]
    fn no_more_is_spent_than_is_free() {
        let mut purse = purse([3, 9, 9, 10], COSTS);
        assert_eq!(purse.spend(BudgetClass::List, 5), 3);
        assert_eq!(purse.spend(BudgetClass::Write, 5), 5);
        assert_eq!(purse.spend(BudgetClass::Read, 5), 2);
        assert_eq!(purse.spend(BudgetClass::Any, 5), 0);
    }
}
