//! Clocks that leap, and whether they are believed (I3).

use super::*;
use crate::model::ManualClock;

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

struct House {
    clock: Arc<ManualClock>,
    sure: SureClock,
}

impl House {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(START));
        Self { sure: SureClock::new(clock.clone(), KeptTime::default()), clock }
    }

    fn now(&self) -> Timestamp {
        self.sure.now()
    }

    /// Stops; another process starts after so long, with a clock that is ahead by `wrong` then.
    fn restart(&mut self, after: Duration, wrong: Duration) {
        let kept = self.sure.kept();
        self.clock.turn(self.clock.now().plus(after).plus(wrong));
        self.sure = SureClock::new(self.clock.clone(), kept);
    }

    fn left(&self) -> Option<Duration> {
        self.sure.doubt().map(|doubt| doubt.left)
    }

    /// Time passes, while it is looked at as in a gateway.
    fn pass(&self, span: Duration) {
        let until = self.clock.steady() + span;
        while self.clock.steady() < until {
            self.clock.advance((until - self.clock.steady()).min(MINUTE));
            self.now();
        }
    }
}

#[test]
fn i3_a_clock_that_leaps_is_not_believed_before_a_day_and_time_goes_on_meanwhile() {
    let house = House::new();
    house.clock.turn(START.plus(1000 * DAY));
    assert_eq!(house.sure.doubt(), Some(ClockDoubt { ahead: 1000 * DAY, left: DAY }));
    house.pass(HOUR);
    assert_eq!(house.now(), START.plus(HOUR));
    house.pass(22 * HOUR);
    assert_eq!((house.now(), house.left()), (START.plus(23 * HOUR), Some(HOUR)));
    house.pass(HOUR);
    assert_eq!((house.now(), house.left()), (START.plus(1001 * DAY), None));
}

#[test]
fn i3_a_clock_that_is_mended_in_time_is_believed_at_once() {
    let house = House::new();
    house.clock.turn(START.plus(1000 * DAY));
    house.pass(HOUR);
    house.clock.turn(START.plus(HOUR));
    assert_eq!((house.now(), house.left()), (START.plus(HOUR), None));
}

#[test]
fn i3_a_clock_that_is_turned_again_is_doubted_anew() {
    let house = House::new();
    for turned in [1000 * DAY, 2000 * DAY, 500 * DAY] {
        house.clock.turn(START.plus(turned));
        assert_eq!(house.left(), Some(DAY));
        house.pass(20 * HOUR);
    }
    assert_eq!(house.now(), START.plus(60 * HOUR));
}

#[test]
fn i3_a_clock_that_goes_back_is_followed() {
    let house = House::new();
    house.clock.turn(START.minus(1000 * DAY));
    assert_eq!((house.now(), house.left()), (START.minus(1000 * DAY), None));
}

#[test]
fn i3_a_clock_that_went_back_is_believed_at_once_when_it_is_set_right() {
    let house = House::new();
    house.pass(HOUR);
    house.clock.turn(START.minus(2 * DAY));
    house.pass(HOUR);
    house.clock.turn(START.plus(2 * HOUR));
    assert_eq!((house.now(), house.left()), (START.plus(2 * HOUR), None));
    house.clock.turn(START.plus(3 * DAY));
    assert_eq!(house.left(), Some(DAY), "it is further than it ever was");
}

#[test]
fn i3_a_wrong_time_that_was_waited_out_once_is_doubted_again() {
    let house = House::new();
    house.clock.turn(START.plus(1000 * DAY));
    assert_eq!(house.left(), Some(DAY));
    house.pass(DAY + HOUR);
    assert_eq!(house.left(), None);
    house.clock.turn(START.plus(DAY));
    assert_eq!(house.left(), None);
    house.pass(HOUR);
    house.clock.turn(START.plus(1000 * DAY));
    assert_eq!(house.left(), Some(DAY));
}

#[test]
fn i3_a_short_wait_that_a_restart_cut_off_is_none_for_a_longer_gap() {
    let mut house = House::new();
    house.restart(8 * HOUR, Duration::ZERO);
    assert_eq!(house.left(), Some(SHORT_WAIT));
    house.restart(MINUTE, 29 * DAY);
    assert_eq!(house.left(), Some(DAY));
}

#[test]
fn nudges_and_quick_restarts_are_no_leaps() {
    let mut house = House::new();
    for _ in 0..5 {
        house.clock.turn(house.clock.now().plus(MINUTE));
        house.restart(MINUTE, Duration::ZERO);
        assert_eq!((house.now(), house.left()), (house.clock.now(), None));
    }
}

#[test]
fn i3_after_a_stop_of_hours_the_clock_is_believed_in_minutes_and_after_weeks_in_a_day() {
    for (stop, wait) in [(8 * HOUR, SHORT_WAIT), (21 * DAY, DAY)] {
        let mut house = House::new();
        house.restart(stop, Duration::ZERO);
        assert_eq!((house.left(), house.now()), (Some(wait), START));
        house.pass(wait - MINUTE);
        assert_eq!(house.now(), START.plus(wait - MINUTE));
        house.pass(MINUTE);
        assert_eq!(house.now(), START.plus(stop).plus(wait));
    }
}

#[test]
fn i3_a_restart_makes_no_wrong_clock_right() {
    let mut house = House::new();
    house.restart(MINUTE, 1000 * DAY);
    for waited in 1..=4 {
        house.pass(5 * HOUR);
        house.restart(HOUR, Duration::ZERO);
        assert_eq!(house.left(), Some(DAY - waited * 5 * HOUR));
        assert!(house.now() < START.plus(DAY));
    }
    house.pass(4 * HOUR);
    assert_eq!(house.now(), house.clock.now(), "what was waited counts");
    house.restart(HOUR, 1000 * DAY);
    house.pass(23 * HOUR);
    house.restart(HOUR, 500 * DAY);
    assert_eq!(house.left(), Some(DAY), "but not for another leap");
}

#[test]
fn a_store_of_an_age_before_this_was_kept_believes_what_it_sees() {
    let house = House::new();
    assert_eq!((house.now(), house.left()), (START, None));
    let kept = house.sure.kept();
    assert_eq!(kept, KeptTime { sure: START, wall: START, left: None });
}
