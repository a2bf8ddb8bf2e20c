//! The time by which calls are counted: it goes on as time passes, whatever is done to the wall clock.

use std::{sync::Arc, time::Duration};

use super::{Clock, Timestamp};

/// A moment of the ledger's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LedgerTime {
    pub now: Timestamp,
    /// How far the wall clock is ahead of it, in ms: to go on from after a restart.
    pub ahead: i64,
}

impl LedgerTime {
    /// What the wall clock shows at this moment.
    pub fn wall(self) -> Timestamp {
        Timestamp::from_millis(self.now.as_millis().saturating_add(self.ahead))
    }
}

/// Never goes back and never leaps while a process runs. Between two processes only the wall clock tells how much time
/// passed: a clock put forward while none runs makes it leap.
#[derive(Clone)]
pub struct LedgerClock {
    clock: Arc<dyn Clock>,
    began: Timestamp,
    steady: Duration,
}

impl LedgerClock {
    /// `ahead`: as the last process left it.
    pub fn new(clock: Arc<dyn Clock>, ahead: i64) -> Self {
        let began = Timestamp::from_millis(clock.now().as_millis().saturating_sub(ahead));
        let steady = clock.steady();
        Self { clock, began, steady }
    }

    pub fn now(&self) -> LedgerTime {
        let now = self.began.plus(self.clock.steady().saturating_sub(self.steady));
        LedgerTime { now, ahead: self.clock.now().as_millis().saturating_sub(now.as_millis()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ManualClock;

    /// I9.
    #[test]
    fn it_goes_on_while_the_wall_clock_is_turned_and_over_a_restart() {
        let start = Timestamp::from_millis(1_700_000_000_000);
        let clock = Arc::new(ManualClock::at(start));
        let ledger = LedgerClock::new(clock.clone(), 0);
        let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
        for turned in [start.plus(hour), start.minus(hour)] {
            clock.turn(turned);
            clock.advance(second);
        }
        assert_eq!(ledger.now().now, start.plus(2 * second));
        clock.turn(start.plus(hour));
        let after = LedgerClock::new(clock.clone(), ledger.now().ahead);
        clock.advance(second);
        assert_eq!((after.now().now, ledger.now()), (start.plus(3 * second), after.now()));
    }
}
