//! What calls to providers share, whatever becomes of single providers.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    http::{Client, Settings},
    providers::Peers,
};

/// The ways to all providers, kept over changes of the config.
#[derive(Clone, Default)]
pub(super) struct Upstream {
    clients: Arc<Mutex<Vec<Client>>>,
    pub(super) peers: Peers,
}

impl Upstream {
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
