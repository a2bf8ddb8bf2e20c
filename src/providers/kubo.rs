//! A Kubo node as a provider, over its RPC API: one's own node is one of the copies.
//!
//! A node has no queue and no ids: whoever wants a pin keeps a connection open while it fetches, for hours if need be.
//! So the fetches go on here, in memory, and a pin is known by its CID. A restart cuts them off; the next look at a pin
//! that was not there yet begins its fetch anew, and the node goes on with what it has.

mod delegates;
mod fetch;
mod fetches;
mod rpc;
mod slots;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;

use super::{
    Accepted, Gateway, Held, Known, Provider, ProviderError, Readiness, Settings, Standing, Submit, Traits,
    UpstreamPage, UpstreamPin, connection::Connection,
};
use crate::{
    http,
    model::{
        Allowance, Clock, Content, ErrorClass, Operation, PinCid, Reserved, Status, Timestamp, UpstreamId,
    },
    presets::RefreshOrigins,
    telemetry::ProviderMetrics,
};
use delegates::Delegates;
use fetch::{Pace, State};
use fetches::{Fetches, Full};
use rpc::{Hold, Rpc};

/// When a pin is asked for again that found no place in the line of fetches.
const FULL_WAIT: Duration = Duration::from_secs(60);

pub(super) struct Kubo {
    traits: Traits,
    rpc: Arc<Rpc>,
    fetches: Fetches,
    delegates: Delegates,
    gateway: Option<Gateway>,
}

impl Kubo {
    pub(super) fn new(
        settings: Settings,
        client: http::Client,
        clock: Arc<dyn Clock>,
        metrics: ProviderMetrics,
    ) -> Self {
        let traits = Traits {
            exclusive: settings.exclusive && !settings.preset.shares_pins(),
            // A node's list is one answer of all its pins, whatever the size: each pin is asked for by itself.
            batch: 1,
            lists_tell: false,
            walks: false,
            sweeps: false,
            deadline: settings.deadline,
            settle: settings.settle,
            concurrency: settings.concurrency.max(1),
            max_queued: settings.max_queued,
            resumes: true,
            introduces: settings.preset.refresh_origins == Some(RefreshOrigins::Post),
        };
        let pace = Pace {
            silence: Duration::from_secs(60),
            turn: Duration::from_secs(300),
            again: settings.retry_base,
            again_max: Duration::from_secs(60),
            grace: Duration::from_millis(500),
        };
        let gateway = Gateway::of(&settings, &client, &clock);
        let connection = Connection::new(settings, client, clock, metrics);
        let rpc = Arc::new(Rpc::new(connection));
        let fetches = Fetches::new(rpc.clone(), pace);
        Self { traits, fetches, rpc, delegates: Delegates::default(), gateway }
    }

    fn pin(&self, id: UpstreamId, content: &Content, status: Status) -> UpstreamPin {
        let (content, delegates) = (content.clone(), self.delegates.known());
        UpstreamPin {
            id,
            content,
            status,
            created: None,
            name: None,
            delegates,
            tag: None,
            why: None,
            asked: None,
        }
    }

    /// A pin of ours, or one that goes by the same spelling.
    fn own(&self, content: &Content, status: Status) -> UpstreamPin {
        self.pin(id_of(content), content, status)
    }

    /// The pin of a content that the node has, in whatever spelling it was made there.
    async fn find(&self, content: &Content) -> Result<Option<UpstreamPin>, ProviderError> {
        let spellings = [Some(content.canonical()), content.v0()];
        for cid in spellings.into_iter().flatten() {
            if self.rpc.holds(&cid, Hold::Recursive).await? {
                // Holds: a CID is neither empty nor too long.
                let id = UpstreamId::new(cid).expect("a CID is an id");
                return Ok(Some(self.pin(id, content, Status::Pinned)));
            }
        }
        Ok(None)
    }

    /// Begins the fetch of what was being fetched before a restart.
    async fn resume(&self, pin: Known<'_>) -> Result<UpstreamPin, ProviderError> {
        let status = if self.rpc.holds(&pin.content.canonical(), Hold::Direct).await? {
            let error = held_directly(&self.rpc, pin.content);
            tracing::warn!(provider = self.name(), why = error.text, "a fetch was not begun anew");
            Status::Failed
        } else {
            match self.fetches.begin(pin.content, pin.name, pin.origins) {
                Ok(state) => state.status(),
                // The next look will try.
                Err(Full) => Status::Queued,
            }
        };
        Ok(self.own(pin.content, status))
    }

    fn full(&self) -> ProviderError {
        let why = "as many fetches wait at this node as are kept in mind: it gets more when some are done";
        let connection = &self.rpc.connection;
        let error = connection.failure(Operation::Submit, ErrorClass::Throttled, why);
        ProviderError { retry_at: Some(connection.now().plus(FULL_WAIT)), ..error }
    }
}

