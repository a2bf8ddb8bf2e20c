//! Who owns pins.

/// An account as the config declares it, for the store to register.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountDecl {
    pub name: String,
    /// The policy that places its pins.
    pub policy: String,
}
