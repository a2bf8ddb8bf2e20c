//! Asks a provider something when nothing else is asked of it: else nobody would hear that it does not answer, or does
//! again. One that wanted money is given another copy.

use std::time::Duration;

use super::{Driver, Load};
use crate::engine::{Settings, report::earlier};
use crate::model::{Content, Facts, Health, Operation, PinCid, Timestamp};

/// The shortest that one that is well is not heard of.
const SILENCE_MIN: Duration = Duration::from_secs(30);

/// One that refused our credential may have been mended over there, and nothing may be due to find that out; so seldom that
/// nobody is locked out for it.
const REFUSED: Duration = Duration::from_secs(20 * 60);

/// How long one that is well may be silent: much less than what it would be declared dead after.
fn silence(settings: &Settings, facts: &Facts) -> Duration {
    (facts.dies_after() / 4).min(settings.longest_silence).max(SILENCE_MIN)
}

impl Driver {
    /// Knocks if it is time to; returns when that is next, as far as it is known.
    pub(super) async fn knock(&mut self, now: Timestamp) -> Option<Timestamp> {
        let funds_at = self.caller.observed().funds_at(now);
        if funds_at.is_some_and(|at| at <= now) {
            self.caller.forgive(now).await;
            return None;
        }
        let Some(at) = self.knock_at(now) else { return funds_at };
        if at > now {
            return earlier(Some(at), funds_at);
        }
        // Whatever is under way is heard of soon, and wakes the driver.
        if self.outstanding() == 0 {
            self.knocked_at = now;
            let ticket = self.ticket(Load { singles: 1, looks: 0 });
            let caller = self.caller.clone();
            self.spawn(ticket, async move {
                // Whatever is said counts, and is taken note of there.
                let _ = caller.call(Operation::Look, caller.provider.look_up(&[nothing()])).await;
            });
        }
        funds_at
    }

    fn knock_at(&self, now: Timestamp) -> Option<Timestamp> {
        let settings = &self.caller.shared.settings;
        let mut observed = self.caller.observed();
        let wait = match observed.health() {
            Health::Healthy => silence(settings, &self.facts.load()),
            Health::Degraded => settings.down_after,
            Health::Down | Health::Dead => settings.probe_max,
            Health::AuthFailed => REFUSED,
            // That has a time of its own.
            Health::NoFunds => return None,
        };
        // One that was kept here is made up for, but not at once.
        Some(observed.heard_at(now).plus(wait).max(self.knocked_at.plus(SILENCE_MIN)))
    }
}

/// What nobody pins: no bytes at all.
fn nothing() -> Content {
    let cid = PinCid::parse("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku");
    // Holds: it is the CID of no bytes.
    cid.expect("a CID").content().clone()
}
