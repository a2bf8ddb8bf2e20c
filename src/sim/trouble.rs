//! What goes wrong right now: the faults and rate limits that are switched on, and the dice.

use std::{collections::VecDeque, time::Duration};

use rand::{Rng, SeedableRng, rngs::StdRng};

use crate::model::Timestamp;

use super::{
    faults::{Fault, FaultRule, RateLimit},
    route::Route,
};

/// A rate limit and the calls that it let through, oldest first.
#[derive(Debug)]
struct Limiter {
    limit: RateLimit,
    passed: VecDeque<Timestamp>,
}

impl Limiter {
    /// How long until it would let another call through.
    fn wait(&mut self, now: Timestamp) -> Option<Duration> {
        while self.passed.front().is_some_and(|first| now.since(*first) >= self.limit.window) {
            self.passed.pop_front();
        }
        let full = self.passed.len() >= self.limit.calls;
        let first = self.passed.front().copied().unwrap_or(now);
        full.then(|| self.limit.window.saturating_sub(now.since(first)))
    }
}

/// All trouble that is switched on.
#[derive(Debug)]
pub(super) struct Trouble {
    rules: Vec<FaultRule>,
    limiters: Vec<Limiter>,
    pub(super) dice: StdRng,
}

impl Trouble {
    pub(super) fn new(rules: Vec<FaultRule>, limits: &[RateLimit], seed: u64) -> Self {
        let mut trouble = Self { rules, limiters: Vec::new(), dice: StdRng::seed_from_u64(seed) };
        trouble.limit(limits);
        trouble
    }

    pub(super) fn add(&mut self, rule: FaultRule) {
        self.rules.push(rule);
    }

    pub(super) fn clear(&mut self) {
        self.rules.clear();
    }

    /// Replaces all rate limits.
    pub(super) fn limit(&mut self, limits: &[RateLimit]) {
        let fresh = |limit: &RateLimit| Limiter { limit: *limit, passed: VecDeque::new() };
        self.limiters = limits.iter().map(fresh).collect();
    }

    pub(super) fn rules(&self) -> &[FaultRule] {
        &self.rules
    }

    pub(super) fn limits(&self) -> Vec<RateLimit> {
        self.limiters.iter().map(|limiter| limiter.limit).collect()
    }

    /// Counts a call; how long to wait where it is over a limit.
    pub(super) fn admit(&mut self, route: Route, now: Timestamp) -> Result<(), Duration> {
        let mine = |limiter: &&mut Limiter| limiter.limit.routes.contain(route);
        let wait = self.limiters.iter_mut().filter(mine).filter_map(|limiter| limiter.wait(now)).max();
        if let Some(wait) = wait {
            return Err(wait);
        }
        self.limiters.iter_mut().filter(mine).for_each(|limiter| limiter.passed.push_back(now));
        Ok(())
    }

    /// The fault that strikes a call: the first whose dice fall so.
    pub(super) fn strike(&mut self, route: Route) -> Option<Fault> {
        let dice = &mut self.dice;
        let strikes = |rule: &FaultRule| {
            rule.routes.contain(route) && rule.times != Some(0) && dice.random_bool(rule.chance)
        };
        let at = self.rules.iter().position(strikes)?;
        let rule = &mut self.rules[at];
        let fault = rule.fault;
        rule.times = rule.times.map(|times| times - 1);
        self.rules.retain(|rule| rule.times != Some(0));
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_strikes_the_same_calls() {
        let strikes = |seed| {
            let mut trouble = Trouble::new(vec!["any:503@0.5".parse().unwrap()], &[], seed);
            (0..64).map(|_| trouble.strike(Route::Add).is_some()).collect::<Vec<_>>()
        };
        assert_eq!(strikes(7), strikes(7));
        assert_ne!(strikes(7), strikes(8));
    }
}
