//! What an account may have, and what it has.

use std::fmt;

use super::{Timestamp, provider::codes};

codes! {
    /// What a quota bounds.
    QuotaKind {
        /// Pins that are there.
        Pins = 0 "pins",
        /// Adds and replaces since midnight UTC.
        PinsPerDay = 1 "pins_per_day",
        /// Bytes of the meta of all pins that are there.
        MetaBytes = 2 "meta_bytes",
    }
}

/// The most that an account may have; `None` for no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quota {
    pub pins: Option<u64>,
    /// By the UTC day of the time of acceptance; replaces count, deletes give nothing back.
    pub pins_per_day: Option<u64>,
    /// Of the JSON objects as they are kept.
    pub meta_bytes: Option<u64>,
}

/// What an account has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    pub pins: u64,
    pub meta_bytes: u64,
    /// The last day, in days since 1970, on which a pin was accepted.
    pub day: i64,
    /// How many were on that day.
    pub accepted: u64,
}

/// Why an account may not have a pin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverQuota {
    pub quota: QuotaKind,
    pub most: u64,
    pub used: u64,
}

impl Quota {
    pub const NONE: Self = Self { pins: None, pins_per_day: None, meta_bytes: None };

    pub fn get(&self, kind: QuotaKind) -> Option<u64> {
        match kind {
            QuotaKind::Pins => self.pins,
            QuotaKind::PinsPerDay => self.pins_per_day,
            QuotaKind::MetaBytes => self.meta_bytes,
        }
    }

    /// Whether an account that has `used` may have `more` at `now`. What it gives up in the same step is not in
    /// `used` any more; what was more than a quota before is let be, as long as it grows no further.
    ///
    /// # Errors
    /// The first quota that it would be over.
    pub fn check(&self, used: Usage, more: &Charge, now: Timestamp) -> Result<(), OverQuota> {
        let wanted = [
            (QuotaKind::Pins, more.pins),
            (QuotaKind::PinsPerDay, 1),
            (QuotaKind::MetaBytes, more.meta_bytes),
        ];
        for (quota, more) in wanted {
            let used = used.get(quota, now);
            if let Some(most) = self.get(quota)
                && more > 0
                && used.saturating_add_signed(more) > most
            {
                return Err(OverQuota { quota, most, used });
            }
        }
        Ok(())
    }
}

/// What a step adds to what an account has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Charge {
    pub pins: i64,
    pub meta_bytes: i64,
}

impl Usage {
    /// What is used of a quota at `now`.
    pub fn get(&self, kind: QuotaKind, now: Timestamp) -> u64 {
        match kind {
            QuotaKind::Pins => self.pins,
            QuotaKind::PinsPerDay => self.accepted_on(now),
            QuotaKind::MetaBytes => self.meta_bytes,
        }
    }

    /// How many were accepted on the UTC day of `now`.
    pub fn accepted_on(&self, now: Timestamp) -> u64 {
        if self.day == day(now) { self.accepted } else { 0 }
    }

    /// Notes that a pin was accepted at `now`.
    pub fn accept(&mut self, now: Timestamp) {
        self.accepted = self.accepted_on(now) + 1;
        self.day = day(now);
    }

    /// Adds what a step added.
    pub fn charge(&mut self, charge: Charge) {
        self.pins = self.pins.saturating_add_signed(charge.pins);
        self.meta_bytes = self.meta_bytes.saturating_add_signed(charge.meta_bytes);
    }
}

/// Days since 1970, UTC.
fn day(now: Timestamp) -> i64 {
    now.as_millis().div_euclid(24 * 3600 * 1000)
}
