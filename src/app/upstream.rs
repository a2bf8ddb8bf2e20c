//! What calls to providers share, whatever becomes of single providers.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    engine::StoreLedger,
    http::{Client, Settings},
    providers::Peers,
};

/// The ways to all providers, kept over changes of the config.
#[derive(Clone)]
pub(super) struct Upstream {
    clients: Arc<Mutex<Vec<Client>>>,
    pub(super) peers: Peers,
    /// Where calls are counted.
    pub(super) ledger: Arc<StoreLedger>,
}

impl Upstream {
    pub(super) fn new(ledger: Arc<StoreLedger>) -> Self {
        Self { clients: Arc::default(), peers: Peers::default(), ledger }
    }

    /// The one client for all providers that are reached in the same way.
    pub(super) fn client(&self, settings: &Settings) -> Client {
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = clients.iter().find(|client| client.settings() == settings) {
            return known.clone();
        }
        clients.retain(Client::is_shared);
        let new = Client::new(settings);
        clients.push(new.clone());
        new
    }
}
