//! Upstream pinning services: the trait that the engine calls, and the stack of layers under every call.

mod kubo;
pub mod probe;
mod psa;

mod breaker;
mod budget;
mod classify;
mod connection;
mod credential;
mod desk;
mod dialect;
mod gateway;
mod ledger;
mod retries;
mod retry_after;
mod secrets;
mod settings;
mod stack;
mod standing;
mod walk;
mod words;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use thiserror::Error;

use crate::{
    http,
    model::{
        Allowance, ByClass, Clock, Content, ErrorClass, Operation, PinSpec, Reserved, Status, Timestamp,
        UpstreamId,
    },
    presets::Protocol,
    telemetry::ProviderMetrics,
};

pub use breaker::{BreakerSettings, Peers};
pub use budget::Permit;
#[cfg(test)]
pub(crate) use budget::{Budget, NoPermit};
pub use credential::{Credential, Login, NoVault, Pair, SecretFile, SecretKind, Source, UnfitSecret, Vault};
pub use desk::{Desk, DeskError};
pub use gateway::{Fetched, Gateway, GatewaySettings};
pub use ledger::{Ledger, LedgerError, NoLedger};
pub use settings::{BudgetSettings, Endpoint, Settings, SettingsError};
pub use standing::{LastError, Standing};
pub use walk::{Edge, Onward, Walk};

/// One upstream pinning service with one credential.
///
/// Implementations parse leniently, bound what they read, classify errors once, and never put a secret in a text
/// (I11, I12). Every HTTP request that leaves takes a permit of the provider's budget (I9).
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// The name in the config.
    fn name(&self) -> &str;

    fn traits(&self) -> &Traits;

    /// Whether calls can leave now, without making one.
    fn readiness(&self, now: Timestamp) -> Readiness;

    /// How it stands, for operators.
    fn standing(&self, now: Timestamp) -> Standing;

    /// What work may spend of the provider's budget now; `None`: as much as it likes.
    fn allowance(&self) -> Option<Allowance>;

    /// Takes calls that were counted for work, to be used by it.
    fn credit(&self, calls: Vec<Reserved>);

    /// Which credential is given now. Looks for another one where it comes from; call it often, it is cheap.
    async fn credential(&self) -> Held;

    /// Uses the credential that was given last. Until then calls carry the one before, so that whoever has to prove a
    /// new one can do so before anything else is sent with it.
    fn take_up_credential(&self);

    /// Asks for a pin. Never retried below this call: a second submit might make a second pin (I7).
    async fn submit(&self, submit: Submit) -> Result<Accepted, ProviderError>;

    /// All pins of these contents (at most [`Traits::batch`]), in any state.
    async fn look_up(&self, contents: &[Content]) -> Result<Vec<UpstreamPin>, ProviderError>;

    /// One pin that is on record; `None` where the provider does not know it.
    async fn see(&self, pin: Known<'_>) -> Result<Option<UpstreamPin>, ProviderError>;

    /// Tells of origins that became known after the submit, as the preset has it; nothing where there is no safe way.
    async fn introduce(&self, pin: Known<'_>, submit: Submit) -> Result<(), ProviderError>;

    /// A page of all pins in any state, newest first, older than `before`.
    async fn list(&self, before: Option<Timestamp>) -> Result<UpstreamPage, ProviderError>;

    /// Removes a pin; one that the provider does not know counts as removed.
    async fn remove(&self, id: &UpstreamId) -> Result<(), ProviderError>;

    /// Where its copies can be asked for by anybody, if that is known.
    fn gateway(&self) -> Option<&Gateway> {
        None
    }
}

/// Makes a provider of its settings. Nothing is sent before the first call.
pub fn connect(
    settings: Settings,
    client: http::Client,
    clock: Arc<dyn Clock>,
    metrics: ProviderMetrics,
) -> Arc<dyn Provider> {
    match settings.preset.protocol {
        Protocol::Psa => Arc::new(psa::Psa::new(settings, client, clock, metrics)),
        Protocol::Kubo => Arc::new(kubo::Kubo::new(settings, client, clock, metrics)),
    }
}

/// A credential, without its secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// SHA-256 of what the provider knows us by: a token, or a user and where they log in; tokens that are renewed do
    /// not change it.
    pub identity: [u8; 32],
    /// Another one whenever what was refused before may work now, such as a corrected password.
    pub revision: u64,
}

