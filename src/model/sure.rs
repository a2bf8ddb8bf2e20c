//! The time by which things end for good. A wall clock that was put far ahead is not believed at once: what is deleted by
//! it is gone, and what is kept a little longer harms nobody (I3).

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{Clock, Timestamp};

/// Clocks are nudged, and what is on record is some time old: no leap is shorter.
const LEEWAY: Duration = Duration::from_secs(120);
/// How far a clock may have gone on unseen and be believed soon: a machine that slept or was off for a while.
const SHORT_GAP: Duration = Duration::from_secs(24 * 3600);
/// Longer than a machine with a wrong clock takes to set it by others' when it starts.
const SHORT_WAIT: Duration = Duration::from_secs(600);
/// Long enough for somebody to be told, and to set it.
const LONG_WAIT: Duration = Duration::from_secs(24 * 3600);
/// A stop of this length or less goes on with the wait that it cut off.
const SAME_WAIT: Duration = Duration::from_secs(30 * 24 * 3600);

/// What is on record of it, for the next start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeptTime {
    /// The last time that was believed; zero: none yet.
    pub sure: Timestamp,
    /// What the wall clock showed then.
    pub wall: Timestamp,
    /// How much of the wait was left, where the clock was doubted.
    pub left: Option<Duration>,
}

/// The wall clock is further ahead than time passed, as far as anybody saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockDoubt {
    /// By so much.
    pub ahead: Duration,
    /// It is believed once it has gone on evenly for so long.
    pub left: Duration,
}

impl ClockDoubt {
    /// Whether a machine that was off for a while explains it.
    pub fn is_slight(self) -> bool {
        self.ahead <= SHORT_GAP
    }
}

/// Tells the time as far as it is sure: the wall clock's, and while that is doubted, the last one that was believed and what
/// passed since. Never ahead of the wall clock by more than a nudge. Clones share it.
#[derive(Clone)]
pub struct SureClock(Arc<Inner>);

struct Inner {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Clone, Copy)]
struct State {
    /// Last believed.
    sure: Mark,
    /// Last seen of the time that this process began with: who goes back and comes here again was set right.
    even: Mark,
    doubted: Option<Doubted>,
}

#[derive(Clone, Copy)]
struct Doubted {
    /// Last seen.
    seen: Mark,
    /// When it is believed, by steady time.
    ends: Duration,
}

/// What the wall clock showed at a moment of steady time.
#[derive(Clone, Copy)]
struct Mark {
    wall: Timestamp,
    steady: Duration,
}

impl Mark {
    /// What it shows where it went on evenly.
    fn at(self, steady: Duration) -> Timestamp {
        self.wall.plus(steady.saturating_sub(self.steady))
    }

    fn leapt_to(self, seen: Self) -> bool {
        seen.wall.since(self.at(seen.steady)) > LEEWAY
    }

    fn fell_to(self, seen: Self) -> bool {
        self.at(seen.steady).since(seen.wall) > LEEWAY
    }
}

impl State {
    fn new(kept: KeptTime, seen: Mark) -> Self {
        let wall = if kept.sure == Timestamp::ZERO { seen.wall } else { kept.sure };
        let before = Mark { wall: kept.wall, ..seen };
        let goes_on = !before.fell_to(seen) && seen.wall.since(kept.wall) <= SAME_WAIT;
        // A short wait was for a gap that this start may have made a long one.
        let is_as_far = seen.wall.since(kept.wall) <= SHORT_GAP;
        let left = kept.left.filter(|left| goes_on && (is_as_far || *left > SHORT_WAIT));
        let left = left.map(|left| left.max(SHORT_WAIT));
        let doubted = left.map(|left| Doubted { seen, ends: seen.steady.saturating_add(left) });
        let sure = Mark { wall, ..seen };
        Self { sure, even: sure, doubted }
    }

    fn look(&mut self, seen: Mark) {
        let known = self.doubted.filter(|known| !known.seen.leapt_to(seen) && !known.seen.fell_to(seen));
        let has_waited = known.is_some_and(|known| known.ends <= seen.steady);
        if has_waited || !self.sure.leapt_to(seen) || !self.even.leapt_to(seen) {
            let goes_on = !self.even.leapt_to(seen) && !self.even.fell_to(seen);
            *self = Self { sure: seen, even: if goes_on { seen } else { self.even }, doubted: None };
            return;
        }
        let ahead = seen.wall.since(self.sure.at(seen.steady));
        let wait = if ahead <= SHORT_GAP { SHORT_WAIT } else { LONG_WAIT };
        let ends = known.map_or(seen.steady.saturating_add(wait), |known| known.ends);
        self.doubted = Some(Doubted { seen, ends });
    }

    fn left(&self) -> Option<Duration> {
        self.doubted.map(|doubted| doubted.ends.saturating_sub(doubted.seen.steady))
    }
}

impl SureClock {
    /// Goes on from where the last process left it; a store that is new believes what it sees.
    pub fn new(clock: Arc<dyn Clock>, kept: KeptTime) -> Self {
        let seen = Mark { wall: clock.now(), steady: clock.steady() };
        let mut state = State::new(kept, seen);
        state.look(seen);
        Self(Arc::new(Inner { clock, state: Mutex::new(state) }))
    }

    pub fn now(&self) -> Timestamp {
        let (state, seen) = self.look();
        state.sure.at(seen.steady)
    }

    /// Whether, and how much, the wall clock is doubted.
    pub fn doubt(&self) -> Option<ClockDoubt> {
        let (state, seen) = self.look();
        let ahead = seen.wall.since(state.sure.at(seen.steady));
        state.left().map(|left| ClockDoubt { ahead, left })
    }

    /// What the next start has to know.
    pub fn kept(&self) -> KeptTime {
        let (state, seen) = self.look();
        KeptTime { sure: state.sure.at(seen.steady), wall: seen.wall, left: state.left() }
    }

    fn look(&self) -> (State, Mark) {
        let mut state = self.state();
        let seen = Mark { wall: self.0.clock.now(), steady: self.0.clock.steady() };
        state.look(seen);
        (*state, seen)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Whole at any moment.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
