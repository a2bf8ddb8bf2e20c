//! The way in, shared by all who serve.

use std::{fmt, sync::Arc};

use arc_swap::ArcSwap;
use http::HeaderMap;

use super::{Operator, Principal, TokenHash, Tokens, Unauthorized, bearer::bearer};
use crate::model::{Clock, Peer};

/// What it knows can be changed while it is used; clones share it.
#[derive(Clone)]
pub struct Gate {
    declared: Arc<ArcSwap<Tokens>>,
    /// By which tokens expire.
    clock: Arc<dyn Clock>,
}

impl Gate {
    pub fn new(declared: Tokens, clock: Arc<dyn Clock>) -> Self {
        Self { declared: Arc::new(ArcSwap::from_pointee(declared)), clock }
    }

    /// From now on these are the tokens of the config.
    pub fn declare(&self, tokens: Tokens) {
        self.declared.store(Arc::new(tokens));
    }

    /// The sender of a request for an account's pins. What they may do is for the caller to see to.
    ///
    /// # Errors
    /// Where nothing that it brings lets it in.
    pub fn authenticate(
        &self,
        headers: &HeaderMap,
        _peer: Option<&Peer>,
    ) -> Result<Arc<Principal>, Unauthorized> {
        let sent = TokenHash::of(bearer(headers)?);
        self.declared.load().find(&sent, self.clock.now())?.principal()
    }

    /// The sender of a request about the gateway. What they may do is for the caller to see to.
    ///
    /// # Errors
    /// Where it brings no token that lets it in.
    pub fn operator(&self, headers: &HeaderMap) -> Result<Arc<Operator>, Unauthorized> {
        let sent = TokenHash::of(bearer(headers)?);
        Ok(self.declared.load().find(&sent, self.clock.now())?.operator())
    }
}

impl fmt::Debug for Gate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gate").field("declared", &self.declared.load()).finish_non_exhaustive()
    }
}
