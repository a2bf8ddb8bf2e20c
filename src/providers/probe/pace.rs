//! How far apart calls are, so that the limits that a service documents are kept with room for others.

use std::time::Duration;

use crate::model::{BudgetClass, Rate, Rates, Timestamp};

use super::Route;

/// Between any two calls, whatever a service allows.
const LEAST: Duration = Duration::from_millis(100);

/// Between two calls that make pins: some keep the time of a pin in whole seconds.
const BETWEEN_PINS: Duration = Duration::from_millis(1100);

/// When the next call may start. Calls are spread evenly: a gateway may be at work with the same credential.
#[derive(Debug)]
pub(super) struct Pace {
    rates: Rates,
    last: Vec<(Route, Timestamp)>,
}

impl Pace {
    pub(super) fn new(rates: Rates) -> Self {
        Self { rates, last: Vec::new() }
    }

    pub(super) fn wait(&self, route: Route, now: Timestamp) -> Duration {
        let due = |(last, at): &(Route, Timestamp)| at.plus(self.gap(*last, route)).since(now);
        self.last.iter().map(due).max().unwrap_or_default()
    }

    pub(super) fn began(&mut self, route: Route, now: Timestamp) {
        self.last.retain(|(last, _)| *last != route);
        self.last.push((route, now));
    }

    /// Between the start of a call and that of one after it.
    fn gap(&self, last: Route, next: Route) -> Duration {
        let of = |rate: Option<Rate>| rate.map_or(Duration::ZERO, spread);
        let same = last.class() == next.class();
        let class = if same { of(self.rates[next.class()]) } else { Duration::ZERO };
        let pins = if last.makes() && next.makes() { BETWEEN_PINS } else { Duration::ZERO };
        LEAST.max(of(self.rates[BudgetClass::Any])).max(class).max(pins)
    }
}

/// A rate as even steps, each a tenth longer than it would have to be.
fn spread(rate: Rate) -> Duration {
    rate.per * 11 / 10 / rate.calls.max(1)
}

impl Route {
    fn class(self) -> BudgetClass {
        match self {
            Self::List => BudgetClass::List,
            Self::Get => BudgetClass::Read,
            Self::Add | Self::Replace | Self::Remove => BudgetClass::Write,
        }
    }

    fn makes(self) -> bool {
        matches!(self, Self::Add | Self::Replace)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ROUTES: [Route; 5] = [Route::List, Route::Get, Route::Add, Route::Replace, Route::Remove];

    proptest! {
        #[test]
        fn no_window_holds_more_calls_than_are_allowed(
            calls in prop::collection::vec((0usize..5, 0u64..3000), 1..60),
            list in 1u32..40, any in 1u32..80,
        ) {
            let rate = |calls| Some(Rate { calls, per: Duration::from_secs(60) });
            let mut rates = Rates::default();
            (rates[BudgetClass::List], rates[BudgetClass::Any]) = (rate(list), rate(any));
            let (mut pace, mut now) = (Pace::new(rates), Timestamp::from_millis(1_700_000_000_000));
            let mut began: Vec<(Route, Timestamp)> = Vec::new();
            for (route, idle) in calls {
                let route = ROUTES[route];
                now = now.plus(Duration::from_millis(idle));
                now = now.plus(pace.wait(route, now));
                pace.began(route, now);
                began.push((route, now));
            }
            for (_, from) in &began {
                let until = from.plus(Duration::from_secs(60));
                let inside = || began.iter().filter(|(_, at)| at >= from && *at < until);
                prop_assert!(inside().count() <= any as usize);
                prop_assert!(inside().filter(|(route, _)| *route == Route::List).count() <= list as usize);
            }
        }
    }
}
