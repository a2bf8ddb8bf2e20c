//! Who owns pins.

use serde::{Deserialize, Serialize};

/// An account as the config declares it, for the store to register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountDecl {
    pub name: String,
    /// The policy that places its pins.
    pub policy: String,
    /// Its share of each provider, against those of other accounts.
    pub weight: Weight,
}

impl AccountDecl {
    /// One like any other.
    pub fn new(name: impl Into<String>, policy: impl Into<String>) -> Self {
        Self { name: name.into(), policy: policy.into(), weight: Weight::default() }
    }
}

/// A share against those of others: 1 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Weight(u32);

impl Weight {
    pub const MIN: u32 = 1;
    pub const MAX: u32 = 100;

    /// `None` outside of 1 to 100.
    pub fn new(weight: u32) -> Option<Self> {
        (Self::MIN..=Self::MAX).contains(&weight).then_some(Self(weight))
    }

    pub const fn get(self) -> u32 {
        self.0
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self(Self::MIN)
    }
}

impl From<Weight> for u32 {
    fn from(weight: Weight) -> Self {
        weight.0
    }
}

impl TryFrom<u32> for Weight {
    type Error = &'static str;

    fn try_from(weight: u32) -> Result<Self, Self::Error> {
        Self::new(weight).ok_or("a weight is from 1 to 100")
    }
}
