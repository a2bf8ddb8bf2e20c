//! The calls that a provider allows: by class, in windows of time, reserved before they leave (I9).

use std::{
    fmt,
    ops::{Index, IndexMut},
    sync::Arc,
    time::Duration,
};

use super::{LedgerTime, Rate, Timestamp, provider::codes};

codes! {
    /// What a limit is about.
    BudgetClass {
        /// Pages of pins.
        List = 0 "list",
        /// Single pins, by their id.
        Read = 1 "read",
        /// Whatever makes, changes or removes.
        Write = 2 "write",
        /// All calls; a call of no other class, such as a login, counts here alone.
        Any = 3 "any",
    }
}

/// One value for each class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ByClass<T>([T; BudgetClass::ALL.len()]);

impl<T> ByClass<T> {
    pub fn from_fn(value: impl Fn(BudgetClass) -> T) -> Self {
        Self([BudgetClass::List, BudgetClass::Read, BudgetClass::Write, BudgetClass::Any].map(value))
    }

    pub fn iter(&self) -> impl Iterator<Item = (BudgetClass, &T)> {
        BudgetClass::ALL.iter().copied().zip(&self.0)
    }
}

impl<T> Index<BudgetClass> for ByClass<T> {
    type Output = T;

    fn index(&self, class: BudgetClass) -> &T {
        &self.0[class as usize]
    }
}

impl<T> IndexMut<BudgetClass> for ByClass<T> {
    fn index_mut(&mut self, class: BudgetClass) -> &mut T {
        &mut self.0[class as usize]
    }
}

/// The most calls of each class; `None`: as many as may be.
pub type Rates = ByClass<Option<Rate>>;

impl Rates {
    /// The limits that a call of a class counts in: that of its class, and that of all calls.
    pub fn bounds(&self, class: BudgetClass) -> impl Iterator<Item = (BudgetClass, Rate)> {
        let own = (class != BudgetClass::Any).then_some(class);
        let classes = own.into_iter().chain([BudgetClass::Any]);
        classes.filter_map(|class| Some((class, self[class]?)))
    }

    pub fn are_none(&self) -> bool {
        self.iter().all(|(_, rate)| rate.is_none())
    }
}

/// Calls that may start until `ends`, by the ledger's time; what is not used by then lapses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reserved {
    pub class: BudgetClass,
    pub calls: u32,
    pub ends: Timestamp,
    /// The slot of each limit that they were counted in, by when it begins.
    pub counted: ByClass<Option<Timestamp>>,
}

/// What a reservation came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granted {
    Calls(Reserved),
    /// None before so much time has passed.
    Wait(Duration),
}

/// Calls that are asked for.
#[derive(Clone, Debug)]
pub struct Ask {
    pub group: Arc<str>,
    pub rates: Rates,
    pub class: BudgetClass,
    /// The most that are of use.
    pub want: u32,
    /// Earlier ones that lapsed unused.
    pub unspent: Vec<Reserved>,
    pub at: LedgerTime,
    /// How long they are to be of use at least.
    pub lasts: Duration,
}

/// What work at a provider costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Costs {
    /// Contents to one list call.
    pub batch: u32,
    /// Whether lists show the true states of pins; where not, each is asked for by its id.
    pub lists_tell: bool,
}

/// What work at a provider may spend, and what it costs there.
#[derive(Clone, Debug)]
pub struct Allowance {
    pub group: Arc<str>,
    pub rates: Rates,
    pub costs: Costs,
    /// The provider asked for no calls of a class for so long; zero: it did not.
    pub shut: ByClass<Duration>,
    /// Earlier reservations that lapsed unused.
    pub unspent: Vec<Reserved>,
    pub at: LedgerTime,
    /// How long what is reserved is to be of use at least.
    pub lasts: Duration,
}

/// What a provider's refusals taught of one limit, by the ledger's time: a wall clock that is turned ends no pause (I9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lesson {
    pub learned: Option<Learned>,
    /// The provider's word.
    pub blocked_until: Option<Timestamp>,
}

/// A limit below what is configured, as it was when the provider last refused a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Learned {
    pub rate: Rate,
    /// The calls of one window that led to it.
    pub from: u32,
    pub at: Timestamp,
}
