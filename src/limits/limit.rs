//! What may be asked: a rate and how many at once, by class of request.

use std::{fmt, num::NonZeroU32, time::Duration};

use governor::Quota;
use thiserror::Error;

use crate::model::Rate;

/// Which of a caller's two purses a request is paid from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// GET, HEAD.
    Read,
    /// POST, DELETE, and whatever else.
    Write,
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Read => "read",
            Self::Write => "write",
        })
    }
}

/// One of something for each class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByClass<T> {
    pub read: T,
    pub write: T,
}

impl<T> ByClass<T> {
    pub fn get(&self, class: Class) -> &T {
        match class {
            Class::Read => &self.read,
            Class::Write => &self.write,
        }
    }

    pub(super) fn map<U>(self, mut make: impl FnMut(T) -> U) -> ByClass<U> {
        ByClass { read: make(self.read), write: make(self.write) }
    }

    pub(super) fn zip<U>(self, other: ByClass<U>) -> ByClass<(T, U)> {
        ByClass { read: (self.read, other.read), write: (self.write, other.write) }
    }
}

/// The limit of each class; `None` for no limit.
pub type Caps = ByClass<Option<Limit>>;

/// So many at a rate, and so many at once after a pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    rate: Rate,
    burst: u32,
}

/// Why a limit cannot be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum LimitError {
    #[error("more than a million a second")]
    TooFast,
    #[error("no burst: nothing would ever be let in")]
    NoBurst,
    #[error("a burst that takes more than a year to come back")]
    TooSlow,
}

impl Limit {
    /// Of a token, if nothing else is said: 500 waiting `ipfs pin remote add` at once.
    pub const READ: Self = Self::per_second(1000);
    /// Of a token, if nothing else is said.
    pub const WRITE: Self = Self::per_second(500);
    /// Of a network, if nothing else is said.
    pub const FAILED_LOGINS: Self =
        Self { rate: Rate { calls: 10, per: Duration::from_secs(60) }, burst: 10 };

    const YEAR: Duration = Duration::from_secs(366 * 24 * 3600);

    /// # Errors
    /// Where it could not be kept exactly: it would be less than a microsecond, or more than a year, from one to the
    /// next.
    pub fn new(rate: Rate, burst: u32) -> Result<Self, LimitError> {
        let limit = Self { rate, burst };
        if burst == 0 || rate.calls == 0 {
            return Err(LimitError::NoBurst);
        }
        if limit.interval() < Duration::from_micros(1) {
            return Err(LimitError::TooFast);
        }
        match limit.interval().checked_mul(burst) {
            Some(whole) if whole <= Self::YEAR => Ok(limit),
            _ => Err(LimitError::TooSlow),
        }
    }

    /// As many at once as the rate has calls.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn of(rate: Rate) -> Result<Self, LimitError> {
        Self::new(rate, rate.calls)
    }

    const fn per_second(calls: u32) -> Self {
        Self { rate: Rate { calls, per: Duration::from_secs(1) }, burst: calls }
    }

    pub fn rate(self) -> Rate {
        self.rate
    }

    /// How many may come at once after a pause.
    pub fn burst(self) -> u32 {
        self.burst
    }

    /// From one to the next, in the long run.
    pub(super) fn interval(self) -> Duration {
        self.rate.per / self.rate.calls
    }

    pub(super) fn quota(self) -> Quota {
        // Holds: the constructor lets neither of them be 0.
        let burst = NonZeroU32::new(self.burst).expect("a burst");
        Quota::with_period(self.interval()).expect("an interval").allow_burst(burst)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {} at once", self.rate, self.burst)
    }
}
