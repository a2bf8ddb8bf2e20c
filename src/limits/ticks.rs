//! The time that buckets go by: it only goes forward, and no one can set it.

use std::time::Duration;

use governor::{
    clock::{Clock, DefaultClock, FakeRelativeClock, Reference},
    nanos::Nanos,
};

/// Where buckets read the time.
#[derive(Clone, Debug)]
pub struct Ticks(Source);

#[derive(Clone, Debug)]
enum Source {
    Machine { clock: DefaultClock, zero: <DefaultClock as Clock>::Instant },
    Manual(FakeRelativeClock),
}

impl Ticks {
    /// The machine's monotonic clock.
    pub fn machine() -> Self {
        let clock = DefaultClock::default();
        Self(Source::Machine { zero: clock.now(), clock })
    }

    /// Time that stands still until `clock` is advanced.
    pub fn manual(clock: &FakeRelativeClock) -> Self {
        Self(Source::Manual(clock.clone()))
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.now().into()
    }
}

impl Clock for Ticks {
    type Instant = Nanos;

    fn now(&self) -> Nanos {
        match &self.0 {
            Source::Machine { clock, zero } => clock.now().duration_since(*zero),
            Source::Manual(clock) => clock.now(),
        }
    }
}
