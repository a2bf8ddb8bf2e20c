//! The calls that a service allows.

use serde::{Deserialize, Serialize};

use crate::model::{BudgetClass, Rate, Rates};

/// The calls that a service allows, by what they do. A call counts in each that is about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    pub list: Option<Rate>,
    pub read: Option<Rate>,
    pub write: Option<Rate>,
    /// All calls together.
    pub any: Option<Rate>,
    /// At once.
    pub concurrency: Option<usize>,
}

impl Limits {
    pub fn rates(&self) -> Rates {
        Rates::from_fn(|class| match class {
            BudgetClass::List => self.list,
            BudgetClass::Read => self.read,
            BudgetClass::Write => self.write,
            BudgetClass::Any => self.any,
        })
    }
}
