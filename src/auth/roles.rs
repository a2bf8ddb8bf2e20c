//! Whom a token or a certificate stands for.

use std::sync::Arc;

use super::{Operator, Owner, Principal, Scopes, Unauthorized};

pub(super) struct Roles {
    principal: Option<Arc<Principal>>,
    operator: Arc<Operator>,
}

impl Roles {
    /// `name`: that of the token or certificate.
    pub(super) fn new(owner: Option<Owner>, name: Arc<str>, scopes: Scopes, policies: Vec<String>) -> Self {
        let operator = Operator { token_name: name.clone(), scopes };
        let principal = owner.map(|Owner { id, name: account_name }| {
            Arc::new(Principal { account: id, account_name, token_name: name, scopes, policies })
        });
        Self { principal, operator: operator.into() }
    }

    pub(super) fn principal(&self) -> Result<Arc<Principal>, Unauthorized> {
        self.principal.clone().ok_or(Unauthorized::NoAccount)
    }

    #[expect(clippy::unnecessary_wraps, reason = "a role like the other, which not every token has")]
    pub(super) fn operator(&self) -> Result<Arc<Operator>, Unauthorized> {
        Ok(self.operator.clone())
    }

    /// The same without the ways that they may fail.
    pub(super) fn both(&self) -> (Option<&Principal>, &Operator) {
        (self.principal.as_deref(), &self.operator)
    }
}
