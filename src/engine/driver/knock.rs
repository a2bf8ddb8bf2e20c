//! Asks a provider that does not answer whether it does again, where nothing else is asked of it: else nobody would hear
//! of it. One that wanted money is given another copy.

use super::Driver;
use crate::engine::report::earlier;
use crate::model::{Content, Health, Operation, PinCid, Timestamp};

impl Driver {
    /// Knocks if it is time to; returns when that is next.
    pub(super) async fn knock(&mut self, now: Timestamp) -> Option<Timestamp> {
        let funds_at = self.caller.observed().funds_at(now);
        if funds_at.is_some_and(|at| at <= now) {
            self.caller.forgive(now).await;
            return None;
        }
        let is_away = matches!(self.caller.observed().health(), Health::Down | Health::Dead);
        let later = now.plus(self.caller.shared.settings.probe_max);
        let at = self.knock_at.filter(|_| is_away && self.outstanding() == 0).unwrap_or(later);
        self.knock_at = is_away.then_some(at);
        if is_away && at <= now {
            self.knock_at = Some(later);
            // Whatever is said counts, and is taken note of there.
            let _ = self.caller.call(Operation::Look, self.caller.provider.look_up(&[nothing()])).await;
        }
        earlier(self.knock_at, funds_at)
    }
}

/// What nobody pins: no bytes at all.
fn nothing() -> Content {
    let cid = PinCid::parse("bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku");
    // Holds: it is the CID of no bytes.
    cid.expect("a CID").content().clone()
}
