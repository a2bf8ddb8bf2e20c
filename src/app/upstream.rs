//! What calls to providers share, whatever becomes of single providers.

use crate::{http, providers::Peers};

/// The way to all providers, kept over changes of the config.
#[derive(Clone)]
pub(super) struct Upstream {
    pub(super) client: http::Client,
    pub(super) peers: Peers,
}

impl Upstream {
    pub(super) fn new() -> Self {
        Self { client: http::Client::new(&http::Settings::default()), peers: Peers::default() }
    }
}