/// What the engine must know of a provider to call it well.
#[derive(Clone, Debug, PartialEq)]
pub struct Traits {
    /// The credential is used by Pinfold alone: no first look is needed (I13).
    pub exclusive: bool,
    /// The most contents in one look-up (at most 10).
    pub batch: usize,
    /// The longest that one call takes, retries of look-ups included.
    pub deadline: Duration,
    /// How long after a call's deadline it may still take effect.
    pub settle: Duration,
    /// The most calls at once.
    pub concurrency: usize,
    /// The most copies that may be queued or pinning there by our own submits.
    pub max_queued: Option<u32>,
    /// Whether lists show the true states of pins; where not, each is asked for by its id.
    pub lists_tell: bool,
    /// Whether the whole list can be walked in pages, newest first.
    pub walks: bool,
    /// Whether such a walk tells the true states of all pins.
    pub sweeps: bool,
    /// Whether what is on its way there stands still after a restart until it is asked for.
    pub resumes: bool,
    /// Whether [`Provider::introduce`] does anything.
    pub introduces: bool,
}

/// Whether calls can leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// This many calls could start now, but for those of classes that are to stay away until then.
    Ready {
        permits: usize,
        /// It was left alone: one call is to show whether it is well again, and others would not leave.
        trial: bool,
        shut: ByClass<Option<Timestamp>>,
    },
    /// The breaker is open, or its trial under way, or the provider asked to be left alone (Retry-After) until then.
    Wait { until: Timestamp, why: Wait },
}

/// Why a provider is not called now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    Breaker,
    Throttled,
}

/// A pin to ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submit {
    pub content: Content,
    pub name: Option<String>,
    /// Already filtered to public addresses, at most 20.
    pub origins: Vec<String>,
    /// `meta.pinfold`: `<instance id>/<attempt>`, by which a look-up tells ours from others'.
    pub tag: String,
}

/// What a submit came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    pub pin: UpstreamPin,
    /// The provider says that the pin was there before, so that it may be somebody else's (I13).
    pub existed: bool,
}

/// A pin that is on record as being at a provider.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    pub id: &'a UpstreamId,
    pub content: &'a Content,
    /// It was not pinned yet when the provider last spoke of it.
    pub unfinished: bool,
    /// As in [`Submit`], where they are at hand: for a provider that has to begin anew.
    pub name: Option<&'a str>,
    pub origins: &'a [String],
}

/// A pin as the provider tells of it, made lawful.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamPin {
    pub id: UpstreamId,
    pub content: Content,
    pub status: Status,
    /// The provider's own time, for paging and for telling the newer of two.
    pub created: Option<Timestamp>,
    /// Cut to what we would take from a client.
    pub name: Option<String>,
    /// Usable ones only.
    pub delegates: Vec<String>,
    /// `meta.pinfold`, where it is echoed.
    pub tag: Option<String>,
    /// Why it failed, in the provider's words: short, without secrets.
    pub why: Option<String>,
    /// What whoever made it asked for; in lists only.
    pub asked: Option<Box<Asked>>,
}

/// A pin request that was made elsewhere, with what of it can be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub spec: PinSpec,
    /// Something of its name or meta did not fit.
    pub is_cut: bool,
}

/// One page of a provider's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamPage {
    pub pins: Vec<UpstreamPin>,
    /// Where to go on; `None` at the end, as far as this page tells by itself. Who must meet every pin goes by [`Walk`].
    pub next: Option<Timestamp>,
    pub edge: Edge,
}

/// A failed call; the engine decides on `class` alone.
#[derive(Clone, Debug, Error)]
#[error("{operation} at {provider} failed: {text}")]
pub struct ProviderError {
    pub provider: String,
    pub operation: Operation,
    pub class: ErrorClass,
    /// For operators and users; bounded, without secrets.
    pub text: String,
    /// Whether any request left. Where the breaker or the budget kept it here, it says nothing of the provider.
    pub was_called: bool,
    /// Whether the call may have taken effect all the same: its answer was not seen, or was a 5xx.
    pub maybe_done: bool,
    /// Whether the provider itself answered the last try, so that what it did is done but for the settle time; not where the
    /// answer was not seen, or a middleman's (502, 504) who may have given up on one that is still at work.
    pub answered: bool,
    /// The provider's own word on when to try again.
    pub retry_at: Option<Timestamp>,
}
