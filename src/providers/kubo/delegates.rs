//! The node's own addresses, asked for now and then.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use super::rpc::Rpc;
use crate::model::delegates;

/// How long what the node said is taken for true.
const FRESH: Duration = Duration::from_secs(600);

#[derive(Default)]
pub(super) struct Delegates(Mutex<Option<(Instant, Vec<String>)>>);

impl Delegates {
    /// What the node said last, however long ago; without a call.
    pub(super) fn known(&self) -> Vec<String> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.as_ref().map(|(_, delegates)| delegates.clone()).unwrap_or_default()
    }

    /// What the node says. Where it does not, what it said last: a pin does not fail for want of delegates.
    pub(super) async fn ask(&self, rpc: &Rpc) -> Vec<String> {
        let is_fresh = |(asked, _): &(Instant, Vec<String>)| asked.elapsed() < FRESH;
        if self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(is_fresh) {
            return self.known();
        }
        match rpc.addresses().await {
            Ok(addresses) => {
                let allow_private = rpc.connection.settings().allow_private_delegates;
                let usable = delegates::keep_usable(addresses.iter().map(String::as_str), allow_private);
                let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
                *known = Some((Instant::now(), usable));
            }
            Err(error) => tracing::debug!(%error, "the node did not say its addresses"),
        }
        self.known()
    }
}
