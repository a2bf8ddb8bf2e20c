//! What is known of whether a provider serves what it says is pinned.

use std::fmt;

use super::{Timestamp, provider::codes};

codes! {
    /// What samples of a provider's copies showed so far.
    #[derive(Default)]
    ProofState {
        /// Nothing was asked for yet.
        #[default]
        Unknown = 0 "unknown",
        /// It serves what it says is pinned.
        Proven = 1 "proven",
        /// Some of it was not served; another sample is asked for soon.
        Suspect = 2 "suspect",
        /// Most of one sample after another was not served.
        Unproven = 3 "unproven",
    }
}

codes! {
    /// What became of asking a provider's gateway for the root of a copy.
    Proved {
        /// The block came, and its hash is right.
        Served = 0 "served",
        /// The gateway says that it does not have it.
        Missing = 1 "missing",
        /// Other bytes came.
        Wrong = 2 "wrong",
        /// No answer within the time that there was, each time that it was asked for.
        Silent = 3 "silent",
        /// The gateway was not reached, or failed by itself.
        Unreachable = 4 "unreachable",
        /// The gateway answers, but hands out no blocks this way.
        Unfit = 5 "unfit",
        /// It was not asked for: no call was left, or the gateway wants to be left alone.
        PutOff = 6 "put_off",
        /// Its hash cannot be computed here.
        Uncheckable = 7 "uncheckable",
    }
}

impl Proved {
    /// Whether the provider's own answer, or silence, speaks against it.
    pub const fn is_fault(self) -> bool {
        matches!(self, Self::Missing | Self::Wrong | Self::Silent)
    }

    /// Whether it tells of the gateway only, and nothing of the copy.
    pub const fn is_gateways(self) -> bool {
        matches!(self, Self::Unreachable | Self::Unfit)
    }
}

/// What one sample came to, in copies.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sampled {
    pub served: u32,
    /// By the provider's fault.
    pub failed: u32,
    /// The gateway could not be asked.
    pub unreached: u32,
    pub uncheckable: u32,
}

impl Sampled {
    pub fn add(&mut self, proved: Proved) {
        match proved {
            Proved::Served => self.served += 1,
            Proved::Uncheckable => self.uncheckable += 1,
            Proved::PutOff => {}
            fault if fault.is_fault() => self.failed += 1,
            _ => self.unreached += 1,
        }
    }

    /// Copies of which something was learned.
    pub const fn judged(&self) -> u32 {
        self.served + self.failed
    }

    /// Whether the gateway answered for nothing at all.
    pub const fn is_down(&self) -> bool {
        self.judged() == 0 && self.unreached > 0
    }
}

/// What a provider's samples are remembered by.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProofRecord {
    pub state: ProofState,
    /// When the last sample was asked for.
    pub at: Option<Timestamp>,
    /// What it came to.
    pub last: Sampled,
    /// Since when the gateway cannot be asked.
    pub down_since: Option<Timestamp>,
    /// The first thing that went wrong in the last sample, in words.
    pub why: Option<String>,
}