/// A recursive pin would take the place of a direct one, and its removal would leave nothing (I13).
fn held_directly(rpc: &Rpc, content: &Content) -> ProviderError {
    let why = format!(
        "the node has a direct pin of it, made by somebody else: keep all of it by `ipfs pin add {}` there, which is \
         then used as it is, or take that pin away by `ipfs pin rm`",
        content.canonical()
    );
    rpc.connection.failure(Operation::Submit, ErrorClass::Rejected, &why)
}

fn id_of(content: &Content) -> UpstreamId {
    // Holds: a CID is neither empty nor too long.
    UpstreamId::new(content.canonical()).expect("a CID is an id")
}

#[async_trait]
impl Provider for Kubo {
    fn name(&self) -> &str {
        &self.rpc.connection.settings().name
    }

    fn traits(&self) -> &Traits {
        &self.traits
    }

    fn gateway(&self) -> Option<&Gateway> {
        self.gateway.as_ref()
    }

    fn readiness(&self, now: Timestamp) -> Readiness {
        self.rpc.connection.readiness(now)
    }

    fn standing(&self, now: Timestamp) -> Standing {
        self.rpc.connection.standing(now)
    }

    fn allowance(&self) -> Option<Allowance> {
        self.rpc.connection.allowance(&self.traits)
    }

    fn credit(&self, calls: Vec<Reserved>) {
        self.rpc.connection.parts.budget.credit(calls);
    }

    async fn credential(&self) -> Held {
        self.rpc.connection.parts.keeper.held().await
    }

    fn take_up_credential(&self) {
        self.rpc.connection.parts.keeper.take_up();
    }

    async fn submit(&self, submit: Submit) -> Result<Accepted, ProviderError> {
        let cid = submit.content.canonical();
        let directly = self.rpc.holds(&cid, Hold::Direct);
        let (directly, delegates) = tokio::join!(directly, self.delegates.ask(&self.rpc));
        // Nothing was asked to be pinned yet.
        let asked = |error| ProviderError { operation: Operation::Submit, maybe_done: false, ..error };
        if directly.map_err(asked)? {
            return Err(held_directly(&self.rpc, &submit.content));
        }
        let begun = self.fetches.begin(&submit.content, submit.name.as_deref(), &submit.origins);
        let state = begun.map_err(|Full| self.full())?;
        let pin = UpstreamPin { delegates, ..self.own(&submit.content, state.status()) };
        // Kubo pins what is pinned with the same answer: the look before told what was there.
        Ok(Accepted { pin, existed: false })
    }

    async fn look_up(&self, contents: &[Content]) -> Result<Vec<UpstreamPin>, ProviderError> {
        let mut found = Vec::new();
        for content in contents {
            match self.fetches.state(content).filter(|state| !state.is_over()) {
                Some(state) => found.push(self.own(content, state.status())),
                None => found.extend(self.find(content).await?),
            }
        }
        Ok(found)
    }

    async fn see(&self, pin: Known<'_>) -> Result<Option<UpstreamPin>, ProviderError> {
        match self.fetches.take_state(pin.content) {
            Some(State::Broken(error)) => return Err(error),
            Some(State::Failed(why)) => {
                let pin = self.own(pin.content, Status::Failed);
                return Ok(Some(UpstreamPin { why: Some(why), ..pin }));
            }
            Some(state @ (State::Waiting | State::Running)) => {
                return Ok(Some(self.own(pin.content, state.status())));
            }
            Some(State::Pinned) | None => {}
        }
        if self.rpc.holds(pin.id.as_str(), Hold::Recursive).await? {
            return Ok(Some(self.pin(pin.id.clone(), pin.content, Status::Pinned)));
        }
        if pin.unfinished { self.resume(pin).await.map(Some) } else { Ok(None) }
    }

    async fn introduce(&self, pin: Known<'_>, submit: Submit) -> Result<(), ProviderError> {
        self.fetches.introduce(pin.content, &submit.origins);
        Ok(())
    }

    async fn list(&self, _: Option<Timestamp>) -> Result<UpstreamPage, ProviderError> {
        let why = "a node's pins come in no pages: each is asked for by itself";
        Err(self.rpc.connection.failure(Operation::List, ErrorClass::Unknown, why))
    }

    async fn remove(&self, id: &UpstreamId) -> Result<(), ProviderError> {
        if let Ok(cid) = PinCid::parse(id.as_str()) {
            self.fetches.cancel(cid.content()).await;
        }
        // Where only a direct pin is left it is somebody else's, and pin/rm would take that.
        if self.rpc.holds(id.as_str(), Hold::Recursive).await? {
            self.rpc.unpin(id.as_str()).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
